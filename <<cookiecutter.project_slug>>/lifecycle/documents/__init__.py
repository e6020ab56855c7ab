"""What the rooms hand each other: decision record, monitor's summary, releases, pull requests, the log's layout."""
