"""Latencies: rows of measured seconds at cuts and batches become cost surfaces.

The table that people have: `cut, batch, seconds`, and where they are known `p95` (or `seconds_p05`
and `seconds_p95`) and `n`, the number of calls behind a median; `part` (head, tail), `precision`,
`mode`. Of a decoder the parts are `embed`, `layer` (one of them) and `answer` over `new_tokens` and
`kv_length`. Values are seconds of one call at that batch.
"""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf, isnan, nan, sqrt
from typing import Any

import numpy as np

from profiles.tables import choices
from profiles.tables.columns import number_in
from profiles.tables.cost import CostSurface
from profiles.tables.layers import ModelProfile
from profiles.tables.medians import MEDIAN

_P95 = 1.6449
_SLACK = 0.25
"""How far a time may fall with the batch where no standard error is known."""
_LAUNCH_S = 8e-6
"""One launch more or less, which the events of a card's clock cannot tell apart."""

Way = tuple[str, str]
"""Precision and mode."""


@dataclass(frozen=True, kw_only=True)
class Latency:
    """One row: the median seconds of a call, and its relative standard error (NaN: not known)."""

    part: str
    cut: str
    batch: int
    seconds: float
    error: float = nan
    new_tokens: int = 1
    kv_length: int = 0
    precision: str = "fp32"
    mode: str = "eager"


def latency(row: Mapping[str, str], *, where: str, part: str = "tail") -> Latency:
    """A row of a table as a latency; `part` where it has no such column.

    Raises:
        ValueError: a number that is missing, negative or not finite, in one line with `where`.
    """

    def number(name: str, default: float, least: float, *, whole: bool = False) -> float:
        text = (row.get(name) or "").strip()
        if not text:
            if isnan(default):
                raise ValueError(f"{where}: {name} is missing")
            return default
        value = number_in(text)
        if not least <= value < inf or (whole and value % 1.0):
            kind = "a whole number" if whole else "a number"
            raise ValueError(f"{where}: {name} must be {kind} >= {least:g}, got {text!r}")
        return value

    seconds = number("seconds", nan, 0.0)
    return Latency(
        part=(row.get("part") or part).strip(),
        cut=(row.get("cut") or "").strip(),
        batch=int(number("batch", 1, 1, whole=True)),
        seconds=seconds,
        error=_error(
            seconds,
            number("seconds_p05", -1, 0),
            number("seconds_p95", number("p95", -1, 0), 0),
            number("n", -1, 1),
        ),
        new_tokens=int(number("new_tokens", 1, 1, whole=True)),
        kv_length=int(number("kv_length", 0, 0, whole=True)),
        precision=(row.get("precision") or "fp32").strip(),
        mode=(row.get("mode") or "eager").strip(),
    )


def _error(seconds: float, low_s: float, high_s: float, n: float) -> float:
    """Relative standard error of a median, its samples taken as normal; NaN where not known."""
    if n < 2 or high_s < 0 or seconds <= 0:
        return nan
    spread = (high_s - low_s) / (2 * _P95) if low_s >= 0 else (high_s - seconds) / _P95
    return max(0.0, MEDIAN * spread / sqrt(n) / seconds)


def surfaces_of(
    rows: Sequence[Latency], facts: ModelProfile, *, hardware: str, provenance: Mapping[str, Any]
) -> list[CostSurface]:
    """The surfaces of a network that answers once: a tail and a head of every way that was timed.

    A head that nobody timed is what the tail at "input" takes longer than the one at its cut, which
    the provenance says. Batches whose seconds fall by less than their standard errors are made
    isotonic.

    Raises:
        ValueError: an unknown cut or part, a batch that lacks a cut, seconds that fall with the
            batch by more than their errors.
    """
    found: list[CostSurface] = []
    for way in dict.fromkeys((one.precision, one.mode) for one in rows):
        mine = [one for one in rows if (one.precision, one.mode) == way]
        known = {part: [one for one in mine if one.part == part] for part in ("head", "tail")}
        odd = next((one.part for one in mine if one.part not in known), None)
        if odd is not None:
            choices.position("part", odd, ("head", "tail"))
        said = {"kind": "measured", "precision": way[0], "mode": way[1], **provenance}
        parts = {
            part: _surface(own, part, facts, hardware, way, said)
            for part, own in known.items()
            if own
        }
        if "head" not in parts and "input" in parts["tail"].cuts:
            parts["head"] = _complement(parts["tail"])
        found += parts.values()
    return found


