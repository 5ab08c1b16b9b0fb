"""What all figures share: their configuration, the methods they compare, and what they leave.

A figure is a table first: jobs become rows, the rows go to results.csv, and the drawing and the
short table below it see nothing but those rows.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.figure import Figure as Drawing

from plots import files
from profiles.tables.own import is_own
from profiles.tables.split import Split
from scenarios.present.summary import Summary
from scenarios.present.table import describe_seconds, say_scheme
from scenarios.shell.names import unknown
from scenarios.sweep import multirun
from scenarios.sweep.axes import axes_of, points
from scenarios.sweep.play import Job, count_engines, play
from scenarios.sweep.rehearse import rehearse
from scenarios.sweep.store import Row, Store
from scenarios.systems import schemed
from scenarios.systems.answers import Answers, measure
from scenarios.systems.build import job
from scenarios.systems.coders import kind_of
from scenarios.systems.measured import Measured
from scenarios.systems.pace import set_pace
from scenarios.systems.plain import is_plain
from scenarios.systems.scenario import Model, Scenario
from scenarios.systems.schemed import cuts_of, make
from sim.specs.check import above, option

AUTO = "auto"
"""A cut that is left to the network; see scenarios.study.cuts."""


@dataclass(frozen=True, kw_only=True)
class Figure(Scenario):
    """A scenario with methods to compare and a pace that costs every point about the same."""

    codecs: dict[str, dict[str, Any]] = option({}, "what is compared; see group methods")
    codec: dict[str, Any] = option({}, "what is compared besides: the codec that a scheme brings")
    best: str = option("ecsq", "codec that is named the best chain")
    cut: str = option(
        AUTO, "where the methods split the network; auto: behind the last stage but one"
    )
    span_s: float = option(
        60.0, "device-seconds per run: N devices play span_s / N or more", unit="s"
    )
    cycles: float = option(8.0, "least length of a run, in cycles of a device")
    live: bool = option(False, "measure everything here, use no shipped table")
    scheme: dict[str, Any] = option(
        {}, "scheme and its options, split: the network as it is; see group scheme"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.codecs:
            raise ValueError("codecs must name at least one method, got none; see group methods")
        if not is_plain(self) and self.trace:
            raise ValueError(f"a scheme traces its own network, got trace={self.trace}")
        above("span_s", self.span_s, 0)
        above("cycles", self.cycles, 0)

    @property
    def compared(self) -> list[dict[str, Any]]:
        """Every codec, and that which a scheme brings."""
        known = [str(one["name"]) for one in self.codecs.values()]
        brought = [self.codec] if self.codec and self.codec["name"] not in known else []
        return [*self.codecs.values(), *brought]


class Method(NamedTuple):
    """One line of a figure: what it is called, and what its devices do."""

    name: str
    split: Split


def measure_methods(config: Figure) -> Answers:
    """The tables behind a figure: all methods at every cut, one trace for all figures; of a scheme
    at those at which it is one.

    Raises:
        ValueError: as `measure`; a scheme of several branches, which reads no codec but its own.
    """
    if not is_plain(config):
        scheme = make(config)
        if scheme.branches:
            raise ValueError(
                f"this figure compares codecs, and scheme {scheme.name} reads none but its own"
                f" ({scheme.branches[0].codec.name}); splitfleet schemes draws it beside others"
            )
        tied = config.codec.get("chain") in scheme.brings  # its tables are those of one feature
        cuts = [scheme.cut] if tied else cuts_of(scheme)
        return schemed.measure(scheme, config.model, config.compared, cuts, live=config.live)
    return measure(config.model, config.compared, live=config.live, given=config.trace)


def methods(config: Figure, cut: str | None = None, model: Model | None = None) -> list[Method]:
    """Full server per input codec, the split at `cut` per feature codec, full device.

    A user's network whose inputs are no images sends them as features: raw, and by the best chain.
    """
    names = {str(chosen["name"]): kind_of(chosen) for chosen in config.compared}
    inputs = {n: n for n, kind in names.items() if kind == "input"}
    split = split_methods(config, cut or config.cut)
    about = model or config.model
    if is_own(about.name) and about.network().kind_of_input == "feature":
        inputs = {"raw8": split[0].split.setting, config.best: config.best}
    if not is_plain(config) and make(config).first_cut != "input":
        inputs = {}  # its device must compute what an input on the server would skip
    short = {"raw8": "raw", "jpeg": "JPEG"}
    return [
        *(Method(f"full server, {short.get(n, n)}", Split("input", s)) for n, s in inputs.items()),
        *split,
        Method("full device", Split("output", split[0].split.setting)),
    ]


@dataclass(frozen=True, kw_only=True)
class Subset(Figure):
    """A figure whose panels are many: it shows some of the methods unless told otherwise."""

    shown: list[str] = option([], "codecs that are compared; empty: all")

    def chosen(self) -> list[Method]:
        """The methods whose codec is to be shown, and full device.

        Raises:
            ValueError: a codec that is none of the methods'.
        """
        known = [str(codec["name"]) for codec in self.compared]
        for name in self.shown:
            if name not in known:
                raise ValueError(unknown("codec of shown", name, known))
        wanted, every = self.shown or known, methods(self)
        return [m for m in every if m.split.cut == "output" or m.split.setting in wanted]

    def words(self) -> str:
        """One sentence on what is left out."""
        total = len(methods(self))
        left = total - len(self.chosen())
        return f" {left} of the {total} methods left out; shown=[] plays all." if left else ""


def split_methods(config: Figure, cut: str) -> list[Method]:
    """The feature codecs at `cut`, those that only cast to fewer bits first."""
    names = [str(c["name"]) for c in config.compared if kind_of(c) == "feature"]
    if config.best not in names:
        raise ValueError(f"best must be one of {', '.join(names)}, got {config.best!r}")
    return [Method(split_name(name), Split(cut, name)) for name in names]


def split_name(setting: str) -> str:
    """How figures call the split under a codec."""
    return "split, no codec" if setting.startswith("raw") else f"split, {setting}"


def grid(
    config: Figure,
    known: Measured,
    chosen: Sequence[Method],
    *,
    change: Callable[[Any], Any] | None = None,
    **labels: Any,
) -> Iterator[Job]:
    """Every method at every point of the sweep, each point at the figure's pace.

    `change` alters the configuration of every point, after the sweep has.
    """
    chosen_points = list(points(config, axes_of(config.sweep)))
    for method in chosen:
        for point in chosen_points:
            if not point.error:
                changed = point.config if change is None else change(point.config)
                point = point._replace(config=set_pace(changed, known, method.split))
            values = {"rate_bps" if k == "link.rate_bps" else k: v for k, v in point.values.items()}
            rate = {k: v for k, v in values.items() if k == "rate_bps"}
            how = {"split": method.split, "method": method.name, **labels, **rate}
            yield job(point._replace(values=values), known, **how)


def compare(
    config: Figure,
    command: str,
    known: Answers,
    jobs: Iterable[Job],
    draw: Callable[[Sequence[Row]], Drawing],
    summarise: Callable[[Any, str, Sequence[Row]], Summary],
    *,
    finish: Callable[[Sequence[Row]], Sequence[Row]] = list,
) -> int:
    """Produce a figure of one network's methods; `summarise` gets the configuration and a sentence
    on where the numbers come from besides the rows.
    """
    about = known.describe(config.device, config.server)
    where = origin(config, about) + (config.words() if isinstance(config, Subset) else "")
    told = partial(summarise, config, where)
    return produce(config, command, jobs, draw, told, about, finish=finish)


def produce(
    config: Any,
    command: str,
    jobs: Iterable[Job],
    draw: Callable[[Sequence[Row]], Drawing],
    summarise: Callable[[Sequence[Row]], Summary],
    provenance: Mapping[str, Any],
    *,
    finish: Callable[[Sequence[Row]], Sequence[Row]] = list,
) -> int:
    """Play the jobs, write the table, the figure, the summary below it and how they came about.

    `finish` derives columns that need several rows (a fit, a baseline) before all is written.
    """
    jobs, store = list(jobs), Store(Path("outputs") / config.name)
    if config.dry_run:
        return rehearse(jobs, store, workers=config.workers)
    with multirun.lock(store):
        rows = list(finish(play(jobs, store, workers=config.workers, label=command)))
        store.write_table(rows, getattr(config, "columns", "all"))
        sound = [row for row in rows if not row.get("error")]
        if not sound:
            raise ValueError(f"no point could be played: {rows[0]['error']}")
        summary = summarise(sound)
        written = files.save(draw(sound), store.folder)
        store.write_text("table.md", summary.markdown())
        made = {"config": asdict(config), "provenance": dict(provenance),
                "engines": count_engines(jobs)}  # fmt: skip
        store.write_run(command=command, summary=summary.plain(), **made)
    summary.show()
    print(f"written: {', '.join(map(str, written))}, {store.folder}/results.csv and table.md")
    return int(len(sound) < len(rows))


def origin(config: Any, provenance: Mapping[str, Any]) -> str:
    """One sentence per kind of number: what is measured, scaled, modelled, random."""
    payloads = provenance["payloads"]
    trained = payloads["weights"] == "trained"
    what = "Payloads and answers" if trained else "Payloads (random weights, no answers)"
    link = f"link {config.link.name} and queues: modelled"
    if config.link.sharing == "wifi" and config.link.contention == "ns3":
        link += " (802.11ax contention from ns-3 runs, beyond them by Bianchi)"
    return (
        f"{say_scheme(provenance)}"
        f"{what}: measured on {provenance['samples']} test samples"
        f"{_equal_words(payloads)}. "
        f"Server: {config.server.title}, {describe_seconds(provenance['tail_seconds'])}. "
        f"Device: {describe_seconds(provenance['head_seconds'])}; {link}. "
        "Intervals: 95 %, with the errors of table and machines."
    )


def _equal_words(payloads: Mapping[str, Any]) -> str:
    """Which chains stand at which error, where a network has no answers."""
    equal = [name.split("-1pp@")[0] for name in payloads["codecs"] if "-1pp@" in name]
    if payloads["weights"] == "trained" or not equal:
        return ""
    return (
        f" ({', '.join(sorted(equal))} at the relative L2 at which a trained classifier loses 1 pp;"
        " the others at the error in the table)"
    )
