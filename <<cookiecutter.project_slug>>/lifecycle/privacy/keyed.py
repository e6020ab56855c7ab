"""Hashes values with a secret key, without which nobody can find them by trying."""

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

from lifecycle import InputError

SHORTEST = 16  # characters of a key; a shorter one can be guessed


def key(environment: Mapping[str, str], name: str, purpose: str) -> bytes:
    """The secret in an environment variable; raises InputError that tells what it is for."""
    found = environment.get(name, "")
    if len(found) < SHORTEST:
        state = "is not set" if not found else f"has only {len(found)} characters"
        raise InputError(
            f"{purpose} needs a secret key, and the environment variable {name} {state}; set it to a random text of at "
            f"least {SHORTEST} characters, always the same one."
        )
    return found.encode()


def hashed(secret: bytes, name: str, value: Any) -> str | None:
    """The hash of a column's value: equal values have equal ones, an integer that of the same number with a point."""
    if value is None or value != value:
        return None
    text = value if isinstance(value, str) else repr(float(value))
    return hmac.new(secret, f"{name}\0{text}".encode(errors="surrogatepass"), hashlib.sha256).hexdigest()[:32]
