"""Measures a model on the test rows, and decides whether it passes its gates."""
