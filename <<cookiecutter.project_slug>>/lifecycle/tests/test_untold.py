"""The libraries tell their makers nothing."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tiny import ROOT, Trained

# Each of the three would look up its maker's host and write to the home folder at its first use.
USES = """
import json, sys
from pathlib import Path
from lifecycle.artifact import golden
from lifecycle.artifact.predictor import Predictor

model = Path(sys.argv[1])
predictor = Predictor(model)
kept = json.loads((model / "golden.json").read_text())
answers = predictor.answers(predictor.predict(predictor.inputs(golden.columns(kept["rows"]))))
assert golden.difference(answers, kept["answers"]) == ""
import mlflow, nannyml
from nannyml.usage_logging import UsageEvent, get_logger
get_logger().log(UsageEvent.CLI_RUN)
with mlflow.start_run():
    mlflow.log_metric("metric", 1)
"""


def test_predicting_tracking_and_monitoring_look_nothing_up_and_write_nothing_home(
    binary: Trained, tmp_path: Path
) -> None:
    home, calls = tmp_path / "home", tmp_path / "calls"
    home.mkdir()
    command = [sys.executable, "-W", "ignore", "-c", USES, str(binary.build / "model")]
    strace = shutil.which("strace")
    if strace:
        command = [strace, "-fq", "--seccomp-bpf", "-e", "trace=connect,sendto,sendmmsg", "-o", str(calls), *command]
    elif "CI" in os.environ and sys.platform == "linux":
        pytest.fail("strace is not installed; without it no look-up is seen.")
    environment = {
        "HOME": str(home),
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "MPLCONFIGDIR": str(tmp_path / "matplotlib"),
        "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db",
    }
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True, text=True)
    assert list(home.iterdir()) == []
    if strace:
        assert re.findall(r"AF_INET6?\b.*", calls.read_text()) == []
