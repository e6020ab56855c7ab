-- A CronJob is always healthy. Argo CD's built-in check takes its last job's result and fails the sync, even with the annotation
-- ignore-healthcheck (argoproj/argo-cd#22940): one failed night of the monitor would block every release and rollback.
-- The alert MonitorSilent reports two days without a success.
return { status = "Healthy", message = "Its jobs' results do not affect the service's health" }
