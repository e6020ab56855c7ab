"""From the prediction log to an alert."""
