"""Traces: samples -> head -> encode -> decode -> tail -> rows, all of it really computed.

    samples -[ head ]-> features -[ encode ]-> bytes -[ decode ]-> features' -[ tail ]-> answer

Heads and tails run in batches (their times belong to the cost surfaces); the codec runs sample by
sample, and its times are the median of interleaved repeats: every repeat goes through all cuts and
settings before the next begins, so that a machine's drift meets all of them alike.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import log_softmax

import codec
from codec.stream.base import PARTS
from profiles.measuring import payload
from profiles.measuring.crossing import Crossing, relative_l2, send
from profiles.measuring.cuts import Split, split
from profiles.measuring.machine import fingerprint, threads
from profiles.measuring.sides import Side
from profiles.measuring.timing import Progress
from profiles.models.network import Network
from profiles.models.scores import class_scores
from profiles.tables import choices
from profiles.tables.settings import samples_digest, specs
from profiles.tables.trace import Column, TraceTable

CUT_KINDS = ("input", "feature")
Settings = Mapping[str, Mapping[str, codec.Codec]]
Values = tuple[np.ndarray, ...]
"""The parts of what crosses, each [sample, ...]."""

_CELL = ("sample", "cut", "setting")
_UNITS = {"correct": "1", "relative_l2": "1", "logit_kl": "nat", "encode_s": "s", "decode_s": "s"}
_LEDGER = tuple(f"{part}_bytes" for part in PARTS)
_COLUMNS = ("payload_bytes", *_LEDGER, *_UNITS)
BY_TASK = "task_correct"


def trace(
    network: Network,
    settings: Settings,
    inputs: np.ndarray,
    labels: np.ndarray,
    *,
    sample_ids: Sequence[int] | None = None,
    cuts: Sequence[str] | None = None,
    repeats: int = 5,
    batch: int = 60,
    answer_bytes: int | None = None,
    progress: Progress | None = None,
) -> TraceTable:
    """Trace `inputs` [sample, ...] at every cut and setting, on one thread.

    `settings` maps a name to a codec per kind of cut: "input" for the raw input, "feature" for a
    stage's output; a kind that is missing gives no rows there. At the cut "output" nothing is
    encoded: the answer alone leaves, under every setting. `correct` is the network's metric of the
    answer and its label (for a classifier 1 or 0) and stays NaN for random weights; `relative_l2`
    is the error of what crossed, `logit_kl` KL(answer without codec || answer with it) in nats,
    NaN for a regression; of a network of several tasks `task_correct` is the metric of each.

    Raises:
        ValueError: fewer than one repeat, an unknown cut or kind, lengths that differ.
    """
    if repeats < 1:
        raise ValueError(f"repeats must be >= 1, got {repeats}")
    if len(inputs) != len(labels):
        raise ValueError(f"labels must be as many as inputs = {len(inputs)}, got {len(labels)}")
    ids = np.arange(len(inputs)) if sample_ids is None else np.asarray(sample_ids)
    with threads(1):
        parts = split(network, batch=min(batch, len(inputs)))
        wanted = parts.cuts if cuts is None else tuple(cuts)
        desk = _Desk(parts, settings, wanted, len(inputs), repeats)
        for start in range(0, len(inputs), parts.batch):
            rows = slice(start, min(start + parts.batch, len(inputs)))
            desk.fill(rows, inputs[rows], labels[rows])
            if progress is not None:
                progress(rows.stop, len(inputs))
        machine = fingerprint()
    one_answer = network.answer_bytes if answer_bytes is None else answer_bytes
    desk.columns["answer_bytes"] = np.full(len(inputs), float(one_answer))
    return TraceTable(
        model=network.name,
        cuts=wanted,
        settings=tuple(settings),
        sample_ids=ids,
        columns=desk.columns,
        schema={name: column_of(name) for name in desk.columns},
        axes={"task": tuple(network.tasks)} if network.tasks else {},
        provenance={
            "kind": "measured",
            "model_digest": network.digest,
            "weights": network.weights,
            "codecs": specs(settings),
            "codec_version": codec.FORMAT_VERSION,
            "samples_digest": samples_digest(inputs, labels),
            "repeats": repeats,
            "machine": machine,
        },
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Cell:
    """One (cut, setting) with its codec and its place in the columns."""

    cut: str
    codec: codec.Codec
    at: tuple[int, int]


class _Desk:
    """The columns while they are being filled."""

    def __init__(
        self, parts: Split, settings: Settings, cuts: Sequence[str], n: int, repeats: int
    ) -> None:
        self._parts, self._cuts, self._repeats = parts, cuts, repeats
        self._trained = parts.network.weights == "trained"
        self._heads = {cut: parts.head(cut) for cut in {*cuts, "output"}}
        self._tails = {cut: parts.tail(cut) for cut in cuts}
        self._cells = cells_of(cuts, settings, parts.network.kind_of_input)
        shape = (n, len(cuts), len(settings))
        self.columns: dict[str, np.ndarray] = {name: np.full(shape, np.nan) for name in _COLUMNS}
        if parts.network.tasks:
            self.columns[BY_TASK] = np.full((*shape, len(parts.network.tasks)), np.nan)

    def fill(self, rows: slice, inputs: np.ndarray, labels: np.ndarray) -> None:
        """Fill the rows of one batch at every cut and setting."""
        features = {cut: self._run(head, (inputs,)) for cut, head in self._heads.items()}
        crossings = _cross(self._cells, features, self._repeats)
        for cell, crossing in zip(self._cells, crossings, strict=True):
            self._book(rows, cell, crossing, features[cell.cut])
            answers = self._run(self._tails[cell.cut], crossing.received)
            self._judge(rows, cell.at, single(answers), single(features["output"]), labels)
        if "output" in self._cuts:
            self._stay(rows, single(features["output"]), labels)

    def _run(self, side: Side, parts: Values) -> Values:
        return run_short(side, parts, self._parts.batch)

    def _book(self, rows: slice, cell: Cell, crossing: Crossing, sent: Values) -> None:
        put = {name: column[rows, *cell.at] for name, column in self.columns.items()}
        put["encode_s"][:] = crossing.encode_s
        put["decode_s"][:] = crossing.decode_s
        put["relative_l2"][:] = relative_l2(sent, crossing.received)
        put["payload_bytes"][:] = [len(stream) for stream in crossing.streams]
        for row, stream in enumerate(crossing.streams):
            spent = payload.ledger(stream, len(sent), cell.codec)
            for name in PARTS:
                put[f"{name}_bytes"][row] = spent.get(name, 0)

    def _judge(
        self,
        rows: slice,
        at: tuple[int, int],
        answers: np.ndarray,
        reference: np.ndarray,
        labels: np.ndarray,
    ) -> None:
        network = self._parts.network
        whole, coded = (class_scores(network.task, each) for each in (reference, answers))
        if whole is not None and coded is not None:
            self.columns["logit_kl"][rows, *at] = _kl(whole, coded)
        if self._trained:
            self.columns["correct"][rows, *at] = network.metric(answers, labels)
            for number, metric in enumerate(network.tasks.values()):
                self.columns[BY_TASK][rows, *at, number] = metric(answers, labels)

    def _stay(self, rows: slice, reference: np.ndarray, labels: np.ndarray) -> None:
        """The cut "output": nothing is encoded and nothing is lost, under every setting."""
        at = list(self._cuts).index("output")
        for name in (*_LEDGER, "payload_bytes", "encode_s", "decode_s", "relative_l2"):
            self.columns[name][rows, at] = 0.0
        for setting in range(self.columns["correct"].shape[2]):
            self._judge(rows, (at, setting), reference, reference, labels)


def single(answers: Values) -> np.ndarray:
    """The one answer of a network (ValueError: it gives several)."""
    if len(answers) > 1:
        raise ValueError(f"the network gives {len(answers)} answers; to be judged it must give one")
    return answers[0]


def run_short(side: Side, parts: Values, batch: int) -> Values:
    """One side on a batch that may be short: padded by its last sample, then cut off."""
    n = len(parts[0])
    whole = [np.concatenate([x, np.repeat(x[-1:], batch - n, axis=0)]) for x in parts]
    return tuple(y[:n] for y in side.run(whole if n < batch else parts))


def cells_of(cuts: Sequence[str], settings: Settings, at_input: str) -> list[Cell]:
    """Every cut and setting whose codec takes what crosses there."""
    for name, kinds in settings.items():
        for kind in kinds:
            choices.position(f"kind of cut of setting {name}", kind, CUT_KINDS)
    return [
        Cell(cut=cut, codec=kinds[kind], at=(at_cut, at_setting))
        for at_cut, cut in enumerate(cuts)
        for at_setting, kinds in enumerate(settings.values())
        for kind in (at_input if cut == "input" else "feature",)
        if cut != "output" and kind in kinds
    ]


def _cross(cells: Sequence[Cell], features: Mapping[str, Values], repeats: int) -> list[Crossing]:
    """Send every sample of the batch through every cell, `repeats` times in turn."""
    for cell in cells:
        send(cell.codec, [part[:1] for part in features[cell.cut]])
    rounds = [[send(cell.codec, features[cell.cut]) for cell in cells] for _ in range(repeats)]
    return [
        Crossing(
            streams=same[0].streams,
            received=same[0].received,
            encode_s=np.median([once.encode_s for once in same], axis=0),
            decode_s=np.median([once.decode_s for once in same], axis=0),
        )
        for same in zip(*rounds, strict=True)
    ]


def _kl(reference: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """KL(softmax(reference) || softmax(answers)) in nats per sample, mean over further axes."""
    p, q = (log_softmax(scores.astype(np.float64), axis=-1) for scores in (reference, answers))
    divergence = (np.exp(p) * (p - q)).sum(-1)
    return np.asarray(np.maximum(0.0, divergence.reshape(len(p), -1).mean(1)))


def column_of(name: str) -> Column:
    """Unit and dimensions of a column that is traced."""
    if name == "answer_bytes":
        return Column(unit="B", dims=("sample",))
    if name == BY_TASK:
        return Column(unit="1", dims=(*_CELL, "task"))
    return Column(unit=_UNITS.get(name, "B"), dims=_CELL)
