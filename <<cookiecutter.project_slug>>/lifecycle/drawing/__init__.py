"""Draws the decision record for its page: as interactive plots, and as SVG where nothing moves."""
