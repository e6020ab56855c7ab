-- The health of a CronJob. The one built in is that of its last job, and a sync fails on it, with or without the annotation
-- ignore-healthcheck (argoproj/argo-cd#22940): after one bad night of the monitor no release and no rollback would go through.
return { status = "Healthy", message = "A night that fails is an alert of its own: MonitorSilent" }
