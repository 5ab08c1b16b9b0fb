"""The tensors that cross a cut, and what answers become when they come back changed.

For comparing codecs by themselves: no times, no bytes, no simulation.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from profiles import models
from profiles.measuring import payload
from profiles.measuring.cuts import split
from profiles.measuring.decoder import Cache, decoder_of, run_layers
from profiles.measuring.machine import fingerprint, threads
from profiles.models.network import Network
from profiles.models.scores import Metric
from profiles.tables import choices, quality

_BATCH = 8


@dataclass(frozen=True, kw_only=True, eq=False)
class Activations:
    """`features` [sample, ...] as they cross `cut`; `answer` runs the rest of the network.

    Where several parts cross, `features` are the floats among them, in rows of which `shapes` has
    the parts where there are several; the others cross exactly and are not shown.
    `labels` are the right answers, -1 where there is none; `weights` as in `Network`.
    """

    model: str
    cut: str
    features: np.ndarray
    labels: np.ndarray
    weights: str
    task: str
    metric: Metric
    answer: Callable[[np.ndarray], np.ndarray] = field(repr=False)
    shapes: payload.Shapes = ()

    def judge(self, decoded: np.ndarray) -> dict[str, float]:
        """What the task loses: paired accuracy drop, or bits per byte; empty on random weights.

        Classification, and any other metric likewise, gives `table_accuracy` and `accuracy_drop`
        with its 95 % interval (profiles.tables.quality); language `bits_per_byte` and its rise.
        """
        if self.weights != "trained" or (self.labels < 0).any():
            return {}
        plain, coded = self._plain, self.answer(decoded)
        if self.task == "language":
            before, after = (_bits(scores, self.labels) for scores in (plain, coded))
            return {"bits_per_byte": after, "bits_per_byte_rise": after - before}
        whole, right = (self.metric(scores, self.labels) for scores in (plain, coded))
        drop = quality.paired_drop(whole, right)
        return {"table_accuracy": float(right.mean()), **drop.columns("accuracy_drop")}

    @cached_property
    def _plain(self) -> np.ndarray:
        """Answers to the features as they are."""
        return self.answer(self.features)


def activations(
    model: str, cut: str, n: int, *, split_name: str = "test", seed: int = 0, **options: Any
) -> Activations:
    """The features of `n` samples of a split at one cut; options go to both network and data.

    Raises:
        ValueError: an unknown model, split or cut, or a cut at which no feature crosses.
    """
    _check_cut(model, cut, models.stages(model))
    network = models.create(model, **options)
    if network.task != "language":
        _check_cut(model, cut, network.stages)
    samples = models.samples(model, split_name, n, seed, **options)
    shapes: payload.Shapes = ()
    with threads(1):
        if network.task == "language":
            features, answer = _language(network, cut, samples.inputs)
        else:
            features, answer, shapes = _inference(network, cut, samples.inputs)
    return Activations(
        model=model,
        cut=cut,
        features=features,
        labels=samples.labels,
        weights=network.weights,
        task=network.task,
        metric=network.metric,
        answer=answer,
        shapes=shapes,
    )


def _check_cut(model: str, cut: str, known: Sequence[str] | None) -> None:
    """Refuse a cut of another network; before anything of the network is made, where possible."""
    if known is not None and cut not in known:
        raise ValueError(f"{model} has no cut {cut!r} behind a stage; it has {', '.join(known)}")


def stage_features(
    network: Network, inputs: np.ndarray
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Features [sample, ...] of every stage on some samples, and where they come from."""
    parts = split(network, batch=len(inputs))
    with threads(1):
        x = [np.ascontiguousarray(inputs)]
        arrays = {stage: payload.floats(parts.head(stage).run(x))[0] for stage in network.stages}
        where = fingerprint()
    about = {"kind": "measured", "model_digest": network.digest, "weights": network.weights}
    return arrays, {**about, "machine": where, "samples": len(inputs)}


Answer = Callable[[np.ndarray], np.ndarray]


def _inference(
    network: Network, cut: str, inputs: np.ndarray
) -> tuple[np.ndarray, Answer, payload.Shapes]:
    """One sample at a time: what a device does, and no batch changes a sum."""
    parts = split(network)
    head, tail = parts.head(cut), parts.tail(cut)
    sent = [head.run([x[None]]) for x in inputs]
    rows = [payload.floats(each) for each in sent]

    def answer(features: np.ndarray) -> np.ndarray:
        pairs = zip(features, sent, strict=True)
        with threads(1):
            out = [tail.run(payload.with_floats(each, x[None])) for x, each in pairs]
        if len(out[0]) > 1:
            raise ValueError(
                f"the network gives {len(out[0])} answers; to be judged it must give one"
            )
        return np.concatenate([each[0] for each in out])

    return np.concatenate([row for row, _ in rows]), answer, rows[0][1]


def _language(network: Network, cut: str, inputs: np.ndarray) -> tuple[np.ndarray, Answer]:
    decoder = decoder_of(network)
    names = [f"layers.{index}" for index in range(decoder.n_layers)]
    first = choices.position("cut", cut, names) + 1

    @torch.inference_mode()
    def answer(features: np.ndarray) -> np.ndarray:
        parts = []
        for rows in torch.split(torch.from_numpy(features), _BATCH):
            cache: Cache = [None] * decoder.n_layers
            hidden = run_layers(decoder, rows, cache, first, decoder.n_layers)
            parts.append(decoder.answer(hidden).float().numpy())
        return np.concatenate(parts)

    parts = []
    with torch.inference_mode():
        for rows in torch.split(torch.from_numpy(inputs), _BATCH):
            cache: Cache = [None] * decoder.n_layers
            parts.append(run_layers(decoder, decoder.embed(rows), cache, 0, first).numpy())
    return np.concatenate(parts), answer


def _bits(scores: np.ndarray, labels: np.ndarray) -> float:
    """Mean -log2 probability of the labels."""
    loss = functional.cross_entropy(
        torch.from_numpy(scores).flatten(0, -2).double(), torch.from_numpy(labels).flatten()
    )
    return float(loss) / float(np.log(2))
