"""Prints how an answer came to be: log line, version, image, release, people, record, data; and where this breaks."""

from collections.abc import Iterator, Sequence

from lifecycle import InputError
from lifecycle.documents import record
from lifecycle.documents.environments import CANDIDATE, KUSTOMIZATION, RECORD
from lifecycle.releasing import component
from lifecycle.tracing import asked, comparison, history, lines, origin, reviews
from lifecycle.tracing.asked import Asked
from lifecycle.tracing.history import Stay
from lifecycle.tracing.lines import Logged
from lifecycle.tracing.origin import Link
from lifecycle.tracing.proof import Proof

MODEL = "the model in the image, which `make verify` compares with what the release workflow signed"


def _shown(text: object) -> str:
    """Text of callers and committers for a terminal, which would obey some signs."""
    return "".join(sign if sign.isprintable() else "·" for sign in str(text))


def _answer(given: Asked, own: list[Logged]) -> Iterator[Link]:
    first, count = own[0], f"{len(own)} {'row' if len(own) == 1 else 'rows'}"
    told = ", ".join(str(one.content["answer"].get("prediction")) for one in own[:3]) + ", …" * (len(own) > 3)
    said = f"{given.request}, {count}, {first.moment.isoformat()}: {told}"
    yield Link("answer", said, "; ".join(comparison.compared(given, own)))
    yield Link("log", str(first), "; ".join(problem for one in own for problem in one.problems()))
    yield Link("version", str(first.content["version"]))


def _running(
    given: Asked, own: list[Logged], found: list[tuple[Stay, record.Decision]]
) -> tuple[list[record.Decision], Link]:
    """The records that the answer may have come from, from what ran then and the image that it names."""
    moment = own[0].moment
    there = [(stay, decision) for stay, decision in found if stay.holds(moment)]
    known = {decision.images.serve: decision for _, decision in there or found if decision.images}
    wrong = ""
    if given.image:
        wrong = "" if given.image in known else f"the answer names the image {given.image}, which no record has"
        known = {name: one for name, one in known.items() if name == given.image} or known
    elif not there:
        wrong = f"git has no environment that had {own[0].content['version']} at {moment.isoformat()}"
    return list(known.values()), Link("image", ", ".join(known), wrong)


def _releases(found: Sequence[tuple[Stay, record.Decision]], proof: Proof) -> Iterator[Link]:
    """Each time that an environment had a record, with the commit that brought it, and its people."""
    reachable = True
    for stay, _ in found:
        begun = stay.begun
        until = f" until {stay.ended.moment.date()}" if stay.ended else ""
        beside = " as a candidate" if stay.name == CANDIDATE else ""
        said = f"{stay.environment}{beside} from {begun.moment.date()}{until}: {begun.sha[:12]} {begun.subject!r}"
        said += f" of {', '.join(begun.authors)}, committed by {begun.committer}"
        if begun.pull and reachable:
            try:
                said += f"; #{begun.pull} {reviews.people(begun.pull)}"
            except InputError as error:
                reachable = False
                yield Link("github", "", unchecked=f"who reviewed, as GitHub cannot be asked ({error})")
        yield Link("release", said, _placed(stay, proof))


def _copies(found: Sequence[tuple[Stay, record.Decision]]) -> Iterator[Link]:
    """Where a record has other bytes than in the environment before, though a promotion copies it."""
    first: dict[str, Stay] = {}
    for stay, decision in found:
        known = first.setdefault(decision.version, stay)
        if known.blob != stay.blob:
            wrong = f"{stay.path} at {stay.begun.sha[:12]} differs from that in {known.path.parent}"
            yield Link("record", "", wrong)


def _placed(stay: Stay, proof: Proof) -> str:
    """What is wrong with the manifests of the commit that brought a record, or nothing."""
    path = stay.path.with_name(KUSTOMIZATION)
    present, candidate, text = (
        proof.content(stay.begun.sha, path.with_name(name)) for name in (RECORD, CANDIDATE, KUSTOMIZATION)
    )
    records = [record.released(stay.path, one) if one else None for one in (present, candidate)]
    if records[0] and component.read((text or b"").decode(errors="replace"), records[0], records[1]):
        return ""
    return f"{path} at {stay.begun.sha[:12]} does not run what the record beside it says"


def run(text: str, locations: Sequence[str]) -> str:
    """Trace an answer through log and history; raises InputError that names each place where they disagree."""
    given = asked.read(text)
    every, unread = lines.find(locations, given.request)
    if not every:
        told = f" ({'; '.join(unread)})" if unread else ""
        raise InputError(
            f"The log in {', '.join(locations)} has no request {_shown(given.request)[:200]!r}{told}; "
            "name its folder with PREDICTIONS, or look whether its hours are older than monitor.days."
        )
    own = comparison.chosen(given, lines.answers(every))
    found = history.of(own[0].content["version"])
    decisions, image = _running(given, own, found)
    findings, proof = [*_answer(given, own), image], Proof()
    for decision in decisions:
        there = [one for one in found if one[1] == decision]
        findings += [*_releases(there, proof), *origin.findings(decision, proof)]
    findings += _copies(found)
    for one in findings:
        if one.text:
            print(f"  {one.name:9}{_shown(one.text)}")
    if wrong := [f"{one.name}: {one.wrong}" for one in findings if one.wrong]:
        raise InputError(_shown(f"The trace breaks. {'; '.join(wrong)}. Compare with another copy of what is named."))
    left = [*(one.unchecked for one in findings if one.unchecked), *unread, MODEL]
    return _shown(f"all of this agrees; not checked here: {'; '.join(left)}")
