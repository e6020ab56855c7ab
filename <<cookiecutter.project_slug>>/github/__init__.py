"""What the workflows do on GitHub, and a person may do from a laptop: pull requests, comments, issues, settings."""