def _surface(
    rows: Sequence[Latency], part: str, facts: ModelProfile, hardware: str, way: Way, said: Any
) -> CostSurface:
    for one in rows:
        choices.position(f"cut of {facts.model}", one.cut, facts.cut_names)
    nothing = "output" if part == "tail" else "input"
    cuts = tuple(c for c in facts.cut_names if c == nothing or any(one.cut == c for one in rows))
    batches = tuple(sorted({one.batch for one in rows}))
    at = {(one.cut, one.batch): one for one in rows}
    if len(at) != len(rows):
        raise ValueError(f"{hardware}: {part} has several rows of one cut and batch")
    none = Latency(part=part, cut=nothing, batch=1, seconds=0.0, error=0.0)
    grid = []
    for cut, batch in itertools.product(cuts, batches):
        found = at.get((cut, batch), none if cut == nothing else None)
        if found is None:
            raise ValueError(
                f"{hardware}: {part} at cut {cut} has no batch {batch}, which other cuts have"
            )
        grid.append(found)
    shape = (len(cuts), len(batches))
    seconds = np.array([one.seconds for one in grid]).reshape(shape)
    errors = np.array([one.error for one in grid]).reshape(shape)
    seconds, lifted = rise(seconds, errors, cuts, batches, f"{hardware}: {part}")
    if lifted:
        said = {**said, "isotonic": f"seconds that fell with the batch were raised: {lifted}"}
    known = None if np.isnan(errors).any() else errors[:, :, None, None]
    return CostSurface(
        part=part, hardware=hardware, cuts=cuts, batches=batches, precision=way[0], mode=way[1],
        seconds=seconds[:, :, None, None], errors=known, provenance=said,
    )  # fmt: skip


def rise(
    seconds: np.ndarray,
    errors: np.ndarray,
    cuts: Sequence[str],
    batches: Sequence[int],
    where: str,
) -> tuple[np.ndarray, str]:
    """Seconds [cut, batch] that never fall with the batch, and which were raised, in words.

    A larger batch does no less work, so a fall is an error of measurement, or a launch that was
    late. `errors` are relative standard errors, NaN where they are not known.

    Raises:
        ValueError: a fall of more than three standard errors of the difference, or of more than
            25 % where these are not known, and of more than a launch (8 us).
    """
    top = np.maximum.accumulate(seconds, axis=1)
    fall = np.divide(top - seconds, top, out=np.zeros_like(seconds), where=top > 0)
    leader = np.array([[int(np.argmax(row[: j + 1])) for j in range(row.size)] for row in seconds])
    theirs = np.take_along_axis(errors, leader, axis=1)
    allowed = np.where(np.isnan(errors + theirs), _SLACK, 3.0 * np.hypot(errors, theirs))
    launch = np.divide(_LAUNCH_S, top, out=np.ones_like(top), where=top > 0)
    allowed = np.maximum(allowed, launch)
    worst = divmod(int(np.argmax(fall - allowed)), fall.shape[1])
    if (fall - allowed)[worst] > 0:
        cut, batch = cuts[worst[0]], batches[worst[1]]
        raise ValueError(
            f"{where} at cut {cut} falls from {top[worst]:.3g} s to {seconds[worst]:.3g} s at batch"
            f" {batch}, by {100 * fall[worst]:.0f} %; at most {100 * allowed[worst]:.0f} % can be"
            " an error of measurement"
        )
    raised = [
        f"{cuts[i]} at {batches[j]} by {100 * fall[i, j]:.1f} %" for i, j in np.argwhere(fall > 0)
    ]
    return top, ", ".join(raised)


