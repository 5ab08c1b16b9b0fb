"""Sessions of recorded lengths: a prompt and tokens as a file has them, from any source.

A source that knows what other lengths cost has a method `session_of(size)`. Any other plays its own
record, cut where the file's session ends: its prompt stays what it was, and a session never
outlasts its record. What of a file is not played so, says sim/devices/replay.py.

Approximation: a record that is cut is as right or wrong as the whole one.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from sim.sources.sessions import ConstantSessions, Session, SessionSource, iteration_s
from sim.sources.source import Draw, Randomness


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
    times their mean.
    """

    def __init__(
        self,
        *,
        cost: Callable[[Size], tuple[Draw, Draw]],
        prompt: Draw,
        token: Draw,
        n_tokens: int,
        batch_slope_s: float = 0.0,
    ) -> None:
        super().__init__(prompt=prompt, token=token, n_tokens=n_tokens, batch_slope_s=batch_slope_s)
        self._cost = cost
        self._factor = 1.0
        self._slope = batch_slope_s / token.server_s if token.server_s > 0.0 else 0.0

    def session_of(self, size: Size) -> Session:
        """A session of that size."""
        prompt, token = self._cost(size)
        made = ConstantSessions(prompt=prompt, token=token, n_tokens=size.new_tokens)
        return made.scale_payloads(self._factor).rows[0]

    def batch_s(self, draws: Sequence[Draw]) -> float:
        """One iteration over prompts and tokens."""
        tokens = [draw.server_s for draw in draws if draw.new_tokens == 1]
        if not tokens or min(tokens) == max(tokens):
            return super().batch_s(draws)
        together_s = math.fsum(tokens) / len(tokens) * (1.0 + (len(tokens) - 1) * self._slope)
        return iteration_s(draws, together_s)

    def scale_payloads(self, factor: float) -> "SizedSessions":
        """The same sessions with payloads `factor` times as large."""
        other = super().scale_payloads(factor)
        assert isinstance(other, SizedSessions)
        other._factor *= factor
        return other
