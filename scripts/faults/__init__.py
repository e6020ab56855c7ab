"""Plays the life of a model, then faults, on the cluster that KUBECONFIG names, and writes a page of what was seen."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NAMESPACE = "e2e"  # of what stands in the cluster beside the platform and the model


class Failed(Exception):  # noqa: N818 - an outcome, not an error of ours
    """Something did not come as expected; the message is a sentence for people."""
