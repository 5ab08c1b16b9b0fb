"""`digits`: scikit-learn's handwritten digits, one small network per fold of a cross-fitting.

For tests. The raw input has 64 bytes, so no split can ever save traffic on it. Each of the five
folds holds out another fifth for test, so that together all 1,797 digits are judged by a network
that has not seen them.
"""

import numpy as np
import torch

from profiles.models.data.draws import uniforms
from profiles.models.data.handwriting import Samples, fold_members, handwriting
from profiles.models.network import Network
from profiles.models.recipe import Recipe
from profiles.models.residual import STAGES, Normalise, ResidualNet
from profiles.models.weights import SHIPPED, load_weights

COPIES_PER_EPOCH = 2


def recipe(fold: int) -> Recipe:
    """How the network of one fold is trained; raises ValueError for an unknown fold."""
    fold_members("test", fold)
    return Recipe(
        name=f"digits-{fold}",
        version=1,
        epochs=20,
        batch=64,
        peak_rate=8e-3,
        weight_decay=0.05,
        seed=fold,
    )


def samples(split: str, n: int | None = None, seed: int = 0, *, fold: int = 0) -> Samples:
    """`n` digits of a split (all of them by default), uint8 [n, 8, 8, 1] with values 0-16.

    They come in random order by `seed`. Raises ValueError for an unknown split, or for more
    digits than the split holds (359 or 360 for test, 179 or 180 for calibration).
    """
    members = fold_members(split, fold)
    if n is not None and not 0 <= n <= len(members):
        raise ValueError(f"n must be in 0..{len(members)} for digits/{split}, got {n}")
    order = np.argsort(uniforms(f"digits/{split}/{seed}", members, 1)[:, 0])
    chosen = members[order[:n]]
    every = handwriting()
    return Samples(every.inputs[chosen][..., None], every.labels[chosen])


def training_epoch(number: int, *, fold: int = 0) -> Samples:
    """Every digit for training, twice, shifted by up to a pixel: a function of the number."""
    every, members = handwriting(), np.tile(fold_members("train", fold), COPIES_PER_EPOCH)
    unit = uniforms(f"digits/epoch/{number}", np.arange(len(members)), 2)
    padded = np.pad(every.inputs[members], ((0, 0), (1, 1), (1, 1)))
    span = np.arange(8)
    rows, columns = ((unit[:, i, None] * 3).astype(np.int64) + span for i in range(2))
    sample = np.arange(len(members))[:, None, None]
    shifted = padded[sample, rows[:, :, None], columns[:, None, :]]
    return Samples(shifted[..., None], every.labels[members])


def build() -> ResidualNet:
    """The untrained network: stage outputs 512 / 512 / 256 / 128 / 128 elements."""
    normalise = Normalise((0.305,), (0.376,), scale=16.0)
    return ResidualNet(normalise, 1, channels=(8, 8, 16, 32, 32), strides=(1, 1, 2, 2, 1))


def network(fold: int = 0) -> Network:
    """The trained network of one fold (0-4) with its shipped weights."""
    fold_members("test", fold)
    module = build()
    provenance = load_weights(module, SHIPPED / f"digits-{fold}.npz")
    return Network(
        name="digits",
        module=module.eval(),
        example_input=torch.from_numpy(samples("test", 1, fold=fold).inputs),
        stages=STAGES,
        weights="trained",
        digest=provenance["digest"],
    )
