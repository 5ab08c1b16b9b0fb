"""What requests cost, as rows: the columns R_... of sim.engine.layout."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from sim.engine import layout as at
from sim.engine import links
from sim.sources.draw import Draw, Draws
from sim.specs import SystemSpec


class Whose(NamedTuple):
    """Of all rows of a source: the mean of server seconds that are drawn (else 0), which source it
    is, what may share a batch with it, and its place among what its group may choose.
    """

    mean_s: float
    source: int
    key: int
    choice: int


class Rows:
    """All rows of a system, source by source."""

    def __init__(self) -> None:
        self._parts: list[Draws | list[Draw]] = []
        self._whose: list[Whose] = []
        self._many: list[int] = []
        self._bytes: list[Sequence[tuple[float, float]]] = []
        self._n = 0

    def add(
        self, draws: Sequence[Draw], whose: Whose, n_bytes: Sequence[tuple[float, float]] = ()
    ) -> int:
        """Append rows; the number of the first. `n_bytes`: of a session's steps what each adds to
        memory on the device and the server.
        """
        first, last = self._n, self._parts[-1] if self._parts else None
        if isinstance(draws, Draws):
            self._parts.append(draws)
        elif isinstance(last, list):
            last += draws
        else:
            self._parts.append(list(draws))
        self._whose.append(whose)
        self._many.append(len(draws))
        self._bytes.append(n_bytes)
        self._n += len(draws)
        return first

    def draws(self) -> Draws:
        """The requests themselves."""
        parts = [Draws.of(part) for part in self._parts]
        return parts[0] if len(parts) == 1 else Draws(np.hstack([part.costs for part in parts]))

    def table(self, draws: Draws, spec: SystemSpec, *, plain: bool) -> np.ndarray:
        """All of them [row, R_...], by the model's own arithmetic; `plain`: a PlainServer serves
        them.
        """
        server = spec.server
        columns = dict(zip(Draw._fields, draws.costs, strict=True))
        payload_bytes, server_s, decode_s = (
            columns[name] for name in ("payload_bytes", "server_s", "decode_s")
        )
        found = np.zeros((self._n, at.N_ROW))
        found[:, at.R_DEVICE], found[:, at.R_DECODE] = columns["device_s"], decode_s
        found[:, at.R_PAYLOAD], found[:, at.R_TENSOR] = payload_bytes, columns["tensor_bytes"]
        found[:, at.R_CORRECT], found[:, at.R_SAMPLE] = columns["correct"], columns["sample"]
        found[:, at.R_SENT] = (payload_bytes > 0.0) | ((server_s > 0.0) & (columns["uplink"] > 0.0))
        found[:, at.R_SERVER], found[:, at.R_ANSWER] = server_s, columns["answer_bytes"]
        found[:, at.R_TOKENS], found[:, at.R_KV] = columns["new_tokens"], columns["kv_length"]
        whose = np.repeat(np.array(self._whose, float), self._many, axis=0)
        found[:, [at.R_MEAN, at.R_SOURCE, at.R_KEY, at.R_CHOICE]] = whose
        self._set_bytes(found)
        if plain and server.is_bare:  # PlainServer.serve
            work_s = server_s if server.decode_on == "cpu" else decode_s + server_s
            found[:, at.R_ALONE] = work_s / server.speed
        else:
            found[:, at.R_ALONE] = server.gpu_s(
                server_s, decode_s, payload_bytes, columns["tensor_bytes"]
            )
        links.set_rows(spec.link, found)
        return found

    def _set_bytes(self, found: np.ndarray) -> None:
        """What steps of sessions add to memory on either side; requests add nothing."""
        first = 0
        for n_bytes, many in zip(self._bytes, self._many, strict=True):
            if n_bytes:
                found[first : first + many, [at.R_ON_DEVICE, at.R_ON_SERVER]] = n_bytes
            first += many
