"""From a team's own table to the pinned data and the configuration that fits it."""
