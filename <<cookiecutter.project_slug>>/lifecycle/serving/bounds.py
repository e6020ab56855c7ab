"""How much of the service one caller, or all of them together, may take; more is refused before work is done for it."""

# One connection. Envoy and gunicorn allow as many headers; a head of 32,000 bytes has room for tokens.
HEAD, HEADERS = 32_000, 100
HEAD_SECONDS, BODY_SECONDS, ANSWER_SECONDS = 10, 30, 30  # the body: 8 MB at 2 Mbit/s; the answer: to be taken

PAUSE = 0.25  # seconds until the refusal of a head or a large body: who sends them without end takes little

# All connections: a gateway needs one for each request in flight, and one may take 300 kB before it is judged.
CONNECTIONS = 250
WAITING = 1_000  # requests sent ahead of their answers, 3 kB each

# All bodies: a multiple of the largest one. What fits in SMALL bytes always has a place.
BODIES, SMALL = 4, 32_000

# One body: each comma or bracket may become an object of 100 bytes, and a text may have many commas.
VALUES = 1_000_000


class Held:
    """The bytes of all bodies that have not come to their end, of each those beyond SMALL."""

    def __init__(self, most: int) -> None:
        self._most, self.bytes = most, 0

    def grow(self, before: int, after: int) -> bool:
        """Count a body that grew or, with 0 after, left; false when there is no place for it."""
        grown = max(0, after - SMALL) - max(0, before - SMALL)
        self.bytes += grown
        return grown <= 0 or self.bytes <= self._most
