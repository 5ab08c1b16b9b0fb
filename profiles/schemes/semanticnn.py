"""SemanticNN (arXiv 2511.11038): a learned codec of fixed length whose bits may arrive wrong.

    device   images -[ front ]- f -[ encoder ]- x -[ codec `centres`: 3 bits a symbol ]- payload
    server   payload with wrong bits - y -[ decoder ]- f' -[ rest ]- answer

    digits   f 8 x 8 x 8 behind stage1: 32 symbols, 12 bytes for 2,048 of floats
    scenes   f 16 x 32 x 32 behind stage1: 512 symbols, 192 bytes for 65,536

The network is the shipped one, its weights closed; only the codec learns. Written from the
mechanism and the authors' code (Apache-2.0), which draws damaged symbols where this flips bits.
"""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from profiles.models import digits, scenes
from profiles.models.network import Network, content_digest
from profiles.models.recipe import Epoch, Recipe, accuracy, load_or_train
from profiles.schemes import closed, semantic_net
from profiles.schemes.centres import snr_of
from profiles.schemes.datasets import DIGITS, SCENES, SCENES16, Dataset, check_model, dataset
from profiles.schemes.scheme import Scheme
from profiles.schemes.semantic_net import STAGES, SemanticNet, accuracy_at, split
from profiles.schemes.semantic_training import SemanticCodec, Training
from profiles.schemes.shipped import load_shipped, round_weights

