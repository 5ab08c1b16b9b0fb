"""splitfleet from a script: how many devices one GPU serves, at which split, codec and link.

    import splitfleet as sf

    case = sf.case("scenes", "stage3/ecsq", device="raspberry_pi_4", link="wifi", n_devices=50)
    print(case.simulate())
    print(case.plan(p95_s=0.1))
    print(case.sweep(n_devices=[10, 100, 1000]))

A name stands for a sheet of conf/; `sf.link("wifi", rate_bps=5e7)` is one with other values. Loads
neither torch nor Hydra nor matplotlib before it needs them.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

_ours = find_spec("scenarios")
if (
    _ours is None
    or Path(__file__).resolve().parent not in Path(str(_ours.origin)).resolve().parents
):
    raise SystemExit(
        "splitfleet has a package 'scenarios', which"
        f" {_ours.origin if _ours else 'nothing'} hides; rename that, or start in another folder"
    )

from scenarios.shell.shadow import find_shadow  # noqa: E402 (nothing of ours before it is found)

if _hidden := find_shadow():
    raise SystemExit(_hidden)

if TYPE_CHECKING:
    import pandas

    from scenarios.systems.case import Case as Built
    from scenarios.systems.measured import Measured
    from sim import Source, SystemSpec
    from sim.planning import Refusal

__all__ = [
    "Answer", "Case", "Choice", "Refusal", "Result", "Sweep", "case", "codec", "device", "link",
    "model", "names", "play", "request", "scheme", "server", "session", "workload",
]  # fmt: skip


def names(group: str) -> list[str]:
    """The sheets of a group: codec, device, link, model, scheme, server or workload."""
    from scenarios.systems import sheets

    return sheets.names(group)


def device(name: str, **changes: Any) -> Any:
    """The data sheet of a device class, with other values where given."""
    return _parts().sheet("device", name, **changes)


def server(name: str, **changes: Any) -> Any:
    """The data sheet of a server and its way of serving: `sf.server("h100", max_batch=8)`."""
    return _parts().sheet("server", name, **changes)


def link(name: str, **changes: Any) -> Any:
    """A medium: `sf.link("wifi", rate_bps=5e7)`."""
    return _parts().sheet("link", name, **changes)


def workload(name: str, **changes: Any) -> Any:
    """When devices ask: `sf.workload("poisson", rate_rps=2.0)`."""
    return _parts().sheet("workload", name, **changes)


def model(name: str, **changes: Any) -> Any:
    """A network and how many of its samples are measured: `sf.model("resnet34", samples=16)`."""
    return _parts().sheet("model", name, **changes)


def codec(name: str, **options: Any) -> dict[str, Any]:
    """A codec as configured: `sf.codec("ecsq", step=0.2)`."""
    from scenarios.systems.coders import coders

    made: dict[str, Any] = _parts().sheet("codec", name, **options)
    if options:
        coders(made)  # refuses what the chain does not know
    return made


def scheme(name: str, **options: Any) -> dict[str, Any]:
    """A scheme as configured: `sf.scheme("early_exit", threshold=0.9)`."""
    made: dict[str, Any] = _parts().sheet("scheme", name, **options)
    return made


def session(**lengths: int) -> Any:
    """What a network that generates tokens is asked: `sf.session(n_tokens=32)`."""
    parts = _parts()
    return parts.make(parts.Session, lengths, "session")


def request(**costs: float) -> Any:
    """Requests that all cost the same: device_s, payload_bytes, decode_s, server_s."""
    parts = _parts()
    return parts.make(parts.Request, costs, "request")


def case(model: Any = None, split: Any = None, **parts: Any) -> Case:
    """A system: what its devices do, on which machines, over which link.

    Args:
        model: a network's name, or what `sf.model` gives; where none is named, the data that the
            scheme brings, else "scenes".
        split: "CUT/CODEC" or "output"; or a cut and what `sf.codec` gives; "CUT" alone takes the
            codec that the scheme brings. Where none is named, "stage3/slicer", or stage3 (the
            scheme's own cut) and the codec that it brings.
        parts: `device`, `server`, `link`, `workload` (a name, what their functions give, or a spec
            of `sim`), `n_devices`, `seed`, `alternatives` (["stage2/int8", "output"]) with
            `policy`, `groups` and `members` by name, `scheme` (a name, or what `sf.scheme` gives),
            `request`, `session`, `sources` (a source of your own, or one by name for each group)
            with `spec` (a `sim.SystemSpec`), and every
            field of the command line that is in no group (`replications`, `horizon_s`, ...).

    Raises:
        ValueError: an unknown name or field, with the nearest ones, or a bad value.
    """
    named = {"model": model, "split": split}
    made = Case({k: v for k, v in named.items() if v is not None}).change(**parts)
    _ = made.config  # refuses what it does not know
    return made


def play(
    spec: SystemSpec, sources: Source | Mapping[str, Source], *, force: bool = False
) -> Result:
    """Simulate a spec and sources of your own (`sim.SystemSpec`, `sim.ConstantSource`, ...)."""
    return case(spec=spec, sources=sources).simulate(force=force)


@dataclass(frozen=True, repr=False)
class Case:
    """A system that can be simulated, planned and swept; made by `sf.case`."""

    _given: Mapping[str, Any]
    _known: dict[str, Measured] = field(default_factory=dict, compare=False)

    def __repr__(self) -> str:
        config = self.config
        n, seed = config.fleet.n_devices, config.seed
        if "sources" in self._given:
            return f"Case(sources of your own: {n} devices over {config.link.name}, seed {seed})"
        if config.request is not None:
            costs = ", ".join(f"{k}={v:g}" for k, v in vars(config.request).items() if v)
            return f"Case({costs or 'nothing'}: {n} devices over {config.link.name}, seed {seed})"
        ways = "/".join((config.cut, config.codec["name"])) if config.cut != "output" else "output"
        device = config.device.name
        if config.members:
            each = config.members.items()
            ways = " + ".join(f"{one.cut}/{one.codec}" for _, one in each)
            device = " + ".join(f"{name} ({one.device})" for name, one in each)
        if config.alternatives:
            ways = f"{config.policy} of {', '.join([ways, *config.alternatives])}"
        where = " -> ".join((device, config.link.name, config.server.name))
        return f"Case({config.model.name} {ways}: {n} x {where}, seed {seed})"

    @property
    def config(self) -> Any:
        """The configuration, as the command line would hold it."""
        return _parts().system({k: v for k, v in self._given.items() if k != "sources"})

    @property
    def measured(self) -> Measured:
        """What its requests cost and answer: measured on this machine, or read."""
        return self._measure(self.config)

    @property
    def built(self) -> Built:
        """Spec, sources, provenance: what the simulator plays."""
        from scenarios.systems import build

        return build.case(self.config, self.measured)

    def change(self, **parts: Any) -> Case:
        """The same system with other parts, named as for `sf.case`."""
        spec, own = parts.pop("spec", None), parts.get("sources")
        if own is not None and not (isinstance(own, Mapping) or hasattr(own, "draw")):
            raise ValueError(f"sources must be a source or a dict of them by name, got {own!r}")
        described = _parts().of_spec(spec) if spec is not None else {}
        if own is not None and "device" not in self._given:  # nobody knows what power they draw
            described["device"] = device("unknown")
        return replace(self, _given={**self._given, **described, **parts})

    def simulate(self, *, force: bool = False) -> Result:
        """All replications, as a row of columns with their intervals (docs/results.md).

        Raises:
            ValueError: ten minutes of work or more are foreseen, and it is no `force`.
        """
        job = replace(self.built, forced=force).job(graded=True)
        return Result({**job.labels, **job.evaluate()})

    def plan(self, **asked: Any) -> Answer:
        """The largest number of devices within limits.

        Args:
            asked: limits (`p95_s=0.1`, `accuracy_drop_pp=1`, ...) and what the search may cost
                (`half_width`, `n_runs`, ...), as `slo.*` and `plan.*` of `splitfleet plan`;
                `n_devices` asks what so many need instead; `workers`: processes.

        Raises:
            Refusal: one device misses a limit, or no number of devices does.
            ValueError: an unknown limit, or none of the latency.
        """
        from scenarios.planning import answer, needs
        from scenarios.planning.workers import playing

        workers = asked.pop("workers", 1)
        config = self._asked(asked, workers)
        inverse = config.plan.n_devices is not None
        find = needs.find_needs if inverse else answer.single
        with playing("planning", workers) as player:
            return Answer(find(config, self.built, play=player))

    def search(self, **asked: Any) -> Choice:
        """The cut, codec and, of a scheme, options that load the server least within limits.

        Args:
            asked: limits (`mean_s=0.025` or `tpot_mean_s`, `accuracy_drop_pp`, `memory_bytes`), as
                `slo.*` of `splitfleet search`, and its fields (`search`, `over`, `allowance`,
                `answers`, ...). The case's own split is not asked.

        Raises:
            ValueError: an unknown limit or field, or no option that keeps all limits, with the
                least relaxation.
        """
        from scenarios.commands import search
        from scenarios.searching.finding import find
        from scenarios.shell.schema import field_names
        from scenarios.systems.sheets import codecs
        from sim.planning.limits.slo import Slo

        if "split" in self._given:
            raise ValueError(f"a search finds the split, got split={self._given['split']!r}")
        limits = field_names(Slo)
        own = sorted(set(field_names(search.Config)) - {*_fields(self._given), "slo", "ship"})
        _parts().check("limit or field of search", asked, [*limits, *own])
        slo = Slo(**{name: asked[name] for name in limits if name in asked})
        more = {"codecs": codecs(), **{name: asked[name] for name in own if name in asked}}
        config = search.Config(**{**_fields(self._given), "name": "search"}, slo=slo, **more)
        found = find(config)
        if found.refusal:
            raise ValueError(found.refusal)
        return Choice({**found.content["decision"], "binding": found.binding, "said": found.said,
                       "runner_up": found.content.get("runner-up")})  # fmt: skip

    def sweep(
        self,
        axes: Mapping[str, Sequence[Any]] | None = None,
        *,
        workers: int = 1,
        force: bool = False,
        **more: Sequence[Any],
    ) -> Sweep:
        """A grid: `n_devices=[1, 2, 4]`, `link=["wifi", "ideal"]`, `split=["stage2/ecsq", ...]`,
        or any field by its key: `{"server.speed": [1, 2]}`. What fails is a row with its error, and
        so is what is foreseen to take more than ten minutes, unless by `force`.
        """
        from scenarios.planning.workers import playing
        from scenarios.sweep.mixed import mark_mixed

        grid = {**(axes or {}), **more}
        if not grid:
            raise ValueError("a sweep needs an axis, such as n_devices=[1, 2, 4]; got none")
        for name, values in grid.items():
            _parts().check_axis(name, values, self.config)
        points = [
            dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())
        ]
        jobs = self._jobs(points, force)
        with playing("simulating", workers) as player:
            rows = player(jobs)
        said = [{key: _said(value) for key, value in point.items()} for point in points]
        each = [{**point, **row} for point, row in zip(said, rows, strict=True)]
        return Sweep(mark_mixed(each), list(grid))

    def _measure(self, config: Any, library: Any = None) -> Measured:
        """The tables of a configuration, or what stands for them; those read once are kept."""
        from scenarios.systems.build import choices
        from scenarios.systems.by_hand import Own
        from scenarios.systems.damage import ways_of
        from scenarios.systems.library import Library

        if "sources" in self._given:
            given = [n for n in ("request", "members", "alternatives") if getattr(config, n)]
            given += ["split"] if "split" in self._given else []
            if given:
                raise ValueError(f"a system takes sources or {given[0]}, got both")
            return Own(sources=self._given["sources"])
        if library is not None:
            found: Measured = library.measured(config)
            return found
        about = (
            config.model,
            config.scheme,
            config.session,
            config.live,
            config.server,
            config.request,
            config.trace,
            config.transport,
            [way.label for way in ways_of([config])],
        )
        key = repr((about, choices(config)))
        if key not in self._known:
            self._known[key] = Library([config]).measured(config)
        return self._known[key]

    def _asked(self, asked: dict[str, Any], workers: int) -> Any:
        """The configuration of a plan: the system, limits and budget."""
        from scenarios.commands import plan
        from scenarios.shell.schema import field_names
        from sim.planning.limits.slo import Slo

        parts = _parts()
        limits = field_names(Slo)
        budget = [name for name in field_names(plan.Plan) if name != "over"]
        if "over" in asked:
            raise ValueError(
                "over is for the command line (splitfleet plan plan.over=[cut,codec]); in a script,"
                " plan each case and compare"
            )
        parts.check("limit or field of plan", asked, [*limits, *budget])
        config = _fields({**parts.of_command("plan"), **self._given})
        slo = Slo(**{name: asked[name] for name in limits if name in asked})
        slo.check_any()
        return plan.Config(
            **{**config, "name": "plan", "workers": workers},
            slo=slo,
            plan=plan.Plan(**{name: asked[name] for name in budget if name in asked}),
        )

    def _jobs(self, points: Sequence[Mapping[str, Any]], force: bool) -> list[Any]:
        """What plays the points of a grid, whose networks are measured once."""
        from functools import partial

        from scenarios.sweep.axes import Point
        from scenarios.systems import build
        from scenarios.systems.library import Library

        cases = [self.change(**point) for point in points]
        configs = [_or_error(lambda each: each.config, each) for each in cases]
        library = Library([one for one in configs if not isinstance(one, str)])
        jobs = []
        for each, config in zip(cases, configs, strict=True):
            known = config
            if not isinstance(config, str):
                config = replace(config, force=force)
                known = _or_error(each._measure, config, library)
            jobs.append(partial(_row, build.job(Point({}, config), known, graded=True)))
        return jobs


class _Row(Mapping[str, Any]):
    """Values by name; an unknown one is refused with the nearest."""

    _what = "column"

    def __init__(self, row: Mapping[str, Any]) -> None:
        self._row = dict(row)

    def __getitem__(self, name: str) -> Any:
        if name not in self._row:
            from profiles.tables.choices import unknown

            raise KeyError(unknown(self._what, name, self._row))
        return self._row[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._row)

    def __len__(self) -> int:
        return len(self._row)


class Result(_Row):
    """One row: a column by its name; `interval` gives its ends."""

    def __repr__(self) -> str:
        if self.get("error"):
            return f"Result(error: {self['error']})"
        grade = f", grade {self['grade']}" if "grade" in self else ""
        late = self["latency_p95_s"]
        said = "without bound" if late is None or math.isnan(late) else f"{1e3 * late:.4g} ms"
        devices = f"{self['n_devices']} device{'s' * (self['n_devices'] != 1)}"
        unit, p95 = ("requests/s", "p95")
        if self.get("ttft_s") is not None:
            unit, p95 = ("sessions/s", "whole session p95")
        return (
            f"Result({devices}: {self['throughput_rps']:.4g} {unit},"
            f" {p95} {said}, server {100 * self['server_utilization']:.3g} % busy{grade})"
        )

    def interval(self, name: str) -> tuple[float, float]:
        """The 95 % interval of a column, with the table's sampling error where there is one.

        Raises:
            KeyError: an unknown column, or one without an interval.
        """
        self[name]
        for end in ("_total", ""):
            if f"{name}_lo{end}" in self:
                return self[f"{name}_lo{end}"], self[f"{name}_hi{end}"]
        raise KeyError(f"column {name} has no interval")

    def to_pandas(self) -> pandas.DataFrame:
        """A frame of one row; needs pandas."""
        return _frame([self._row])


class Sweep(Sequence[Result]):
    """Rows of a grid in the order of its axes."""

    def __init__(self, rows: Sequence[Mapping[str, Any]], axes: Sequence[str]) -> None:
        self._rows, self.axes = [dict(row) for row in rows], tuple(axes)

    def __getitem__(self, at: Any) -> Any:
        if isinstance(at, slice):
            return Sweep(self._rows[at], self.axes)
        return Result(self._rows[at])

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        failed = sum(bool(row.get("error")) for row in self._rows)
        words = f", {failed} failed" if failed else ""
        words += ", mixed machines" if any(row.get("mixed") for row in self._rows) else ""
        return f"Sweep({len(self)} points over {', '.join(self.axes)}{words})"

    def to_pandas(self) -> pandas.DataFrame:
        """A frame with a row per point; needs pandas."""
        return _frame(self._rows)


class Answer(_Row):
    """What a plan found; the keys are those of plan.json (docs/planning.md)."""

    _what = "key of the answer"

    def __repr__(self) -> str:
        if "remedies" in self:
            enough = [each for each in self["remedies"] if each["least"] is not None]
            said = [f"{each['words']} {each['least']:.4g} {each['unit']}" for each in enough]
            return f"Answer({self['n_devices']} devices need {' or '.join(map(str.strip, said))})"
        found, binds, _ = _told(self).headline(self._row).split("; ", 2)
        devices = found.split(" at ")[0]
        return f"Answer({devices} within {self['goal']}; {binds}; grade {self['grade']})"

    def show(self) -> None:
        """Print all of it, as `splitfleet plan` does."""
        _told(self).summary(self._row).show()

    def to_pandas(self) -> pandas.DataFrame:
        """The curve: the limited figure at every number of devices that was played, or the
        remedies that so many devices need; needs pandas.
        """
        return _frame(self["remedies" if "remedies" in self else "curve"])


class Choice(_Row):
    """What a search decided; the keys are those of `decision` in search.json (docs/search.md), and
    `runner_up`.
    """

    _what = "key of the choice"

    def __repr__(self) -> str:
        predicted, simulated = self["predicted"], self["simulated"]
        also = f", {1e3 * simulated['latency_s'][0]:.4g} simulated" if simulated else ""
        return (
            f"Choice({self['said']}: {1e3 * predicted['server_s']:.4g} server ms,"
            f" latency {1e3 * predicted['latency_s']:.4g} ms predicted{also};"
            f" binding: {self['binding']})"
        )


def __getattr__(name: str) -> Any:
    if name == "Refusal":
        from sim.planning import Refusal

        return Refusal
    raise AttributeError(f"module 'splitfleet' has no attribute {name!r}")


def _parts() -> Any:
    from scenarios.systems import parts

    return parts


def _told(found: Answer) -> Any:
    """Who says an answer in words."""
    from scenarios.planning import needs, screen

    return needs if "remedies" in found else screen


def _fields(given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a configuration, by name."""
    config = _parts().system({k: v for k, v in given.items() if k != "sources"})
    return {name: getattr(config, name) for name in _parts().field_names(type(config))}


def _row(job: Any) -> dict[str, Any]:
    """The row of a point; what a user can cause is its error."""
    try:
        return {**job.labels, **job.evaluate()}
    except ValueError as error:
        return {**job.labels, "error": str(error)}


def _or_error(make: Any, *given: Any) -> Any:
    """What a function returns, or why it refused."""
    try:
        return make(*given)
    except ValueError as error:
        return str(error)


def _frame(rows: Sequence[Mapping[str, Any]]) -> pandas.DataFrame:
    try:
        import pandas
    except ImportError:
        raise ImportError("to_pandas needs pandas: pip install pandas") from None
    return pandas.DataFrame(rows)


def _said(value: Any) -> Any:
    """A value of an axis as its column holds it."""
    if isinstance(value, str | int | float | bool | None):
        return value
    name = value.get("name") if isinstance(value, Mapping) else getattr(value, "name", None)
    return name if name is not None else str(value)
