"""Takes a service out of its environments, the last one first; its log and the records in git stay."""

from lifecycle.config import Promote
from lifecycle.documents import record
from lifecycle.documents.change import Change
from lifecycle.documents.environments import KUSTOMIZATION, RECORD, committed, current, place, writable
from lifecycle.releasing import component

LEFT = """\
What a merge never deletes, once every environment is empty (docs/moving.md has the commands):

- the topic `mlaas-model` of the repository, without which the cluster forgets it;
- the Applications, the project and the namespaces, and with them the volume that holds the prediction log;
- the images in the registry, the versions in MLflow, and the log in an object store, if it is shipped.
"""


def run(promotion: Promote) -> Change | str:
    """The pull request that empties the last environment that has a release, or what is left to delete."""
    there = [
        (environment, target)
        for environment in promotion.order
        for target in [writable(environment, promotion.order)]
        if current(target) or RECORD in committed(target)
    ]
    if not there:
        return f"no environment has a release\n{LEFT}"
    environment, target = there[-1]
    present = current(target) or record.released(target / RECORD, committed(target)[RECORD])
    others = ", ".join(f"`{name}`" for name, _ in reversed(there[:-1]))
    lines = [
        f"`{environment}` runs `{present.version}`. After the merge the cluster removes its service, its monitor and "
        "its route: whoever calls it gets no answer any more.",
        "",
        "The volume with its log stays, and its records stay in git: `make trace` still follows its answers.",
        "",
        f"Then `make retire offer` goes on with {others}." if others else LEFT.strip(),
        "",
        "To undo it after the merge: *Revert* on this page.",
    ]
    place({KUSTOMIZATION: component.RETIRED}, target)
    branch = f"retire/{environment}/{present.version}"
    return Change(f"Take {present.version} out of {environment}", "\n".join(lines) + "\n", branch, (target.as_posix(),))
