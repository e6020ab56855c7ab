"""Every fault: what is done, what is expected, and what a person does then."""

from faults import breakage, releases
from faults.fault import Fault

BOOKS = "runbooks.md#"
PLATFORM = "manifests/README.md#"
TOLD = 360.0  # seconds: runbooks.md promises the word of a bad release within 6 minutes
MENDED = 900.0  # until the commit that mends it runs, too


def _bad(name: str, done: str, act: str, runbook: str, does: str = "reverts the commit") -> Fault:
    """A release that must fail while the one before goes on answering."""
    told = ("failed", "verified")
    return Fault(
        name,
        done,
        getattr(releases, act),
        "Failed",
        told,
        releases.undone,
        does,
        BOOKS + runbook,
        within=MENDED,
        soon=TOLD,
    )


FAULTS = (
    Fault(
        "canary",
        "a newer release gets 10 %, then 50 %, then all of the requests",
        releases.raised,
        told=("verified", "verified", "verified"),
        runbook="releasing-and-rolling-back.md#some-of-the-requests-first",
        within=1800,
    ),
    Fault(
        "dropped",
        "a newer release gets 10 % of the requests",
        releases.tenth,
        told=("verified", "verified"),
        mend=releases.rolled,
        does="drops it with `make rollback`",
        runbook="releasing-and-rolling-back.md#some-of-the-requests-first",
        within=1800,
    ),
    Fault(
        "rollback",
        "a newer release gets all requests",
        releases.promoted,
        told=("verified", "verified"),
        mend=releases.rolled,
        does="`make rollback`",
        runbook="releasing-and-rolling-back.md#at-three-in-the-morning",
        within=1800,
    ),
    _bad("image", "a release whose image does not exist", "missing", "an-image-cannot-be-pulled"),
    _bad("damaged", "a release whose model is damaged", "damaged", "the-release-never-becomes-healthy"),
    _bad("unready", "a release whose pods never get ready", "unready", "the-release-never-becomes-healthy"),
    _bad("smoke", "a release whose answers are not those of its image", "different", "the-smoke-test-fails"),
    Fault(
        "executor",
        "`components/executor` is switched on",
        releases.engaged,
        told=("verified", "verified"),
        mend=releases.undone,
        does="switches it off again",
        runbook="serving.md#seldons-executor",
        within=1800,
    ),
    Fault(
        "claim",
        "the claim of the prediction log is deleted, and the pods with it",
        breakage.claim,
        runbook=BOOKS + "the-logs-volume-cannot-be-written",
        fails="no pod is there until the new ones are ready",
        loses="the volume had them",
    ),
    Fault(
        "namespace",
        "the namespace is deleted",
        breakage.namespace,
        runbook=BOOKS + "modeldown",
        fails="nothing is there until all of it is back",
        loses="the volume had them",
    ),
    Fault(
        "killed",
        "Seldon's operator and Argo CD's controller are killed in a rollout",
        breakage.killed,
        told=("verified",),
        runbook=BOOKS + "the-sync-does-not-end",
    ),
    Fault(
        "drained",
        "the node of the log's volume is drained",
        breakage.drained,
        mend=breakage.usable,
        does="lets pods onto the node again",
        runbook=BOOKS + "pods-stay-pending",
        fails="no pod can be where the volume is not",
    ),
    Fault(
        "moved",
        "the node of a pod is drained, and others can write the log's volume",
        breakage.moved,
        mend=breakage.usable,
        does="lets pods onto the node again",
        runbook=BOOKS + "pods-stay-pending",
    ),
    Fault(
        "github",
        "GitHub answers 502 while production changes, then 200",
        breakage.speechless,
        told=("verified",),
        mend=breakage.back,
        runbook=BOOKS + "no-pull-request-follows",
    ),
    Fault(
        "registry",
        "a pod is deleted while the registry is away",
        breakage.unreachable,
        mend=breakage.reachable,
        does="mends the registry",
        runbook=BOOKS + "an-image-cannot-be-pulled",
    ),
    Fault(
        "upgrade",
        "Seldon's operator is upgraded to an image that does not exist, and production changes",
        breakage.upgraded,
        told=("verified",),
        mend=breakage.downgraded,
        does="reverts the commit, and ends both syncs",
        runbook=PLATFORM + "day-by-day",
        within=1800,
    ),
    Fault(
        "collision",
        "a second repository has the same name",
        breakage.doubled,
        shows="Synced",
        mend=breakage.single,
        does="renames it or takes its topic away",
        runbook=BOOKS + "the-cluster-does-not-follow-git",
    ),
)
