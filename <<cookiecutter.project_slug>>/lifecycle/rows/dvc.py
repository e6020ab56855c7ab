"""Reads the pointer files of DVC: the working copies if they are what a pointer says, else the objects of its remote.

DVC need not be installed. Since version 3 a remote holds the object of the MD5 `abcdef...` as `files/md5/ab/cdef...`,
before as `ab/cdef...`; the object of a folder ends in `.dir` and lists its files (dvc-data, `hashfile/tree.py`).
"""

import configparser
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import fsspec
import yaml

from lifecycle import InputError
from lifecycle.strict import parsed

# A file's name, the MD5 that an object of a remote must have (a working copy was found to have it), and where it is.
type Tracked = tuple[str, str, fsspec.AbstractFileSystem, str]

# DVC's names of a remote's options, and those of fsspec; credentials that it does not name come from the environment.
OPTIONS = {
    "s3": {
        "access_key_id": "key",
        "endpointurl": "endpoint_url",
        "profile": "profile",
        "secret_access_key": "secret",
        "session_token": "token",
    },
    "gs": {"credentialpath": "token", "projectname": "project"},
    "az": {name: name for name in ("account_key", "account_name", "connection_string", "sas_token")},
}


def md5(path: Path) -> str:
    """The MD5 of a file, which tells objects apart but secures nothing: data.sha256 does."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def tracked(pointer: Path) -> tuple[list[Tracked], bool]:
    """The files that a pointer names, and whether it names a folder of them; of a folder, only those in Parquet.

    Raises InputError for a pointer, a configuration or a listing that cannot be understood.
    """
    out = _out(pointer)
    copy, digest = pointer.parent / out["wdir"] / out["path"], out["md5"]
    remote = _Remote(pointer, out)
    if not digest.endswith(".dir"):
        return [_tracked(copy.name, copy, digest, remote)], False
    if own := _listing(copy, digest):
        found = [_own(entry["relpath"], copy / entry["relpath"]) for entry in own]
    else:
        entries = remote.listing(digest)
        found = [_tracked(name, copy / name, one["md5"], remote) for one in entries if _rows(name := one["relpath"])]
    return sorted((one for one in found if _rows(one[0])), key=lambda one: one[0]), True


def _rows(name: str) -> bool:
    return name.endswith(".parquet")


def _out(pointer: Path) -> dict[str, str]:
    """The only output of a pointer file."""
    try:
        document = parsed(pointer.read_bytes())
        (out,) = document["outs"]
        digest, path = out["md5"], out["path"]
        if not re.fullmatch(r"[0-9a-f]{32}(\.dir)?", digest):
            raise ValueError(f"md5 is {digest}")
    except (yaml.YAMLError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise InputError(
            f"{pointer} is not a pointer file of DVC with one output and its md5 ({' '.join(str(error).split())}); "
            "write it with `dvc add`."
        ) from error
    return {
        "md5": digest,
        "path": path,
        "hash": out.get("hash", ""),
        "remote": out.get("remote", ""),
        "wdir": document.get("wdir", "."),
    }


def _listing(copy: Path, digest: str) -> list[dict[str, str]]:
    """The files of the working copy of a folder, as DVC lists them; nothing if it is not what the pointer says."""
    names = sorted(path.relative_to(copy).as_posix() for path in copy.rglob("*") if path.is_file())
    entries = [{"md5": md5(copy / name), "relpath": name} for name in names]
    content = json.dumps(entries).encode()
    return entries if hashlib.md5(content, usedforsecurity=False).hexdigest() == digest.removesuffix(".dir") else []


def _own(name: str, copy: Path) -> Tracked:
    return name, "", fsspec.filesystem("file"), str(copy)


def _tracked(name: str, copy: Path, digest: str, remote: "_Remote") -> Tracked:
    """The working copy, if it is what the pointer says, or its object."""
    if copy.is_file() and md5(copy) == digest:
        return _own(name, copy)
    return name, digest, *remote.place(digest)


class _Remote:
    """The remote that holds a pointer's objects, reached only when it is needed."""

    def __init__(self, pointer: Path, out: dict[str, str]) -> None:
        self.pointer, self.out = pointer, out

    def place(self, digest: str) -> tuple[fsspec.AbstractFileSystem, str]:
        """Where the object of an MD5 is."""
        options = self._options()
        url = re.sub("^azure://", "az://", options["url"].rstrip("/"))
        layout = "files/md5/" if self.out["hash"] == "md5" else ""
        names = OPTIONS.get(url.partition("://")[0], {})
        known: dict[str, Any] = {names[name]: value for name, value in options.items() if name in names}
        if region := options.get("region"):
            known["client_kwargs"] = {"region_name": region}
        if options.get("allow_anonymous_login", "").lower() == "true":
            known |= {"token": "anon"} if url.startswith("gs") else {"anon": True}
        system, path = fsspec.url_to_fs(f"{url}/{layout}{digest[:2]}/{digest[2:]}", **known)
        return system, path

    def listing(self, digest: str) -> list[dict[str, str]]:
        """The files of a folder, each with `relpath` and `md5`."""
        system, path = self.place(digest)
        content: bytes = system.cat_file(path)
        if hashlib.md5(content, usedforsecurity=False).hexdigest() != digest.removesuffix(".dir"):
            raise InputError(f"{path} has another md5 than {self.pointer} says; push the folder to the remote again.")
        found: list[dict[str, str]] = json.loads(content)
        return found

    def _options(self) -> dict[str, str]:
        """The options of the remote that the pointer names, or of the default one."""
        above = self.pointer.resolve().parents
        home = next((folder / ".dvc" for folder in above if (folder / ".dvc/config").is_file()), None)
        parser = configparser.ConfigParser(interpolation=None)
        if home is not None:
            try:
                parser.read([home / "config", home / "config.local"])
            except configparser.Error as error:
                raise InputError(f"{home / 'config'} cannot be read ({' '.join(str(error).split())}).") from error
        sections: dict[str, dict[str, Any]] = {
            name.strip("'"): {key: value.strip("'\"") for key, value in parser.items(name)}
            for name in parser.sections()
        }
        name = self.out["remote"] or sections.get("core", {}).get("remote", "")
        options = sections.get(f'remote "{name}"')
        if options is None or "url" not in options:
            raise InputError(
                f"What {self.pointer} stands for is not beside it, and .dvc/config has no "
                f"{f'remote {name}' if name else 'default remote'}; run `dvc pull`, or add the remote."
            )
        if "true" in (options.get("version_aware", "").lower(), options.get("worktree", "").lower()):
            raise InputError(f"The DVC remote {name} keeps versions of a cloud, not objects by md5; run `dvc pull`.")
        url = options["url"]
        return options | {"url": url if "://" in url else str((home or Path()) / Path(url).expanduser())}
