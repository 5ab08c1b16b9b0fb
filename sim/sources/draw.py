"""What one request costs, and many of them as a table."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, overload

import numpy as np


class Draw(NamedTuple):
    """One request's costs; `device_s` holds head and encode, `server_s` the tail at batch 1.

    What needs the server is sent to it, be the payload empty; without `uplink` nothing is sent (a
    queue without a link). `tensor_bytes`: the payload once decoded.
    """

    sample: int
    device_s: float
    payload_bytes: float
    decode_s: float
    server_s: float
    answer_bytes: float
    correct: float
    new_tokens: int = 1
    kv_length: int = 0
    uplink: bool = True
    tensor_bytes: float = 0.0

    @property
    def is_served(self) -> bool:
        """Whether anything is decoded or computed at the server."""
        return self.is_sent or self.server_s > 0.0

    @property
    def is_sent(self) -> bool:
        """Whether anything goes over the link."""
        return self.payload_bytes > 0.0 or (self.server_s > 0.0 and self.uplink)


_PLACES = {name: place for place, name in enumerate(Draw._fields)}


class Draws(Sequence[Draw]):
    """Requests as a table [field of Draw, request], each made once it is asked for.

    Systems are built, resampled and put on other machines far more often than their rows are
    looked at one by one.
    """

    def __init__(self, costs: np.ndarray) -> None:
        self.costs = costs
        self._made: list[Draw | None] = [None] * costs.shape[1]

    @classmethod
    def of(cls, draws: Iterable[Draw]) -> "Draws":
        """Those that stand somewhere one by one."""
        if isinstance(draws, Draws):
            return draws
        every = list(draws)
        made = cls(np.array(every, float).reshape(len(every), len(Draw._fields)).T.copy())
        made._made[:] = every
        return made

    def __len__(self) -> int:
        return len(self._made)

    @overload
    def __getitem__(self, at: int) -> Draw: ...

    @overload
    def __getitem__(self, at: slice) -> list[Draw]: ...

    def __getitem__(self, at: int | slice) -> Draw | list[Draw]:
        if isinstance(at, slice):
            return [self[i] for i in range(*at.indices(len(self)))]
        one = self._made[at]
        if one is None:
            sample, *costs, tokens, length, uplink, tensor_bytes = self.costs[:, at].tolist()
            whole = int(tokens), int(length), uplink > 0.0
            one = self._made[at] = Draw._make((int(sample), *costs, *whole, tensor_bytes))
        return one

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Draws):
            return isinstance(other, list) and list(self) == other
        return np.array_equal(self.costs, other.costs, equal_nan=True)

    def __repr__(self) -> str:
        return f"Draws({len(self)} requests)"

    def column(self, name: str) -> np.ndarray:
        """One field of all of them, shape [request]."""
        found: np.ndarray = self.costs[_PLACES[name]]
        return found

    def change(self, **columns: np.ndarray | float) -> "Draws":
        """The same with other columns."""
        costs = self.costs.copy()
        for name, column in columns.items():
            costs[_PLACES[name]] = column
        return Draws(costs)

    def take(self, picks: np.ndarray) -> "Draws":
        """Those at `picks`, in this order."""
        return Draws(self.costs[:, picks])

    def mean(self) -> Draw:
        """A request of average costs, added up request by request; a payload like the first."""
        means = np.ascontiguousarray(self.costs[1:7].T).mean(axis=0).tolist()
        return Draw._make((0, *means, *self[0][7:]))
