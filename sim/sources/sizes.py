"""Sessions of recorded lengths: a prompt and tokens as a file has them, from any source.

A source that knows what other lengths cost has a method `session_of(size)`. Any other plays its own
record, cut where the file's session ends: its prompt stays what it was, and a session never
outlasts its record. What of a file is not played so, says sim/devices/replay.py.

Approximation: a record that is cut is as right or wrong as the whole one.
"""

import math
from collections.abc import Callable, Sequence
from copy import copy
from typing import Any, NamedTuple

import numpy as np

from sim.sources.draw import Draw
from sim.sources.sessions import ConstantSessions, Session, SessionSource, iteration_s
from sim.sources.source import Errors, Randomness

_MOST_ROWS = 32


class Size(NamedTuple):
    """Tokens that a session reads and that it generates, both 1 or more."""

    prompt_tokens: int
    new_tokens: int


def session_of(source: SessionSource, stream: Randomness, size: Size | None) -> Session:
    """One session of a source; of a size, where there is one."""
    if size is None:
        return source.session(stream)
    if isinstance(source, SizedSessions):
        return source.session_of(size)
    whole, n = source.session(stream), size.new_tokens
    return Session(whole.steps[:n], whole.device_bytes[:n], whole.server_bytes[:n])


def held(source: Any) -> tuple[set[int], int]:
    """The prompts of a source's sessions, and the tokens of its shortest one; none and 0 where it
    does not show them.
    """
    rows: list[Session] = getattr(source, "rows", [])
    prompts = {row.steps[0].new_tokens for row in rows}
    return prompts, min((len(row.steps) for row in rows), default=0)


class SizedSessions(ConstantSessions):
    """Constant sessions whose costs at any other size `cost` knows: prompt and later token.

    Decode steps of b sessions in one iteration take `1 + (b - 1) * batch_slope_s / token.server_s`
    times their mean. `beside`: what else `ConstantSessions` takes. With the sizes of a recording
    (`recorded`) its means are those of that.
    """

    def __init__(
        self,
        *,
        cost: Callable[[Size], tuple[Draw, Draw]],
        prompt: Draw,
        token: Draw,
        n_tokens: int,
        batch_slope_s: float = 0.0,
        **beside: Any,
    ) -> None:
        how = {"batch_slope_s": batch_slope_s, **beside}
        super().__init__(prompt=prompt, token=token, n_tokens=n_tokens, **how)
        self._cost, self._beside = cost, beside
        self._off = Errors()
        self._factor = 1.0
        self._sizes: tuple[Size, ...] = ()
        self._slope = batch_slope_s / token.server_s if token.server_s > 0.0 else 0.0

    @property
    def rows(self) -> list[Session]:
        """The one session, or those of some recorded sizes."""
        return [self.session_of(size) for size in self._sizes] or super().rows

    @property
    def batch_ratio(self) -> float:
        """By what share of itself one more decode step makes an iteration longer."""
        return self._slope

    def recorded(self, sizes: Sequence[Size]) -> "SizedSessions":
        """The same source, whose sessions are of these sizes on average (of a part of them)."""
        other = copy(self)
        other._sizes = tuple(sizes[:: -(-len(sizes) // _MOST_ROWS)])
        return other

    def mean(self) -> Draw:
        """The prompt, on average."""
        return _mean([session.steps[0] for session in self.rows])

    def token_mean(self) -> Draw:
        """A later token, on average; the prompt where no session has one."""
        later = [step for session in self.rows for step in session.steps[1:]]
        return _mean(later) if later else self.mean()

    def session_of(self, size: Size) -> Session:
        """A session of that size."""
        prompt, token = self._cost(size)
        made = ConstantSessions(
            prompt=prompt, token=token, n_tokens=size.new_tokens, **self._beside
        )
        return made.shift(self._off).scale_payloads(self._factor).rows[0]

    def batch_s(self, draws: Sequence[Draw]) -> float:
        """One iteration over prompts and tokens."""
        tokens = [draw.server_s for draw in draws if draw.new_tokens == 1]
        if not tokens or min(tokens) == max(tokens):
            return super().batch_s(draws)
        together_s = math.fsum(tokens) / len(tokens) * (1.0 + (len(tokens) - 1) * self._slope)
        return iteration_s(draws, together_s)

    def shift(self, errors: Errors) -> "SizedSessions":
        """The same sessions on machines that are off by so many standard deviations."""
        other = super().shift(errors)
        assert isinstance(other, SizedSessions)
        other._off = errors
        return other

    def scale_payloads(self, factor: float) -> "SizedSessions":
        """The same sessions with payloads `factor` times as large."""
        other = super().scale_payloads(factor)
        assert isinstance(other, SizedSessions)
        other._factor *= factor
        return other


def _mean(steps: Sequence[Draw]) -> Draw:
    """Alike steps are their own mean, to the bit."""
    first = steps[0]
    if all(step == first for step in steps):
        return first
    means = np.mean([step[1:7] for step in steps], axis=0).tolist()
    return first._replace(
        **dict(zip(Draw._fields[1:7], means, strict=True)),
        new_tokens=round(math.fsum(step.new_tokens for step in steps) / len(steps)),
    )
