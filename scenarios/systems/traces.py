"""Traces: payloads, answers and codec seconds that a user traced elsewhere.

`trace=FILE` takes the npz that `splitfleet trace` wrote on another machine. Payloads and answers do
not depend on the machine; codec seconds are carried from it by the anchor that was timed there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from profiles.predicting.codecs import Clock
from profiles.shipping import shipped
from profiles.tables.hardware import THIS
from profiles.tables.text import Stamp, stamp_of
from profiles.tables.trace import TraceTable

_SAME = ("processor", "instructions", "system")


def read(path: str, network: Any, specs: Mapping[str, str], cuts: Sequence[str]) -> TraceTable:
    """The table of a file, which must hold these cuts of the network and these codec specs.

    Raises:
        ValueError: no file, no trace table, another network's or format's, without one of the cuts
            or settings.
    """
    import codec

    table = _load(path, stamp_of(path, "trace"))
    about = table.provenance
    if table.model != network.name:
        raise ValueError(f"trace={path}: is of {table.model}; it must be of {network.name}")
    if about.get("model_digest") != network.digest:
        there = about.get("model_digest")
        raise ValueError(
            f"trace={path}: is of another {network.name} (digest {there}, here {network.digest})"
        )
    if about.get("codec_version") != codec.FORMAT_VERSION:
        raise ValueError(
            f"trace={path}: holds streams of version {about.get('codec_version')}; it must be"
            f" version {codec.FORMAT_VERSION}: trace it again"
        )
    _check_cuts(path, table, cuts)
    _check_settings(path, table, specs)
    return table


def check_tokens(path: str, table: TraceTable, n_tokens: int) -> None:
    """Refuse generations that are too short, or none."""
    held = table.size("token") if "token" in table.axes else 0
    if held < n_tokens:
        raise ValueError(
            f"trace={path}: holds generations of {held} tokens; session.n_tokens={n_tokens}"
            " must be at most that"
        )


def clock_of(path: str, table: TraceTable) -> Clock:
    """Which machine timed the codecs of a table that a user gave."""
    from profiles.measuring.machine import fingerprint

    host = table.provenance.get("machine", {})
    anchor_s = table.provenance.get("anchor_s")
    known = {
        shipped.CPU: TraceTable.load(shipped.DATA / "traces" / "scenes.npz").provenance["machine"],
        THIS: fingerprint(),
    }
    for name, other in known.items():
        if all(host.get(key) == other.get(key) for key in _SAME):
            return Clock(machine=name, anchor_s=anchor_s, host=host)
    return Clock(machine=f"the machine of {path}", anchor_s=anchor_s, host=host)


def with_anchor(table: TraceTable) -> TraceTable:
    """A table traced here and now, with the seconds of the anchor on the same core."""
    from profiles.measuring.anchor import core_anchor_s

    return replace(table, provenance={**table.provenance, "anchor_s": core_anchor_s()})


@lru_cache(maxsize=8)
def _load(path: str, stamp: Stamp) -> TraceTable:
    file = Path(path)
    if file.is_dir():
        raise ValueError(f"trace={path}: is a directory")
    if file.suffix == ".csv":
        raise ValueError(f"trace={path}: means hold no samples; give the npz beside it")
    return TraceTable.load(file)


def _check_cuts(path: str, table: TraceTable, cuts: Sequence[str]) -> None:
    lacking = [cut for cut in cuts if cut not in table.cuts]
    if lacking:
        raise ValueError(
            f"trace={path}: holds the cuts {', '.join(table.cuts)}; it must hold"
            f" {', '.join(lacking)}"
        )


def _check_settings(path: str, table: TraceTable, specs: Mapping[str, str]) -> None:
    """Every setting by its codec's spec; what a chain was fitted to may differ in last digits."""
    known = table.provenance.get("codecs", {})
    for name, spec in specs.items():
        if not shipped.alike(known.get(name, ""), spec):
            there = known.get(name)
            held = f"{name} as {there}" if there else f"the settings {', '.join(sorted(known))}"
            raise ValueError(
                f"trace={path}: holds {held}; it must hold {name} as {spec}: trace it there, too,"
                " or leave trace out"
            )
