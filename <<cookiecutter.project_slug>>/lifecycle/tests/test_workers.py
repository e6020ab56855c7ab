"""Several processes that share a port, a log's folder and their metrics."""

import contextlib
import os
import signal
import time
from pathlib import Path

from served import Process
from test_serve import ROWS, ask, logged
from tiny import Trained

from lifecycle import files


def pair(trained: Trained, folder: Path, model: Path | None = None) -> Process:
    """A service with two workers, which is not ready yet."""
    serve = {**trained.document["serve"], "workers": 2}
    return Process(trained.but(document={**trained.document, "serve": serve}), folder, model)


def answering(process: Process) -> int:
    """How many workers have answered a request: each has a file of its own, which is empty before."""
    return sum(path.stat().st_size > 0 for path in process.predictions.glob("version=*/hour=*/*.jsonl"))


def test_workers_share_the_requests_and_their_metrics_are_sums(binary: Trained, tmp_path: Path) -> None:
    asked, deadline = 0, time.monotonic() + 20
    with pair(binary, tmp_path) as process:
        while answering(process) < 2 and time.monotonic() < deadline:
            with contextlib.ExitStack() as stack:
                for connection in [stack.enter_context(process.connection()) for _ in range(8)]:
                    ask(connection, ROWS)
                    asked += 1
        assert answering(process) == 2
        assert len(logged(process.predictions)) == asked * len(ROWS)
        for _ in range(4):  # whichever answers
            text = process.get("/metrics")
            assert f"model_rows_total {float(asked * len(ROWS))}" in text
            assert text.count("\nmodel_info{") == text.count("\nmodel_log_free_bytes ") == 1
            assert "pid=" not in text
        begin = time.monotonic()
        process.running.send_signal(signal.SIGTERM)
        assert process.running.wait(timeout=5) == 0
        assert time.monotonic() - begin < 2


def test_the_service_ends_when_a_worker_does(binary: Trained, tmp_path: Path) -> None:
    with pair(binary, tmp_path) as process:
        parent = process.running.pid
        first, second = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        os.kill(int(first), signal.SIGKILL)
        code, errors = process.ended()
    assert code == 1
    assert "A worker of the service ended with code -9" in errors
    assert not Path(f"/proc/{second}").exists()


def test_workers_that_cannot_start_say_why(binary: Trained, tmp_path: Path) -> None:
    model = binary.copy(tmp_path) / "model"
    (model / "matrix.onnx").write_bytes(b"broken")
    files.seal(model)
    code, errors = pair(binary, tmp_path, model).ended()
    assert code == 1
    assert "matrix.onnx cannot be loaded" in errors
    assert "A worker of the service ended with code 1; the lines above say why" in errors
    assert "Traceback" not in errors