MODELS = (DIGITS, SCENES16, SCENES)
JUDGED = (0.0, 0.001, 0.01, 0.05, 0.1, 0.15, 0.2)
"""Bit error rates at which the accuracy of trained weights is stated, means of 8 draws."""
USUAL = "usual"


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What a codec has learned by; each departure from these by itself is trained."""

    noise: bool = True
    augment: bool = True
    compensate: bool = False
    told: bool = False
    rim: int = 0


KINDS: Mapping[str, Mapping[str, Kind]] = {
    DIGITS: {
        USUAL: Kind(), "told": Kind(told=True), "blind": Kind(noise=False),
        "direct": Kind(augment=False), "compensated": Kind(compensate=True),
    },
    SCENES16: {USUAL: Kind(), "blind": Kind(noise=False)},
    SCENES: {USUAL: Kind(), "rim": Kind(rim=1)},
}  # fmt: skip
"""What is trained, under the name of its weights."""


@dataclass(frozen=True, kw_only=True)
class Setup:
    """A data set: how each codec for it is trained and judged, by `n_test` samples."""

    data: Dataset
    epoch: Epoch
    n_test: int
    n_in: int
    n_symbols: int
    width: int
    epochs: tuple[int, int]
    seed: int = 0

    def kind(self, which: str) -> Kind:
        """That of some weights."""
        return KINDS[self.data.name][which]

    def recipe(self, which: str, stage: int) -> Recipe:
        """Of a stage, 0 or 1; a codec that learns in one stage has the epochs of both."""
        whole, part = not self.kind(which).augment, "" if stage else "-restoring"
        return Recipe(
            name=f"semanticnn-{self.data.name}-{which}{part}", version=1,
            epochs=sum(self.epochs) if whole else self.epochs[stage], batch=64, peak_rate=8e-3,
            weight_decay=0.01, seed=self.seed,
        )  # fmt: skip

    def build(self, which: str) -> SemanticCodec:
        """A codec, untrained."""
        kind = self.kind(which)
        return SemanticCodec(self.n_in, self.n_symbols, self.width, told=kind.told, rim=kind.rim)

    def judge(self, which: str, module: nn.Module) -> dict[str, Any]:
        """Accuracy on the test split at every rate, and without a codec; the data."""
        assert isinstance(module, SemanticCodec)
        base = closed.network(self.data.name)
        front, rest = split(base)
        test = self.data.samples("test", self.n_test)
        shares = [accuracy_at(front, module, rest, test, rate) for rate in JUDGED]
        plain = accuracy(lambda images: rest(front(images)), test)
        return {
            "accuracy": round(shares[0], 6), "n_test": self.n_test, "trained_on": self.data.said,
            "accuracy_by_ber": {f"{r:g}": round(s, 6) for r, s in zip(JUDGED, shares, strict=True)},
            "accuracy_uncoded": round(plain, 6), "base_digest": base.digest,
        }  # fmt: skip

    def train(self, which: str, folder: Path) -> tuple[nn.Module, dict[str, Any]]:
        """A codec by its recipes, or found in `folder`."""
        kind = self.kind(which)
        front, rest = split(closed.network(self.data.name))
        learning = Training(
            front=front, rest=rest, noisy=kind.noise, compensate=kind.compensate
        )  # fmt: skip
        start = partial(self.build, which)
        if kind.augment:
            first, _ = load_or_train(
                self.recipe(which, 0), start, self.epoch, lambda module: {}, folder=folder,
                loss=learning.restoring,
            )  # fmt: skip
            start = partial(_copy, first)
        return load_or_train(
            self.recipe(which, 1), start, self.epoch, partial(self.judge, which), folder=folder,
            loss=learning.answering, finish=round_weights,
        )  # fmt: skip

    def load(self, which: str) -> tuple[SemanticCodec, dict[str, Any]]:
        """A codec with its shipped weights."""
        module = self.build(which)
        return module, load_shipped(module, self.recipe(which, 1))


def setup(model: str) -> Setup:
    """The codecs for a data set.

    Raises:
        ValueError: another data set.
    """
    check_model("semanticnn", model, MODELS)
    data = dataset(model)
    if model == DIGITS:
        return Setup(
            data=data, epoch=digits.training_epoch, n_test=data.n_test, n_in=8, n_symbols=8,
            width=32, epochs=(10, 40), seed=1,
        )  # fmt: skip
    if model == SCENES16:
        return Setup(
            data=data, epoch=data.epochs(4096), n_test=data.n_test, n_in=16, n_symbols=16, width=32,
            epochs=(6, 36),
        )  # fmt: skip
    half = scenes.SCENES_PER_EPOCH // 2  # of what the network had in each of its own epochs
    return Setup(
        data=data, epoch=data.epochs(half), n_test=1800, n_in=16, n_symbols=8, width=24,
        epochs=(1, 4),
    )  # fmt: skip


def _copy(module: nn.Module) -> SemanticCodec:
    assert isinstance(module, SemanticCodec)
    return deepcopy(module)


def close(model: str) -> closed.Closed:
    """The network of a data set with its usual codec, nothing of it to be trained."""
    codec, _ = setup(model).load(USUAL)
    return semantic_net.close(SemanticNet(closed.network(model), codec, snr_of(0.0)), codec.centres)


def train(model: str, *, folder: Path) -> tuple[nn.Module, dict[str, Any]]:
    """All codecs of a data set by their recipes, or found in `folder`: the usual one, and its
    provenance with the accuracy by bit error rate of every departure from it.

    About 130 CPU s for `digits`, 90 for `scenes16`, 220 for `scenes`.
    """
    chosen = setup(model)
    every = {which: chosen.train(which, folder) for which in KINDS[model]}
    module, provenance = every[USUAL]
    others = {which: about["accuracy_by_ber"] for which, (_, about) in every.items()}
    return module, {**provenance, "accuracy_by_kind": others}


def scheme(
    model: str = "scenes",
    *,
    noise: bool = True,
    augment: bool = True,
    compensate: bool = False,
    told: float | None = None,
    rim: int = 0,
) -> Scheme:
    """The scheme with its shipped weights.

    Args:
        model: the data set.
        noise: whether the codec has learned bit errors.
        augment: whether it first learned to restore features.
        compensate: whether it learned by attribution, too.
        told: the bit error rate that the decoder is told; None: a decoder that is told none.
        rim: positions that are cut off on every side of the feature's map.

    Raises:
        ValueError: another data set, a rate outside 0..0.5, or departures that no weights have.
    """
    chosen = setup(model)
    snr_db = snr_of(0.0 if told is None else told)
    which = _find(model, Kind(noise=noise, augment=augment, compensate=compensate,
                              told=told is not None, rim=rim))  # fmt: skip
    codec, provenance = chosen.load(which)
    module = SemanticNet(closed.network(model), codec, snr_db).eval()
    table = tuple(codec.centres.table.tolist())
    return Scheme(
        name="semanticnn",
        model=model,
        network=Network(
            name=f"semanticnn-{model}-{which}", module=module, stages=STAGES, weights="trained",
            example_input=torch.from_numpy(chosen.data.samples("test", 1).inputs),
            digest=content_digest(module),
        ),
        cut=STAGES[-1],
        first_cut=STAGES[-1],
        samples=chosen.data.samples,
        brings={"centres": {"table": table}},
        options={"noise": noise, "augment": augment, "compensate": compensate, "told": told,
                 "rim": rim},
        provenance=provenance,
    )  # fmt: skip


def _find(model: str, wanted: Kind) -> str:
    """The name of the weights.

    Raises:
        ValueError: there are none.
    """
    for which, kind in KINDS[model].items():
        if kind == wanted:
            return which
    known = "; ".join(_say(kind) for kind in KINDS[model].values())
    raise ValueError(
        f"scheme semanticnn on {model} has no weights for {_say(wanted)}; it has them for {known}"
    )


def _say(kind: Kind) -> str:
    """By what it departs from the usual one."""
    odd = [f"{name}={str(value).lower()}" for name, value in vars(kind).items()
           if value != getattr(Kind(), name)]  # fmt: skip
    return ", ".join(odd) or "the usual codec"
