"""One request, from the socket to the prediction log."""
