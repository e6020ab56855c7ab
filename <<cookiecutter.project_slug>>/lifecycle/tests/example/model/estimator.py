"""The example's estimator, in both of its encodings."""

from lifecycle.adopting.example import estimator

__all__ = ["estimator"]
