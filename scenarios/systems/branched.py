"""A network with several branches: each cut, timed and traced by itself, one of them per sample."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np

from profiles.predicting.roles import Known, seconds_of
from profiles.tables.hardware import DeviceSpec, ServerSpec
from profiles.tables.layers import ModelProfile
from profiles.tables.quality import paired_drop, share
from profiles.tables.split import Split
from scenarios.shell.progress import progress
from scenarios.systems import answers, schemed
from scenarios.systems.answers import CACHE, Answers
from scenarios.systems.given import with_given
from scenarios.systems.measured import Drop, known_of
from scenarios.systems.scenario import Model
from scenarios.systems.schemed import Schemed
from sim.sources.branched import BranchedSource
from sim.sources.gated import GatedSource
from sim.sources.source import Source, TraceSource


@dataclass(frozen=True, kw_only=True)
class Branched(Schemed):
    """What a scheme of several branches costs and answers; profile and table are one for all.

    `ways`: each branch by itself, by name, narrow to wide; `choosing`: layers and seconds of what
    picks one, None where there is no choice. The table's `branch` says which one a sample takes.
    """

    ways: Mapping[str, Answers]
    choosing: ModelProfile | None = None

    @cached_property
    def digests(self) -> Mapping[str, str]:
        """Content hashes of all profiles and of the one table, for point ids."""
        profiles = [way.profile for way in self.ways.values()]
        every = [one.digest for one in (*profiles, self.choosing) if one is not None]
        return {"profile": "+".join(every), "trace": self.table.digest}

    @cached_property
    def picks(self) -> np.ndarray:
        """The number of the branch that each sample takes."""
        return self.table.columns["branch"].astype(np.int64)

    def split(self, cut: str, setting: str) -> Split:
        """Under the codec that travels with the branches, whatever the setting is."""
        return Split(super().split(cut, setting).cut, self.table.settings[0])

    def _source(self, split: Split, device: DeviceSpec, server: ServerSpec) -> Source:
        if self.early is None:
            return self._branches(split, device, server, 0.0)
        late = self._branches(split, device, server, self.exit_s(device))
        return GatedSource(self._early_source(device, split), late, self.ends.tolist())

    def _branches(
        self, split: Split, device: DeviceSpec, server: ServerSpec, more_s: float
    ) -> TraceSource | BranchedSource:
        """Rows of the branches that are taken, whose device computes `more_s` besides."""
        more_s += self.choosing_s(device)
        ways = [
            way._rows(split, device, server).with_head(way.side(device, "head").plus(more_s))
            for way in self.ways.values()
        ]
        return BranchedSource(ways, self.picks.tolist()) if len(ways) > 1 else ways[0]

    def choosing_s(self, device: DeviceSpec) -> float:
        """Seconds of what picks a branch."""
        if self.choosing is None:
            return 0.0
        known: Known = known_of(self.choosing, (self.choosing.head, self.choosing.tail))
        return seconds_of(device, "head", with_given(known, device, "head")).seconds_at("output")

    def quality(self, split: Split) -> dict[str, float]:
        """That of the answers, and the share of requests that each branch would take."""
        columns = super().quality(split)
        for number, name in enumerate(self.ways if len(self.ways) > 1 else ()):
            taken = (self.picks == number).astype(np.float64)
            columns |= share(taken).columns(f"branch_share_{name}")
        return columns

    def whole(self, split: Split) -> np.ndarray:
        """Scores [sample] of the widest branch without its codec."""
        widest = list(self.ways.values())[-1].table
        return widest.cell("correct", "output", split.setting)

    def drop(self, split: Split) -> Drop | None:
        """Paired per sample against the widest branch without its codec."""
        paired = paired_drop(self.whole(split), self.right(split))
        return Drop(*(100.0 * each for each in paired))

    def memory_bytes(self, split: Split) -> float | None:
        """Weights of all branches before the cut, of the gates, and the largest activation."""
        widest = super().memory_bytes(split)
        return None if widest is None else widest + self._other_weight_bytes(split)

    def encoder_bits(self, split: Split) -> float | None:
        """Of the weights of all branches before the cut, and of the gates."""
        widest = super().encoder_bits(split)
        return None if widest is None else widest + 8.0 * self._other_weight_bytes(split)

    def _other_weight_bytes(self, split: Split) -> float:
        """Those on the device besides the widest branch's and the exit's."""
        others = list(self.ways.values())[:-1]
        layers = [layer for way in others for layer in way.profile.layers[: self._n(way, split)]]
        layers += self.choosing.layers if self.choosing is not None else []
        return float(sum(layer.weight_bytes for layer in layers))

    def _n(self, way: Answers, split: Split) -> int:
        return way.profile.cut_names.index(split.cut)


def measure(scheme: Any, model: Model, cuts: Sequence[str], ways: Sequence[Any] = ()) -> Branched:
    """What is known of a scheme with branches, measured on this machine.

    Raises:
        ValueError: as `answers.measure`; `ways` that damage payloads, which no branch reads.
    """
    if ways:
        raise ValueError(
            f"scheme {scheme.name} needs link.transport=exact: a damaged byte may name another"
            f" branch, got {ways[0].label}"
        )
    from profiles.schemes import tracing
    from profiles.shipping import store

    traced = schemed.traced_of(scheme, model)
    every = tuple(dict.fromkeys([*cuts, "output"]))
    each = {branch.name: _measure(branch, traced, every) for branch in scheme.branches}
    picks, choosing = np.zeros(len(traced.inputs().inputs), np.int64), None
    about = schemed.about(scheme)
    if scheme.chooser is not None:
        with progress(f"timing the gate of {scheme.name}") as report:
            choosing = store.profile(CACHE, scheme.chooser.network, batches=(1,), progress=report)
        scores = tracing.answers_of(scheme.chooser.network.module, traced.inputs().inputs)
        picks = scheme.chooser.pick(scores)
        about["gate"] = scheme.chooser.spec
    table = tracing.with_branches(
        scheme.name, [way.table for way in each.values()], list(each), picks
    )
    about["branches"] = {
        branch.name: {"digest": branch.network.digest, "codec": branch.codec.spec}
        for branch in scheme.branches
    }
    widest = each[scheme.branches[-1].name]
    kept = {item.name: getattr(widest, item.name) for item in fields(widest) if item.init}
    known = {**kept, "table": table, "own_cut": scheme.cut, "scheme": about,
             "tasks": scheme.tasks}  # fmt: skip
    return Branched(**schemed.with_gate(known, scheme, traced), ways=each, choosing=choosing)


def _measure(branch: Any, traced: Model, cuts: Sequence[str]) -> Answers:
    """One branch by itself, under its own codec."""
    from profiles.shipping import store

    network, name = branch.network, branch.network.name
    with progress(f"timing {name}") as report:
        facts = store.profile(CACHE, network, batches=tuple(traced.batches), progress=report)
    settings = {branch.codec.name: {"feature": branch.codec}}
    table = answers.trace(network, traced, settings, cuts)
    return Answers(model=name, profile=facts, table=table)
