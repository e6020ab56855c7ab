-- The health of an Application within an Application; without it the platform's sync waves do not wait. A part that is starting is
-- Degraded for a while, like Prometheus before its first pod: report Progressing, so that the wave does not fail.
local health = { status = "Progressing", message = "" }
if obj.status ~= nil and obj.status.health ~= nil then
  health.status = obj.status.health.status or health.status
  health.message = obj.status.health.message or ""
end
if health.status == "Degraded" then
  health.status = "Progressing"
  health.message = "Degraded: " .. health.message
end
return health
