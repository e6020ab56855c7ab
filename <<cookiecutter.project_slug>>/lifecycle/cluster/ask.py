"""Asks a cluster for its objects, through kubectl and its JSON."""

import json
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from lifecycle import InputError
from lifecycle.findings import Finding

Object = dict[str, Any]
ABSENT = ("(NotFound)", "the server doesn't have a resource type")


class UnknownError(Exception):
    """What kubectl said when it could not answer, such as that its account may not read an object."""


@dataclass(frozen=True)
class Cluster:
    """The cluster of a context in kubectl's configuration."""

    context: str
    program: str = "kubectl"

    def objects(self, kind: str, *words: str) -> list[Object]:
        """The objects of a kind; none where the cluster does not have the kind."""
        found = self._json("get", kind, *words, "--output", "json")
        return [] if found is None else list(found["items"])

    def one(self, kind: str, name: str, namespace: str) -> Object | None:
        return self._json("get", kind, name, "--namespace", namespace, "--output", "json")

    def raw(self, path: str) -> Object | None:
        """What the API server answers at a path; None where it has none."""
        return self._json("get", "--raw", path)

    def _json(self, *words: str) -> Object | None:
        command = [self.program, "--context", self.context, "--request-timeout", "10s", *words]
        try:
            done = subprocess.run(command, capture_output=True, check=False, text=True, timeout=60)  # noqa: S603
        except OSError:
            raise InputError(f"{self.program} is not installed; install it, then try again.") from None
        except subprocess.TimeoutExpired:
            raise UnknownError("kubectl did not end within a minute") from None
        if done.returncode == 0:
            found: Object = json.loads(done.stdout)
            return found
        said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        if any(word in said for word in ABSENT):
            return None
        raise UnknownError(said)


def version(cluster: Cluster) -> str:
    """The version of the API server; raises InputError if the cluster cannot be reached."""
    try:
        found = cluster.raw("/version") or {}
    except UnknownError as error:
        raise InputError(
            f"The cluster of the context {cluster.context} cannot be asked; see `kubectl config get-contexts`: {error}"
        ) from None
    return str(found["gitVersion"])


def told(name: str, check: Iterable[Finding]) -> Iterator[Finding]:
    """What a check finds, and one line more if kubectl could not answer."""
    try:
        yield from check
    except UnknownError as error:
        yield Finding(name, False, f"unknown, ask who runs the cluster: {error}", False)
