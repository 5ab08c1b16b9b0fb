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
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

try:
    from scenarios.shell.shadow import find_shadow
except ImportError as error:  # a user's own scenarios.py
    raise SystemExit(
        f"splitfleet has a package 'scenarios', which another one hides: {error}"
    ) from None
if hidden := find_shadow():
    raise SystemExit(f"splitfleet: {hidden}")

if TYPE_CHECKING:
    import pandas

    from scenarios.systems.case import Case as Built
    from scenarios.systems.measured import Measured
    from sim import Source, SystemSpec

__all__ = [
    "Answer", "Case", "Result", "Sweep", "case", "codec", "device", "link", "model", "names",
    "play", "request", "server", "workload",
]  # fmt: skip

_SHEETS = ("codec", "device", "link", "model", "server", "workload")
_DEFAULTS = {
    "model": "scenes", "codec": "slicer", "device": "raspberry_pi_4", "server": "measured",
    "link": "wifi", "workload": "closed",
}  # fmt: skip


def names(group: str) -> list[str]:
    """The sheets of a group: codec, device, link, model, server or workload."""
    from scenarios.systems import sheets

    return sheets.names(group)


def device(name: str, **changes: Any) -> Any:
    """The data sheet of a device class, with other values where given."""
    return _sheet("device", name, changes)


def server(name: str, **changes: Any) -> Any:
    """The data sheet of a server and its way of serving: `sf.server("measured", max_batch=8)`."""
    return _sheet("server", name, changes)


def link(name: str, **changes: Any) -> Any:
    """A medium: `sf.link("wifi", rate_bps=5e7)`."""
    return _sheet("link", name, changes)


def workload(name: str, **changes: Any) -> Any:
    """When devices ask: `sf.workload("poisson", rate_rps=2.0)`."""
    return _sheet("workload", name, changes)


def model(name: str, **changes: Any) -> Any:
    """A network and how many of its samples are measured: `sf.model("resnet34", samples=16)`."""
    return _sheet("model", name, changes)


def codec(name: str, **options: Any) -> dict[str, Any]:
    """A codec as configured: `sf.codec("ecsq", step=0.2)`."""
    from scenarios.systems import sheets

    return {**sheets.read("codec", name), **options}


def request(**costs: float) -> Any:
    """Requests that all cost the same: device_s, payload_bytes, decode_s, server_s."""
    from scenarios.systems.by_hand import Request

    return Request(**costs)


def case(model: Any = "scenes", split: Any = "stage3/slicer", **parts: Any) -> Case:
    """A system: what its devices do, on which machines, over which link.

    Args:
        model: a network's name, or what `sf.model` gives.
        split: "CUT/CODEC" or "output"; or a cut and what `sf.codec` gives.
        parts: `device`, `server`, `link`, `workload` (a name, or what their functions give),
            `n_devices`, `seed`, `alternatives` (["stage2/int8", "output"]) with `policy`,
            `groups` and `members` by name, `request`, `session`, and every field of the command
            line that is not in a group (`replications`, `horizon_s`, `warmup_s`, ...).

    Raises:
        ValueError: an unknown name or field, with the nearest ones, or a bad value.
    """
    return Case(_given={"model": model, "split": split, **parts})


def play(spec: SystemSpec, sources: Mapping[str, Source]) -> Result:
    """Simulate a spec and sources of your own (`sim.SystemSpec`, `sim.ConstantSource`, ...)."""
    from scenarios.systems.case import row_of
    from sim import replicate

    return Result({"n_devices": spec.fleet.n_devices, **row_of(replicate(spec, sources))})


