"""Whether new pods have used up their time. Seldon's operator reports it only while no older pod answers, either."""

from typing import Any

Object = dict[str, Any]
GIVEN_UP = "ProgressDeadlineExceeded"


def stalled(deployments: list[Object], since: str = "") -> str:
    """The first Deployment, by name, that has given up on its newest pods since a moment."""
    for one in sorted(deployments, key=lambda each: str(each["metadata"]["name"])):
        status = one.get("status") or {}
        if status.get("observedGeneration") == one["metadata"]["generation"]:
            for condition in status.get("conditions") or ():
                if condition.get("reason") == GIVEN_UP and condition["lastTransitionTime"] >= since:
                    return str(one["metadata"]["name"])
    return ""
