"""Runs workflows as GitHub would: an event chooses workflow, commit, token and permissions."""

import fnmatch
import functools
import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from hub import server

CODE = Path(__file__).parent
NAME = "acme/my-model"
HOST = "github.localhost"
PERSON = {"login": "ann", "type": "User"}
LIMIT = 300  # seconds for a run
KEPT = ("GOGC", "GOMEMLIMIT", "LANG", "UV_CACHE_DIR", "WARM")  # of the tests' own environment
EMPTY = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"  # git's empty tree, the state before a first push


@dataclass(frozen=True)
class Run:
    """A finished workflow run: its conclusion, its jobs' conclusions, and their output."""

    number: int
    workflow: str
    conclusion: str
    jobs: Mapping[str, str]
    log: str


class Hub:
    """A repository on the fake GitHub, and a person's working copy."""

    def __init__(self, folder: Path, venv: Path, **variables: str) -> None:
        self.folder, self.venv, self.variables = folder, venv, variables
        self.secrets: dict[str, str] = {}
        self.remote = folder / "remote.git"
        self.work = folder / "work"
        self.runs: list[Run] = []
        self.state = server.State(self.remote, NAME)
        self.state.tokens["person"] = {"user": PERSON, "rights": {"all": "write"}}
        self.state.tokens["app"] = {"user": server.APP, "rights": {"all": "write"}}
        self.waiting: list[tuple[str, Callable[[], Run]]] | None = None
        self._server = server.serve(self.state)
        self._count = threading.Lock()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def start(self, repository: Path) -> None:
        """Publish a baked repository unchanged."""
        self.git("clone", "--quiet", "--bare", str(repository), str(self.remote), cwd=self.folder)
        self.git("config", "uploadpack.allowAnySHA1InWant", "true", cwd=self.remote)
        self.git("config", "pack.window", "0", cwd=self.remote)  # looking for deltas takes longer than copying
        self.check_out()

    def check_out(self) -> None:
        """Clone the person's working copy."""
        self.git("clone", "--quiet", self.address, str(self.work), cwd=self.folder)
        self._age()

    def _age(self) -> None:
        """Date the locks before the shared environments, so that make does not reinstall them."""
        for lock in (self.work / "locks").glob("*.txt"):
            os.utime(lock, (0, 0))

    @property
    def store(self) -> str:
        """Where MLflow keeps its runs, as a server would; each run making a store of its own would take seconds."""
        return f"sqlite:///{self.folder}/mlflow.db"

    @property
    def service(self) -> str:
        """The fake GitHub's own address; the host names of its API lead there by HTTP_PROXY."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def address(self) -> str:
        return f"https://{HOST}/{NAME}.git"

    def environment(self, **more: str) -> dict[str, str]:
        """An environment in which programs use this fake GitHub, without the developer's own settings."""
        config = [
            *((f"url.file://{self.remote}.insteadOf", name) for name in (self.address, self.address[: -len(".git")])),
            ("user.name", "Ann"),
            ("user.email", "ann@example.org"),
            ("protocol.file.allow", "always"),
            ("gc.auto", "0"),
            ("maintenance.auto", "false"),
            ("advice.detachedHead", "false"),
        ]
        keys = {f"GIT_CONFIG_KEY_{index}": key for index, (key, _) in enumerate(config)}
        values = {f"GIT_CONFIG_VALUE_{index}": value for index, (_, value) in enumerate(config)}
        return {
            **{name: os.environ[name] for name in KEPT if name in os.environ},
            **keys,
            **values,
            "GIT_CONFIG_COUNT": str(len(config)),
            "GIT_CONFIG_GLOBAL": str(self.folder / "gitconfig"),  # which an action may replace
            "GIT_CONFIG_SYSTEM": os.devnull,
            "HOME": str(self.folder / "home"),
            "HTTP_PROXY": self.service,
            "GH_HOST": HOST,  # a runner of GitHub's needs none
            "HUB": str(self.folder),
            "HUB_CODE": str(CODE),
            "MLFLOW_TRACKING_URI": self.store,
            "OSV": f"http://osv.{HOST}",
            "OMP_NUM_THREADS": "1",  # more threads slow down parallel runs several times
            "PATH": f"{CODE / 'bin'}:{os.environ['PATH']}",
            "VENV": str(self.venv),
            **more,
        }

    def git(self, *arguments: str, cwd: Path | None = None) -> str:
        done = subprocess.run(
            ["git", *arguments],
            cwd=cwd or self.work,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def make(self, *words: str, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
        """A verb on the person's laptop, signed in to GitHub."""
        given = self.environment(GH_TOKEN="person", **environment)  # noqa: S106
        command = ["make", "--no-print-directory", *words]
        done = subprocess.run(command, cwd=self.work, env=given, capture_output=True, text=True, check=False)
        assert done.returncode == 0 or not check, done.stdout + done.stderr
        return done

    # People's actions

    def edit(
        self, branch: str, changes: Mapping[str, str], message: str, replace: tuple[str, str] | None = None
    ) -> str:
        """Commit files, or a replacement in config.yaml, to a branch from the newest main, and push it."""
        self.git("fetch", "--quiet", "origin")
        there = self.git("ls-remote", "origin", f"refs/heads/{branch}")
        self.git("switch", "--quiet", "--force-create", branch, f"origin/{branch}" if there else "origin/main")
        if replace:
            path = self.work / "config.yaml"
            text = path.read_text()
            assert replace[0] in text
            path.write_text(text.replace(*replace))
        for name, text in changes.items():
            (self.work / name).parent.mkdir(parents=True, exist_ok=True)
            (self.work / name).write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        self.git("push", "--quiet", "--force", "origin", f"HEAD:refs/heads/{branch}")
        self._age()
        return self.git("rev-parse", "HEAD")

    def open(self, branch: str, title: str, body: str = "") -> int:
        """Open a pull request from a branch of this repository, and run its checks."""
        api = server.Api(self.state)
        sha = self.state.git("rev-parse", f"refs/heads/{branch}")
        number: int = api.add(title, body, branch, sha, NAME, PERSON)["number"]
        self.checks(number)
        return number

    def fork(self, branch: str, sha: str, title: str) -> int:
        """Open a pull request from a fork at the commit `sha`, without running anything."""
        self.state.git("update-ref", f"refs/forks/mallory/{branch}", sha)
        api = server.Api(self.state)
        user = {"login": "mallory", "type": "User"}
        number: int = api.add(title, "", branch, sha, "mallory/my-model", user)["number"]
        return number

    def checks(self, number: int, report: bool = True) -> Run:
        """Run pull-request.yaml on the merge of a pull request with main, then report.yaml."""
        pull = self.state.head(self.state.pulls[number])
        main = self.state.git("rev-parse", "refs/heads/main")
        tree = self.state.git("merge-tree", "--write-tree", main, pull["head"]["sha"]).split("\n")[0]
        who = ["-c", "user.name=GitHub", "-c", "user.email=noreply@github.localhost"]
        sha = self.state.git(*who, "commit-tree", tree, "-p", main, "-p", pull["head"]["sha"], "-m", f"Merge {number}")
        self.state.git("update-ref", f"refs/pull/{number}/merge", sha)
        fork = pull["head"]["repo"]["full_name"] != NAME
        event = {
            "action": "synchronize",
            "number": number,
            "pull_request": {**pull, "base": {"ref": "main", "sha": main}},
        }
        done = self.run("pull-request.yaml", "pull_request", event, sha, actor=pull["user"]["login"], fork=fork)
        self.state.pulls[number]["checks"] = (pull["head"]["sha"], done.jobs.get("All green"))
        if report:
            self.report(number, done)
        return done

    def unapproved(self, number: int) -> Run:
        """The checks of a pull request that GITHUB_TOKEN or a newcomer opened: they wait for a person, and no job runs.

        Source: GitHub Docs, Approving workflow runs from forks; the run's conclusion is action_required.
        """
        self.state.pulls[number]["checks"] = (self.state.head(self.state.pulls[number])["head"]["sha"], None)
        return Run(self.state.number(), "pull-request.yaml", "action_required", {}, "")

    def report(self, number: int, done: Run) -> Run:
        """Run report.yaml after a run of a pull request's checks."""
        pull = self.state.head(self.state.pulls[number])
        event = {
            "action": "completed",
            "workflow_run": {
                "id": done.number,
                "event": "pull_request",
                "conclusion": done.conclusion,
                "head_sha": pull["head"]["sha"],
                "head_branch": pull["head"]["ref"],
                "head_repository": {"full_name": pull["head"]["repo"]["full_name"]},
                "html_url": f"https://{HOST}/{NAME}/actions/runs/{done.number}",
                "pull_requests": [],
            },
        }
        return self.run("report.yaml", "workflow_run", event, self.main())

    def merge(self, number: int) -> list[Run]:
        """Merge a green pull request, as a person; returns the runs that it starts."""
        pull = self.state.head(self.state.pulls[number])
        assert pull["state"] == "open", pull["state"]
        assert self.state.pulls[number].get("checks") == (pull["head"]["sha"], "success"), "it is not green"
        before = self.main()
        tree = self.state.git("merge-tree", "--write-tree", before, pull["head"]["sha"]).split("\n")[0]
        who = ["-c", "user.name=Ann", "-c", "user.email=ann@example.org"]
        message = f"Merge pull request #{number}"
        sha = self.state.git(*who, "commit-tree", tree, "-p", before, "-p", pull["head"]["sha"], "-m", message)
        self.state.git("update-ref", "refs/heads/main", sha)
        self.state.pulls[number].update(state="closed", merged_at="2026-01-01T00:00:00Z", merge_commit_sha=sha)
        self.state.git("update-ref", "-d", f"refs/heads/{pull['head']['ref']}")
        return self.pushed(before)

    def merged_at_once(self, number: int, done: Run) -> list[Run]:
        """Merge as soon as the checks `done` are green: the report runs beside what the merge starts.

        Source: GitHub Docs, Automatically merging a pull request: it waits for required checks, not for a workflow_run.
        """
        with ThreadPoolExecutor() as pool:
            started = pool.submit(self.merge, number)
            report = self.report(number, done)
            return [report, *started.result()]

    def pushed(self, before: str) -> list[Run]:
        """Run the workflows that a push to main starts, by their paths."""
        after = self.main()
        names = self.state.git("diff", "--name-only", before, after).split("\n")
        first = before == EMPTY
        event = {"ref": "refs/heads/main", "before": "0" * 40 if first else before, "after": after}
        started = []
        for name, document in self.workflows(after).items():
            push = document["on"].get("push")
            if push is not None and starts(names, push.get("paths", ["**"]), push.get("paths-ignore", [])):
                started.append(self.run(name, "push", event, after))
        return started

    def dispatch(self, kind: str, payload: Mapping[str, Any]) -> list[Run]:
        """Run the workflows for a repository_dispatch, as Argo CD or the monitor sends it."""
        server.bounded(dict(payload))
        event = {"action": kind, "client_payload": dict(payload)}
        return [
            self.run(name, "repository_dispatch", event, self.main())
            for name, document in self.workflows(self.main()).items()
            if kind in (document["on"].get("repository_dispatch") or {}).get("types", [])
        ]

    def by_hand(self, workflow: str, **inputs: str) -> Run:
        return self.run(workflow, "workflow_dispatch", {"inputs": inputs}, self.main())

    # GitHub's actions

    def main(self) -> str:
        return self.state.git("rev-parse", "refs/heads/main")

    def workflows(self, sha: str) -> dict[str, dict[str, Any]]:
        names = self.state.git("ls-tree", "--name-only", f"{sha}:.github/workflows").split("\n")
        texts = {name: self.state.git("show", f"{sha}:.github/workflows/{name}") for name in names}
        return {name: yaml.load(text, yaml.BaseLoader) for name, text in texts.items()}  # noqa: S506 - keeps `on` a word

    def let(self) -> list[Run]:
        """Run the last of each group that waited while `waiting` was a list, as behind a run that took its time."""
        waited, self.waiting = self.waiting or [], None
        return [start() for start in dict(waited).values()]

    def run(
        self, workflow: str, event: str, payload: dict[str, Any], sha: str, actor: str = "ann", fork: bool = False
    ) -> Run:
        """Run a commit's workflow, or let it wait if others are busy; it cancels one of its group that waits.

        Source: GitHub Docs, Control workflow concurrency: one run and one pending run in a group.
        """
        if self.waiting is None:
            return self._run(workflow, event, payload, sha, actor, fork)
        concurrency = self.workflows(sha)[workflow]["concurrency"]
        start = functools.partial(self._run, workflow, event, payload, sha, actor, fork)
        self.waiting.append((evaluated(concurrency["group"], payload), start))
        return Run(0, workflow, "pending", {}, "")

    def _run(self, workflow: str, event: str, payload: dict[str, Any], sha: str, actor: str, fork: bool) -> Run:
        """Run a commit's workflow with `act` on this machine; stand-ins replace remote actions."""
        with self._count:
            number = self.state.number()
        folder = self.folder / f"run-{number}"
        self.git("clone", "--quiet", "--shared", "--no-checkout", str(self.remote), f"{folder}/copy", cwd=self.folder)
        self.git("checkout", "--quiet", "--detach", sha, cwd=folder / "copy")
        self.git("remote", "set-url", "origin", self.address, cwd=folder / "copy")
        document = yaml.load((folder / "copy/.github/workflows" / workflow).read_text(), yaml.BaseLoader)  # noqa: S506
        token = f"run-{number}"
        rights: dict[str, str] = {}
        for job in document["jobs"].values():
            rights |= {name: level for name, level in job.get("permissions", {}).items() if rights.get(name) != "write"}
        if fork:
            rights = dict.fromkeys(rights, "read")
        self.state.tokens[token] = {"user": server.BOT, "rights": rights}
        payload = {**payload, "repository": {"full_name": NAME, "default_branch": "main", "private": True}}
        (folder / "event.json").write_text(json.dumps(payload))
        command = ["act", event, "--directory", str(folder / "copy"), "--workflows", f".github/workflows/{workflow}"]
        command += ["--eventpath", str(folder / "event.json"), "--actor", actor, "--json", "--no-skip-checkout"]
        command += ["--platform", "ubuntu-24.04=-self-hosted", "--github-instance", HOST, "--action-offline-mode"]
        command += ["--no-cache-server", "--artifact-server-addr", "127.0.0.1", "--secret", f"GITHUB_TOKEN={token}"]
        command += ["--action-cache-path", str(folder / "act")]
        for action in sorted(actions(folder / "copy/.github")):
            command += ["--local-repository", f"{action}={code(action.partition('@')[0])}"]
        for name, value in ({} if fork else self.variables).items():
            command += ["--var", f"{name}={value}"]
        # An environment's secrets reach a job that names it, on a branch that it allows. Source: GitHub Docs, Managing
        # environments for deployment.
        named = {job.get("environment") for job in document["jobs"].values()} if sha == self.main() else set()
        held = {name: value for name, value in self.secrets.items() if name != "BOT_PRIVATE_KEY" or "bot" in named}
        for name, value in ({} if fork else held).items():
            command += ["--secret", f"{name}={value}"]
        # Source: GitHub Docs, OpenID Connect reference: the claim job_workflow_ref, which Fulcio makes the identity.
        ref = payload.get("ref", "refs/heads/main") if event != "pull_request" else "refs/pull/1/merge"
        signer = f"https://github.com/{NAME}/.github/workflows/{workflow}@{ref}" if "id-token" in rights else ""
        # GitHub shows ACTIONS_… to actions alone, and to each job its own; act shows all of it to `run` steps, too.
        runtime = self.state.results.begin(number)
        given = {"HUB_SHA": sha, "HUB_SIGNER": signer, "GITHUB_RUN_ID": str(number), "GITHUB_API_URL": self.service}
        given |= {"ACTIONS_RESULTS_URL": f"{self.service}/", "ACTIONS_RUNTIME_TOKEN": runtime}
        for name, value in given.items():
            command += ["--env", f"{name}={value}"]
        done = subprocess.run(
            command, env=self.environment(), capture_output=True, text=True, check=False, timeout=LIMIT, cwd=folder
        )
        self.state.results.end(runtime)
        jobs: dict[str, str] = {}
        said = []
        for line in done.stdout.splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                said.append(line)
                continue
            said.append(f"[{entry.get('job', '')}] {entry.get('msg', '').rstrip()}")
            if "jobResult" in entry:
                jobs[entry["job"].rpartition("/")[2].strip()] = entry["jobResult"]
        conclusion = "success" if done.returncode == 0 else "failure"
        run = Run(number, workflow, conclusion, jobs, "\n".join([*said, done.stderr]))
        with self._count:
            self.runs.append(run)
        shutil.rmtree(folder)
        return run


def code(action: str) -> Path:
    """The real action below the folder ACTIONS, as `owner/name`, or else its stand-in."""
    real = Path(os.environ.get("ACTIONS", "")) / action
    return real if "ACTIONS" in os.environ and real.is_dir() else CODE / "actions" / action.rpartition("/")[2]


def evaluated(text: str, event: Mapping[str, Any]) -> str:
    """A text such as a group's, with expressions of words, `||`, and fields of the event and its inputs."""

    def value(term: str) -> str:
        if term.startswith("'"):
            return term.strip("'")
        found: Any = {"github": {"event": event}, "inputs": event.get("inputs") or {}}
        for name in term.split("."):
            found = (found or {}).get(name)
        return str(found or "")

    def chosen(match: re.Match[str]) -> str:
        return next(filter(None, map(value, map(str.strip, match[1].split("||")))), "")

    return re.sub(r"\$\{\{(.*?)\}\}", chosen, text, flags=re.S)


def starts(names: list[str], paths: list[str], ignored: list[str]) -> bool:
    """Whether a push of these files starts a workflow: one matches `paths`, and one does not match `paths-ignore`.

    Source: GitHub Docs, Workflow syntax, on.<push|pull_request>.<paths|paths-ignore>; `*` does not match a slash.
    """

    def among(name: str, patterns: list[str]) -> bool:
        return any(fnmatch.fnmatch(name, one) and ("**" in one or "/" not in name) for one in patterns)

    return any(among(name, paths) and not among(name, ignored) for name in names)


def actions(folder: Path) -> set[str]:
    """The remote actions, with their commits, that a folder's workflows use."""
    texts = [path.read_text() for path in folder.rglob("*.yaml")]
    found = (line.partition("uses:")[2].split("#")[0].strip() for text in texts for line in text.splitlines())
    return {name for name in found if "@" in name}
