"""Plays the life of a model for `scripts/demo`: release, serve, monitor, block, retrain, roll back."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import console
import days
import page
import pulls
import repository
import story
import traffic

ROOT = repository.ROOT
DEMO = ROOT / "demo"
ENVIRONMENTS = ("dev", "staging", "production")
SEED = 0  # of the traffic; `scripts/operating story` plays others


def environment() -> dict[str, str]:
    """An environment that keeps the tools' files out of the home folder, in .tools and demo/."""
    temporary = DEMO / "tmp"
    temporary.mkdir()
    (DEMO / "cookiecutter.yaml").write_text(
        json.dumps({"cookiecutters_dir": str(temporary), "replay_dir": str(temporary / "replay")})
    )
    pairs = repository.IDENTITY.items()
    named = {f"GIT_CONFIG_KEY_{index}": key for index, (key, _) in enumerate(pairs)}
    named |= {f"GIT_CONFIG_VALUE_{index}": value for index, (_, value) in enumerate(pairs)}
    return {
        **os.environ,
        **named,
        "GIT_CONFIG_COUNT": str(len(pairs)),
        "COOKIECUTTER_CONFIG": str(DEMO / "cookiecutter.yaml"),
        "MPLCONFIGDIR": str(temporary),
        "TMPDIR": str(temporary),
        "XDG_CACHE_HOME": str(temporary),
    }


