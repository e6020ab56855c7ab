"""Performance and drift by window, without labels or with them, in numpy and scikit-learn."""
