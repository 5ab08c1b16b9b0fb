"""A network that generates tokens: prefill and decode profiles, a generation trace, sessions."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from math import nan
from typing import Any

import numpy as np

from profiles.predicting.codecs import Carried, Clock
from profiles.predicting.roles import Known, seconds_of
from profiles.shipping import equal, shipped
from profiles.tables.cost import CostSurface, join_phases
from profiles.tables.hardware import DeviceSpec, ServerSpec
from profiles.tables.layers import ModelProfile
from profiles.tables.quality import drop_interval, share
from profiles.tables.sessions import cut_sessions
from profiles.tables.split import ENDS, Split
from profiles.tables.trace import TraceTable
from scenarios.shell.progress import progress
from scenarios.systems import carrying, traces
from scenarios.systems.answers import CACHE
from scenarios.systems.coders import coders_by_name, kind_of
from scenarios.systems.given import with_given
from scenarios.systems.measured import Drop, Network, describe_trace, known_of
from scenarios.systems.scenario import Model
from scenarios.systems.sheets import Codec
from sim.sources.draw import Draw
from sim.sources.sessions import ConstantSessions, TraceSessions
from sim.sources.source import ConstantSource, Errors, Factor, Source
from sim.specs.check import at_least, option

_Z = 1.96


@dataclass(frozen=True, kw_only=True)
class Session:
    """The generations that are measured, and how much of each is played."""

    prompt_tokens: int = option(117, "length of every prompt")
    n_tokens: int = option(64, "tokens of a session")
    n_prompts: int = option(8, "measured generations")
    traced_tokens: int = option(96, "their length; one trace serves all figures")
    repeats: int = option(3, "interleaved repeats of every codec timing; the median is used")

    def __post_init__(self) -> None:
        for name in ("prompt_tokens", "n_tokens", "n_prompts", "repeats"):
            at_least(f"session.{name}", getattr(self, name), 1)
        at_least("session.traced_tokens", self.traced_tokens, self.n_tokens)

    def measure(
        self,
        model: str,
        codecs: Iterable[Codec],
        cuts: Sequence[str],
        *,
        live: bool = False,
        here: bool = False,
        given: str = "",
    ) -> "Generations":
        """Profiles of both phases and one trace; codecs of features only."""
        known = generations(
            model, [one for one in codecs if kind_of(one) == "feature"],
            [cut for cut in cuts if cut not in ENDS],
            n_prompts=self.n_prompts, prompt_tokens=self.prompt_tokens,
            n_tokens=self.n_tokens if given else self.traced_tokens,
            repeats=self.repeats, live=live, here=here, given=given,
        )  # fmt: skip
        return replace(known, session=asdict(self), n_tokens=self.n_tokens)


@dataclass(frozen=True, kw_only=True)
class Text(Session):
    """The same of one network, split in one place: a panel of a figure."""

    model: str = option("bytellama", "language network")
    cut: str = option("layers.1", "last layer on the device")

    def generations(self, codecs: Iterable[Codec], *, live: bool = False) -> "Generations":
        """The measured half, named by all of this."""
        return self.measure(self.model, codecs, [self.cut], live=live)


@dataclass(frozen=True, kw_only=True)
class Generations(Network):
    """What one language network costs; sessions have `n_tokens` unless a split says otherwise."""

    prefill: ModelProfile
    decode: ModelProfile
    others: Mapping[str, tuple[CostSurface, ...]] = field(default_factory=dict)
    session: Any = None
    n_tokens: int = 0

    def __repr__(self) -> str:
        return f"Generations({self.model}, {self.n_tokens} tokens: {describe_trace(self.table)})"

    @cached_property
    def digests(self) -> Mapping[str, str]:
        """Content hashes of all three, for point ids."""
        return {
            "prefill": self.prefill.digest,
            "decode": self.decode.digest,
            "trace": self.table.digest,
        }

    @cached_property
    def known(self) -> Known:
        """What was measured of later tokens."""
        return self._known_of(self.decode)

    def _known_of(self, profile: ModelProfile) -> Known:
        others = self.others.get(profile.phase, ())
        return known_of(profile, (profile.head, profile.tail, *others))

    def side(self, sheet: DeviceSpec | ServerSpec, part: str) -> CostSurface:
        """Seconds of head or tail on the machine of a sheet, of prompts and of later tokens."""
        prefill, decode = (
            seconds_of(sheet, part, with_given(self._known_of(each), sheet, part))
            for each in (self.prefill, self.decode)
        )
        return join_phases(prefill, decode)

    @property
    def settings(self) -> Any:
        """What was asked of the measurement."""
        return self.session

    @property
    def prompt_tokens(self) -> int:
        """Length of every prompt."""
        return int(self.table.provenance["prompt_tokens"])

    def split(self, cut: str, setting: str) -> Split:
        """The split with this measurement's length of sessions."""
        return Split(cut, setting, self.n_tokens or self.table.size("token"))

    def _source(self, split: Split, device: DeviceSpec, server: ServerSpec) -> Source:
        """Sessions; all on the server, or at an end without `tokens`, one request for each.

        Approximation: such a request takes all its seconds in one piece.
        """
        tokens = split.tokens or self.n_tokens
        self._check(split, tokens)
        head, tail = self.side(device, "head"), self.side(server, "tail")
        if split.cut == "output" and split.tokens:
            return self._on_device(tokens, head)
        if split.cut in ENDS:
            return self._unsplit(split.cut, tokens, server if split.cut == "input" else device)
        at = self.decode.cut(split.cut)
        return TraceSessions(
            cut_sessions(self.table, tokens), split.cut, split.setting, head, tail,
            device_token_bytes=at.kv_head_bytes, server_token_bytes=at.kv_tail_bytes,
            tensor_token_bytes=4.0 * at.elements,
            encode=self._factor(device, "encode_s", split),
            decode=self._factor(server, "decode_s", split),
        )  # fmt: skip

    def _factor(self, sheet: DeviceSpec | ServerSpec, column: str, split: Split) -> Factor:
        carried = self.carried(sheet, column, split.setting)
        return Factor(carried.factor, carried.log_error)

    def _check(self, split: Split, tokens: int) -> None:
        traced = self.table.size("token")
        if not 1 <= tokens <= traced:
            raise ValueError(f"n_tokens must lie in 1..{traced}, got {tokens}")
        if split.cut not in ENDS and not (
            split.cut in self.table.cuts and self.table.exists(split.cut, split.setting)
        ):
            raise ValueError(
                f"trace of {self.model} has no rows at cut {split.cut!r}, setting"
                f" {split.setting!r}; cuts: {', '.join(self.table.cuts)}"
            )

    def _on_device(self, tokens: int, head: CostSurface) -> ConstantSessions:
        """Sessions of which nothing is sent; a later token costs what it costs on average."""
        prompt = self.prompt_tokens
        later = [head.seconds_at("output", kv_length=prompt + k) for k in range(tokens - 1)]
        first_s, token_s = head.seconds_at("output", new_tokens=prompt), float(np.mean(later or 0))
        return ConstantSessions(
            prompt=Draw(0, first_s, 0.0, 0.0, 0.0, 0.0, nan, prompt, 0),
            token=Draw(0, token_s, 0.0, 0.0, 0.0, 0.0, nan, 1, prompt),
            n_tokens=tokens,
            device_token_bytes=self.decode.cut("output").kv_head_bytes,
            log_errors=Errors(head=head.log_error),
        )

    def _unsplit(self, cut: str, tokens: int, sheet: DeviceSpec | ServerSpec) -> ConstantSource:
        whole, prompt = self.side(sheet, "head"), self.prompt_tokens
        total_s = whole.seconds_at("output", new_tokens=prompt) + sum(
            whole.seconds_at("output", kv_length=prompt + k) for k in range(tokens - 1)
        )
        error = whole.log_error
        if cut == "output":
            return ConstantSource(device_s=total_s, log_errors=Errors(head=error))
        sent, back = float(prompt), float(tokens)  # a token is one byte
        return ConstantSource(
            payload_bytes=sent, server_s=total_s, answer_bytes=back, log_errors=Errors(tail=error)
        )

    def quality(self, split: Split) -> dict[str, float]:
        """What the codec does to whole generations: the share that stays equal to those without a
        codec (Wilson's 95 % interval), mean relative L2 and KL of the next token.
        """
        if split.cut in ENDS:
            return {}
        cells = {
            name: self.table.cell(name, split.cut, split.setting)[:, : split.tokens]
            for name in ("agree_free", "relative_l2", "logit_kl")
            if name in self.table.columns
        }
        columns: dict[str, float] = {}
        if "agree_free" in cells:
            right = cells.pop("agree_free").min(axis=1)
            columns |= share(right).columns("table_accuracy")
        return columns | {name: float(values.mean()) for name, values in cells.items()}

    def drop(self, split: Split) -> Drop:
        """Next tokens that differ, fed those of no codec; an exact copy loses none.

        Sessions are the independent units: mean + 1.96 standard errors over them, but never below
        the end for independent tokens, which stays above zero where none differs.
        """
        if split.cut in ENDS or not np.any(
            self.table.cell("relative_l2", split.cut, split.setting) > 0.0
        ):
            return Drop(0.0, 0.0, 0.0)
        agree = self.table.cell("agree", split.cut, split.setting)
        differ = 1.0 - agree.mean(axis=1)
        tokens = drop_interval(agree.size, int((agree < 1.0).sum()), 0)
        reach = _Z * float(differ.std(ddof=1)) / len(differ) ** 0.5
        mean = float(differ.mean())
        ends = min(tokens.lo, mean - reach), max(tokens.hi, mean + reach)
        return Drop(100.0 * mean, 100.0 * max(0.0, ends[0]), 100.0 * ends[1])

    def memory_bytes(self, split: Split) -> float | None:
        """Weights before the cut, the KV cache of a whole session and the prompt's hidden states
        in and out, 4 bytes a number; None where the network's weights are not shipped.
        """
        counts = shipped.parameters(self.model, self.decode.cut_names)
        if counts is None:
            return None
        depth = self.decode.cut_names.index(split.cut)
        weights = 4.0 * sum(counts[: depth + 1])
        activations = 2 * 4.0 * self.prompt_tokens * self.decode.cuts[1].elements
        kv_bytes = self.decode.cut(split.cut).kv_head_bytes
        return float(weights + activations + kv_bytes * (self.prompt_tokens + split.tokens - 1))


