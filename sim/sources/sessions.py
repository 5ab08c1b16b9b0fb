"""Autoregressive sessions: a prompt and its tokens, with what each adds to memory on either side.

Step 0 is the prefill (its answer is the first token); step k >= 1 makes token k + 1. A session
never outlasts its record.
"""

import math
from collections.abc import Callable, Sequence
from copy import copy
from functools import cache
from typing import NamedTuple, Protocol

import numpy as np

from profiles.tables.cost import CostSurface
from profiles.tables.trace import TraceTable
from sim.sources.draw import Draw
from sim.sources.gated import GatedSource
from sim.sources.source import (
    Errors,
    Factor,
    Randomness,
    Source,
    coarse_at,
    largest_drift,
    shifted,
    words,
)


class Session(NamedTuple):
    """The steps of one session and the bytes that each step adds on the device and the server."""

    steps: tuple[Draw, ...]
    device_bytes: tuple[float, ...]
    server_bytes: tuple[float, ...]


class SessionSource(Source, Protocol):
    """A source whose requests are sessions."""

    def session(self, stream: Randomness) -> Session:
        """One session; `draw` gives its first step alone."""


def iteration_s(draws: Sequence[Draw], decode_s: float) -> float:
    """Seconds of one iteration: its prompts one after another, its decode steps together.

    Approximation: a prompt gains nothing from sharing an iteration with decode steps.
    """
    prompts_s = math.fsum(draw.server_s for draw in draws if draw.new_tokens > 1)
    return prompts_s + decode_s


def mean_step(source: Source) -> Draw:
    """A request of average costs; of a source of sessions, a step after the prompt."""
    mean: Callable[[], Draw] = getattr(source, "token_mean", source.mean)
    return mean()


def mean_request(source: Source) -> Draw:
    """A request of average costs; of a source of sessions, a whole session."""
    if not isinstance(source, TraceSessions | ConstantSessions):
        return source.mean()
    sums = [np.sum([step[1:7] for step in session.steps], axis=0) for session in source.rows]
    return Draw(0, *np.mean(sums, axis=0).tolist())


def steps_of(source: Source) -> float:
    """Steps of an average request; 1 where it is no session."""
    if not isinstance(source, TraceSessions | ConstantSessions):
        return 1.0
    return float(np.mean([len(session.steps) for session in source.rows]))


def mean_steps(source: Source) -> list[tuple[Draw, float]]:
    """The steps of a request of average costs, alike ones together with their number: itself once;
    of sessions, the prompt and the later tokens; where a gate decides, the mean of either way with
    its share.
    """
    if isinstance(source, GatedSource):
        return source.ways()
    if not isinstance(source, TraceSessions | ConstantSessions):
        return [(source.mean(), 1.0)]
    steps = [(source.mean(), 1.0), (source.token_mean(), steps_of(source) - 1.0)]
    return [(step, number) for step, number in steps if number > 0.0]


class ConstantSessions:
    """Sessions alike: a prompt step, then `n_tokens - 1` equal token steps.

    Decode steps of b sessions in one iteration take `token.server_s + (b - 1) * batch_slope_s`.
    `log_errors`: how far its machines may be off; the encoder as far as the layers before it.
    """

    def __init__(
        self,
        *,
        prompt: Draw,
        token: Draw,
        n_tokens: int,
        device_token_bytes: float = 0.0,
        server_token_bytes: float = 0.0,
        batch_slope_s: float = 0.0,
        log_errors: Errors | None = None,
    ) -> None:
        self.key = "constant sessions"
        self.log_errors = log_errors or Errors()
        steps = (prompt, *[token] * (n_tokens - 1))
        growth = [float(step.new_tokens) for step in steps]
        self._session = Session(
            steps,
            tuple(device_token_bytes * tokens for tokens in growth),
            tuple(server_token_bytes * tokens for tokens in growth),
        )
        self._slope_s = batch_slope_s

    def __repr__(self) -> str:
        n_tokens = len(self._session.steps)
        return f"ConstantSessions({n_tokens} tokens; prompt: {words(self.mean())})"

    @property
    def rows(self) -> list[Session]:
        """The one session."""
        return [self._session]

    @property
    def even_sessions(self) -> list[Session]:
        """The one session."""
        return [self._session]

    @property
    def batch_slope_s(self) -> float:
        """Seconds by which one more decode step makes an iteration longer."""
        return self._slope_s

    def session(self, stream: Randomness) -> Session:
        """The one session; the stream is not touched."""
        return self._session

    def draw(self, stream: Randomness) -> Draw:
        """The prompt."""
        return self._session.steps[0]

    def batch_s(self, draws: Sequence[Draw]) -> float:
        """One iteration over prompts and tokens."""
        tokens = [draw.server_s for draw in draws if draw.new_tokens == 1]
        together_s = tokens[0] + (len(tokens) - 1) * self._slope_s if tokens else 0.0
        return iteration_s(draws, together_s)

    def mean(self) -> Draw:
        """The prompt."""
        return self._session.steps[0]

    def token_mean(self) -> Draw:
        """A token; the prompt of a session that has no other."""
        return self._session.steps[-1]

    def resample(self, generator: np.random.Generator) -> "ConstantSessions":
        """Itself: a constant has no sampling error."""
        return self

    def shift(self, errors: Errors) -> "ConstantSessions":
        """The same sessions on machines that are off by so many standard deviations."""
        other = copy(self)
        off = self.log_errors.factors(errors)
        steps = (shifted(step, off) for step in self._session.steps)
        other._session = self._session._replace(steps=tuple(steps))
        other._slope_s = self._slope_s * off.tail
        return other

    def scale_payloads(self, factor: float) -> "ConstantSessions":
        """The same sessions with payloads `factor` times as large."""
        other = copy(self)
        other._session = _scale(self._session, factor)
        return other


