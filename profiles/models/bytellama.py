"""A small Llama over bytes, trained on the Python standard library's sources.

The autoregressive network whose payloads, tokens and losses are real: width 128, four layers,
857 thousand parameters. Cuts lie behind each layer; text and splits are those of `sources`.
"""

import math
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from profiles.models.data import sources
from profiles.models.data.handwriting import Samples
from profiles.models.llama import Llama, Shape
from profiles.models.network import Network
from profiles.models.recipe import Recipe
from profiles.models.weights import SHIPPED, load_weights

SHAPE = Shape(vocabulary=256, width=128, n_layers=4, n_heads=4, inner=344)
WINDOWS_PER_EPOCH = 2200
N_TEST_WINDOWS = 400
RECIPE = Recipe(
    name="bytellama", version=1, epochs=4, batch=8, peak_rate=4e-3, weight_decay=0.05, warmup=0.1
)
_SPREAD = 0.02


def build() -> Llama:
    """The untrained network."""
    module = Llama(SHAPE)
    for part in module.modules():
        if isinstance(part, nn.Linear | nn.Embedding):
            nn.init.normal_(part.weight, 0.0, _SPREAD)
    return module


def training_epoch(number: int) -> Samples:
    """Fresh windows of the files for training: 563,200 bytes."""
    return sources.windows("train", WINDOWS_PER_EPOCH, start=number * WINDOWS_PER_EPOCH)


def judge(module: nn.Module) -> dict[str, Any]:
    """Bits per byte on windows of held-out files, and which text they are of."""
    test = sources.windows("test", N_TEST_WINDOWS)
    return {
        "bits_per_byte": round(bits_per_byte(module, test), 4),
        "n_test": len(test.labels),
        "text_digests": {split: sources.digest(split) for split in ("train", "test")},
    }


@torch.inference_mode()
def bits_per_byte(module: nn.Module, test: Samples, batch: int = 50) -> float:
    """Mean of -log2 of the probability of each next byte."""
    nats = 0.0
    for first in range(0, len(test.labels), batch):
        rows = slice(first, first + batch)
        scores = module(torch.from_numpy(test.inputs[rows]))
        labels = torch.from_numpy(test.labels[rows])
        nats += functional.cross_entropy(
            scores.flatten(0, -2).double(), labels.flatten(), reduction="sum"
        ).item()
    return nats / test.labels.size / math.log(2)


def network() -> Network:
    """The trained network with its shipped weights."""
    module = build()
    provenance = load_weights(module, SHIPPED / "bytellama.npz")
    return Network(
        name="bytellama",
        module=module.eval(),
        example_input=torch.from_numpy(sources.windows("test", 1, length=64).inputs),
        stages=tuple(f"layers.{index}" for index in range(SHAPE.n_layers)),
        weights="trained",
        digest=provenance["digest"],
        task="language",
    )
