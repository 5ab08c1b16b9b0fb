"""Unknown names: the sentence that says what, where, got and the nearest allowed ones."""

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["nearest", "unknown"]

_RENAMED = {
    "slo.latency_s": "slo.mean_s (slo.tpot_mean_s where tokens are generated)",
    "slo.drop_pp": "slo.accuracy_drop_pp",
}
"""Words of earlier versions, and what is said today."""


def nearest(name: str, choices: Iterable[str], n: int = 4) -> list[str]:
    """Return up to `n` choices that resemble `name` most, by whole key or by its last part."""
    choices = list(choices)
    found = get_close_matches(name, choices, n=n, cutoff=0.6)
    leaf = name.rsplit(".", 1)[-1]
    by_leaf = get_close_matches(leaf, {c.rsplit(".", 1)[-1] for c in choices}, n=n, cutoff=0.75)
    found += [c for c in choices if c.rsplit(".", 1)[-1] in by_leaf and c not in found]
    return found[:n]


def unknown(what: str, got: str, choices: Iterable[str]) -> str:
    """Return `unknown WHAT 'GOT'; nearest: ...` or, where nothing is near, all choices."""
    if got in _RENAMED:
        return f"unknown {what} {got!r}; it is called {_RENAMED[got]} now"
    choices = sorted(choices)
    near = nearest(got, choices)
    if near:
        return f"unknown {what} {got!r}; nearest: {', '.join(near)}"
    shown = ", ".join(choices[:12]) + (", ..." if len(choices) > 12 else "")
    return f"unknown {what} {got!r}; allowed: {shown}"
