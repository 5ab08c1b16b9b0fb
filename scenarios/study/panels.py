"""Panels of a figure, one network each: its points, where its numbers come from, in one sentence.

A panel of pictures plays single inferences, one of text whole generations. On random weights the
chains with a knob stand at equal relative L2 (see profiles/shipping/equal.py).
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from profiles.tables.split import Split
from scenarios.study.cuts import bear_errors, choose_cut
from scenarios.study.figure import Figure, grid, methods, origin, split_methods
from scenarios.sweep.axes import Point, axes_of, points
from scenarios.sweep.play import Job
from scenarios.systems.answers import measure
from scenarios.systems.build import job
from scenarios.systems.generations import Text
from scenarios.systems.measured import Measured
from scenarios.systems.pace import set_pace
from scenarios.systems.scenario import Model, Server


class Panel(NamedTuple):
    """One network's share of a figure."""

    name: str
    jobs: list[Job]
    origin: str
    provenance: dict[str, Any]


def pictures(config: Figure, model: Model, cut: str, *, requests: int | None = None) -> Panel:
    """Every method on `model` split at `cut`; to the end of device 0's `requests` if given."""
    known = measure(model, list(config.codecs.values()), live=config.live, given=config.trace)
    cut = choose_cut(cut, known)
    chosen = bear_errors(methods(config, cut, model), known)

    def change(at: Any) -> Any:
        workload = replace(at.workload, requests=requests)
        return replace(at, model=model, cut=cut, workload=workload)

    about = known.describe(config.device, config.server)
    jobs = list(grid(config, known, chosen, change=change, panel=model.name))
    return Panel(model.name, jobs, f"{model.name}: {origin(config, about)}", about)


def text(
    config: Figure, chosen: Text, *, sessions: int | None = None, most: int | None = None
) -> Panel:
    """Every method on generations of at most `most` devices; to the end of device 0's `sessions`
    if given.
    """
    small = chosen.generations(config.codecs.values(), live=config.live)
    about = small.describe(config.device, config.server)
    about["samples"] = f"{about['samples']} generations from"
    swept = [
        point
        for point in points(config, axes_of(config.sweep))
        if most is None or point.error or point.config.fleet.n_devices <= most
    ]
    names = [m.split.setting for m in split_methods(config, chosen.cut)]
    chosen_ones = [small.split(chosen.cut, name) for name in names]
    panel = f"{chosen.model}, {chosen.n_tokens} tokens"
    jobs = list(sessions_grid(config, small, chosen_ones, swept, sessions, panel=panel,
                              model=chosen.model))  # fmt: skip
    return Panel(chosen.model, jobs, f"{chosen.model}: {origin(config, about)}", about)


def sessions_grid(
    config: Figure,
    known: Measured,
    chosen: Sequence[Split],
    swept: Sequence[Point],
    sessions: int | None,
    **labels: Any,
) -> Iterator[Job]:
    """Full server, every split and full device on generations, at every point.

    One token is served at a time unless server.discipline is continuous: what a full server would
    gain by batches of whole generations was not measured.
    """
    names = [method.name for method in split_methods(config, config.cut)]
    ends = [Split(cut, cut) for cut in ("input", "output")]  # a session is one request there
    lines = [("full server, raw", ends[0]), *zip(names, chosen, strict=True)]
    for name, split in (*lines, ("full device", ends[1])):
        named = {"method": name, "codec": split.setting, **labels, **known.quality(split)}
        for point in swept:
            if not point.error:
                load = replace(point.config.workload, requests=sessions)
                server = _serve_singly(point.config.server)
                at = replace(point.config, workload=load, server=server)
                point = point._replace(config=set_pace(at, known, split))
            yield job(point, known, split=split, **named)


def _serve_singly(server: Server) -> Server:
    if server.discipline == "continuous":
        return server
    return replace(server, discipline="fifo", max_batch=1)