class TraceSessions:
    """Sessions from a trace table whose columns have a token dimension.

    `payload_bytes`, `encode_s` and `decode_s` are read at (cut, setting) with shape [sample,
    token] and count up to the session's `n_tokens` (all tokens without that column);
    `prompt_tokens` has shape [sample]. Head and tail seconds
    come from the surfaces at (new tokens, KV length); `device_token_bytes` and
    `server_token_bytes` are the KV memory that one token takes on either side,
    `tensor_token_bytes` its feature once decoded.

    Raises:
        ValueError: a table without these columns, or a session beyond the surfaces' range.
    """

    def __init__(
        self,
        table: TraceTable,
        cut: str,
        setting: str,
        head: CostSurface | None,
        tail: CostSurface | None,
        *,
        device_token_bytes: float,
        server_token_bytes: float,
        tensor_token_bytes: float = 0.0,
        encode: Factor | None = None,
        decode: Factor | None = None,
    ) -> None:
        self.key = f"{table.model}/{cut}"
        self._tensor_token_bytes = tensor_token_bytes
        self._cut = cut
        self._steps_s: dict[int, tuple[float, ...]] = {}
        self._head, self._tail = head, tail
        self._encode, self._decode = encode or Factor.of(head), decode or Factor.of(tail)
        payload = table.cell("payload_bytes", cut, setting)
        if payload.ndim != 2:
            raise ValueError(f"trace of {table.model} has no token dimension, got {payload.shape}")
        encode_s = table.cell("encode_s", cut, setting) * self._encode.factor
        decode_s = table.cell("decode_s", cut, setting) * self._decode.factor
        columns = [np.nan_to_num(c).tolist() for c in (payload, encode_s, decode_s)]
        answers = np.nan_to_num(table.cell("answer_bytes", cut, setting)).tolist()
        correct = table.cell("correct", cut, setting).tolist()
        prompts = table.cell("prompt_tokens", cut, setting).tolist()
        lengths = [payload.shape[1]] * len(payload)
        if "n_tokens" in table.columns:
            lengths = [int(length) for length in table.cell("n_tokens", cut, setting)]
        self.rows = [
            self._record(
                int(table.sample_ids[i]),
                [column[i][: lengths[i]] for column in columns],
                (answers[i], correct[i], int(prompts[i])),
                (head, device_token_bytes, server_token_bytes),
            )
            for i in range(len(lengths))
        ]

    def __repr__(self) -> str:
        rows, n_tokens = len(self.rows), steps_of(self)
        return (
            f"TraceSessions({self.key}, {rows} rows of {n_tokens:.4g} tokens;"
            f" prompt: {words(self.mean())})"
        )

    def _record(
        self,
        sample: int,
        series: list[list[float]],
        row: tuple[float, float, int],
        sides: tuple[CostSurface | None, float, float],
    ) -> Session:
        answer_bytes, correct, prompt = row
        head, device_token_bytes, server_token_bytes = sides
        steps = []
        for k, (payload_bytes, encode_s, decode_s) in enumerate(zip(*series, strict=True)):
            new, kv = (prompt, 0) if k == 0 else (1, prompt + k - 1)
            at = {"new_tokens": new, "kv_length": kv}
            head_s = head.seconds_at(self._cut, **at) if head is not None else 0.0
            tail_s = self._tail.seconds_at(self._cut, **at) if self._tail is not None else 0.0
            costs = (head_s + encode_s, payload_bytes, decode_s, tail_s, answer_bytes, correct)
            steps.append(Draw(sample, *costs, new, kv, True, new * self._tensor_token_bytes))
        growth = [float(step.new_tokens) for step in steps]
        return Session(
            tuple(steps),
            tuple(device_token_bytes * tokens for tokens in growth),
            tuple(server_token_bytes * tokens for tokens in growth),
        )

    @property
    def even_sessions(self) -> list[Session]:
        """Its records."""
        return self.rows

    def session(self, stream: Randomness) -> Session:
        """One whole record, uniformly."""
        return self.rows[stream.integers(len(self.rows))]

    def draw(self, stream: Randomness) -> Draw:
        """The first step of a record."""
        return self.session(stream).steps[0]

    def batch_s(self, draws: Sequence[Draw]) -> float:
        """One iteration; decode steps together at their mean KV length, from the surface."""
        lengths = [draw.kv_length for draw in draws if draw.new_tokens == 1]
        if not lengths or self._tail is None:
            return iteration_s(draws, 0.0)
        mean = math.fsum(lengths) / len(lengths)
        together_s = self._tail.seconds_at(self._cut, batch=len(lengths), kv_length=mean)
        return iteration_s(draws, together_s)

    @property
    def kv_lengths(self) -> tuple[int, ...]:
        """Those at which decode steps were timed; none where nothing is left to the server."""
        return self._tail.kv_lengths if self._tail is not None else ()

    def steps_s(self, size: int) -> tuple[float, ...]:
        """Seconds of so many decode steps in one iteration, at each of `kv_lengths`.

        Raises:
            ValueError: more than the surface knows.
        """
        if self._tail is None:
            return ()
        if size not in self._steps_s:
            self._steps_s[size] = tuple(
                self._tail.seconds_at(self._cut, batch=size, kv_length=kv)
                for kv in self._tail.kv_lengths
            )
        return self._steps_s[size]

    def mean(self) -> Draw:
        """Column means of the prefill steps."""
        return _mean([session.steps[0] for session in self.rows])

    def token_mean(self) -> Draw:
        """Column means of the steps after the prefill; of the prefills where there are none."""
        later = [step for session in self.rows for step in session.steps[1:]]
        return _mean(later) if later else self.mean()

    def resample(self, generator: np.random.Generator) -> "TraceSessions":
        """A copy whose records are drawn with replacement from these, and whose layers were timed
        once more.
        """
        other = copy(self)
        picks = generator.integers(len(self.rows), size=len(self.rows)).tolist()
        other.rows = [self.rows[pick] for pick in picks]
        head, tail = (one and one.resample(generator) for one in (self._head, self._tail))
        return other if head is self._head and tail is self._tail else other._time(head, tail)

    @property
    def log_errors(self) -> Errors:
        """Standard deviations of the logarithms of what its machines are off by."""
        sides = (self._head, self._tail, self._encode, self._decode)
        return Errors(*(one.log_error if one is not None else 0.0 for one in sides))

    def shift(self, errors: Errors) -> "TraceSessions":
        """The same sessions on machines that are off by so many standard deviations."""
        encode, decode = self._encode.shift(errors.encode), self._decode.shift(errors.decode)
        sides = zip((self._head, self._tail), errors[:2], strict=True)
        head, tail = (side and side.shift(off) for side, off in sides)
        return copy(self)._time(head, tail, encode, decode)

    @property
    def drift(self) -> float:
        """How far a machine drifted while its table was measured."""
        return largest_drift(self._head, self._tail)

    @property
    def coarse(self) -> tuple[str, ...]:
        """Points of its machines' tables that are known to less than 5 %."""
        return coarse_at(self._cut, self._head, self._tail)

    def _time(
        self,
        head: CostSurface | None,
        tail: CostSurface | None,
        encode: float = 1.0,
        decode: float = 1.0,
    ) -> "TraceSessions":
        """Itself with other seconds of the layers, and factors on those of the codec."""

        @cache
        def layers(new_tokens: int, kv_length: int) -> tuple[float, ...]:
            at = {"new_tokens": new_tokens, "kv_length": kv_length}
            sides = (self._head, head, self._tail, tail)
            return tuple(side.seconds_at(self._cut, **at) if side else 0.0 for side in sides)

        def renew(step: Draw) -> Draw:
            old_head, new_head, old_tail, new_tail = layers(step.new_tokens, step.kv_length)
            return step._replace(
                device_s=new_head + (step.device_s - old_head) * encode,
                decode_s=step.decode_s * decode,
                server_s=step.server_s - old_tail + new_tail,
            )

        self.rows = [
            session._replace(steps=tuple(map(renew, session.steps))) for session in self.rows
        ]
        self._head, self._tail, self._steps_s = head, tail, {}
        return self

    def scale_payloads(self, factor: float) -> "TraceSessions":
        """The same sessions with payloads `factor` times as large."""
        other = copy(self)
        other.rows = [_scale(session, factor) for session in self.rows]
        return other


def _scale(session: Session, factor: float) -> Session:
    steps = (s._replace(payload_bytes=factor * s.payload_bytes) for s in session.steps)
    return session._replace(steps=tuple(steps))


def _mean(steps: Sequence[Draw]) -> Draw:
    return Draw(0, *np.mean([step[1:7] for step in steps], axis=0).tolist())
