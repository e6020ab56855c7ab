-- The health of an Application within an Application: without it the sync waves of the platform wait for nothing. What starts is
-- Degraded for a while, as Prometheus before its first pod; that must not fail the wave, and with it all that comes after.
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
