"""Split: where a network is cut, under which codec setting, and how many tokens a session has."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Split"]

ENDS = ("input", "output")


class Split(NamedTuple):
    """What a device does with a request: everything up to `cut`, then `setting` makes the bytes.

    `cut` is a name of the network's profile, "input" (all on the server) or "output" (all on the
    device); `setting` a codec by its name in the trace table; `tokens` the length of a session, 0
    where the network answers once.
    """

    cut: str
    setting: str
    tokens: int = 0

    @property
    def steps(self) -> int:
        """How often a request crosses the link: once per token where a session is split."""
        return 1 if self.cut in ENDS else max(1, self.tokens)

    def __str__(self) -> str:
        """`stage3/ecsq`, as alternatives are named; `output`; `layers.1/ecsq, 64 tokens`."""
        words = self.cut if self.cut == "output" else f"{self.cut}/{self.setting}"
        return f"{words}, {self.tokens} tokens" if self.tokens else words
