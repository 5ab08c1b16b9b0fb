"""Traces over transports that damage payloads: real payloads, damaged, decoded and answered.

    samples -[ head ]-> feature -[ encode ]-> side | symbols -[ transport ]-> what arrived
                                                     -[ decode ]-> feature' -[ tail ]-> answer

Every sample crosses `draws` times, damaged anew; its columns are means over these. The same random
numbers serve every rate, cut and setting, so that a higher rate damages the same bits and more.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from codec.stream.tolerance import Fixed, Tolerant
from profiles.measuring import tracing
from profiles.measuring.crossing import relative_l2
from profiles.measuring.cuts import Split, split
from profiles.measuring.machine import threads
from profiles.measuring.timing import Progress
from profiles.measuring.tracing import BY_TASK, Cell, Settings, Values
from profiles.models.network import Network
from profiles.schemes.transports import Transport
from profiles.tables.channels import OVER, channel_column
from profiles.tables.trace import TraceTable

DRAWS = 8
"""Times that a sample crosses."""
_COLUMNS = ("payload_bytes", "relative_l2", "correct")


def trace(
    network: Network,
    settings: Settings,
    inputs: np.ndarray,
    labels: np.ndarray,
    ways: Sequence[Transport],
    *,
    cuts: Sequence[str],
    draws: int = DRAWS,
    seed: int = 0,
    batch: int = 60,
    progress: Progress | None = None,
) -> TraceTable:
    """The columns over the channels `ways` of a trace of the same samples.

    Settings whose codec does not tolerate damage have none. An answer that is no number counts as
    wrong.

    Raises:
        ValueError: several tensors cross at a cut, or one that is not of floats; a payload that a
            transport cannot carry.
    """
    desk = _Desk(network, settings, cuts, ways, (len(inputs), batch), (draws, seed))
    with threads(1):
        for start in range(0, len(inputs), batch):
            rows = range(start, min(start + batch, len(inputs)))
            desk.fill(rows, inputs[rows.start : rows.stop], labels[rows.start : rows.stop])
            if progress is not None:
                progress(rows.stop, len(inputs))
    kinds = {name: tracing.column_of(name.removesuffix(OVER)) for name in desk.columns}
    return TraceTable(
        model=network.name,
        cuts=tuple(cuts),
        settings=tuple(settings),
        sample_ids=np.arange(len(inputs)),
        columns=desk.columns,
        schema={name: channel_column(name, kinds) for name in desk.columns},
        axes={"channel": tuple(way.label for way in ways)}
        | ({"task": tuple(network.tasks)} if network.tasks else {}),
        provenance={"kind": "measured", "draws": draws, "seed": seed},
    )


class _Desk:
    """The columns while they are being filled."""

    def __init__(
        self,
        network: Network,
        settings: Settings,
        cuts: Sequence[str],
        ways: Sequence[Transport],
        sizes: tuple[int, int],
        draws: tuple[int, int],
    ) -> None:
        n, batch = sizes
        self._network, self._ways = network, ways
        self._draws, self._seed = draws
        self._parts: Split = split(network, batch=min(batch, n))
        self._heads = {cut: self._parts.head(cut) for cut in {*cuts, "output"}}
        self._tails = {cut: self._parts.tail(cut) for cut in cuts}
        every = tracing.cells_of(cuts, settings, network.kind_of_input)
        self._cells = [(one, one.codec) for one in every if isinstance(one.codec, Tolerant)]
        self._output = list(cuts).index("output") if "output" in cuts else None
        shape = (n, len(cuts), len(settings))
        names = [f"{name}{OVER}" for name in _COLUMNS]
        self.columns = {name: np.full((*shape, len(ways)), np.nan) for name in names}
        if network.tasks:
            tasks = (len(network.tasks), len(ways))
            self.columns[BY_TASK + OVER] = np.full((*shape, *tasks), np.nan)

    def fill(self, rows: range, inputs: np.ndarray, labels: np.ndarray) -> None:
        """The rows of one batch at every cut, setting and channel."""
        features = {cut: self._run(head, (inputs,)) for cut, head in self._heads.items()}
        for cell, chosen in self._cells:
            sent = _only(features[cell.cut], cell)
            payloads = [chosen.encode_fixed(x) for x in sent]
            for number, way in enumerate(self._ways):
                at = (slice(rows.start, rows.stop), *cell.at)
                size = [way.sent_bytes(payload) for payload in payloads]
                self.columns["payload_bytes" + OVER][*at, number] = size
                found = self._cross(rows, (cell.cut, chosen), way, (sent, payloads, labels))
                for name, values in found.items():
                    self._put(name, rows, cell.at, number, values)
        if self._output is not None:
            self._stay(rows, tracing.single(features["output"]), labels)

    def _cross(
        self,
        rows: range,
        where: tuple[str, Tolerant],
        way: Transport,
        batch: tuple[np.ndarray, list[Fixed], np.ndarray],
    ) -> dict[str, np.ndarray]:
        """One batch over one channel, so many times: the means."""
        (cut, chosen), (sent, payloads, labels) = where, batch
        totals: dict[str, np.ndarray] = {}
        for turn in range(self._draws):
            received = []
            for row, payload, like in zip(rows, payloads, sent, strict=True):
                came = way.carry(payload, np.random.default_rng((self._seed, row, turn)))
                received.append(chosen.decode_fixed(came.payload, like, came.missing))
            arrived = np.stack(received)
            answers = tracing.single(self._run(self._tails[cut], (arrived,)))
            found = {
                "relative_l2": relative_l2((sent,), (arrived,)),
                **self._judge(answers, labels),
            }
            for name, values in found.items():
                totals[name] = totals.get(name, np.zeros(1)) + values / self._draws
        return totals

    def _judge(self, answers: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
        """How right answers are, of all tasks and of each; nothing of random weights."""
        if self._network.weights != "trained":
            return {}
        found = {"correct": np.nan_to_num(self._network.metric(answers, labels).astype(float))}
        if self._network.tasks:
            each = [metric(answers, labels) for metric in self._network.tasks.values()]
            found[BY_TASK] = np.nan_to_num(np.stack(each, 1).astype(float))
        return found

    def _stay(self, rows: range, answers: np.ndarray, labels: np.ndarray) -> None:
        """The cut "output": nothing is sent, so that nothing is damaged."""
        nothing = np.zeros(len(rows))
        found = {"payload_bytes": nothing, "relative_l2": nothing, **self._judge(answers, labels)}
        shape = self.columns["correct" + OVER].shape
        for setting in range(shape[2]):
            for number in range(shape[3]):
                for name, values in found.items():
                    assert self._output is not None
                    self._put(name, rows, (self._output, setting), number, values)

    def _put(
        self, name: str, rows: range, at: tuple[int, int], number: int, values: np.ndarray
    ) -> None:
        self.columns[name + OVER][rows.start : rows.stop, *at, ..., number] = values

    def _run(self, side: Any, parts: Values) -> Values:
        return tracing.run_short(side, parts, self._parts.batch)


def _only(parts: Values, cell: Cell) -> np.ndarray:
    """The one tensor that crosses, of a type that its codec damages."""
    kinds = ", ".join(str(part.dtype) for part in parts)
    if len(parts) > 1 or parts[0].dtype.kind not in "fu":
        raise ValueError(
            f"cut={cell.cut}: one tensor of floats may arrive damaged, here cross {kinds}; use"
            " link.transport=exact"
        )
    return parts[0].astype(np.float32) if parts[0].dtype == np.float64 else parts[0]
