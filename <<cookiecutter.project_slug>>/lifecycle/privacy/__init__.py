"""Personal data: what never reaches the log, and how a person's rows are removed again."""
