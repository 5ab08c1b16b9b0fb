"""A network under a scheme: cut, timed and traced like any other, with what its gate ends early."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from profiles.predicting.roles import Known, seconds_of
from profiles.tables.hardware import DeviceSpec, ServerSpec
from profiles.tables.layers import ModelProfile
from profiles.tables.quality import paired_drop, share
from profiles.tables.settings import samples_digest
from profiles.tables.split import Split
from scenarios.shell.progress import progress
from scenarios.systems import answers
from scenarios.systems.answers import CACHE, DEFAULT_CUT, Answers
from scenarios.systems.given import with_given
from scenarios.systems.measured import Drop, known_of
from scenarios.systems.plain import is_plain, name_of
from scenarios.systems.scenario import Model
from scenarios.systems.sheets import Codec
from sim.sources.gated import GatedSource
from sim.sources.source import Source, TraceSource
from sim.sources.training import Training


def make(config: Any) -> Any:
    """The scheme that a configuration names, a `profiles.schemes.Scheme`.

    Raises:
        ValueError: an unknown scheme or option, or data that it is not trained for.
    """
    from profiles import schemes  # torch: not needed to print a help text

    model: Model = config.model
    for name in ("weights", "data"):
        if getattr(model, name):
            raise ValueError(
                f"scheme {name_of(config)} has weights and data of its own, got model.{name}="
                f"{getattr(model, name)}"
            )
    options = {key: value for key, value in config.scheme.items() if key != "name"}
    return schemes.create(name_of(config), model.name, **options)


def answer_task(config: Any, task: str) -> Any:
    """The configuration, its scheme answering that task alone where it answers several.

    Raises:
        ValueError: as `make`; a scheme that does not answer it, or not without others.
    """
    if is_plain(config):
        return config
    scheme = make(config)
    if len(scheme.tasks) > 1 and task in scheme.tasks:
        config = replace(config, scheme={**config.scheme, "tasks": [task]})
        scheme = make(config)
    if scheme.answers not in ((), (task,)):
        answered = ", ".join(scheme.answers)
        raise ValueError(f"scheme {scheme.name} answers {answered}, not {task} alone")
    return config


def cut_of(scheme: Any, cut: str) -> str:
    """The cut that is meant: the scheme's own where it does not have the default one.

    Raises:
        ValueError: an unknown cut, or one before what its device must compute.
    """
    if cut == DEFAULT_CUT and cut not in scheme.cuts:
        return str(scheme.cut)
    answers.check_cuts(scheme.network, [cut])
    scheme.check_cut(cut)
    return cut


def cuts_of(scheme: Any) -> list[str]:
    """Every cut but "output" at which it is this scheme."""
    return list(scheme.cuts[scheme.cuts.index(scheme.first_cut) : -1])


@dataclass(frozen=True, kw_only=True)
class Traced(Model):
    """The network of a scheme and its samples, where a model's are asked for."""

    scheme: Any

    def network(self) -> Any:
        """The variant with its adapter and heads."""
        return self.scheme.network

    def inputs(self) -> Any:
        """Test samples and their labels."""
        return self.scheme.samples("test", self.samples)

    def subject(self, folder: Path, check: Callable[[], object] = tuple) -> Any:
        """The variant, which is made already."""
        from profiles.shipping import known

        return known.subject(self.scheme.network)

    def samples_digest(self, folder: Path) -> str:
        """The digest of the test samples."""
        return samples_digest(*self.inputs())


