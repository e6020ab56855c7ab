"""Both images are built and started, with docker replaced."""

from pathlib import Path

import pytest

from lifecycle import InputError
from lifecycle.releasing import images

DOCKER = """#!/bin/sh
echo "$@" >> calls
case "$*" in "run --detach"*) echo container ;; logs*) echo "no such feature" ;; esac
case "$*" in {refused}) echo "it failed" >&2; exit 1 ;; esac
"""


def docker(folder: Path, monkeypatch: pytest.MonkeyPatch, refused: str = "never") -> None:
    (folder / "docker").write_text(DOCKER.format(refused=refused))
    (folder / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.chdir(folder)


def test_both_images_are_built_and_started_and_nothing_is_pushed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker(tmp_path, monkeypatch)
    assert images.run("skops") == "serve answers its golden rows as at training, and monitor runs"
    calls = (tmp_path / "calls").read_text().splitlines()
    assert [call.split()[0] for call in calls] == ["build", "build", "run", "exec", "rm", "run"]
    assert calls[0].startswith("build --target serve --build-arg SERVING=skops ")
    assert all("--read-only --cap-drop ALL" in call for call in calls if call.startswith("run"))
    assert calls[3].startswith("exec container python -m lifecycle smoke --url ")
    assert calls[5].endswith(" started-once-monitor")  # its own command


@pytest.mark.parametrize(
    ("refused", "told", "last"),
    [
        ("build*monitor*", "`docker build --target` failed: it failed", "build"),
        ("exec*", "The image serve does not answer as at training: .* Its log ends with: no such feature", "rm"),
        ("run*monitor", "The image monitor does not run: .*it failed", "run"),
    ],
)
def test_an_image_that_does_not_build_answer_or_run_is_a_failure(
    refused: str, told: str, last: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker(tmp_path, monkeypatch, refused)
    with pytest.raises(InputError, match=told):
        images.run("serve")
    assert (tmp_path / "calls").read_text().splitlines()[-1].split()[0] == last


def test_without_docker_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="docker is not installed"):
        images.run("serve")
