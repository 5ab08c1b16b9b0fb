"""Unknown names: one line that says what was given and which names come nearest."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches


def nearest(name: str, choices: Iterable[str], n: int = 4) -> list[str]:
    """Return up to `n` choices that resemble `name` most, by whole key or by its last part."""
    choices = list(choices)
    found = get_close_matches(str(name), choices, n=n, cutoff=0.6)
    leaf = str(name).rsplit(".", 1)[-1]
    by_leaf = get_close_matches(leaf, {c.rsplit(".", 1)[-1] for c in choices}, n=n, cutoff=0.75)
    found += [c for c in choices if c.rsplit(".", 1)[-1] in by_leaf and c not in found]
    return found[:n]


def unknown(what: str, got: str, choices: Iterable[str]) -> str:
    """Return `unknown WHAT 'GOT'; nearest: ...` or, where nothing is near, all choices."""
    choices = sorted(choices)
    near = nearest(got, choices)
    if near:
        return f"unknown {what} {got!r}; nearest: {', '.join(near)}"
    shown = ", ".join(choices[:12]) + (", ..." if len(choices) > 12 else "")
    return f"unknown {what} {got!r}; allowed: {shown}"


def position(what: str, name: str, choices: Sequence[str]) -> int:
    """Index of `name` among `choices`.

    Raises:
        ValueError: `name` is none of them; the message lists the nearest (all when few).
    """
    if name in choices:
        return list(choices).index(name)
    near = nearest(str(name), choices) or list(choices)[:8]
    raise ValueError(f"{what} must be one of {', '.join(near)}; got {name!r}")