@dataclass(frozen=True, kw_only=True)
class Schemed(Answers):
    """What one network costs and answers under a scheme.

    `own_cut`: where it is split unless the user says otherwise; `early`: seconds and layers of the
    way to the early answer, None without a gate; `ends`: which samples of the table end there;
    `n_shared`: how many of its stages stand on the way to the server as well.
    `learning`: a `profiles.schemes.adapters.Learning`, None without an adapter, which stands at
    `own_cut`.
    """

    own_cut: str
    scheme: Mapping[str, Any]
    tasks: tuple[str, ...] = ()
    early: ModelProfile | None = None
    ends: np.ndarray = field(default_factory=lambda: np.zeros(0, bool), repr=False, compare=False)
    n_shared: int = 1
    learning: Any = None

    def __repr__(self) -> str:
        return f"Schemed({self.scheme['name']}, {super().__repr__()})"

    def split(self, cut: str, setting: str) -> Split:
        """The split at `cut`, or at the scheme's own where it does not have the default one."""
        known = cut != DEFAULT_CUT or cut in self.profile.cut_names
        return Split(cut if known else self.own_cut, setting)

    @cached_property
    def known_early(self) -> Known:
        """What was measured of the way to the early answer."""
        assert self.early is not None
        return known_of(self.early, (self.early.head, self.early.tail))

    def _source(self, split: Split, device: DeviceSpec, server: ServerSpec) -> Source:
        late = self._rows(split, device, server)
        if self.early is not None:
            late = self._with_gate(late, device, server, split)
        if self.learning is not None and split.cut == self.own_cut:
            late = late.with_training(self._training(late, split, device, server))
        if self.early is None:
            return late
        return GatedSource(self._early_source(device, split), late, self.ends.tolist())

    def _training(
        self, late: TraceSource, split: Split, device: DeviceSpec, server: ServerSpec
    ) -> Training:
        """What a round of training takes on these machines: what was measured of it here against
        inference, times theirs.

        Approximation: a batch that the tail was not timed at takes as long, sample by sample, as
        the largest one that it was.
        """
        known, cut, mean = self.learning, split.cut, late.mean()
        tail = self.side(server, "tail")
        size = min(known.batch, max(tail.batches))
        backward_s = known.device_ratio * self.side(device, "head").seconds_at(cut)
        both_s = known.server_ratio * tail.seconds_at(cut, batch=size) / size
        before = self.table.columns["before_correct"]
        return Training(
            batch=known.batch,
            gradient_bytes=4.0 * self.profile.cut(cut).elements,
            server_ratio=both_s / mean.server_s,
            device_ratio=backward_s / mean.device_s,
            rounds=known.rounds,
            accuracy=known.accuracy,
            before=dict(zip(self.table.sample_ids.tolist(), before.tolist(), strict=True)),
        )

    def _early_source(self, device: DeviceSpec, split: Split) -> TraceSource:
        """All on the device: up to the early answer, nothing is sent."""
        assert self.early is not None
        head = seconds_of(device, "head", with_given(self.known_early, device, "head"))
        table = replace(
            self.table,
            columns={**self.table.columns, "correct": self._early_correct()},
        )
        return TraceSource(table, "output", split.setting, head, None)

    def _early_correct(self) -> np.ndarray:
        """The early answers' correctness in the shape of the table's."""
        correct = np.array(self.table.columns["correct"])
        right = self.table.columns["exit_correct"]
        return np.broadcast_to(right[:, None, None], correct.shape)

    def _with_gate(
        self, late: TraceSource, device: DeviceSpec, server: ServerSpec, split: Split
    ) -> TraceSource:
        """The way to the server, whose device computes the exit head, too."""
        return late.with_head(self.side(device, "head").plus(self.exit_s(device)))

    def exit_s(self, device: DeviceSpec) -> float:
        """Seconds of the exit head, behind the stage that it shares with the way to the server."""
        assert self.early is not None
        head = seconds_of(device, "tail", with_given(self.known_early, device, "tail"))
        return head.seconds_at(self.early.cut_names[self.n_shared])

    def right(self, split: Split) -> np.ndarray:
        """Scores [sample] of the answers, early ones where the request ends early."""
        late = super().right(split)
        if self.early is None:
            return late
        return np.where(self.ends, self.table.columns["exit_correct"], late)

    def quality(self, split: Split) -> dict[str, float]:
        """The share of right answers and of requests that end early, with their intervals; how far
        answers are off from those without codec is not known where some are early ones.
        """
        columns = super().quality(split)
        if self.early is not None:
            columns = {k: v for k, v in columns.items() if k.startswith("table_accuracy")}
            columns |= share(self.ends.astype(np.float64)).columns("exit_share")
        return {**columns, **self._by_task(split)}

    def _by_task(self, split: Split) -> dict[str, float]:
        """The share of right answers of every task."""
        columns: dict[str, float] = {}
        for number, task in enumerate(self.tasks):
            right = self.heard.cell("task_correct", split.cut, split.setting)[:, number]
            columns |= share(right).columns(f"table_accuracy_{task}")
        return columns

    def whole(self, split: Split) -> np.ndarray:
        """Scores [sample] of the answers without codec, none of them an early one."""
        return self.table.cell("correct", "output", split.setting)

    def drop(self, split: Split) -> Drop | None:
        """Paired per sample against the late answers without codec."""
        if self.early is None:
            return super().drop(split)
        paired = paired_drop(self.whole(split), self.right(split))
        return Drop(*(100.0 * each for each in paired))

    def memory_bytes(self, split: Split) -> float | None:
        """Weights before the cut and of the exit head, and the largest activation among them."""
        late = super().memory_bytes(split)
        if self.early is None or late is None:
            return late
        return late + sum(layer.weight_bytes for layer in self.early.layers[self.n_shared :])

    def encoder_bits(self, split: Split) -> float | None:
        """Of the weights before the cut and of the exit head."""
        late = super().encoder_bits(split)
        if self.early is None or late is None:
            return late
        return late + 8.0 * sum(layer.weight_bytes for layer in self.early.layers[self.n_shared :])

    def describe(self, device: DeviceSpec, server: ServerSpec) -> dict[str, Any]:
        """That of its network, and how the scheme was trained."""
        return {**super().describe(device, server), "scheme": dict(self.scheme)}


