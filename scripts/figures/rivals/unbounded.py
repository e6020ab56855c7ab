"""Starts our service without its bounds: with uvicorn's own protocol, and without counting a body's values first."""

import asyncio
import math
import sys
from typing import Any

from lifecycle.serving import bounds
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

bounds.VALUES = math.inf  # before it is read

from lifecycle import __main__ as command  # noqa: E402
from lifecycle.serving import connections, serve  # noqa: E402


class Plain(HttpToolsProtocol):  # type: ignore[misc]  # uvicorn is not installed beside mypy
    """uvicorn's, with the joined writes of ours."""

    def __init__(self, _: object, **given: Any) -> None:
        super().__init__(**given)

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(connections.Corked(transport))


serve.Protocol = Plain
sys.exit(command.main(sys.argv[1:]))
