"""What a change asks for follows from what it touches."""

from pathlib import Path

import pytest
import yaml
from conftest import Git
from tiny import ROOT, Trained

from lifecycle import InputError, imports
from lifecycle.documents import record
from lifecycle.github import changes
from lifecycle.releasing import release

NOTHING = dict.fromkeys(("train", "evaluate", "images", "start", "team", "lifecycle"), False)


def asked(*names: str, sections: set[str] | None = None) -> set[str]:
    return {name for name, value in changes.asked(list(names), sections or set()).items() if value}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("data/rows.parquet", {"train", "evaluate", "team"}),
        ("model/estimator.py", {"train", "evaluate", "team"}),
        ("model/words.txt", {"train", "evaluate", "team"}),
        ("model/pyproject.toml", {"train", "evaluate", "team"}),
        ("locks/model.txt", {"train", "evaluate", "start", "team"}),
        ("locks/train.txt", {"train", "evaluate", "team", "lifecycle"}),
        ("locks/serve.txt", {"images", "start", "team", "lifecycle"}),
        ("locks/monitor.txt", {"images", "start", "team", "lifecycle"}),
        ("locks/uv.txt", {"start", "team", "lifecycle"}),
        (".python-version", {"train", "evaluate", "start"}),
        ("locks/dev.txt", {"team", "lifecycle"}),
        ("Dockerfile", {"images", "start"}),
        ("lifecycle/training/train.py", {"train", "evaluate", "team", "lifecycle"}),
        ("lifecycle/rows/pin.py", {"team", "lifecycle"}),
        ("lifecycle/artifact/predictor.py", {"train", "evaluate", "images", "team", "lifecycle"}),
        ("lifecycle/evaluation/metrics.py", {"evaluate", "team", "lifecycle"}),
        ("lifecycle/serving/post.py", {"images", "team", "lifecycle"}),
        ("lifecycle/monitoring/alerts.py", {"images", "team", "lifecycle"}),
        ("lifecycle/reporting/charts.py", {"team", "lifecycle"}),
        ("lifecycle/reporting/watch.py", {"images", "team", "lifecycle"}),
        ("lifecycle/failures.py", {"images", "team", "lifecycle"}),
        ("lifecycle/releasing/promote.py", {"team", "lifecycle"}),
        ("lifecycle/github/offer.py", {"team", "lifecycle"}),
        ("lifecycle/tests/test_gate.py", {"team", "lifecycle"}),
        ("tests/test_estimator.py", {"team"}),
        ("manifests/overlays/dev/release/decision.json", set()),
        ("manifests/base/model.yaml", set()),
        (".github/workflows/release.yaml", set()),
        ("docs/monitoring.md", set()),
        ("README.md", set()),
        ("modelling.md", set()),
        ("Dockerfile.md", set()),
    ],
)
def test_a_file_asks_for_what_is_made_of_it(name: str, expected: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert asked(name) == expected


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ("data", {"train", "evaluate"}),
        ("train", {"train", "evaluate"}),
        ("gates", {"evaluate"}),
        ("schema", {"evaluate"}),
        ("evaluate", {"evaluate"}),
        ("serve", {"images"}),
        ("monitor", {"images"}),
        ("promote", set()),
        ("reproduce", set()),
    ],
)
def test_a_section_of_the_configuration_asks_for_what_reads_it(
    section: str, expected: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    assert asked("config.yaml", sections={section}) == expected | {"team"}


def test_every_section_is_known_to_ask_for_something_or_nothing(binary: Trained) -> None:
    listed = {*changes.TRAINING_SECTIONS, *changes.EVALUATION_SECTIONS, *changes.IMAGES_SECTIONS}
    known = {field.alias or name for name, field in type(binary.settings).model_fields.items()}
    assert known - listed == {"card", "promote", "reproduce"}


def outputs(base: str, binary: Trained, monkeypatch: pytest.MonkeyPatch, folder: Path) -> set[str]:
    path = folder / "outputs"
    path.write_text("")
    monkeypatch.setenv("GITHUB_OUTPUT", str(path))
    changes.run(binary.settings.promote, Path("config.yaml"), base)
    found = dict(line.split("=") for line in path.read_text().splitlines())
    assert set(found) == {*NOTHING, "check"}
    return {name for name, value in found.items() if value == "true"}


def test_a_comment_in_the_configuration_asks_for_nothing_but_checks(
    binary: Trained, repository: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("config.yaml").write_text(yaml.safe_dump(binary.document))
    base = repository.commit("Configure")
    Path("config.yaml").write_text("# words\n" + yaml.safe_dump(binary.document))
    repository.commit("Comment")
    assert outputs(base, binary, monkeypatch, tmp_path) == {"check", "team"}
    binary = binary.but(document=binary.document | {"gates": binary.document["gates"][:1]})
    Path("config.yaml").write_text(yaml.safe_dump(binary.document))
    repository.commit("Gates")
    assert outputs(base, binary, monkeypatch, tmp_path) == {"check", "team", "evaluate"}


def test_a_release_asks_for_no_job_at_all(
    binary: Trained, decision: record.Decision, repository: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from test_release import IMAGES, SETTINGS

    base = repository("rev-parse", "HEAD")
    release.run(decision, IMAGES, "dev", SETTINGS)
    repository.commit("Release")
    assert outputs(base, binary, monkeypatch, tmp_path) == set()


def test_images_are_built_around_a_released_model_or_one_is_trained(
    binary: Trained, decision: record.Decision, repository: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from test_release import IMAGES, SETTINGS, version

    def merged(name: str) -> str:
        base = repository("rev-parse", "HEAD")
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(f"# {base}\n")
        repository.commit("Change")
        return base

    assert outputs(merged("Dockerfile"), binary, monkeypatch, tmp_path) == {"check", "train", "evaluate", "start"}
    release.run(version(decision, "2020.02.01-aaaaaaa", repository("rev-parse", "HEAD")), IMAGES, "dev", SETTINGS)
    repository.commit("Release")
    assert outputs(merged("Dockerfile"), binary, monkeypatch, tmp_path) == {"check", "images", "start"}
    # A model that was merged and is not released yet is not left behind.
    assert outputs(merged("model/estimator.py"), binary, monkeypatch, tmp_path) >= {"train"}
    assert outputs(merged("Dockerfile"), binary, monkeypatch, tmp_path) == {"check", "train", "evaluate", "start"}
    release.run(version(decision, "2020.02.02-bbbbbbb", "e" * 40), IMAGES, "dev", SETTINGS)
    repository.commit("Release what was trained elsewhere")
    assert outputs(merged("Dockerfile"), binary, monkeypatch, tmp_path) == {"check", "train", "evaluate", "start"}


def test_before_the_first_push_everything_is_new(
    binary: Trained, repository: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert outputs("0" * 40, binary, monkeypatch, tmp_path) >= {"check", "train"}
    with pytest.raises(InputError, match="git does not know the commit"):
        outputs("1" * 40, binary, monkeypatch, tmp_path)


def test_a_push_that_release_yaml_ignores_asks_for_no_release() -> None:
    text = (ROOT / ".github/workflows/release.yaml").read_text()
    ignored = text.partition("paths-ignore: [")[2].partition("]")[0].replace('"', "").split(", ")
    assert len(ignored) > 3
    for pattern in ignored:
        assert not asked(pattern.replace("**", "x/y").replace("*", "x")) & {"train", "images"}


def test_a_relative_import_is_followed(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    for name, text in {
        "__init__": "",
        "estimator": "from .words import a\nfrom . import more\n",
        "words": "",
        "more": "",
    }.items():
        (tmp_path / f"model/{name}.py").write_text(text)
    names = {f"model/{name}.py" for name in ("__init__", "estimator", "words", "more")}
    assert imports.needed("model.estimator", root=tmp_path) == names
