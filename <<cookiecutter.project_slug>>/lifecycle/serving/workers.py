"""Runs several processes of the service that share its port, as one process answers on one core only."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence

from lifecycle import InputError

SOCKETS = "SERVE_SOCKETS"  # their descriptors, for a worker
SHARED = "PROMETHEUS_MULTIPROC_DIR"  # where prometheus_client adds up what they count; it reads this when imported


def listeners(ports: Sequence[int], count: int = 1) -> list[list[socket.socket]]:
    """For each worker a socket on each port, between which the kernel shares connections out.

    Raises InputError when a port is taken.
    """
    found = [[_bound(port, apart=False) for port in ports]]
    if count > 1:  # with SO_REUSEPORT another service of the same user would go unnoticed
        for taken in found[0]:
            taken.close()
        found = [[_bound(port, apart=True) for port in ports] for _ in range(count)]
    return found


def _bound(port: int, apart: bool) -> socket.socket:
    found = socket.socket(proto=socket.IPPROTO_TCP)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if apart:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        found.bind(("0.0.0.0", port))  # noqa: S104 - a container is reached from outside
    except OSError as error:
        found.close()
        raise InputError(
            f"Port {port} is taken ({error.strerror}); stop its listener, or change serve.port."
        ) from error
    return found


def inherited(environment: Mapping[str, str]) -> list[socket.socket]:
    """The sockets of a worker; none if this process is not one."""
    return [socket.socket(fileno=int(number)) for number in environment.get(SOCKETS, "").split(",") if number]


def run(sockets: Sequence[Sequence[socket.socket]]) -> None:
    """Run a worker for each list of sockets until SIGTERM; raises InputError when one ends by itself.

    Each is this program anew, as a fork would share onnxruntime's threads. A service with only some of its workers
    would look healthy and be slow, so all end with the first.
    """
    workers, told = list[subprocess.Popen[bytes]](), list[int]()

    def stop(number: int = 0, _: object = None) -> None:
        told.append(number)
        for worker in workers:
            worker.terminate()

    with tempfile.TemporaryDirectory(prefix="metrics-") as folder:
        before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            for own in sockets:
                numbers = [one.fileno() for one in own]
                environment = {**os.environ, SOCKETS: ",".join(map(str, numbers)), SHARED: folder}
                command = [sys.executable, *sys.orig_argv[1:]]
                worker = subprocess.Popen(command, env=environment, pass_fds=numbers, stdout=subprocess.DEVNULL)  # noqa: S603
                workers.append(worker)
            ended, status = os.wait()
            alone = not told
            next(one for one in workers if one.pid == ended).returncode = os.waitstatus_to_exitcode(status)
        finally:
            stop()
            codes = [_ended(worker) for worker in workers]
            for number, handler in before.items():
                signal.signal(number, handler)
    if alone:
        code = next((code for code in codes if code not in (0, -signal.SIGTERM)), 0)
        raise InputError(f"A worker of the service ended with code {code}; the lines above say why.")


def _ended(worker: "subprocess.Popen[bytes]") -> int:
    """The code of a worker that was told to end; one that was just beginning may not have heard it."""
    while True:
        try:
            return worker.wait(timeout=1)
        except subprocess.TimeoutExpired:
            worker.terminate()
