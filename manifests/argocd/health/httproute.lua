-- The health of an HTTPRoute. Argo CD's built-in check is Degraded while the Service is missing. Seldon creates it a moment after
-- the route, so a first release would fail.
local health = { status = "Progressing", message = "The gateway has not reported yet" }
local parents = obj.status ~= nil and obj.status.parents or {}
for _, parent in ipairs(parents) do
  for _, condition in ipairs(parent.conditions or {}) do
    local now = condition.observedGeneration == nil or condition.observedGeneration == obj.metadata.generation
    if condition.status ~= "True" or not now then
      return { status = "Progressing", message = now and condition.message or health.message }
    end
    if condition.type == "Accepted" then
      health = { status = "Healthy", message = "The gateway accepted the route" }
    end
  end
end
return health
