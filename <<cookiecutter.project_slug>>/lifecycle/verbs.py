"""The verbs of the command line, each with the sentence that `make help` and `--help` show.

A verb that only a workflow or a job calls begins its sentence with "(workflow)"; `make help` leaves it out.
"""

VERBS = {
    # From the data to a decision.
    "champion": "take the model that production runs out of its image, to compare with",
    "data": "check the data file, split it by time",
    "train": "fit, convert to ONNX, compare both, write build/model",
    "evaluate": "measure on the test rows, beside the champion or CHAMPION=<model directory>",
    "gate": "decide, write build/decision.json; fails when a blocking gate fails",
    "report": "render the decision as build/report.md and build/report.html",
    "register": "log the decision to MLflow; an accepted model becomes a version in its registry",
    "reproduce": "(workflow) compare the evaluation with the metrics that `make reviewed` found",
    "pin": "move the data pin and the periods to the newest snapshot",
    # What the environments run.
    "release": "write the decision to ENV; SERVE= and MONITOR= are the images by digest",
    "rebuild": "(workflow) take the model of the newest release, to build its images anew",
    "promote": "copy the release of the environment before ENV to it; SHARE=10 gives it a tenth of the requests",
    "rollback": "restore the release that ENV had before this one",
    "audit": "check how every release came to be",
    "render": "print what the cluster would get of ENV",
    "diff": "write how the rendered manifests differ from those of the commit BASE",
    # Serving and watching.
    "serve": "answer HTTP requests with MODEL, log each prediction",
    "smoke": "prove that the service at URL answers as MODEL did at training",
    "monitor": "estimate the performance of MODEL from PREDICTIONS; LABELS= adds what came true",
    # GitHub.
    "changes": "(workflow) say what a change since the commit BASE asks for: tests, training, images",
    "offer": "open or refresh the pull request that a verb before prepared",
    "comment": "(workflow) post the report of a finished run on its pull request",
    "reviewed": "(workflow) find the metrics that were shown on the pull request of this commit",
    "publish": "(workflow) make the GitHub release",
    "issue": "(workflow) open or update the issue about a model that degrades",
    "degraded": "(workflow) tell GitHub what the monitor found in ENV",
    "upgrade": "prepare the pull request that merges a newer TEMPLATE",
    "setup-github": "show how the repository would be set up on GitHub; APPLY=yes does it",
    "doctor": "say what this machine, this repository and its place on GitHub lack",
}
