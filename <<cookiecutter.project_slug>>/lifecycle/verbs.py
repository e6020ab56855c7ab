"""The verbs of the command line, each with its sentence in `make help` and `--help`.

`make help` leaves out the verbs marked "(workflow)", which only workflows and jobs call.
"""

from pathlib import Path

VERBS = {
    # From the data to a decision.
    "adopt": "take your table FILE with its column TARGET: pin it, write data, split, gates into config.yaml",
    "champion": "extract the model that production runs from its image, for comparison",
    "data": "check the data file and split it by time",
    "train": "fit the model, convert it to ONNX, compare both, write build/model",
    "evaluate": "measure the model on the test rows, and the champion or CHAMPION=<model directory>",
    "gate": "apply the gates, write build/decision.json; fails when a blocking gate fails",
    "power": "say what the champion gates can see with ROWS test rows, and how many rows their margins need",
    "report": "render the decision as build/report.md and build/report.html",
    "register": "log the decision to MLflow; an accepted model becomes a version in its registry",
    "reproduce": "(workflow) compare the evaluation with the metrics that `make reviewed` found",
    "pin": "move the data pin and the periods to the newest snapshot",
    # What the environments run.
    "release": "write the decision to ENV; SERVE= and MONITOR= are the images by digest",
    "images": "build both images and start each once: serve answers its golden rows, monitor runs; pushes nothing",
    "rebuild": "(workflow) extract the newest release's model, to rebuild its images",
    "promote": "copy the release of the environment before ENV to it; SHARE=10 sends it a tenth of the requests",
    "rollback": "restore the previous release of ENV",
    "retire": "take the service out of the last environment that has a release; its log and records stay",
    "audit": "check how every release got here",
    "verify": "check with cosign that the release workflow attested record and images of ENV, or of the offered change",
    "render": "print the manifests that the cluster would get for ENV",
    "diff": "compare the rendered manifests with those at the commit BASE",
    # Serving and watching.
    "serve": "answer HTTP requests with MODEL and log each prediction",
    "smoke": "check that the service at URL answers as MODEL did at training",
    "monitor": "estimate the performance of MODEL from PREDICTIONS or the log that ENV ships; LABELS= adds outcomes",
    "erase": "count the rows of KEY=<column>=<value> in PREDICTIONS and LABELS; APPLY=yes removes them",
    "trace": "follow REQUEST=, an id, a line of PREDICTIONS or an answer, to its release, reviewers and data",
    # GitHub.
    "changes": "(workflow) decide what the changes since the commit BASE need: tests, training, images",
    "offer": "open or update the pull request that an earlier verb prepared",
    "due": "(workflow) offer to the next environment what is verified, or merged, and was not offered before",
    "comment": "(workflow) post the report of a finished run on its pull request",
    "reviewed": "(workflow) find the metrics shown on this commit's pull request",
    "publish": "(workflow) create the GitHub release",
    "issue": "(workflow) open or update the issue about a degrading model",
    "degraded": "(workflow) report to GitHub what the monitor found in ENV",
    "vulnerabilities": "tell which locked packages have a known vulnerability that a newer version mends",
    "warn": "(workflow) open, update or close the issue about what `make vulnerabilities` found",
    "upgrade": "prepare the pull request that merges a newer TEMPLATE at COMMIT",
    "setup-github": "show the GitHub settings that the repository needs; APPLY=yes applies them",
    "doctor": "check what this machine, this repository and its GitHub settings lack; CLUSTER=<context of kubectl> too",
}

# Of what trains: the template's packages, and the team's.
LOCKS = (Path("locks/train.txt"), Path("locks/model.txt"))

# The steps of the pipeline: each is skipped when nothing that it depends on has changed.
STEPS = ("data", "train", "evaluate", "gate", "report", "register")