@dataclass(frozen=True, repr=False)
class Case:
    """A system that can be simulated, planned and swept; made by `sf.case`."""

    _given: Mapping[str, Any]
    _library: dict[str, Any] | None = None

    def __repr__(self) -> str:
        config = self.config
        what = f"{config.model.name} {config.cut}/{config.codec.get('name', '-')}"
        if config.request is not None:
            what = f"{config.request}"
        where = f"{config.device.name} -> {config.link.name} -> {config.server.name}"
        return f"Case({what}: {config.fleet.n_devices} x {where}, seed {config.seed})"

    @property
    def config(self) -> Any:
        """The configuration, as the command line would hold it."""
        from scenarios.systems.system import System

        return System(**_fields(dict(self._given)))

    @property
    def measured(self) -> Measured:
        """What its requests cost and answer: measured on this machine, or read."""
        from scenarios.systems.library import Library

        config = self.config
        return Library([config]).measured(config)

    @property
    def built(self) -> Built:
        """Spec, sources, provenance: what the simulator plays."""
        from scenarios.systems import build

        return build.case(self.config, self.measured)

    def change(self, **parts: Any) -> Case:
        """The same system with other parts, named as for `sf.case`."""
        return replace(self, _given={**self._given, **parts})

    def simulate(self) -> Result:
        """All replications, as a row of columns with their intervals (docs/results.md)."""
        (row,) = _play([self])
        if row.get("error"):
            raise ValueError(row["error"])
        return Result(row)

    def plan(self, **asked: Any) -> Answer:
        """The largest number of devices within limits.

        Args:
            asked: limits (`p95_s=0.1`, `accuracy_drop_pp=1`, ...) and what the search may cost
                (`half_width`, `n_runs`, ...), as `slo.*` and `plan.*` of `splitfleet plan`;
                `workers`: processes.

        Raises:
            Refusal: one device misses a limit, or no number of devices does.
        """
        from scenarios.commands import plan
        from scenarios.planning import answer
        from scenarios.planning.workers import playing
        from sim.planning.slo import Slo

        limits = {f.name for f in fields(Slo)} & set(asked)
        workers = asked.pop("workers", 1)
        slo = Slo(**{name: asked.pop(name) for name in limits})
        budget = _checked(plan.Plan, asked, "plan")
        given = _fields(dict(self._given))
        config = plan.Config(**{"name": "plan", **given}, slo=slo, plan=budget, workers=workers)
        with playing("planning", workers) as player:
            return Answer(answer.single(config, play=player))

    def sweep(
        self, axes: Mapping[str, Sequence[Any]] | None = None, **more: Sequence[Any]
    ) -> Sweep:
        """A grid: `n_devices=[1, 2, 4]`, `link=["wifi", "ideal"]`, `split=["stage2/ecsq", ...]`,
        or any field by its key: `{"server.speed": [1, 2]}`. What fails is a row with its error.
        """
        grid = {**(axes or {}), **more}
        points = [
            dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())
        ]
        rows = _play([self.change(**point) for point in points])
        said = [{key: _said(value) for key, value in point.items()} for point in points]
        return Sweep([{**each, **row} for each, row in zip(said, rows, strict=True)], list(grid))


class Result(Mapping[str, Any]):
    """One row: a column by its name; `interval` gives its ends."""

    def __init__(self, row: Mapping[str, Any]) -> None:
        self._row = dict(row)

    def __getitem__(self, name: str) -> Any:
        if name not in self._row:
            from scenarios.shell.names import unknown

            raise KeyError(unknown("column", name, list(self._row)))
        return self._row[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._row)

    def __len__(self) -> int:
        return len(self._row)

    def __repr__(self) -> str:
        grade = f", grade {self['grade']}" if "grade" in self else ""
        return (
            f"Result({self['n_devices']} devices: {self['throughput_rps']:.4g} requests/s,"
            f" p95 {1e3 * self['latency_p95_s']:.4g} ms,"
            f" server {100 * self['server_utilization']:.3g} % busy{grade})"
        )

    def interval(self, name: str) -> tuple[float, float]:
        """The 95 % interval of a column, with the table's sampling error where there is one."""
        for end in ("_total", ""):
            if f"{name}_lo{end}" in self:
                return self[f"{name}_lo{end}"], self[f"{name}_hi{end}"]
        raise KeyError(f"column {name} has no interval")

    def to_pandas(self) -> pandas.DataFrame:
        """A frame of one row."""
        return Sweep([self._row], []).to_pandas()


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
        return f"Sweep({len(self)} points over {', '.join(self.axes)}{words})"

    def to_pandas(self) -> pandas.DataFrame:
        """A frame with a row per point; needs pandas."""
        try:
            import pandas
        except ImportError:
            raise ImportError("to_pandas needs pandas: pip install pandas") from None
        return pandas.DataFrame(self._rows)


