"""Appends lines to files that no other process writes, and notices when they do not arrive."""

import os
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from threading import Condition, Lock, Thread

from lifecycle.documents import log as layout


class LogFile:
    """Appends to `hour=…/` in a folder of the log: one file per process and hour, and a new one after `largest` bytes.

    Processes never share a file, and no file grows after its hour. With `durable`, `sync` brings all to the disk.
    """

    def __init__(self, folder: Path, largest: int, durable: bool = False) -> None:
        self._folder, self._largest, self._durable = folder, largest, durable
        self._hour, self._size, self._file = "", 0, -1
        self._path, self._identity = folder, (0, 0)
        self._device: int | None = None
        self._unsynced: list[int] = []  # files that ended since the last `sync`
        self._lock = Lock()

    def append(self, lines: bytes, now: datetime) -> None:
        """Write whole lines in one call: a killed process leaves at most one torn line, the last.

        Raises OSError when the write fails, or when the file is no longer at its place; the next lines then start a new
        file.
        """
        hour = layout.hour(now)
        with self._lock:
            if hour != self._hour or self._size >= self._largest:
                self._open(hour)
            try:
                written = os.write(self._file, lines)
                if written != len(lines):
                    raise OSError(f"only {written} of {len(lines)} bytes fit on the disk")
                self._check()
            except OSError:
                self._close()
                raise
            self._size += written

    def _open(self, hour: str) -> None:
        self._close()
        self._check_disk()
        folder = self._folder / hour
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except FileNotFoundError:  # another server just removed the version's folder, which was empty
            folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / f"{os.getpid()}-{os.urandom(4).hex()}.jsonl"
        self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self._hour, self._size, self._identity = hour, 0, _identity(os.fstat(self._file))
        if self._durable:
            for path in (folder, self._folder, self._folder.parent):
                with _opened(path) as own:
                    os.fsync(own)

    def _check_disk(self) -> None:
        """Raise OSError if the log's folder is on another disk than before: its own is gone, and this one is wrong."""
        root = self._folder.parent
        root.mkdir(parents=True, exist_ok=True)
        device = root.stat().st_dev
        if self._device not in (None, device):
            raise OSError(f"{root} is on another disk than at the start; mount the right one, or restart the service")
        self._device = device

    def _check(self) -> None:
        """Raise OSError if the file was removed or replaced: what is written to it is lost."""
        try:
            there = _identity(os.stat(self._path)) == self._identity  # noqa: PTH116 - a request waits for it
        except FileNotFoundError:
            there = False
        if not there:
            raise OSError(f"{self._path} is gone: someone removed the folder, or its disk")

    def _close(self) -> None:
        if self._file >= 0 and self._durable:
            self._unsynced.append(self._file)
        elif self._file >= 0:
            os.close(self._file)
        self._hour, self._file = "", -1

    def sync(self) -> None:
        """Bring all that was appended to the disk; raises OSError if that fails. Others may append meanwhile."""
        with self._lock:
            files, self._unsynced = self._unsynced, []
            files += [os.dup(self._file)] if self._file >= 0 else []
        try:
            for file in files:
                os.fsync(file)
        except OSError:  # another try on this file would succeed without having written
            with self._lock:
                self._close()
            raise
        finally:
            for file in files:
                os.close(file)

    def close(self) -> None:
        with self._lock:
            self._close()
        self.sync()


class Together:
    """Lets all that wait for the disk share one `sync`, which takes as long for many as for one."""

    def __init__(self) -> None:
        self._waiting: list[tuple[LogFile, Future[OSError | None]]] = []
        self._turn, self._ended = Condition(), False
        self._thread = Thread(target=self._run, name="commit", daemon=True)
        self._thread.start()

    def wait(self, file: LogFile) -> Future[OSError | None]:
        """Done when all that the file has now is on the disk, or with the reason why it is not."""
        future: Future[OSError | None] = Future()
        with self._turn:
            self._waiting.append((file, future))
            self._turn.notify()
        return future

    def _run(self) -> None:
        while True:
            with self._turn:
                self._turn.wait_for(lambda: self._waiting or self._ended)
                if not self._waiting:
                    return
                turn, self._waiting = self._waiting, []
            turn = [(file, future) for file, future in turn if future.set_running_or_notify_cancel()]
            found = {file: _failure(file) for file in {file for file, _ in turn}}
            for file, future in turn:
                future.set_result(found[file])

    def close(self) -> None:
        with self._turn:
            self._ended = True
            self._turn.notify()
        self._thread.join()


def _failure(file: LogFile) -> OSError | None:
    try:
        file.sync()
    except OSError as error:
        return error
    return None


def _identity(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    file = os.open(folder, os.O_RDONLY)
    try:
        yield file
    finally:
        os.close(file)
