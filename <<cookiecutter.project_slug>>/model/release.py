"""Writes what an environment runs: the decision record and a Kustomize component that pins both images by digest."""

import json
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

import yaml

from model import InputError, files, git, pages, record, sections
from model.config import Promote

OVERLAYS = Path("manifests/overlays")
RECORD = "decision.json"
CANDIDATE = "candidate.json"  # the record of what runs beside it, in components/canary
KUSTOMIZATION = "kustomization.yaml"
SHOWN = ("Gates", "Changes", "Metrics")
LIMIT = 40_000  # characters of the report in a pull request, which also shows how the manifests differ


@dataclass(frozen=True)
class Change:
    """What a step did to the files of `paths`, to be offered as a pull request from the branch of that name."""

    title: str
    body: str
    branch: str
    paths: tuple[str, ...]

    def write(self, build: Path) -> Path:
        """Write `change.json`, and the text for a person who opens the pull request by hand; returns the latter."""
        files.write_json(build / "change.json", asdict(self))
        files.write(build / "pull-request.md", f"# {self.title}\n\n{self.body}")
        return build / "pull-request.md"


def component(version: str, images: record.Images, candidate: record.Images | None = None, share: int = 0) -> str:
    """The `kustomization.yaml` of a release: the base with both images by digest.

    Beside it a candidate may answer `share` percent of the requests.
    """
    named = images.model_dump() | ({"canary": candidate.serve} if candidate else {})
    document: dict[str, object] = {
        "apiVersion": "kustomize.config.k8s.io/v1alpha1",
        "kind": "Component",
        "labels": [{"pairs": {"app.kubernetes.io/version": version}, "includeTemplates": True}],
        "resources": ["../../../base"],
        "images": [
            {"name": name, "newName": image.split("@")[0], "digest": image.split("@")[1]}
            for name, image in named.items()
        ],
    }
    if candidate:
        document["components"] = ["../../../components/canary"]
        document["patches"] = [
            _weights("SeldonDeployment", "/spec/predictors/{}/traffic", share),
            _weights("HTTPRoute", "/spec/rules/0/backendRefs/{}/weight", share),
        ]
    return yaml.safe_dump(document, sort_keys=False)


def _weights(kind: str, path: str, share: int) -> dict[str, object]:
    """The patch that divides the requests between the release and the candidate beside it."""
    weights = [{"op": "add", "path": path.format(index), "value": w} for index, w in enumerate((100 - share, share))]
    return {"target": {"kind": kind}, "patch": json.dumps(weights)}


def shares(decision: record.Decision, candidate: record.Decision | None) -> dict[str, int]:
    """Every `kustomization.yaml` that the records of a release allow, and the candidate's percentage in each."""
    version, images = decision.evaluation.origin.version, decision.images
    if images is None or (candidate and candidate.images is None):
        return {}
    if candidate is None:
        return {component(version, images): 0}
    return {component(version, images, candidate.images, share): share for share in range(1, 100)}


def folder(environment: str, order: tuple[str, ...]) -> Path:
    """The `release/` of an environment; raises InputError for one that does not exist."""
    if environment not in order:
        raise InputError(f"There is no environment {environment!r}; ENV is one of {', '.join(order)}.")
    if not (OVERLAYS / environment).is_dir():
        raise InputError(f"{OVERLAYS / environment} is missing, but promote.order names it; restore it from git.")
    return OVERLAYS / environment / "release"


def touched(names: list[str], order: tuple[str, ...]) -> list[str]:
    """The environments in whose `release/` one of the files lies."""
    return [one for one in order if any(within(name, one) for name in names)]


def within(name: str, environment: str) -> bool:
    """Whether a file lies in the `release/` of an environment."""
    return Path(name).is_relative_to(OVERLAYS / environment / "release")


def frozen(environment: str, settings: Promote, today: date) -> list[str]:
    """The windows in which an environment is frozen today: until when, and why."""
    return [
        f"{environment} is frozen from {freeze.begin} until {freeze.end} ({freeze.reason})"
        for freeze in settings.freeze
        if freeze.environment == environment and freeze.begin <= today < freeze.end
    ]


def current(release: Path, name: str = RECORD) -> record.Decision | None:
    """The record of what an environment runs, or of the candidate beside it; None where there is none."""
    path = release / name
    return record.released(path, path.read_bytes()) if path.is_file() else None


