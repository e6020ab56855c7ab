"""How well the monitor's estimate followed what came true, in the decision record and in the monitor's summary."""

from math import comb
from typing import Annotated, Literal

from pydantic import Field

from lifecycle.strict import Strict

SKILL = 0.1  # least share of a constant's error that an estimate spares, to be called better
LOUD = 4  # alerts in a quiet year
MISS, DOUBT = 0.05, 0.01  # chance of a value outside an interval, and least chance of so many that is believed
FEWEST = 3  # windows since the release that say more than those of the training
NOISE = 1.5  # two standard deviations of a normal error's size, as a share of its mean


def _unknown(value: object) -> bool:
    return value is None or value == ()


class Drop(Strict):
    """Windows in a row whose realised value was worse than its bound."""

    begin: str
    end: str
    worst: float
    days: Annotated[float | None, Field(description="by which the estimate was out of bounds first; null: never")]


class Track(Strict):
    """The estimate of one metric in each later window of the test rows, made from the windows before it.

    `error` is its mean distance from the realised value, `constant` that of the mean of the windows before, `chance`
    what sampling alone makes of a perfect estimate.
    """

    metric: str
    alerts: Annotated[bool, Field(description="whether the monitor's alerts judge it")]
    windows: int
    error: float
    constant: float
    chance: float
    drops: tuple[Drop, ...]
    bounded: Annotated[int, Field(description="windows that had bounds, without which no drop is told")]
    false: Annotated[int, Field(description="windows with bounds that the estimate alone was out of")]
    outside: Annotated[
        int | None,
        Field(description="windows whose realised value is outside the estimate's interval", exclude_if=_unknown),
    ] = None

    @property
    def skill(self) -> float:
        """The share of a constant's error that the estimate spares; 0 and less is none."""
        return 1 - self.error / self.constant if self.constant else 0.0

    @property
    def contradicted(self) -> bool:
        """Whether more realised values are outside the estimate's interval than chance puts there."""
        if self.outside is None:
            return False
        ways = range(self.outside, self.windows + 1)
        return sum(comb(self.windows, n) * MISS**n * (1 - MISS) ** (self.windows - n) for n in ways) < DOUBT

    @property
    def found(self) -> Literal["skilled", "blind", "untested"]:
        """Whether it is better than a constant, or was not asked to be: what changed was no more than chance.

        An estimate that what came true contradicts was asked.
        """
        if self.contradicted and self.skill < SKILL:
            return "blind"
        if self.constant <= self.chance * (1 + NOISE / self.windows**0.5):
            return "untested"
        return "skilled" if self.skill >= SKILL else "blind"


# Shares of simulations, for a curve of the drops that they see.
SHARES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)


class Seen(Strict):
    """The drop that raises an alert within so many windows in 80 of 100 simulations, and in 95.

    `drops` are those that it does in 5, 10, 20 and so on to 90 and 95 of 100.
    """

    windows: int
    likely: float
    sure: float
    drops: Annotated[tuple[float, ...], Field(exclude_if=_unknown)] = ()


class Operating(Strict):
    """What alerts on one metric would do, by simulation: how many a `quiet` year of `yearly` windows raises, and how
    large a drop is seen how fast, if the values show it wholly; or why they `never` come."""

    metric: str
    kind: Literal["estimated", "realised"]
    windows: Annotated[int, Field(description="of the reference, from which the bound comes")]
    rows: Annotated[int, Field(description="of a window")]
    yearly: int
    bound: float | None
    quiet: float
    seen: tuple[Seen, ...]
    never: str = ""

    @property
    def loud(self) -> bool:
        """Whether a quiet year raises so many alerts that no one reads them."""
        return self.quiet > LOUD


class TrackRecord(Strict):
    """The track record of each metric that the monitor estimates, or `why` there is none, and what alerts would do."""

    why: str = ""
    tracks: tuple[Track, ...] = ()
    operating: tuple[Operating, ...] = ()
    since: Annotated[
        tuple[Track, ...], Field(description="continued by labels that came in production", exclude_if=_unknown)
    ] = ()

    @property
    def now(self) -> tuple[Track, ...]:
        """What is known of each metric: what labels have said since the release or, if that is too little, before."""
        later = {track.metric: track for track in self.since if track.windows >= FEWEST and track.found != "untested"}
        first = {track.metric: track for track in self.tracks}
        return tuple((first | later).values())

    @property
    def blind(self) -> bool:
        """Whether each estimate that alerts judge is no better than a constant."""
        found = [track.found for track in self.now if track.alerts]
        return bool(found) and set(found) == {"blind"}

    @property
    def unproven(self) -> tuple[Track, ...]:
        """The metrics that alerts judge, and whose estimate is not known to be better than a constant."""
        return tuple(track for track in self.now if track.alerts and track.found != "skilled")
