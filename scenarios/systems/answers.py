"""A network that answers once: its profiles and trace table, and sources made of them.

What is measured here is kept in outputs/cache by what it depends on; what has changed is measured
again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np

from profiles.predicting.codecs import Carried, Clock
from profiles.predicting.roles import Known, seconds_of
from profiles.shipping import shipped
from profiles.tables import channels
from profiles.tables.cost import CostSurface
from profiles.tables.hardware import THIS, DeviceSpec, ServerSpec
from profiles.tables.layers import ModelProfile
from profiles.tables.medians import mean_error
from profiles.tables.quality import Interval, paired_drop, share
from profiles.tables.settings import specs
from profiles.tables.split import Split
from profiles.tables.trace import TraceTable
from scenarios.shell.names import unknown
from scenarios.shell.progress import progress
from scenarios.systems import carrying, damage, traces
from scenarios.systems.coders import coders
from scenarios.systems.given import with_given
from scenarios.systems.measured import Drop, Network, describe_trace, known_of
from scenarios.systems.scenario import Model
from scenarios.systems.sheets import Codec
from sim.sources.source import Factor, Source, TraceSource

CACHE = Path("outputs/cache")
DEFAULT_CUT = "stage3"

_Z = 1.959964


@dataclass(frozen=True, kw_only=True)
class Answers(Network):
    """What one network that answers once costs and answers.

    `profile`: its cuts and layers, and its seconds on one machine; `others`: on further ones;
    `damaged`: bytes and answers over channels that damage payloads, where any was asked for;
    `channel`: the one that these answers come over, whose columns `table` then has.
    """

    profile: ModelProfile
    others: tuple[CostSurface, ...] = ()
    damaged: TraceTable | None = None
    channel: str | None = None

    def __repr__(self) -> str:
        return f"Answers({self.model}: {describe_trace(self.table)})"

    @cached_property
    def digests(self) -> Mapping[str, str]:
        """Content hashes of both, for point ids."""
        return {"profile": self.profile.digest, "trace": self.table.digest}

    @cached_property
    def known(self) -> Known:
        """What was measured of it, the profile's own machine first."""
        own = (self.profile.head, self.profile.tail)
        return known_of(self.profile, (*own, *self.others))

    @cached_property
    def heard(self) -> TraceTable:
        """The table as it is over the channel."""
        return self.table if self.channel is None else channels.over(self.table, self.channel)

    def over(self, channel: str | None) -> Self:
        """The same network, its payloads sent over a channel that was traced."""
        if channel is None:
            return self
        table = self.table
        if self.damaged is not None:
            table = channels.with_channel(table, self.damaged, channel)
        channels.over(table, channel)  # refuses what is not there
        return replace(self, table=table, channel=channel, damaged=None)

    def side(self, sheet: DeviceSpec | ServerSpec, part: str) -> CostSurface:
        """Seconds of head or tail on the machine of a sheet."""
        return seconds_of(sheet, part, with_given(self.known, sheet, part))

    def _source(self, split: Split, device: DeviceSpec, server: ServerSpec) -> Source:
        return self._rows(split, device, server)

    def _rows(self, split: Split, device: DeviceSpec, server: ServerSpec) -> TraceSource:
        """The rows of its table, each through the whole network."""
        encode = self.carried(device, "encode_s", split.setting)
        decode = self.carried(server, "decode_s", split.setting)
        return TraceSource(
            self.table, split.cut, split.setting, self.side(device, "head"),
            self.side(server, "tail"),
            encode=Factor(encode.factor, encode.log_error),
            decode=Factor(decode.factor, decode.log_error),
            tensor_bytes=4.0 * self.profile.cut(split.cut).elements, channel=self.channel,
        )  # fmt: skip

    def right(self, split: Split) -> np.ndarray:
        """Scores [sample] of the answers; NaN where they are not known."""
        return self.heard.cell("correct", split.cut, split.setting)

    def quality(self, split: Split) -> dict[str, float]:
        """All that is known, means over the table's samples: share of right answers with Wilson's
        95 % interval, unless weights are random; relative L2 of the feature and KL of the answer
        with their normal intervals.
        """
        columns: dict[str, float] = {}
        right = self.right(split)
        if not np.isnan(right).any():
            columns |= share(right).columns("table_accuracy")
        for name in (n for n in ("relative_l2", "logit_kl") if n in self.heard.columns):
            values = self.heard.cell(name, split.cut, split.setting)
            if not np.isnan(values).any():
                mean, reach = float(values.mean()), _Z * float(mean_error(values))
                columns |= Interval(mean, max(0.0, mean - reach), mean + reach).columns(name)
        return columns

    def drop(self, split: Split) -> Drop | None:
        """Paired per sample against the answers at "output", by Bonett and Price's interval."""
        if split.cut == "output":
            return Drop(0.0, 0.0, 0.0)
        if "output" not in self.table.cuts:
            return None
        right = self.right(split)
        whole = self.table.cell("correct", "output", split.setting)
        if np.isnan(whole).any() or np.isnan(right).any():
            return None
        return Drop(*(100.0 * each for each in paired_drop(whole, right)))

    def memory_bytes(self, split: Split) -> float | None:
        """Weights before the cut and the largest activation among them, 4 bytes a number."""
        head = self.profile.layers[: self.profile.cut_names.index(split.cut)]
        largest = max((layer.activation_bytes for layer in head), default=0.0)
        return float(sum(layer.weight_bytes for layer in head) + largest)

    def encoder_bits(self, split: Split) -> float | None:
        """Of the weights before the cut; tables of a codec are not counted."""
        head = self.profile.layers[: self.profile.cut_names.index(split.cut)]
        return 8.0 * float(sum(layer.weight_bytes for layer in head))


