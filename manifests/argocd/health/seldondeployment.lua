-- The health of a SeldonDeployment; Argo CD has no built-in check. Without it an Application is healthy at once and the
-- smoke test starts before the pods. The operator sets no observedGeneration to compare. It reports Failed for any error of a
-- reconciliation, most of which pass; only a Deployment that has used up its progressDeadlineSeconds is final. While an older pod
-- answers, it reports nothing of that (outcomes/rollout.py does). Argo CD gives Lua no library for texts, so this one is compared whole.
local health = { status = "Progressing", message = "Seldon has not reported yet" }
if obj.status ~= nil and obj.status.state ~= nil then
  health.message = obj.status.description or obj.status.state
  if obj.status.state == "Available" then
    health.status = "Healthy"
  elseif obj.status.state == "Failed" and health.message == "Deployment is no longer progressing and not available." then
    health.status = "Degraded"
  end
end
return health
