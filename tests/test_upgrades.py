"""This version, merged into repositories of older ones by the upgrade verb that they have."""

import io
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path

import yaml
from conftest import IDENTITY, PROJECT, ROOT, cookiecutter, library_types, run, unrendered

# The first commit with a whole upgrade verb, one in between, and the last one before the machinery left `model/`.
EARLY, MIDDLE, LAST = "c25fac7", "4919a23", "05a8805"
CHANGE, TEMPLATE = "refs/upgrade/change", "refs/upgrade/template"

ESTIMATOR = '''"""A linear model."""

from sklearn.pipeline import Pipeline

from model.config import Config
from model.words import encoder, linear


def estimator(settings: Config) -> Pipeline:
    """Linear in the numbers, each in units of its spread, and in the categories."""
    return Pipeline([("encode", encoder(settings)), ("linear", linear(settings))])
'''
WORDS = '''"""What the estimator is made of."""

from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from model.config import Config


def encoder(settings: Config) -> ColumnTransformer:
    """Numbers without gaps and scaled, categories one-hot encoded."""
    types = {name: feature.type for name, feature in settings.data.features.items()}
    numbers = [name for name, kind in types.items() if kind == "number"]
    categories = [name for name, kind in types.items() if kind == "category"]
    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False, dtype="float32")
    filled = make_pipeline(SimpleImputer(), StandardScaler())
    return ColumnTransformer([("numbers", filled, numbers), ("categories", one_hot, categories)])


def linear(settings: Config) -> LogisticRegression | Ridge:
    """A linear model with the parameters of the configuration."""
    made = Ridge if settings.task == "regression" else LogisticRegression
    return made(random_state=settings.train.seed).set_params(**settings.train.parameters)
'''
TEST = '''"""The team's own test, written for the older layout."""

from model.words import encoder


def test_a_word_of_ours() -> None:
    assert encoder.__doc__
'''
BOOSTING = "{learning_rate: 0.1, max_iter: 60, max_leaf_nodes: 15, min_samples_leaf: 50}"


def old(commit: str, folder: Path) -> Path:
    """The template as it was in a commit."""
    done = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == 0, f"The clone needs its history: {done.stderr.decode()}"
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder


def replaced(path: Path, pairs: Mapping[str, str]) -> str:
    """The text of a file with other words, each of which stands there once."""
    text = path.read_text()
    for before, after in pairs.items():
        assert text.count(before) == 1, f"{path} has {before!r} {text.count(before)} times"
        text = text.replace(before, after)
    return text


