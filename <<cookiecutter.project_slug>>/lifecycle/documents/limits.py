"""GitHub's limits on text, and how the parts of a pull request share them; all in characters."""

BODY = 65_000  # of a comment, an issue or a pull request; GitHub refuses more than 65,536
DIFFERENCES = 20_000  # of the differences between rendered manifests
REPORT = 40_000  # of a report in a pull request or a dispatch, which need room for other text
FRAME = 4_000  # of the text around a report in a comment
