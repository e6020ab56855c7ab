"""What a commit may do to production: bad releases, a candidate, the executor."""

from faults.stage import Stage

OVERLAY = "manifests/overlays/production/"
NONE = "sha256:" + "0" * 64
CONTAINER = "/spec/predictors/0/componentSpecs/0/spec/containers/0"


def _digest(stage: Stage, digest: str, message: str) -> None:
    """Let production's release name another image, as nothing but a person's hand can."""
    before = stage.repository.released("production")
    stage.repository.edit(f"{OVERLAY}release/kustomization.yaml", before, digest)
    stage.repository.commit(message)


def _patch(stage: Stage, kind: str, path: str, value: str, message: str) -> None:
    """Patch one value in production's overlay."""
    patch = f'[{{"op": "replace", "path": "{path}", "value": "{value}"}}]'
    added = rf"patches:\n  - {{target: {{kind: {kind}}}, patch: '{patch}'}}\n"
    stage.repository.edit(f"{OVERLAY}kustomization.yaml", r"^patches:\n|(?<=\n)patches:\n", added)
    stage.repository.commit(message)


def missing(stage: Stage) -> None:
    _digest(stage, NONE, "Release an image that does not exist")


def damaged(stage: Stage) -> None:
    model = stage.repository.path / "build/model/model.onnx"
    whole = model.read_bytes()
    model.write_bytes(whole[: len(whole) // 2])
    try:
        image = stage.repository.image("serve")
    finally:
        model.write_bytes(whole)
    _digest(stage, image.partition("@")[2], "Release a damaged model")


def unready(stage: Stage) -> None:
    path = f"{CONTAINER}/readinessProbe/httpGet/path"
    _patch(stage, "SeldonDeployment", path, "/nowhere", "Ask for readiness where nothing answers")


def different(stage: Stage) -> None:
    more(stage)  # for a change in a hook alone Argo CD begins no sync
    path = "/spec/template/spec/containers/0/env/0/value"
    _patch(stage, "Job", path, f"other@{NONE}", "Expect the answers of another image")


def undone(stage: Stage) -> None:
    """Revert the last commit."""
    stage.repository.revert()
    stage.runs("production")


def _newer(stage: Stage) -> None:
    """Train and release once more, as far as staging."""
    stage.repository.more("config.yaml", "max_iter")
    stage.repository.commit("Train longer")
    stage.release(stage.built())
    stage.promote("staging")


def raised(stage: Stage) -> None:
    _newer(stage)
    for share in ("10", "50", ""):
        stage.promote("production", share)


def tenth(stage: Stage) -> None:
    _newer(stage)
    stage.promote("production", "10")


def promoted(stage: Stage) -> None:
    _newer(stage)
    stage.promote("production")


def rolled(stage: Stage) -> None:
    stage.repository.make("rollback", ENV="production")
    stage.repository.commit("Roll production back")
    stage.runs("production")


def engaged(stage: Stage) -> None:
    added = r"\1  - ../../components/executor\n"
    stage.repository.edit(f"{OVERLAY}kustomization.yaml", r"(  - release.*\n)", added)
    stage.repository.commit("Put the executor in front of production")
    stage.runs("production")


def more(stage: Stage) -> None:
    """Let production have new pods with the next commit."""
    stage.repository.more(f"{OVERLAY}memory.yaml", "value")


def changed(stage: Stage) -> None:
    """A change that makes new pods of the same release."""
    more(stage)
    stage.repository.commit("Give production another limit")
