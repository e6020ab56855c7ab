"""The whole spine on the command line, for each task: data to report, release, serve, monitor."""

import json
from pathlib import Path

import pytest
import yaml
from conftest import Git
from test_monitor import answered, traffic
from tiny import Trained

from lifecycle import __main__ as command
from lifecycle import files


def test_a_model_is_trained_released_served_and_watched(
    trained: Trained, genuine: Git, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("config.yaml").write_text(yaml.safe_dump(trained.document))
    Path(".gitignore").write_text("build/\n")
    Path("locks/train.txt").write_text("numpy\n")
    Path("locks/model.txt").write_text("lightgbm\n")
    genuine.commit("Configure")
    for step in ("data", "train", "evaluate", "gate", "report"):
        assert command.main([step]) == 0, capsys.readouterr().err
    images = [
        "--serve",
        f"ghcr.io/acme/tiny-serve@sha256:{'a' * 64}",
        "--monitor",
        f"ghcr.io/acme/tiny-monitor@sha256:{'b' * 64}",
    ]
    assert command.main(["release", "--environment", "dev", *images]) == 0, capsys.readouterr().err

    own = Trained.__new__(Trained)
    own.task, own.settings, own.build = trained.task, trained.settings, Path("build")
    answered(own, traffic(), tmp_path)
    watch = ["monitor", "--predictions", str(tmp_path / "predictions"), "--labels", str(tmp_path / "labels")]
    assert command.main(watch) == 0, capsys.readouterr().err

    released = json.loads(Path("manifests/overlays/dev/release/decision.json").read_text())
    seen = json.loads(Path("build/monitor/summary.json").read_text())
    assert released["passed"]
    assert released["evaluation"]["origin"]["version"] == seen["version"]
    assert released["evaluation"]["origin"]["lock"] == files.sha256(b"numpy\nlightgbm\n")
    assert released["evaluation"]["origin"]["commit"] == genuine("rev-parse", "HEAD")
    assert {w["kind"] for w in seen["windows"]} >= {"estimated", "realised"}
