-- The health of an Application within an Application; without it the platform's sync waves do not wait. A part is healthy only when
-- its newest commit or version is synced and no sync runs: before that Argo CD reports what was there before, or ignores what is
-- still missing (controller/health.go in 3.5.1). A part that is starting is Degraded for a while, like Prometheus before its first
-- pod: report Progressing, so that the wave does not fail. For a part with the label `optional`, what it installs must be there,
-- such as its kinds, but nothing waits for its pods.
local status = obj.status or {}
local health = status.health or {}

local function same(one, other)
  if type(one) ~= "table" or type(other) ~= "table" then
    return one == other
  end
  for key, value in pairs(one) do
    if not same(value, other[key]) then
      return false
    end
  end
  for key in pairs(other) do
    if one[key] == nil then
      return false
    end
  end
  return true
end

local function waits(reason)
  return { status = "Progressing", message = reason }
end

local operation = status.operationState or {}
local running = obj.operation ~= nil or operation.phase == "Running"
local sync = status.sync or {}
local compared = sync.comparedTo or {}
local from = obj.spec.sources and "sources" or "source" -- beside several, Argo CD writes `source: {repoURL: ""}` too
if sync.status == nil or not same(compared[from], obj.spec[from]) then
  return waits("Waits until Argo CD has compared its new version with the cluster")
end
if sync.status ~= "Synced" then
  return waits("Waits to be synced: " .. (operation.message or "it differs from git"))
end
if (obj.metadata.labels or {}).optional == "true" then
  local now = (health.status or "Unknown") .. (running and ", still syncing" or "")
  return { status = "Healthy", message = "Nothing waits for this part, which is optional; it is " .. now }
end
if running then
  return waits("Waits for its sync: " .. (operation.message or "it begins"))
end
if health.status == "Degraded" or health.status == nil then
  return waits((health.status or "Unknown") .. ": " .. (health.message or "no resource has reported yet"))
end
return { status = health.status, message = health.message or "" }
