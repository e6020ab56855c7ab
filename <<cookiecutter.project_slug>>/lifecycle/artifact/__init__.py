"""The model directory: what it holds, how it is loaded and how it answers."""
