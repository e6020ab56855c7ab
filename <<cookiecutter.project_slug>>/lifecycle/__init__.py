"""The life of a model service, from its data to its monitor: every step reads files and writes files."""


class InputError(Exception):
    """What a person has to put right, as one sentence: what was found, where, and what to do.

    `parts` are its single findings, each with a title and the line of `file` where it stands, or 0.
    """

    def __init__(self, sentence: str, file: str = "", parts: tuple[tuple[str, str, int], ...] = ()) -> None:
        super().__init__(sentence)
        self.file, self.parts = file, parts