class Answer(Mapping[str, Any]):
    """What a plan found; the keys are those of plan.json (docs/planning.md)."""

    def __init__(self, found: Mapping[str, Any]) -> None:
        self._found = dict(found)

    def __getitem__(self, name: str) -> Any:
        return self._found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def __repr__(self) -> str:
        n, low, high = (self[f"n_star{end}"] for end in ("", "_lo", "_hi"))
        return (
            f"Answer({n} devices [{low}, {high}] within {self['goal']}, {self['words']};"
            f" {self['binding']} binds, grade {self['grade']})"
        )

    def show(self) -> None:
        """Print all of it, as `splitfleet plan` does."""
        from scenarios.planning import screen

        screen.summary(self._found).show()

    def to_pandas(self) -> pandas.DataFrame:
        """The curve: the limited figure at every number of devices that was played."""
        return Sweep(self["curve"], ["n"]).to_pandas()


def _play(cases: Sequence[Case]) -> list[dict[str, Any]]:
    """Rows of some cases, whose networks are measured once."""
    from scenarios.shell.progress import progress
    from scenarios.systems import build
    from scenarios.systems.library import Library

    configs: list[Any] = []
    for each in cases:
        try:
            configs.append(each.config)
        except ValueError as error:
            configs.append(error)
    library = Library([config for config in configs if not isinstance(config, ValueError)])
    rows: list[dict[str, Any]] = []
    with progress("simulating") as report:
        for done, config in enumerate(configs, 1):
            try:
                if isinstance(config, ValueError):
                    raise config
                job = build.case(config, library.measured(config)).job(graded=True)
                rows.append({**job.labels, **job.evaluate()})
            except ValueError as error:
                if len(cases) == 1:
                    raise
                rows.append({"error": str(error)})
            report(done, len(cases))
    return rows


def _sheet(group: str, name: str, changes: Mapping[str, Any]) -> Any:
    from scenarios.systems import sheets

    return _checked(_kind(group), {**sheets.read(group, name), **changes}, group)


def _kind(group: str) -> type:
    from profiles.tables.hardware import DeviceSpec
    from scenarios.systems.scenario import Link, Model, Server
    from sim import WorkloadSpec

    kinds = {"device": DeviceSpec, "link": Link, "model": Model, "server": Server}
    return {**kinds, "workload": WorkloadSpec}[group]


def _checked(kind: Any, values: Mapping[str, Any], where: str) -> Any:
    """A spec of these values; an unknown field is refused with the nearest ones."""
    from scenarios.shell.names import unknown

    known = [item.name for item in fields(kind)]
    for name in values:
        if name not in known:
            raise ValueError(unknown(f"field of {where}", name, known))
    return kind(**values)


def _fields(given: dict[str, Any]) -> dict[str, Any]:
    """The fields of a configuration from what a script says."""
    from scenarios.shell.names import unknown
    from scenarios.shell.schema import replace_all
    from scenarios.systems.system import Member, System
    from sim import FleetSpec, GroupSpec

    dotted = {key: given.pop(key) for key in [*given] if "." in key}
    cut, chosen = _split(given.pop("split"))
    groups = {
        n: g if isinstance(g, GroupSpec) else GroupSpec(**g)
        for n, g in given.pop("groups", {}).items()
    }
    fleet = FleetSpec(n_devices=given.pop("n_devices", 1), groups=groups)
    members = {
        n: m if isinstance(m, Member) else Member(**m) for n, m in given.pop("members", {}).items()
    }
    parts = {name: given.pop(name, _DEFAULTS[name]) for name in _SHEETS if name != "codec"}
    made = {n: _sheet(n, part, {}) if isinstance(part, str) else part for n, part in parts.items()}
    known = [item.name for item in fields(System)]
    for name in given:
        if name not in known:
            raise ValueError(unknown("part of a case", name, [*known, "n_devices", "groups"]))
    config = System(**made, cut=cut, codec=chosen, fleet=fleet, members=members, **given)
    config = replace_all(config, dotted) if dotted else config
    return {item.name: getattr(config, item.name) for item in fields(System)}


def _split(split: Any) -> tuple[str, dict[str, Any]]:
    """Cut and codec of "stage3/ecsq", "output", or a pair."""
    if isinstance(split, str):
        cut, _, name = split.partition("/")
        if cut != "output" and not name:
            raise ValueError(f"split must be CUT/CODEC or output, got {split!r}")
        return cut, codec(name or _DEFAULTS["codec"])
    cut, chosen = split[0], split[1]
    return cut, codec(chosen) if isinstance(chosen, str) else dict(chosen)


def _said(value: Any) -> Any:
    """A value of an axis as its column holds it."""
    if isinstance(value, str | int | float | bool | None):
        return value
    name = value.get("name") if isinstance(value, Mapping) else getattr(value, "name", None)
    return name if name is not None else str(value)
