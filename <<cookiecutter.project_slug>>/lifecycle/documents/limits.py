"""How much text GitHub takes, and how the parts of a pull request share it; all in characters."""

BODY = 65_000  # of a comment, an issue or a pull request; GitHub refuses more than 65,536
DIFFERENCES = 20_000  # of how the rendered manifests differ
REPORT = 40_000  # of a report in a pull request or a dispatch, which hold more than the report
FRAME = 4_000  # of what stands around a report in a comment
