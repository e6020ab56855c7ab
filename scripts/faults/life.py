"""The life of a model before the faults: a release to dev, the monitor, promotions up to production, callers."""

from faults.stage import PATIENCE, Stage
from faults.stands import MODEL


def play(stage: Stage) -> None:
    """Leave production running its first release under load; raises Failed where something does not come."""
    dev = ("--namespace", f"{MODEL}-dev")
    stage.repository.bake()
    stage.stand()
    stage.repository.publish()
    stage.find()
    stage.clear()
    images = stage.built()
    stage.listen(images["SERVE"])
    stage.release(images)
    stage.cluster.kubectl("delete", "job", *dev, "--ignore-not-found", "monitor-now")
    stage.cluster.kubectl("create", "job", *dev, "--from", "cronjob/monitor", "monitor-now")
    stage.cluster.kubectl("wait", *dev, "--for", "condition=complete", "--timeout", "300s", "job/monitor-now")
    stage.promote("staging")
    stage.promote("production")
    stage.call(images["SERVE"])
    stage.cluster.until(
        "An answer through the gateway", PATIENCE, lambda: any(call[1] == 200 for call in stage.calls())
    )
    stage.settles()
