"""Follows an answer from the log over its release and its reviewers to the data, and checks each hash on the way."""