def generations(
    model: str,
    codecs: Sequence[Codec],
    cuts: Sequence[str],
    *,
    n_prompts: int,
    prompt_tokens: int,
    n_tokens: int,
    repeats: int,
    live: bool = False,
    here: bool = False,
    given: str = "",
) -> Generations:
    """What is known of a language network and these codecs, as `answers.measure` says.

    Unless `live`, a shipped generation of at least these tokens and codecs is taken. Every chain
    with a knob is also there at the error that the task bears (see `equal.py`).
    """
    from profiles import models
    from profiles.shipping import store

    network = models.create(model)
    made = coders_by_name(codecs)
    asked = {name: chosen.spec for name, chosen in made.items()}
    made |= equal.settings_for(network, [str(chosen["chain"]) for chosen in codecs])
    sizes = {"prompt_tokens": prompt_tokens, "token": n_tokens, "samples": n_prompts}
    facts = {} if live else {p: shipped.facts(network, p) for p in ("prefill", "decode")}
    known = {phase: one for phase, one in facts.items() if one is not None}
    table, clock = None, None
    if given:
        table = traces.read(given, network, asked, cuts)
        traces.check_tokens(given, table, n_tokens)
        clock = traces.clock_of(given, table)
    elif not live:
        table = shipped.generation(network, made, cuts, sizes, repeats=repeats)
    with progress(f"measuring {model}") as report:
        if table is None:
            table = store.generation(
                CACHE, network, made, cuts or network.stages[:1], sizes,
                repeats=repeats, progress=report,
            )  # fmt: skip
            carried = {} if len(known) < 2 else _carried(made, codecs)
        else:
            carried = {}
        if len(known) < 2 or here:
            mine = store.phases(CACHE, network, sizes, progress=report)
        else:
            mine = {}
    own = known if len(known) == 2 else mine
    others = {
        phase: (
            *(shipped.surfaces(model, phase)[2:] if len(known) == 2 else ()),
            *((mine[phase].head, mine[phase].tail) if mine and own is not mine else ()),
        )
        for phase in own
    }
    return Generations(
        model=model, prefill=own["prefill"], decode=own["decode"], others=others, table=table,
        clock=clock or Clock(machine=own["decode"].head.hardware),
        carried_settings={**carrying.scaled(table), **carried}, trace_file=given,
        back=carrying.back(CACHE) if here and own is known and not given else {},
    )  # fmt: skip


def _carried(settings: Mapping[str, Any], codecs: Sequence[Codec]) -> dict[str, dict[str, Carried]]:
    """How codec seconds measured here reach the machine of the shipped profiles."""
    chains = {str(chosen["name"]): str(chosen["chain"]) for chosen in codecs}
    return {
        name: carrying.carry(chains.get(name, name.removesuffix(equal.SUFFIX)), CACHE)
        for name in settings
    }


def generate(
    network: Any,
    model: Model,
    codecs: Mapping[str, Any],
    cuts: Sequence[str],
    prompt_tokens: int,
    n_tokens: int,
) -> TraceTable:
    """The trace of `model.samples` generations under some codecs, measured here."""
    from profiles.measuring import generation
    from profiles.models.data import sources

    prompts = sources.windows("test", model.samples, length=prompt_tokens).inputs
    with progress(f"generating with {model.name}") as report:
        return generation.trace(
            network, codecs, prompts,
            cuts=cuts, n_tokens=n_tokens, repeats=model.repeats, progress=report,
        )  # fmt: skip
