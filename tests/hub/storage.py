"""The storage behind GitHub's artifacts: blobs that are written in blocks, and read, by signed addresses.

Source: Azure's REST reference, Put Block, Put Block List and Get Blob. Here no address expires.
"""

import re
import secrets
from dataclasses import dataclass, field
from email.message import Message
from urllib.parse import SplitResult, parse_qs, quote

PATH = "/storage/actions-results/"  # account, container; a blob's number follows
Answer = tuple[int, dict[str, str], bytes]


@dataclass(kw_only=True)
class Blob:
    """A blob, whose content is there once its blocks are committed; after `finalized` it is not written again."""

    number: int
    name: str
    kind: str = "application/octet-stream"
    blocks: dict[str, bytes] = field(default_factory=dict)
    content: bytes | None = None
    finalized: bool = False
    keys: dict[str, str] = field(default_factory=lambda: {verb: secrets.token_urlsafe() for verb in ("GET", "PUT")})

    def address(self, host: str, verb: str) -> str:
        """A signed address, which allows one verb."""
        return f"http://{host}{PATH}{self.number}?sig={quote(self.keys[verb])}"

    def read(self) -> Answer:
        if self.content is None:
            return refused(404, "BlobNotFound")
        name = quote(f"{self.name}.zip" if self.kind == "application/zip" else self.name)
        told = {"Content-Type": self.kind, "Content-Disposition": f"attachment; filename*=UTF-8''{name}"}
        return 200, told, self.content

    def write(self, query: dict[str, str], headers: Message, content: bytes) -> Answer:
        """Keep a block, or make the content of a list of them."""
        if query.get("comp") == "block":
            self.blocks[query["blockid"]] = content
        elif query.get("comp") == "blocklist":
            listed = re.findall(r"<Latest>([^<]+)</Latest>", content.decode())
            if not set(listed) <= set(self.blocks):
                return refused(400, "InvalidBlockList")
            self.content = b"".join(self.blocks[one] for one in listed)
            self.kind, self.blocks = headers.get("x-ms-blob-content-type", self.kind), {}
        else:
            return refused(400, "InvalidQueryParameterValue")
        return 201, {}, b""


def refused(status: int, code: str) -> Answer:
    """A refusal in Azure's words."""
    text = f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code></Error>'
    return status, {"Content-Type": "application/xml", "x-ms-error-code": code}, text.encode()


def answer(blob: Blob | None, verb: str, address: SplitResult, headers: Message, content: bytes) -> Answer:
    query = {name: values[0] for name, values in parse_qs(address.query).items()}
    if blob is None or query.get("sig") != blob.keys.get(verb) or (verb == "PUT" and blob.finalized):
        return refused(403, "AuthenticationFailed")
    return blob.read() if verb == "GET" else blob.write(query, headers, content)
