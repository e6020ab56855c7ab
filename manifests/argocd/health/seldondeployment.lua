-- The health of a SeldonDeployment. Argo CD has none built in: without it an Application is healthy at once and the
-- smoke test asks pods that are not there yet. The operator fills in no observedGeneration that could be compared.
local health = { status = "Progressing", message = "Seldon has not reported yet" }
if obj.status ~= nil and obj.status.state ~= nil then
  health.message = obj.status.description or obj.status.state
  if obj.status.state == "Available" then
    health.status = "Healthy"
  elseif obj.status.state == "Failed" then
    health.status = "Degraded"
  end
end
return health