class Repository:
    """A repository of an older template in which a team put its own estimator, configuration and tests."""

    def __init__(self, commit: str, task: str, folder: Path) -> None:
        self.home = folder
        done = cookiecutter(old(commit, folder / "old"), folder, folder, {}, {"project_slug": "my-model", "task": task})
        assert done.returncode == 0, done.stderr
        self.folder = folder / "my-model"
        self.mine = {
            "config.yaml": replaced(
                self.folder / "config.yaml",
                {
                    "{kind: rows, bound: 5000}": "{kind: rows, bound: 4000, severity: warn} # ours",
                    "  - {kind: parity, bound: 1.0e-5}\n": "",
                    "train: [2013-01-01, 2013-05-01]": "train: [2013-02-01, 2013-05-01]",
                    BOOSTING: "{alpha: 2}" if task == "regression" else "{C: 0.5, max_iter: 200}",
                },
            ),
            "model/estimator.py": ESTIMATOR,
            "model/words.py": WORDS,
            "tests/test_words.py": TEST,
        }

    def commit(self, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            (self.folder / name).write_text(text)
        run(["git", "add", "--all"], self.folder)
        run(["git", "commit", "--quiet", "--message", "Ours"], self.folder)

    def git(self, *arguments: str) -> str:
        return run(["git", *arguments], self.folder)

    def make(self, *words: str) -> str:
        """Run verbs in the environments of the unrendered repository, whose locks are taken for ours."""
        environments, named = unrendered("dev", "train", "upgrade"), self.home / "environments"
        if not named.exists():
            named.symlink_to(environments / ".venv")  # without the signs that mean something to a shell
            library_types(self.home / "types")
        for lock in (self.folder / "locks").glob("*.txt"):
            os.utime(lock, (0, 0))
        places = {"VENV": str(named), "MYPY_CACHE_DIR": str(self.home / "types")}
        return run(["make", *words], self.folder, HOME=str(self.home), **places)

    def upgrade(self, template: Path) -> None:
        """Prepare the pull request, by the verb that the repository has."""
        assert "Upgrade to the newest template" in self.make("upgrade", f"TEMPLATE={template}")

    def merge(self) -> None:
        """Merge it as a person does, who keeps the README where both sides changed it."""
        command = ["git", "merge", "--quiet", "--no-edit", CHANGE]
        own = {**os.environ, **IDENTITY}
        if subprocess.run(command, cwd=self.folder, env=own, capture_output=True, check=False).returncode:
            assert self.git("diff", "--name-only", "--diff-filter=U").split() == ["README.md"]
            self.git("checkout", "--ours", "README.md")
            self.git("commit", "--quiet", "--all", "--message", "Merge")
        self.git("branch", "--force", "template", TEMPLATE)  # as `make offer` does


def upgraded(repository: Repository, template: Path, edited: dict[str, str]) -> None:
    """Merge this version; nothing but what is the team's then differs from what the template renders."""
    repository.commit(repository.mine | edited)
    repository.upgrade(template)
    repository.merge()
    own = repository.mine | edited
    for name, text in own.items():
        assert (repository.folder / name).read_bytes() == text.encode(), name
    # So nothing is left of what the older template had.
    assert set(repository.git("diff", "--no-renames", "--name-only", TEMPLATE, "HEAD").split()) == set(own)


def check(repository: Repository) -> None:
    repository.make("check")
    said = repository.make("test", "TESTS=tests", "PYTEST=-v")
    assert "test_words.py::test_a_word_of_ours PASSED" in said
    assert "test_estimator.py" in said
    assert " failed" not in said


def test_the_earliest_repository_is_merged_without_a_choice(template: Path, tmp_path: Path) -> None:
    repository = Repository(EARLY, "multiclass_classification", tmp_path)
    upgraded(repository, template, {})
    check(repository)


def test_an_edited_readme_is_the_only_file_that_needs_a_choice(template: Path, tmp_path: Path) -> None:
    repository = Repository(MIDDLE, "regression", tmp_path)
    upgraded(repository, template, {"README.md": "# Ours\n\nOne line.\n"})
    check(repository)


def test_the_last_repository_before_the_move_trains_after_it(template: Path, tmp_path: Path) -> None:
    repository = Repository(LAST, "binary_classification", tmp_path)
    replicas = "manifests/overlays/production/replicas.yaml"
    upgraded(repository, template, {replicas: replaced(repository.folder / replicas, {"value: 10": "value: 20"})})
    check(repository)
    repository.make("data", "train")
    assert (repository.folder / "build/model").is_dir()


def test_the_next_upgrade_writes_nothing_of_the_teams(template: Path, tmp_path: Path) -> None:
    repository = Repository(LAST, "binary_classification", tmp_path)
    readme = "# Ours\n\nOne line.\n"
    upgraded(repository, template, {"README.md": readme})
    assert "has nothing new" in repository.make("upgrade", f"TEMPLATE={template}")
    newer = tmp_path / "newer"
    shutil.copytree(template, newer)
    for name in ("Makefile", "README.md", "config.yaml", "model/estimator.py", "model/config.py", "tests/conftest.py"):
        with (newer / PROJECT / name).open("a") as file:
            file.write("# newer\n")
    log = newer / ".github/CHANGELOG.md"
    log.write_text(log.read_text().replace("\n## ", "\n## 9999.01.01\n\n- Newer.\n\n## ", 1))
    settings = json.loads((newer / "cookiecutter.json").read_text())
    version, settings["_version"] = settings["_version"], "9999.01.01"
    (newer / "cookiecutter.json").write_text(json.dumps(settings))
    repository.upgrade(newer)
    body = json.loads((repository.folder / "build/change.json").read_text())["body"]
    assert f"From version {version} to 9999.01.01" in body
    assert "- Newer." in body
    assert "choose" not in body
    before = repository.git("rev-parse", "HEAD").strip()
    repository.merge()
    assert repository.git("diff", "--name-only", before, "HEAD").split() == [".cookiecutter.yaml", "Makefile"]
    assert yaml.safe_load((repository.folder / ".cookiecutter.yaml").read_text())["_version"] == "9999.01.01"
