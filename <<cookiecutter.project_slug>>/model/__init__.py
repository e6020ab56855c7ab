"""Your model: the pipeline in `estimator.py`, and what you put beside it."""
