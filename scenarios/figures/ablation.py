"""Draw what each of SLICER's settings does at equal total rate: one is fixed, the others adapt.

For every value of a knob the remaining ones are set anew: the sparsity so that whole streams take
just the bits asked for (for the sparsity itself, the distortion), the distortion as the best of a
few. What is left to compare is the error, on rectified and on signed features; measured here.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

import codec
from plots import ablation
from profiles.measuring import coding
from scenarios.present.summary import Summary, number
from scenarios.shell.progress import progress
from scenarios.study.figure import produce
from scenarios.sweep.play import Job
from scenarios.sweep.store import Row
from sim.specs.check import at_least, option


@dataclass(frozen=True, kw_only=True)
class Config:
    """The features with the rate that all settings get, and the knobs."""

    name: str = option("ablation", "folder of the results below outputs/")
    features: dict[str, Any] = option({}, "NAME: {model, cut, samples, bits_per_element}")
    panels: dict[str, Any] = option(
        {}, "PANEL: {LINE: options, one a list; `features` names those it is for}"
    )
    distortions: list[float] = option([0.01], "candidates; every setting takes the best of them")
    seed: int = option(0, "which samples")
    workers: int = option(1, "processes that make the rows")
    dry_run: bool = option(False, "print the points, play none")
    live: bool = option(False, "no effect: everything is measured here anyway")

    def __post_init__(self) -> None:
        for name in ("features", "panels", "distortions"):
            if not getattr(self, name):
                raise ValueError(f"{name} must name at least one, got none")
        at_least("workers", self.workers, 1)
        for panel, lines in self.panels.items():
            for line, options in lines.items():
                _find_list(f"{panel}: {line}", options)
                for name in options.get("features", ()):
                    if name not in self.features:
                        raise ValueError(f"{panel}: {line} must be for "
                                         f"{', '.join(self.features)}, got {name}")  # fmt: skip


def run(config: Config) -> int:
    """Set everything to the same rate, write and draw the errors."""
    arrays = _arrays(config)
    summarise = partial(_summary, config)
    provenance = {"kind": "measured", "revision": codec.revision()}
    return produce(config, "ablation", _jobs(config, arrays), ablation.draw, summarise, provenance)


def _find_list(line: str, options: Mapping[str, Any]) -> str:
    """The option that holds a list."""
    lists = [k for k, v in options.items() if isinstance(v, list) and k != "features"]
    if len(lists) != 1:
        raise ValueError(f"{line} must vary one option, got {', '.join(lists) or 'none'}")
    return lists[0]


def _arrays(config: Config) -> dict[str, np.ndarray]:
    from profiles.measuring.activations import activations

    features = {}
    with progress("features") as report:
        for done, (name, where) in enumerate(config.features.items(), 1):
            made = activations(where["model"], where["cut"], where["samples"], seed=config.seed)
            features[name] = made.features
            report(done, len(config.features))
    return features


def _jobs(config: Config, arrays: Mapping[str, np.ndarray]) -> Iterator[Job]:
    for panel, lines in config.panels.items():
        for line, options in lines.items():
            option = _find_list(line, options)
            for name in options.get("features", arrays):
                for value in options[option]:
                    yield _job(config, arrays[name], (panel, line, name), options, option, value)


def _job(
    config: Config,
    x: np.ndarray,
    place: tuple[str, str, str],
    options: Mapping[str, Any],
    option: str,
    value: Any,
) -> Job:
    panel, line, name = place
    others = [other.get("features") for other in config.panels[panel].values()]
    told_apart = others.count(options.get("features")) > 1
    rate = float(config.features[name]["bits_per_element"])
    chosen = {**{k: v for k, v in options.items() if k != "features"}, option: value}
    tried = [value] if option == "distortion" else config.distortions
    where = {key: config.features[name][key] for key in ("model", "cut", "samples")}
    beside = f", {line}" if told_apart else ""
    return Job(
        spec={"codec": chosen, "rate": rate, "distortions": list(tried), "seed": config.seed},
        digests={"codec": codec.revision()},
        labels={
            "panel": panel,
            "method": f"{name}{beside}",
            "line": line if told_apart else "packed",
            "features": name,
            **where,
            "option": option,
            "value": value,
            "codec": f"{option}={value}{beside}",
        },
        evaluate=partial(coding.least_error, x, chosen, rate, option, tuple(tried)),
    )


def _summary(config: Config, rows: Sequence[Row]) -> Summary:
    rates = "; ".join(
        f"{name}: {where['model']} {where['cut']}, {number(where['bits_per_element'])} bits"
        for name, where in config.features.items()
    )
    return Summary(
        title="What SLICER's knobs do at equal total rate",
        finding=_finding(rows),
        columns=("setting", "features", "rel. L2", "bits", "s", "delta", "M"),
        rows=tuple(
            (
                str(row["codec"]), str(row["features"]), number(row["relative_l2"]),
                number(row["bits_per_element"]), number(row["sparsity"]),
                number(row["distortion"]), str(row["n_blocks"]),
            )
            for row in rows
        ),
        origin=(
            f"Measured here, whole streams with headers ({rates}); rates are met from below. "
            "Every setting has the best of the tried distortions and the sparsity that uses up "
            "the rate; for a given sparsity, the distortion and 1 to 4 blocks that do, which whole "
            "bits leave partly unused."
        ),
    )  # fmt: skip


def _finding(rows: Sequence[Row]) -> str:
    """Best and worst value of every line, and how far apart their errors are."""
    words = []
    for panel, method in dict.fromkeys((row["panel"], row["method"]) for row in rows):
        here = [row for row in rows if (row["panel"], row["method"]) == (panel, method)]
        best, worst = (pick(here, key=lambda row: row["relative_l2"]) for pick in (min, max))
        more = 100 * (worst["relative_l2"] / best["relative_l2"] - 1)
        found = f"{best['value']} (+{number(more)} % at {worst['value']})" if more else "no matter"
        words.append(f"{panel}, {method}: {found}")
    return "Best value, and the error of the worst over its: " + "; ".join(words) + "."