def ran(release: Path, content: str, until: str = "HEAD") -> bool:
    """Whether the record of an environment had that content, up to a commit."""
    return any(git.content(commit, release / RECORD) == content for commit in git.states(release, until=until))


def digests(decision: record.Decision) -> tuple[str, ...]:
    """The digests of a release's images."""
    return tuple(image.split("@")[1] for image in decision.images.model_dump().values()) if decision.images else ()


def _compared(decision: record.Decision, settings: Promote) -> list[str]:
    """What is to be said where production no longer runs the champion that the candidate was measured against."""
    production = current(OVERLAYS / settings.order[-1] / "release")
    runs = production.evaluation.origin.version if production else "nothing"
    champion = decision.evaluation.champion
    against = champion.origin.version if champion else "nothing"
    if runs in (against, decision.evaluation.origin.version):
        return []
    return ["", f"Measured against `{against}`, but `{settings.order[-1]}` now runs `{runs}`."]


def change(kind: str, decision: record.Decision, environment: str, settings: Promote, share: int = 100) -> Change:
    """The pull request, with its evidence, for a release that is about to be placed in an environment.

    With less than 100 percent of the requests it is placed beside the present one.
    """
    target = folder(environment, settings.order)
    before, candidate = current(target), current(target, CANDIDATE)
    was = before.evaluation.origin.version if before else "nothing"
    version = decision.evaluation.origin.version
    images = decision.images.model_dump() if decision.images else {}
    branch, finish = f"{kind}/{environment}/{version}", ""
    undo = "*Revert* on this page" if kind == "rollback" else f"`make rollback ENV={environment}`"
    if share < 100:
        title = f"Promote {version} to {share}% of {environment}"
        said = f"`{environment}` gives `{version}` {share}% of its requests, and `{was}` the rest."
        finish = f"To give it all of them: `make promote ENV={environment}`. "
        images, branch = {"serve": images["serve"]}, f"{branch}-{share}"
    elif candidate and was == version:
        title = f"Drop {candidate.evaluation.origin.version} from {environment}"
        said = f"`{environment}` runs `{version}` alone."
    else:
        back = f"Roll {environment} back to {version} from {was}"
        title = back if kind == "rollback" else f"{kind.capitalize()} {version} to {environment}"
        said = f"`{environment}` runs `{version}` instead of `{was}`."
    if candidate and candidate.evaluation.origin.version != version:
        said += f" `{candidate.evaluation.origin.version}` beside it is dropped."
    lines = [said, ""]
    lines += [f"- {name}: `{image}`" for name, image in images.items()]
    lines += [] if kind == "rollback" else _compared(decision, settings)
    shown = [section for section in sections.of(decision) if section.title in SHOWN]
    report = pages.markdown(sections.verdict(decision), sections.setting(decision.evaluation), shown, RECORD, LIMIT)
    lines += ["", report.strip(), "", f"{finish}To undo it once it is merged: {undo}."]
    return Change(title, "\n".join(lines) + "\n", branch, (target.as_posix(),))


def place(contents: dict[str, str], release: Path) -> None:
    """Replace a release by files of the given names and contents, all or none."""
    with files.replaced(release) as part:
        for name, content in contents.items():
            files.write(part / name, content)


def run(decision: record.Decision, images: dict[str, str], environment: str, settings: Promote) -> Change:
    """Release a candidate that passed to an environment; raises InputError when it did not, or has no exact origin."""
    version = decision.evaluation.origin.version
    target = folder(environment, settings.order)
    if not decision.passed:
        failed = sum(verdict.outcome == "fail" for verdict in decision.gates)
        raise InputError(f"{version} was refused by {failed} gates, see build/report.md; release one that passes.")
    if decision.evaluation.origin.dirty or version == git.UNVERSIONED:
        raise InputError(
            f"{version} was trained with uncommitted changes; commit them, then run `make pipeline` again."
        )
    try:
        pinned = record.Images(**images)
    except ValueError as error:
        wrong = ", ".join(f"{name.upper()}={image!r}" for name, image in images.items())
        raise InputError(
            f"Images are given by digest, as registry/name@sha256:<64 hex digits>, not {wrong}."
        ) from error
    before = current(target)
    if before is not None and before.evaluation.origin.version == version:
        raise InputError(f"{environment} already runs {version}; there is nothing to release.")
    released = decision.model_copy(update={"images": pinned})
    offered = change("release", released, environment, settings)
    place({RECORD: record.dump(released), KUSTOMIZATION: component(version, pinned)}, target)
    return offered