def measure(
    model: Model,
    codecs: Sequence[Codec],
    cuts: Sequence[str] | None = None,
    *,
    live: bool = False,
    here: bool = False,
    subject: Any = None,
    given: str = "",
    ways: Sequence[Any] = (),
) -> Answers:
    """What is known of `model` and these codecs, measured on this machine or read.

    Unless `live`, the seconds of a network that the repository ships are those of the machines that
    it was timed on, and a shipped table of exactly these samples holds payloads, answers and codec
    seconds; a codec that it lacks is traced here, its seconds carried to the machine of the table.

    Args:
        model: the network and how many test samples to trace.
        codecs: every setting; its `name` is the name in the table.
        cuts: where to trace; None for every cut.
        live: whether to measure here what is shipped.
        here: whether a device or a server is the machine at hand, so that it is timed as well.
        subject: the network, where it is known already (`Model.subject`).
        given: a trace table that the user made elsewhere, a file: its payloads, answers and codec
            seconds, of its samples.
        ways: transports that damage payloads, over which the answers are wanted as well.

    Raises:
        ValueError: an unknown cut or chain, a file that is none or another network's.
    """
    subject = subject or model.subject(CACHE)
    check_cuts(subject, cuts or ())
    exact = _measure(model, codecs, cuts, subject, live=live, here=here, given=given)
    if not ways or given:
        return exact
    settings = {str(chosen["name"]): coders(chosen) for chosen in codecs}
    damaged = damage.trace(subject.network, model, settings, exact.table.cuts, ways, CACHE)
    return replace(exact, damaged=damaged)


def _measure(
    model: Model,
    codecs: Sequence[Codec],
    cuts: Sequence[str] | None,
    subject: Any,
    *,
    live: bool,
    here: bool,
    given: str,
) -> Answers:
    """All of it but what is damaged on the way."""
    settings = {str(chosen["name"]): coders(chosen) for chosen in codecs}
    facts = None if live else shipped.facts(subject)
    others: tuple[CostSurface, ...] = (
        () if facts is None else shipped.surfaces(model.name, "single")[2:]
    )
    if facts is None or here:
        from profiles.shipping import store  # torch

        with progress(f"timing {model.name}") as report:
            network = subject.network
            mine = store.profile(CACHE, network, batches=tuple(model.batches), progress=report)
        others = others if facts is None else (*others, mine.head, mine.tail)
        facts = facts or mine
    wanted = [cut for cut in facts.cut_names if cuts is None or cut in cuts]
    if given:
        table = traces.read(given, subject, specs(settings), [c for c in wanted if c != "output"])
        return Answers(
            model=model.name, profile=facts, others=others, table=table,
            clock=traces.clock_of(given, table), trace_file=given,
            carried_settings=carrying.scaled(table),
        )  # fmt: skip
    if facts.head.hardware == THIS:
        table = trace(subject.network, model, settings, wanted)
        return Answers(model=model.name, profile=facts, others=others, table=table)
    chains = {str(chosen["name"]): str(chosen["chain"]) for chosen in codecs}
    table, carried = _complete(subject, model, settings, chains, wanted)
    return Answers(
        model=model.name, profile=facts, others=others, table=table,
        clock=Clock(machine=shipped.CPU), carried_settings={**carrying.scaled(table), **carried},
        back=carrying.back(CACHE) if here else {},
    )  # fmt: skip


