"""Offers each environment's release to the next one where it is due, and no one has offered or declined it before.

It looks at what the environments run, not at what a push changed: GitHub cancels a run that waits when another comes.
"""

import re
from datetime import date
from pathlib import Path

from lifecycle import InputError
from lifecycle.config import Promote
from lifecycle.documents.change import Change
from lifecycle.documents.environments import committed, folder, place
from lifecycle.github import api, offer
from lifecycle.releasing import diff, promote, verify

EVERY = "*"
SHARE = re.compile(r"-[0-9]{1,3}$")  # of a candidate, at the end of its branch


def run(
    build: Path, promotion: Promote, today: date, verified: str, digest: str, share: int | None, waits: bool
) -> str:
    """Offer the release of the environment `verified`, or of each; what fails for one keeps no other from its offer.

    A person gives a `share`, and so may offer what was declined before.
    """
    said, failed = [], []
    for source in promotion.order[:-1] if verified == EVERY else (verified,):
        try:
            change = promote.after(source, digest, promotion, today, share)
            said.append(change if isinstance(change, str) else _offered(change, build, promotion, share, waits))
        except InputError as error:
            failed.append(str(error))
    if failed:
        raise InputError(" ".join([*failed, *said]))
    return " ".join(said)


def _offered(change: Change, build: Path, promotion: Promote, share: int | None, waits: bool) -> str:
    """Verify and offer a prepared promotion, and restore the working copy for the next one."""
    try:
        if share is None and (told := before(change.branch)):
            return f"{change.title}: {told}."
        verify.run(change.environment, promotion)
        change.write(build)
        diff.run("HEAD", build)
        return f"{offer.run(build, waits)}."
    finally:
        release = folder(change.environment, promotion.order)
        place(committed(release), release)


def before(branch: str) -> str:
    """Which pull request offers the branch's release, also as a candidate, or did until a person closed it."""
    repository = api.repository()
    for pull in api.listed(f"repos/{repository}/pulls?state=open&per_page=100"):
        ref, origin = pull["head"]["ref"], pull["head"]["repo"]
        if origin and origin["full_name"] == repository and branch in (ref, SHARE.sub("", ref)):
            return f"#{pull['number']} offers it"
    head = f"{repository.partition('/')[0]}:{branch}"
    for pull in api.listed(f"repos/{repository}/pulls?state=closed&head={head}&per_page=100"):
        closed = None if pull["merged_at"] else api.call("GET", f"repos/{repository}/issues/{pull['number']}")
        if closed and (closed["closed_by"] or {}).get("type") != "Bot":  # a verb closes what it supersedes
            return (
                f"#{pull['number']} offered it until a person closed it; start the workflow `promote` to offer it again"
            )
    return ""
