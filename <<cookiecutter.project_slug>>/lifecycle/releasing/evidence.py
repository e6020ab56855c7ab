"""The pull request of a release: what changes in the environment, and the evidence for it."""

from lifecycle.config import Promote
from lifecycle.documents import limits, record
from lifecycle.documents.change import Change
from lifecycle.documents.environments import CANDIDATE, RECORD, current, folder, since
from lifecycle.reporting import pages, sections

SHOWN = ("Gates", "Changes", "Metrics")


def _compared(decision: record.Decision, promotion: Promote) -> list[str]:
    """A warning if production no longer runs the champion that the candidate was measured against."""
    production = current(folder(promotion.order[-1], promotion.order))
    runs = production.evaluation.origin.version if production else "nothing"
    champion = decision.evaluation.champion
    against = champion.origin.version if champion else "nothing"
    if runs in (against, decision.evaluation.origin.version):
        return []
    return ["", f"Measured against `{against}`, but `{promotion.order[-1]}` now runs `{runs}`."]


def _history(kind: str, environment: str, promotion: Promote) -> list[str]:
    """Since when the environment runs its present release, and the one before it the release that is promoted."""
    before = promotion.order[promotion.order.index(environment) - 1]
    places = {name: folder(name, promotion.order) for name in (environment, *([before] if kind == "promote" else []))}
    found = ((name, current(place), since(place)) for name, place in places.items())
    return [f"`{name}` has run `{present.version}` since {day}." for name, present, day in found if present and day]


def change(kind: str, decision: record.Decision, environment: str, promotion: Promote, share: int = 100) -> Change:
    """The pull request that places a release in an environment, beside the present one if `share` is under 100%."""
    target = folder(environment, promotion.order)
    before, candidate = current(target), current(target, CANDIDATE)
    was = before.version if before else "nothing"
    version = decision.version
    images = decision.images.model_dump() if decision.images else {}
    branch, finish = f"{kind}/{environment}/{version}", ""
    undo = "*Revert* on this page" if kind == "rollback" else f"`make rollback ENV={environment}`"
    if share < 100:
        title = f"Promote {version} to {share}% of {environment}"
        summary = f"`{environment}` sends {share}% of its requests to `{version}` and the rest to `{was}`."
        finish = f"To send it all requests: `make promote ENV={environment}`. "
        images, branch = {"serve": images["serve"]}, f"{branch}-{share}"
    elif candidate and was == version:
        title = f"Drop {candidate.version} from {environment}"
        summary = f"`{environment}` runs `{version}` alone."
    else:
        back = f"Roll {environment} back to {version} from {was}"
        title = back if kind == "rollback" else f"{kind.capitalize()} {version} to {environment}"
        summary = f"`{environment}` runs `{version}` instead of `{was}`."
    if candidate and candidate.version != version:
        summary += f" The candidate `{candidate.version}` is dropped."
    if decision.built:
        summary += f" Its images were rebuilt around the model `{decision.evaluation.origin.version}`."
    lines = [summary, *_history(kind, environment, promotion), ""]
    lines += [f"- {name}: `{image}`" for name, image in images.items()]
    lines += [] if kind == "rollback" else _compared(decision, promotion)
    shown = [section for section in sections.of(decision) if section.title in SHOWN]
    verdict, setting = sections.headline(decision), sections.setting(decision)
    report = pages.markdown(verdict, setting, shown, RECORD, limits.REPORT)
    lines += ["", report.strip(), "", f"{finish}To undo it after the merge: {undo}."]
    return Change(title, "\n".join(lines) + "\n", branch, (target.as_posix(),))
