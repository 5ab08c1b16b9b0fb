"""Panels of a figure, one network each: its points, where its numbers come from, in one sentence.

A panel of pictures plays single inferences, one of text whole generations. On random weights the
chains with a knob stand at equal relative L2 (see _equal).
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from typing import Any, NamedTuple

from scenarios.study.figure import Figure, Method, grid, methods, origin, split_methods
from scenarios.sweep.axes import Point, axes_of, points
from scenarios.sweep.play import Job, failing
from scenarios.systems import equal
from scenarios.systems.case import job_of
from scenarios.systems.generations import Sessions, Text, whole
from scenarios.systems.measured import Measured, measure
from scenarios.systems.pace import spanned
from scenarios.systems.scenario import Model

__all__ = ["Panel", "pictures", "text"]


class Panel(NamedTuple):
    """One network's share of a figure."""

    name: str
    jobs: list[Job]
    origin: str
    provenance: dict[str, Any]


def pictures(config: Figure, model: Model, cut: str, *, requests: int | None = None) -> Panel:
    """Every method on `model` split at `cut`; to the end of device 0's `requests` if given."""
    known = measure(model, list(config.codecs.values()), live=config.live)
    chosen = [_fair(method, known) for method in methods(config, cut)]

    def change(at: Any) -> Any:
        workload = replace(at.workload, requests=requests)
        return replace(at, model=model, cut=cut, workload=workload)

    about = known.describe(config.device, config.server)
    jobs = list(grid(config, known, chosen, change=change, panel=model.name))
    return Panel(model.name, jobs, f"{model.name}: {origin(config, about)}", about)


def _fair(method: Method, known: Measured) -> Method:
    if known.table.provenance["weights"] == "trained":
        return method
    return method._replace(setting=equal.twin(method.setting, known.table.settings))


def text(
    config: Figure, chosen: Text, *, sessions: int | None = None, most: int | None = None
) -> Panel:
    """Every method on generations of at most `most` devices; to the end of device 0's `sessions`
    if given.
    """
    small = chosen.generations(config.codecs.values(), live=config.live)
    about = small.describe(config.device, config.server)
    about["samples"] = f"{about['samples']} generations from"
    chosen_points = [
        point
        for point in points(config, axes_of(config.sweep))
        if most is None or point.error or point.config.fleet.n_devices <= most
    ]
    jobs = list(_generating(config, chosen, small, chosen_points, sessions))
    return Panel(chosen.model, jobs, f"{chosen.model}: {origin(config, about)}", about)


def _generating(
    config: Figure,
    chosen: Text,
    small: Sessions,
    chosen_points: Sequence[Point],
    sessions: int | None,
) -> Iterator[Job]:
    split = split_methods(config, chosen.cut)
    ends = [Method("full server, raw", "input", "input"), Method("full device", "output", "output")]
    for method in (ends[0], *split, ends[1]):
        source = small.way(
            method.setting, chosen.cut, config.device, config.server, chosen.n_tokens
        )
        labels = {
            "panel": f"{chosen.model}, {chosen.n_tokens} tokens", "method": method.name,
            "model": chosen.model, "cut": method.cut, "codec": method.setting,
        }  # fmt: skip
        steps = 1
        if method in split:
            labels |= small.quality(chosen.cut, method.setting, chosen.n_tokens)
            steps = chosen.n_tokens
        for point in chosen_points:
            if point.error:
                yield failing(point.error, labels).at(point.values)
                continue
            at = replace(point.config, workload=replace(point.config.workload, requests=sessions))
            at = spanned(at, whole(source), steps=steps) if sessions is None else at
            made = job_of(at, source, small.digests, asdict(chosen), **labels)
            yield made.at(point.values)
