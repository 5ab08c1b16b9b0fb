"""Unknown names: one line that says what was given and which names come nearest."""

from collections.abc import Sequence
from difflib import get_close_matches


def position(what: str, name: str, choices: Sequence[str]) -> int:
    """Index of `name` among `choices`.

    Raises:
        ValueError: `name` is none of them; the message lists the nearest (all when few).
    """
    if name in choices:
        return list(choices).index(name)
    near = get_close_matches(str(name), choices, n=4, cutoff=0.4) or list(choices)[:8]
    raise ValueError(f"{what} must be one of {', '.join(near)}; got {name!r}")
