"""A fake GitHub on loopback: the parts of its API, runners and third-party actions that the workflows use."""
