"""Published latencies, and how far the predictions of this project lie from them."""

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from profiles.predicting.analytic import LlamaShape, model_phases
from profiles.predicting.roles import anchor_factor
from profiles.predicting.roofline import Efficiency, peaks_of
from profiles.tables.hardware import DeviceSpec, ServerSpec
from profiles.tables.layers import ModelProfile

_PATH = Path(__file__).parent.parent / "data" / "published.csv"


@dataclass(frozen=True, kw_only=True)
class Latency:
    """Somebody else's measurement; for language models of prompt and new tokens together."""

    machine: str
    model: str
    precision: str
    batch: int
    prompt_tokens: int
    new_tokens: int
    seconds: float
    source: str


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A published latency beside our prediction of it."""

    published: Latency
    method: str
    predicted_s: float

    @property
    def relative_error(self) -> float:
        """Predicted over published, minus one."""
        return self.predicted_s / self.published.seconds - 1


def latencies(path: Path | str = _PATH) -> list[Latency]:
    """The shipped table.

    Raises:
        ValueError: a row without a source or with a time that is not positive.
    """
    with Path(path).open(newline="") as file:
        return [_latency(row) for row in csv.DictReader(file)]


def by_anchor(
    published: Sequence[Latency],
    sheets: Mapping[str, DeviceSpec | ServerSpec],
    profiles: Mapping[str, ModelProfile],
) -> list[Comparison]:
    """Predictions of the anchor rule, where the machine has an anchor and the model a profile."""
    comparisons = []
    for one in published:
        sheet, profile = sheets.get(one.machine), profiles.get(one.model)
        if sheet is None or profile is None or sheet.anchor_s is None:
            continue
        measured_s, said = float(profile.head.provenance["anchor_s"]), sheet.sources["anchor_s"]
        factor, _ = anchor_factor(sheet.anchor_s, said, measured_s, profile.head.hardware)
        seconds = factor * profile.head.seconds_at("output", batch=one.batch)
        comparisons.append(Comparison(published=one, method="anchor", predicted_s=seconds))
    return comparisons


def by_roofline(
    published: Sequence[Latency],
    sheets: Mapping[str, DeviceSpec | ServerSpec],
    shapes: Mapping[str, LlamaShape],
    efficiency: Efficiency,
) -> list[Comparison]:
    """Predictions of the roofline for language models: prefill, then one call per token."""
    comparisons = []
    for one in published:
        sheet, shape = sheets.get(one.machine), shapes.get(one.model)
        if sheet is None or shape is None:
            continue
        end = one.prompt_tokens + one.new_tokens
        parts = model_phases(
            shape,
            efficiency,
            peaks_of(sheet, one.precision),
            hardware=sheet.name,
            source="roofline",
            batches=(one.batch,),
            prompts=(one.prompt_tokens,),
            kv_lengths=(one.prompt_tokens, end),
        )
        at = {"batch": one.batch}
        seconds = parts["prefill"].head.seconds_at("output", new_tokens=one.prompt_tokens, **at)
        for kv in range(one.prompt_tokens, end - 1):
            seconds += parts["decode"].head.seconds_at("output", kv_length=kv, **at)
        comparisons.append(Comparison(published=one, method="roofline", predicted_s=seconds))
    return comparisons


def _share(roofs: Sequence[Comparison]) -> float:
    """Geometric mean of roof over published seconds."""
    logs = [math.log(one.predicted_s / one.published.seconds) for one in roofs]
    return math.exp(sum(logs) / len(logs))


def by_other_machines(
    published: Sequence[Latency],
    sheets: Mapping[str, DeviceSpec | ServerSpec],
    shapes: Mapping[str, LlamaShape],
) -> list[Comparison]:
    """The roofline with one efficiency fitted on every machine but the one that is predicted.

    Both roofs get the same efficiency, the geometric mean of roof over published seconds.
    """
    full = Efficiency(compute=1.0, memory=1.0, kernel_s=0.0)
    roofs = by_roofline(published, sheets, shapes, full)
    comparisons = []
    for machine in dict.fromkeys(one.published.machine for one in roofs):
        others = [one for one in roofs if one.published.machine != machine]
        if not others:
            continue
        share = _share(others)
        comparisons += [
            replace(one, method="roofline x other machines", predicted_s=one.predicted_s / share)
            for one in roofs
            if one.published.machine == machine
        ]
    return comparisons


def table_of(comparisons: Sequence[Comparison]) -> str:
    """A Markdown table of the errors."""
    lines = ["| machine | model | batch | method | published ms | predicted ms | error |"]
    lines.append("|" + "---|" * 7)
    for one in comparisons:
        p = one.published
        lines.append(
            f"| {p.machine} | {p.model} | {p.batch} | {one.method} | {1e3 * p.seconds:.1f}"
            f" | {1e3 * one.predicted_s:.1f} | {100 * one.relative_error:+.0f} % |"
        )
    return "\n".join(lines) + "\n"


def _latency(row: Mapping[str, str]) -> Latency:
    seconds = float(row["seconds"])
    if not seconds > 0 or not row["source"]:
        raise ValueError(f"published latency needs seconds > 0 and a source, got {dict(row)}")
    return Latency(
        machine=row["machine"],
        model=row["model"],
        precision=row["precision"],
        batch=int(row["batch"]),
        prompt_tokens=int(row["prompt_tokens"] or 0),
        new_tokens=int(row["new_tokens"] or 0),
        seconds=seconds,
        source=row["source"],
    )
