-- The health of an HTTPRoute. By the one built in it is Degraded while there is no Service to lead to, which costs a first release
-- one of its two tries: Seldon makes the Service a moment after the route.
local health = { status = "Progressing", message = "The gateway has not reported yet" }
local parents = obj.status ~= nil and obj.status.parents or {}
for _, parent in ipairs(parents) do
  for _, condition in ipairs(parent.conditions or {}) do
    local now = condition.observedGeneration == nil or condition.observedGeneration == obj.metadata.generation
    if condition.status ~= "True" or not now then
      return { status = "Progressing", message = now and condition.message or health.message }
    end
    if condition.type == "Accepted" then
      health = { status = "Healthy", message = "The gateway leads to it" }
    end
  end
end
return health
