"""What all model repositories of an owner run: read from git, and from GitHub for alerts and merges; one page."""