def measure(
    scheme: Any,
    model: Model,
    codecs: Sequence[Codec],
    cuts: Sequence[str],
    *,
    live: bool = False,
    here: bool = False,
    ways: Sequence[Any] = (),
) -> Schemed:
    """What is known of a scheme under these codecs, measured on this machine or read.

    Raises:
        ValueError: as `answers.measure`.
    """
    from profiles.schemes import tracing  # torch: not needed to print a help text

    traced = traced_of(scheme, model)
    every = list(dict.fromkeys([*cuts, "output"]))
    how: dict[str, Any] = {"live": live, "here": here, "ways": ways}
    own = [scheme.complete(one) for one in codecs]
    base = answers.measure(traced, own, every, **how)
    kept = {item.name: getattr(base, item.name) for item in fields(base) if item.init}
    known = {**kept, "own_cut": scheme.cut, "scheme": about(scheme), "tasks": scheme.tasks}
    if scheme.adapter is not None:
        known["table"] = tracing.with_before(base.table, scheme.adapter, traced.inputs())
        known["learning"] = scheme.adapter.learning
    return Schemed(**with_gate(known, scheme, traced))


def traced_of(scheme: Any, model: Model) -> Traced:
    """Its samples, and how often they are timed."""
    return Traced(
        name=scheme.network.name, samples=model.samples, repeats=model.repeats,
        batches=model.batches, scheme=scheme,
    )  # fmt: skip


def about(scheme: Any) -> dict[str, Any]:
    """What `run.json` says of it."""
    known = {"name": scheme.name, "model": scheme.model, "options": dict(scheme.options),
             "kind": "trained here", **scheme.provenance}  # fmt: skip
    if scheme.heads is not None:
        known["heads"] = {"weights": dict(scheme.heads.weights()),
                          "multiply_adds": dict(scheme.heads.multiply_adds())}  # fmt: skip
    return known


def with_gate(known: Mapping[str, Any], scheme: Any, traced: Traced) -> dict[str, Any]:
    """What is known of a scheme, with what its gate ends on the device; as it was without one."""
    from profiles.schemes import tracing
    from profiles.shipping import store

    if scheme.gate is None:
        return dict(known)
    with progress(f"timing the early answer of {scheme.name}") as report:
        early = store.profile(CACHE, scheme.gate.early, batches=(1,), progress=report)
    table = tracing.with_exits(known["table"], scheme.gate, traced.inputs())
    gates = [known["scheme"].get("gate"), scheme.gate.spec]
    return {
        **known,
        "table": table,
        "early": early,
        "ends": scheme.gate.ends(table.columns[tracing.CONFIDENCE]),
        "n_shared": int(scheme.gate.after != "input"),
        "scheme": {**known["scheme"], "gate": ", ".join(spec for spec in gates if spec)},
    }
