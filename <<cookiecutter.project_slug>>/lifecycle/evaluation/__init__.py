"""What a model is worth on the test rows, and whether its gates let it pass."""