def _complement(tail: CostSurface) -> CostSurface:
    """What the whole network takes longer than the part behind the cut."""
    whole = tail.seconds[:1]
    seconds = np.maximum.accumulate(np.maximum(0.0, whole - tail.seconds), axis=0)
    errors = None
    if tail.errors is not None:
        deviation = np.hypot(whole * tail.errors[:1], tail.seconds * tail.errors)
        errors = np.divide(deviation, seconds, out=np.zeros_like(seconds), where=seconds > 0)
    said = {**tail.provenance, "head": "the tail at input less the tail at the cut"}
    return replace(tail, part="head", seconds=seconds, errors=errors, provenance=said)


def phases_of(
    rows: Sequence[Latency], facts: ModelProfile, *, hardware: str, provenance: Mapping[str, Any]
) -> dict[str, list[CostSurface]]:
    """Surfaces of prefill and decode of a network of equal layers, by phase.

    `rows` are of the parts `embed`, `layer` and `answer`; every layer takes what one took. Batches
    of which a length was not timed are left out of that phase.
    """
    found: dict[str, list[CostSurface]] = {"prefill": [], "decode": []}
    for way in dict.fromkeys((one.precision, one.mode) for one in rows if one.part == "answer"):
        mine = [one for one in rows if (one.precision, one.mode) == way]
        said = {
            "kind": "measured", "precision": way[0], "mode": way[1],
            "layers": f"one layer x {len(facts.cut_names) - 2}", **provenance,
        }  # fmt: skip
        for phase in found:
            found[phase] += _phase(phase, mine, facts, hardware, way, said)
    return found


def _phase(
    phase: str, rows: Sequence[Latency], facts: ModelProfile, hardware: str, way: Way, said: Any
) -> list[CostSurface]:
    prefill = phase == "prefill"
    own = [one for one in rows if (one.kv_length == 0 if prefill else one.new_tokens == 1)]
    tokens = tuple(sorted({one.new_tokens for one in own}))
    lengths = tuple(sorted({one.kv_length for one in own}))
    at = {(one.part, one.batch, one.new_tokens, one.kv_length): one for one in own}
    points = list(itertools.product(tokens, lengths))
    batches = tuple(
        batch
        for batch in sorted({one.batch for one in own})
        if all((part, batch, *p) in at for part in ("embed", "layer", "answer") for p in points)
    )
    n_layers = len(facts.cut_names) - 2
    shape = (len(batches), len(tokens), len(lengths))

    def of(part: str, field: str) -> np.ndarray:
        keys = itertools.product(batches, tokens, lengths)
        return np.array([getattr(at[(part, *key)], field) for key in keys]).reshape(shape)

    embed, layer, answer = (of(part, "seconds") for part in ("embed", "layer", "answer"))
    reached = [np.zeros(shape), *(embed + (i + 1) * layer for i in range(n_layers))]
    head = np.stack([*reached, reached[-1] + answer])
    error = of("layer", "error")
    errors = None if np.isnan(error).any() else np.broadcast_to(error, head.shape).copy()
    surface = CostSurface(
        part="head", hardware=hardware, cuts=facts.cut_names, batches=batches, new_tokens=tokens,
        kv_lengths=lengths, precision=way[0], mode=way[1], seconds=head, errors=errors,
        provenance=said,
    )  # fmt: skip
    return [surface, replace(surface, part="tail", seconds=head[-1] - head)]


def read_rows(
    lines: Iterable[Mapping[str, str]],
    *,
    where: str,
    part: str = "tail",
    numbers: Sequence[int] | None = None,
) -> dict[str, list[Latency]]:
    """The rows of a table by network; without such a column all under "". `numbers`: on which
    lines of the file they stand; None: from 2 on.

    Raises:
        ValueError: as `latency`.
    """
    found: dict[str, list[Latency]] = {}
    for number, row in zip(numbers or itertools.count(2), lines, strict=False):
        one = latency(row, where=f"{where}, line {number}", part=part)
        found.setdefault((row.get("network") or "").strip(), []).append(one)
    return found
