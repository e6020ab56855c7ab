-- The health of a SeldonDeployment; Argo CD has no built-in check. Without it an Application is healthy at once and the
-- smoke test starts before the pods. The operator sets no observedGeneration to compare.
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