class Life:
    """The demo's acts, and the evidence that each leaves."""

    def __init__(self) -> None:
        if DEMO.exists():
            print("deleting demo/ of the last time", flush=True)
            shutil.rmtree(DEMO, ignore_errors=True)
        DEMO.mkdir()
        self.environment = environment()
        self.evidence: dict[str, Any] = {}
        self.reports = DEMO / "reports"
        self.reports.mkdir()
        self.installing: subprocess.Popen[str] | None = None

    def keep(self, name: str, document: str, build: str = "build") -> dict[str, Any]:
        """Keep a copy of a report under a new name; returns the document beside it."""
        path = self.repository.path / build / document
        shutil.copy(path.with_name("report.html"), self.reports / f"{name}.html")
        found: dict[str, Any] = json.loads(path.read_text())
        found["report"] = path.with_name("report.md").read_text()
        self.evidence[name] = found
        return found

    def begin(self) -> None:
        console.act("Create a model repository from the template")
        repository.make(DEMO, self.environment)
        self.repository = repository.Repository(DEMO, self.environment)
        self.repository.edit(story.WATCH, "Watch the flights by their own times, and average precision")
        self.repository.publish()
        # Install service and monitor during the first training; the import compiles the monitor's packages.
        install = "make --silent --no-print-directory .venv/serve .venv/monitor"
        if not (self.repository.path / ".venv/monitor").exists():
            install += " && .venv/monitor/bin/python -c 'import nannyml'"
        self.installing = console.start(["sh", "-c", install], self.repository.path, self.environment)
        command = ["make", "--no-print-directory", ".venv/train"]
        console.run("install", command, self.repository.path, self.environment)

    def installed(self) -> None:
        """Wait for the installation that `begin` started."""
        if self.installing is None:
            return
        start = time.monotonic()
        output, _ = self.installing.communicate()
        if self.installing.returncode:
            raise console.Failed(f"The service and the monitor cannot be installed: {output}")
        console.step("install", time.monotonic() - start, "service and monitor, started during the training")

    def decide(self, champion: str = "", refused: bool = False) -> None:
        self.repository.make("data")
        self.repository.make("train")
        self.repository.make("evaluate", {"CHAMPION": champion})
        self.repository.make("gate", fails=refused)
        self.repository.make("report")

    def logged[T](self, then: Callable[[], T]) -> T:
        """Log the decision to MLflow while `then` runs."""
        with ThreadPoolExecutor() as pool:
            kept = pool.submit(self.repository.make, "register")
            found = then()
            kept.result()
        return found

    def release(self) -> str:
        """Release to dev and promote to production, each by a pull request; returns production's manifests."""
        images = {target.upper(): self.repository.image(target) for target in ("serve", "monitor")}
        self.repository.change("release", "dev", images)
        for name in ENVIRONMENTS[1:]:
            self.repository.change("promote", name)
        return self.repository.render("production")

    def pull(self) -> Path:
        """Production's model directory, as its pods have it."""
        return self.repository.pull("production", DEMO / "production")

    def damaged(self) -> dict[str, str]:
        """Start production on a disk that damages one byte; returns what the cluster would tell GitHub."""
        model = self.pull()
        path = model / "model.onnx"
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
        said = self.repository.make(
            "serve", {"MODEL": str(model), "PREDICTIONS": str(DEMO / "predictions")}, fails=True
        )
        words = said.strip().splitlines()[0].removeprefix("serve: ")
        return {**self.repository.runs("production"), "SAID": words.replace(str(model), "build/model")}

    def serve(self, begin: str, end: str) -> None:
        model = self.pull()
        rows = story.requests(days.flights(self.repository.path / "data/flights.parquet", begin, end), SEED)
        with traffic.service(self.repository.path, model, DEMO / "predictions", self.environment) as port:
            start = time.monotonic()
            version = traffic.send(traffic.asking(port), rows, DEMO / "labels")
            console.step("send flights", time.monotonic() - start, f"{len(rows):,} rows answered by {version}")

    def watch(self, labels: bool, build: str = "build") -> None:
        variables = {"MODEL": str(DEMO / "production/model/build/model"), "PREDICTIONS": str(DEMO / "predictions")}
        variables["BUILD"] = build
        if labels:
            variables["LABELS"] = str(DEMO / "labels")
        self.repository.make("monitor", variables, shown="with labels" if labels else "without labels")

    def play(self) -> None:
        self.begin()

        console.act("1. Train a first model, pass its gates, promote it to production")
        self.decide()
        self.keep("1-first-model", "decision.json")
        first = self.logged(self.release)

        console.act(
            "2. Serve it in July and August: from the 1st of August, callers ask only about flights a little late"
        )
        self.installed()
        self.serve(*story.PERIODS[0])

        console.act("3. Monitor: estimate its performance without labels; a second run uses the labels")
        with ThreadPoolExecutor() as pool:
            blind = pool.submit(self.watch, labels=False, build="build/without-labels")
            self.watch(labels=True)
            blind.result()
        seen = self.keep("3-monitor-with-labels", "monitor/summary.json")
        self.keep("3-monitor-without-labels", "monitor/summary.json", "build/without-labels")
        if story.ahead(seen, page.warning(self.evidence["1-first-model"], story.SEEN)) is None:
            raise console.Failed("The monitor did not tell the fall of August before its labels came.")

        console.act("4. Block a pull request that trains faster, and worse")
        champion = str(DEMO / "production/model/build/model")
        self.repository.branch("train-faster")
        self.repository.edit({"learning_rate: 0.1, max_iter: 60": "learning_rate: 1.0, max_iter: 30"}, "Train faster")
        self.decide(champion, refused=True)
        self.keep("4-worse-model", "decision.json")
        self.repository.open("Train faster", (self.repository.path / "build/report.md").read_text())
        self.logged(lambda: self.repository.make("release", fails=True))

        console.act("5. Retrain on newer flights: the candidate beats the champion and is promoted")
        self.repository.branch("retrain")
        self.repository.edit(story.RETRAIN, "Retrain on the flights until July")
        self.decide(champion)
        self.keep("5-retrained-model", "decision.json")
        self.repository.open("Retrain", (self.repository.path / "build/report.md").read_text())
        self.repository.merge("Retrain on the flights until July")
        second = self.logged(self.release)

        console.act(
            "6. Serve it in November and December: from the 1st of December planes are de-iced, which no input tells"
        )
        self.serve(*story.PERIODS[1])
        self.watch(labels=True)
        unseen = self.keep("6-monitor-in-winter", "monitor/summary.json")
        if story.unseen(unseen, page.warning(self.evidence["5-retrained-model"], story.UNSEEN)) is None:
            raise console.Failed("The fall of December was not told by its labels alone.")

        console.act("7. A byte of production's new pods is damaged: they do not start, and production is rolled back")
        self.evidence["7-failure"] = self.damaged()
        self.repository.change("rollback", "production", self.evidence["7-failure"])
        same = self.repository.render("production") == first != second
        if not same:
            raise console.Failed("After the rollback, production does not render to the same bytes as before.")
        console.step("render production", 0.0, "the same bytes as before the second release")
        with traffic.service(self.repository.path, self.pull(), DEMO / "predictions", self.environment):
            pass


def main() -> int:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, console.interrupted)
    started = float(os.environ.get("STARTED", time.time()))
    print(f"install  {time.time() - started:.1f} s" if time.time() - started > 1 else "", end="")
    life = Life()
    try:
        life.play()
    except console.Failed as failure:
        print(f"\nThe demo failed. {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nThe demo was interrupted. The service is stopped; demo/ keeps the results so far.", file=sys.stderr)
        return 130
    finally:
        if life.installing:
            console.stop(life.installing)
    total = time.time() - started
    path = page.write(DEMO / "index.html", life.evidence)
    pulls.write(DEMO / "pull-requests/index.html", life.repository.pulls)
    print(page.summary(life.evidence))
    print(f"\nTotal: {total:.0f} s. The page with plots: {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
