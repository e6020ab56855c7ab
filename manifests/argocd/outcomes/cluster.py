"""The API server, asked as this pod's account."""

import json
import ssl
import urllib.error
import urllib.request
from typing import Any

Object = dict[str, Any]
APPLICATIONS = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications"
PATIENCE = 10.0  # seconds for an answer
CONFLICT = 409


class Cluster:
    """An address with a token."""

    def __init__(self, address: str, token: str, trusted: ssl.SSLContext | None = None) -> None:
        self.address, self.token, self.trusted = address, token, trusted

    def ask(self, path: str, patch: Object | None = None) -> Object:
        """The answer to a request, which is a merge patch if there is one."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/merge-patch+json"}
        body, method = (None, "GET") if patch is None else (json.dumps(patch).encode(), "PATCH")
        request = urllib.request.Request(self.address + path, body, headers, method=method)  # noqa: S310
        with urllib.request.urlopen(request, timeout=PATIENCE, context=self.trusted) as answer:  # noqa: S310
            found: Object = json.load(answer)
            return found

    def every(self, path: str) -> list[Object]:
        """All objects of a list, by pages."""
        page = self.ask(f"{path}?limit=200")
        found: list[Object] = page["items"]
        while page["metadata"].get("continue"):
            page = self.ask(f"{path}?limit=200&continue={page['metadata']['continue']}")
            found += page["items"]
        return found

    def change(self, one: Object, patch: Object) -> bool:
        """Whether an Application was patched: not if it has changed since it was read, so the next minute decides."""
        patch["metadata"] = {**patch.get("metadata", {}), "resourceVersion": one["metadata"]["resourceVersion"]}
        try:
            self.ask(f"{APPLICATIONS}/{one['metadata']['name']}", patch)
        except urllib.error.HTTPError as error:
            with error:
                if error.code != CONFLICT:
                    raise
            return False
        return True
