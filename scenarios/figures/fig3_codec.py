"""Draw codec latency against feature size with the fitted law seconds = a + b n (Fig. 3 right).

Real features of every stage are joined or cut to each size, so that size and depth vary apart;
the spread over the stages is the whisker, the median over repeats the point. Measured on one
thread here, not scaled.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np

from plots import fig3_codec as codec_latency
from profiles.tables.law import Law, Point, fit
from scenarios.present.summary import Summary, number
from scenarios.shell.progress import progress
from scenarios.study.figure import produce
from scenarios.study.gallery import Gallery, measured_origin
from scenarios.sweep.play import Job
from scenarios.sweep.store import Row
from scenarios.systems.answers import CACHE
from scenarios.systems.coders import coders_by_name, kind_of
from scenarios.systems.scenario import Model
from scenarios.systems.sheets import Codec
from sim.specs.check import option


@dataclass(frozen=True, kw_only=True)
class Config(Gallery):
    """The figure: sizes and repeats."""

    codecs: dict[str, dict[str, Any]] = option({}, "what is compared; see group methods")
    sizes: list[int] = option([], "elements per feature", unit="1")
    repeats: int = option(7, "interleaved repeats; the median counts")

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(set(self.sizes)) < 2 or min(self.sizes) < 1:
            raise ValueError(f"sizes must be at least two numbers >= 1, got {self.sizes}")


def run(config: Config) -> int:
    """Time every feature codec at every size and stage, fit its law, draw both."""
    chosen = [codec for codec in config.codecs.values() if kind_of(codec) == "feature"]
    if config.dry_run:
        print(f"{len(chosen) * len(config.sizes)} points, a few seconds each at most")
        return 0
    points, provenance = _codec_points(
        config.model, chosen, sizes=config.sizes, repeats=config.repeats
    )
    laws = {
        name: {direction: fit(found, direction) for direction in ("encode", "decode")}
        for name, found in points.items()
    }
    draw = partial(codec_latency.draw, title=f"real features of {config.model.name}")
    summarise = partial(_summary, laws, measured_origin(provenance, provenance["samples"]))
    jobs = _jobs(points, laws, provenance)
    return produce(config, "fig3_codec", jobs, draw, summarise, provenance)


def _jobs(
    points: Mapping[str, Sequence[Point]],
    laws: Mapping[str, Mapping[str, Law]],
    provenance: Mapping[str, Any],
) -> Iterator[Job]:
    for name, found in points.items():
        for elements in sorted({point.elements for point in found}):
            here = [point for point in found if point.elements == elements]
            yield Job(
                spec={"codec": name, "elements": elements, "points": [repr(p) for p in here]},
                digests={"machine": str(provenance["machine"])},
                labels={"method": _method(name), "codec": name, "elements": elements},
                evaluate=partial(_row, here, laws[name]),
            )


def _row(here: Sequence[Point], laws: Mapping[str, Law]) -> Row:
    """Median over the stages with their range, and what the law says at that size."""
    row: Row = {"n_stages": len(here)}
    for direction, law in laws.items():
        seconds = np.array([getattr(point, f"{direction}_s") for point in here])
        name = f"{direction}_s"
        row |= {name: float(np.median(seconds)), f"{name}_lo": float(seconds.min()),
                f"{name}_hi": float(seconds.max()),
                f"{direction}_law_s": law.seconds_at(here[0].elements)}  # fmt: skip
    return row


def _summary(laws: Mapping[str, Mapping[str, Law]], where: str, rows: Sequence[Row]) -> Summary:
    slowest = max(laws, key=lambda name: laws[name]["encode"].per_element_s)
    quickest = min(laws, key=lambda name: laws[name]["encode"].per_element_s)
    return Summary(
        title="Codec latency against feature size",
        finding=(
            f"Encoding costs between {_law(laws[quickest]['encode'])} ({quickest}) and "
            f"{_law(laws[slowest]['encode'])} ({slowest})."
        ),
        columns=("codec", "encode: fixed us", "ns per element", "largest residual %",
                 "decode: fixed us", "ns per element", "largest residual %"),
        rows=tuple(
            (name, *(cell for direction in ("encode", "decode") for cell in _cells(law[direction])))
            for name, law in laws.items()
        ),
        origin=f"{where} Whiskers: range over the stages.",
    )  # fmt: skip


def _law(law: Law) -> str:
    return f"{number(1e6 * law.fixed_s)} us + {number(1e9 * law.per_element_s)} ns per element"


def _cells(law: Law) -> tuple[str, str, str]:
    return (number(1e6 * law.fixed_s), number(1e9 * law.per_element_s), number(100 * law.worst))


def _method(name: str) -> str:
    """The name under which other figures draw the same codec."""
    return "split, no codec" if name.startswith("raw") else f"split, {name}"


def _codec_points(
    model: Model, codecs: Sequence[Codec], *, sizes: Sequence[int], repeats: int
) -> tuple[dict[str, list[Any]], dict[str, Any]]:
    """Codec seconds by name, on real features joined or cut to `sizes`, and where they come from.

    Kept in outputs/cache, like tables, by everything that they depend on.
    """
    from profiles.measuring import crossing, machine

    network = model.network()
    inputs = model.inputs()[0]
    with machine.threads(1):
        where = machine.fingerprint()
    made = coders_by_name(codecs)
    provenance = {
        "kind": "measured",
        "model_digest": network.digest,
        "weights": network.weights,
        "codecs": {name: chosen.spec for name, chosen in made.items()},
        "machine": where,
        "samples": len(inputs),
    }
    text = json.dumps({**provenance, "sizes": list(sizes), "repeats": repeats}, sort_keys=True)
    path = CACHE / f"law-{model.name}-{hashlib.sha256(text.encode()).hexdigest()[:16]}.json"
    if path.exists():
        kept = json.loads(path.read_text())
        return {name: [Point(**p) for p in points] for name, points in kept.items()}, provenance
    found: dict[str, list[Any]] = {}
    with progress(f"timing codecs on {model.name}") as report:
        for done, (name, chosen) in enumerate(made.items(), 1):
            found[name] = crossing.codec_points(
                network, chosen, inputs, sizes=sizes, repeats=repeats
            )
            report(done, len(made))
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = {name: [asdict(p) for p in points] for name, points in found.items()}
    path.write_text(json.dumps(kept))
    return found, provenance
