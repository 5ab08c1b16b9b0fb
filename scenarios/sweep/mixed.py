"""Mixed rows: a table that holds seconds of different machines under one name.

A row says by `device_machine`, `server_machine` and `codec_machine` whose seconds it was played
with. Where rows call a machine alike and differ in that, a difference between them may be that of
the machines: they are marked, and their grade says so. Only a table can be mixed, never a point,
so that nothing of it is kept with the rows.
"""

import sys
from collections.abc import Iterable, Sequence

from scenarios.sweep.columns import Row
from sim.planning.trust.finding import add_caution

_LABELS = {
    "device_machine": ("device",),
    "server_machine": ("server",),
    "codec_machine": ("codec", "device", "server"),
}
"""What a row calls the machines of a role; a codec runs on a device and a server."""
MACHINES = tuple(_LABELS)


def mark_mixed(rows: Sequence[Row]) -> list[Row]:
    """The rows, those that are mixed with a caution in `mixed` and `cautions`, and a grade that
    counts it; the others as they are.
    """
    found = _mixed(rows)
    return [_mark(row, [words for key, words in found.items() if key in _keys(row)])
            for row in rows]  # fmt: skip


def tell_mixed(rows: Sequence[Row]) -> None:
    """A line on stderr for each name under which marked rows hold several machines."""
    for words in dict.fromkeys(each for row in rows for each in _split(row)):
        print(f"splitfleet: mixed machines: {words}", file=sys.stderr)


def _split(row: Row) -> list[str]:
    return str(row["mixed"]).split("; ") if row.get("mixed") else []


_Key = tuple[str, ...]


def _mixed(rows: Sequence[Row]) -> dict[_Key, str]:
    """Words by role and name for every name that stands for several machines."""
    seen: dict[_Key, dict[str, None]] = {}
    for row in rows:
        for key in _keys(row):
            seen.setdefault(key, {})[str(row[key[0]])] = None
    return {key: _say(key, machines) for key, machines in seen.items() if len(machines) > 1}


def _keys(row: Row) -> list[_Key]:
    """Every role whose machine the row states, with what the row calls it."""
    return [
        (role, *(str(row.get(name)) for name in names))
        for role, names in _LABELS.items()
        if row.get(role)
    ]


def _say(key: _Key, machines: Iterable[str]) -> str:
    role, name, *where = key
    on = f" on {' and '.join(where)}" if where else ""
    return f"{role.removesuffix('_machine')} {name}{on} is {' or '.join(machines)}"


def _mark(row: Row, words: Sequence[str]) -> Row:
    if not words:
        return row
    marked = {**row, "mixed": "; ".join(words)}
    if row.get("grade"):
        marked["grade"] = add_caution(str(row["grade"]))
        said = [row.get("cautions") or "", f"mixed machines: {', '.join(words)}"]
        marked["cautions"] = "; ".join(filter(None, said))
    return marked