def _complete(
    subject: Any,
    model: Model,
    settings: Mapping[str, Mapping[str, Any]],
    chains: Mapping[str, str],
    cuts: Sequence[str],
) -> tuple[TraceTable, dict[str, dict[str, Carried]]]:
    """The shipped table with what it lacks traced here, and how those settings' seconds reached
    its machine; all of it traced here where no table has these samples.
    """
    samples = model.samples_digest(CACHE)
    table = shipped.find(subject, settings, samples, repeats=model.repeats)
    if table is not None and not set(cuts) <= set(table.cuts):
        table = None
    lacking = [n for n in settings if table is None or n not in shipped.holds(table, settings)]
    if table is not None and not lacking:
        return table, {}
    more = trace(subject.network, model, {name: settings[name] for name in lacking}, cuts)
    carried = {name: carrying.carry(chains[name], CACHE) for name in lacking}
    if table is None:
        return more, carried
    return table.join(more, lacking), carried


def check_cuts(network: Any, cuts: Sequence[str]) -> None:
    """Refuse an unknown cut before anything is timed."""
    _check_among(network.name, network.stages, cuts)


def check_cuts_early(name: str, cuts: Sequence[str]) -> None:
    """Refuse an unknown cut of the network of that name before it is made, where that is known."""
    from profiles import models

    stages = models.stages(name)
    if stages is not None:
        _check_among(name, stages, cuts)


def _check_among(name: str, stages: Sequence[str], cuts: Sequence[str]) -> None:
    allowed = ("input", *stages, "output")
    for cut in cuts:
        if cut not in allowed:
            said, _, near = unknown("cut", cut, allowed).partition("; ")
            if cut == DEFAULT_CUT:
                said += " (the default)"
            elif near.startswith("nearest"):
                said += f"; {near}"
            raise ValueError(f"{said}; {name} has {', '.join(allowed)}")


def choose_cuts(wanted: Any, known: Sequence[str]) -> tuple[str, ...]:
    """Those of `known` that "all", the name of one or a list of names asks for."""
    if wanted == "all":
        return tuple(known)
    given = [wanted] if isinstance(wanted, str) else list(wanted)
    for cut in given:
        if cut not in known:
            raise ValueError(unknown("cut", str(cut), ("all", *known)))
    return tuple(given)


def trace(
    network: Any, model: Model, kinds: Mapping[str, Mapping[str, Any]], cuts: Sequence[str]
) -> TraceTable:
    """The trace of some settings, each a codec under the kind of tensor that it takes."""
    from profiles.shipping import store

    inputs, labels = model.inputs()
    with progress(f"tracing {model.name}") as report:
        return store.trace(
            CACHE, network, kinds, inputs, labels,
            cuts=tuple(cuts), repeats=model.repeats, progress=report,
        )  # fmt: skip


def trace_settings(
    model: Model, settings: Mapping[str, Codec], cuts: Sequence[str], *, repeats: int = 1
) -> TraceTable:
    """The trace of many settings at a few cuts, and the answers without a codec at "output"."""
    network = model.network()
    check_cuts(network, [cut for cut in cuts if cut != "output"])
    kinds = {name: coders({"name": name, **chosen}) for name, chosen in settings.items()}
    return trace(network, replace(model, repeats=repeats), kinds, (*cuts, "output"))
