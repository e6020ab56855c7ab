"""The life of a model service, from its data to its monitor: every step reads files and writes files."""


class InputError(Exception):
    """What a person has to put right, as one sentence: what was found, where, and what to do."""
