"""Draw codec latency against feature size with the fitted law seconds = a + b n (Fig. 3 right).

Real features of every stage are joined or cut to each size, so that size and depth vary apart;
the spread over the stages is the whisker, the median over repeats the point. Measured on one
thread here, not scaled.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from plots import fig3_codec as codec_latency
from profiles.tables.law import Law, Point, fit
from scenarios.present.summary import Summary, number
from scenarios.shell.progress import progress
from scenarios.study.figure import produce, split_name
from scenarios.study.gallery import Gallery, say_origin
from scenarios.sweep.play import Job
from scenarios.sweep.store import Row
from scenarios.systems.answers import CACHE
from scenarios.systems.coders import coders_by_name, kind_of
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
    points, provenance = _time_codecs(config, chosen)
    laws = {
        name: {direction: fit(found, direction) for direction in ("encode", "decode")}
        for name, found in points.items()
    }
    draw = partial(codec_latency.draw, title=f"real features of {config.model.name}")
    summarise = partial(_summary, laws, say_origin(provenance, provenance["samples"]))
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
                labels={"method": split_name(name), "codec": name, "elements": elements},
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
            (name, *(number(value) for law in (both["encode"], both["decode"])
                     for value in (1e6 * law.fixed_s, 1e9 * law.per_element_s, 100 * law.worst)))
            for name, both in laws.items()
        ),
        origin=f"{where} Whiskers: range over the stages.",
    )  # fmt: skip


def _law(law: Law) -> str:
    return f"{number(1e6 * law.fixed_s)} us + {number(1e9 * law.per_element_s)} ns per element"


def _time_codecs(config: Config, codecs: Sequence[Codec]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Seconds of every codec by name, and where they come from; kept in outputs/cache."""
    from profiles.shipping import store

    network, inputs = config.model.network(), config.model.inputs()[0]
    made = coders_by_name(codecs)
    how = {"sizes": list(config.sizes), "repeats": config.repeats}
    with progress(f"timing codecs on {config.model.name}") as report:
        return store.codec_points(CACHE, network, made, inputs, progress=report, **how)
