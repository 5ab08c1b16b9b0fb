"""Unknown names of the command line, and words of earlier versions."""

from collections.abc import Iterable

_RENAMED = {
    "slo.latency_s": "slo.mean_s (slo.tpot_mean_s where tokens are generated)",
    "slo.drop_pp": "slo.accuracy_drop_pp",
}


def unknown(what: str, got: str, choices: Iterable[str]) -> str:
    """Return `unknown WHAT 'GOT'` with what it is called today, the nearest choices, or all."""
    if got in _RENAMED:
        return f"{got} is now {_RENAMED[got]}"
    from profiles.tables import choices as near  # arrays, which nobody needs who knows the names

    return near.unknown(what, got, choices)
