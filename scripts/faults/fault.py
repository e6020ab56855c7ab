"""A fault as it is declared, what was seen of it, and whether that is what was expected."""

from collections.abc import Callable
from dataclasses import dataclass

from faults.stage import Stage


class Untried(Exception):  # noqa: N818 - an outcome
    """This cluster has no way to try a fault; the message says what it lacks."""


def nothing(_: Stage) -> None:
    """Nobody does anything."""


@dataclass(frozen=True)
class Fault:
    """What is done, and what is expected then."""

    name: str
    done: str
    act: Callable[[Stage], None]
    shows: str = ""  # the phase, sync or health that Argo CD must show before a person acts
    told: tuple[str, ...] = ()  # the words on production that GitHub must get, in order, and no others
    mend: Callable[[Stage], None] = nothing
    does: str = "nothing"
    runbook: str = ""  # a section of the model repository's docs, or of manifests/README.md
    fails: str = ""  # why requests may fail; empty: none may
    loses: str = ""  # why rows of the log may be lost; empty: none may
    within: float = 900.0  # seconds, all in all
    soon: float = 0.0  # seconds from the commit until the first word must come; 0: whenever


@dataclass(frozen=True)
class Outcome:
    """What was seen."""

    fault: Fault
    seconds: float = 0.0
    requests: int = 0
    failed: int = 0
    lost: int = 0
    showed: str = ""
    told: tuple[str, ...] = ()
    after: tuple[float, ...] = ()  # seconds from its commit to each word
    problem: str = ""  # a sentence, if it did not come to its end
    untried: str = ""  # a sentence, if it could not be tried here

    def wrong(self) -> list[str]:
        """What is not as expected, in sentences."""
        if self.untried:
            return []
        found = [self.problem] if self.problem else []
        if not self.requests:
            found.append("No request was sent.")
        if self.failed and not self.fault.fails:
            found.append(f"{self.failed} of {self.requests} requests failed.")
        if self.lost and not self.fault.loses:
            found.append(f"{self.lost} answered requests are not in the log.")
        if self.told != self.fault.told:
            told, wanted = (", ".join(words) or "nothing" for words in (self.told, self.fault.told))
            found.append(f"GitHub was told {told}, not {wanted}.")
        if self.fault.soon and self.after and self.after[0] > self.fault.soon:
            found.append(f"GitHub was told after {self.after[0]:.0f} s, not {self.fault.soon:.0f} s at most.")
        if self.seconds > self.fault.within:
            found.append(f"It took {self.seconds:.0f} s, not {self.fault.within:.0f} s at most.")
        return found
