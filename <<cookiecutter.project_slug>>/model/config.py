"""The configuration that your estimator receives; `docs/configuration.md` says what each key means."""

from lifecycle.config import Config

__all__ = ["Config"]
