"""NASC (arXiv 2208.13968): architecture and cut are searched together, under a limit on latency.

    digits     3 blocks: 216 architectures x 3 cuts, on 8 x 8
    scenes16   4 blocks: 1,296 architectures x 4 cuts, on scenes of one digit, 16 x 16

The weights of all architectures are trained at once (`supernet.py`); then a categorical
distribution over width and stride of every block and over the cut (`asng.py`) is moved towards the
candidates of the highest accuracy on validation samples among those with

    T_head + T_comm + T_tail <= limit

in which each block costs what its row of a table says (`blocks.py`). The authors move weights and
distribution at the same time; here one comes after the other, so that the optimum of the search is
known and can be held against it. Written from the mechanism: there is no code of the authors.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from profiles.models import digits
from profiles.models.data.handwriting import Samples
from profiles.models.network import Network, content_digest
from profiles.models.recipe import Epoch, Recipe, load_or_train
from profiles.models.scores import accuracy
from profiles.models.weights import read_provenance
from profiles.schemes.asng import Candidate, maximise
from profiles.schemes.blocks import ComputedCosts, Costs
from profiles.schemes.datasets import DIGITS, SCENES16, Dataset, check_model, dataset
from profiles.schemes.scheme import Scheme
from profiles.schemes.shipped import SHIPPED, load_shipped
from profiles.schemes.supernet import (
    STRIDES,
    WIDTHS,
    Architecture,
    Space,
    Subnet,
    Supernet,
    architectures,
    one_shot_loss,
)
from profiles.schemes.tracing import answers_of

MODELS = (DIGITS, SCENES16)
SEARCH = "search"
N_STEPS, N_SAMPLES = 500, 8
_TIE = 1e-7
"""Less than a validation sample is worth, per limit."""
_N_RANDOM, _N_CHECK, _N_EPOCH = 2, 1800, 4096
_SHIFTS = [(row, column) for row in (0, 1, 2) for column in (0, 1, 2)]


@dataclass(frozen=True, kw_only=True)
class Setup:
    """A supernet for one data set: how it is trained, judged and searched."""

    recipe: Recipe
    space: Space
    data: Dataset
    epoch: Epoch
    check: Callable[[], Samples]

    def build(self) -> Supernet:
        """It, untrained."""
        return Supernet(self.space)

    def judge(self, module: nn.Module) -> dict[str, Any]:
        """Accuracy of the widest architecture on the test split, of every one on the validation
        samples in the order of the space, the data.
        """
        assert isinstance(module, Supernet)
        module.choose(self.space.widest)
        test = self.data.samples("test", self.data.n_test)
        right = accuracy(answers_of(module, test.inputs), test.labels)
        return {
            "accuracy": round(float(right.mean()), 6),
            "n_test": len(test.labels),
            "accuracies_checked": self.check_all(module),
            "trained_on": self.data.said,
        }

    def check_all(self, module: Supernet) -> str:
        """Accuracy of every architecture on the validation samples, by the one set of weights."""
        check = self.check()
        found = []
        for one in architectures(self.space.n_blocks):
            module.choose(one)
            right = accuracy(answers_of(module, check.inputs), check.labels)
            found.append(f"{right.mean():.6f}")
        return " ".join(found)

    def load(self) -> tuple[Supernet, dict[str, Any]]:
        """It with its shipped weights."""
        module = self.build()
        return module, load_shipped(module.eval(), self.recipe)

    @property
    def weights(self) -> Path:
        """The shipped file."""
        return SHIPPED / f"{self.recipe.name}.npz"


def setup(model: str) -> Setup:
    """The supernet for a data set.

    Raises:
        ValueError: another data set.
    """
    check_model("nasc", model, MODELS)
    data = dataset(model)
    if model == DIGITS:
        return Setup(
            recipe=Recipe(
                name="nasc-digits", version=1, epochs=40, batch=64, peak_rate=2e-2,
                weight_decay=0.01,
            ),
            space=Space(side=8, n_in=1, n_blocks=3, n_classes=10, white=16.0),
            data=data, epoch=digits.training_epoch, check=_shifted_digits,
        )  # fmt: skip
    return Setup(
        recipe=Recipe(
            name="nasc-scenes16", version=1, epochs=24, batch=64, peak_rate=1e-2, weight_decay=0.02
        ),
        space=Space(side=16, n_in=1, n_blocks=4, n_classes=10),
        data=data, epoch=data.epochs(_N_EPOCH),
        check=partial(data.samples, "calibration", _N_CHECK),
    )  # fmt: skip


def train(model: str, *, folder: Path) -> tuple[nn.Module, dict[str, Any]]:
    """The supernet trained by its recipe, or found in `folder`, and its provenance."""
    chosen = setup(model)
    loss = one_shot_loss(chosen.space, _N_RANDOM, chosen.recipe.seed)
    return load_or_train(
        chosen.recipe, chosen.build, chosen.epoch, chosen.judge, folder=folder, loss=loss
    )


def scheme(
    model: str = "scenes16",
    *,
    architecture: str = SEARCH,
    limit_s: float = 0.03,
    device_mac_per_s: float = 20e6,
    server_mac_per_s: float = 2e9,
    rate_bps: float = 200e3,
    seed: int = 0,
) -> Scheme:
    """One architecture of the supernet, with its shipped weights, and where it is cut.

    Args:
        model: the data set.
        architecture: such as "8/2-16-32/2", or "search" for the one found under the limit.
        limit_s: on the latency of one request alone.
        device_mac_per_s: multiply-adds per second of the device, for the limit alone.
        server_mac_per_s: those of the server.
        rate_bps: of the link.
        seed: of the search.

    Raises:
        ValueError: another data set, an architecture outside the space, a limit that none keeps.
    """
    chosen = setup(model)
    whole, provenance = chosen.load()
    if architecture == SEARCH:
        costs = ComputedCosts(
            space=chosen.space, device_mac_per_s=device_mac_per_s,
            server_mac_per_s=server_mac_per_s, rate_bps=rate_bps,
        )  # fmt: skip
        one, cut = find(model, costs, limit_s, seed=seed)
    else:
        one, cut = Architecture.read(architecture, chosen.space.n_blocks), chosen.space.stages[-1]
    module = Subnet(whole, one)
    without = {key: value for key, value in provenance.items() if key != "accuracies_checked"}
    test = chosen.data.samples("test", chosen.data.n_test)
    right = accuracy(answers_of(module, test.inputs), test.labels)
    return Scheme(
        name="nasc",
        model=model,
        network=Network(
            name=f"nasc-{model}-{one}".replace("/", "s"),
            module=module,
            example_input=torch.from_numpy(test.inputs[:1]),
            stages=chosen.space.stages,
            weights="trained",
            digest=content_digest(module),
        ),
        cut=cut,
        samples=chosen.data.samples,
        options={"architecture": str(one), "limit_s": limit_s},
        provenance={
            **without,
            "accuracy": round(float(right.mean()), 6),
            "accuracy_trained": provenance["accuracy"],
        },
    )


def find(
    model: str, costs: Costs, limit_s: float, *, seed: int = 0, n_steps: int = N_STEPS
) -> tuple[Architecture, str]:
    """The architecture and cut of the highest accuracy on validation samples under a limit.

    Raises:
        ValueError: none that was tried keeps the limit.
    """
    space, accuracies = setup(model).space, checked(model)
    options = [len(WIDTHS), len(STRIDES)] * space.n_blocks + [space.n_blocks]

    def score(candidate: Candidate) -> float:
        one, cut = decode(candidate, space)
        spent = costs.seconds(one, cut) / limit_s
        if spent > 1.0:
            return 1.0 - spent
        return accuracies[one] - _TIE * spent  # of those alike the faster one

    best, seen = maximise(score, options, seed=seed, n_steps=n_steps, n_samples=N_SAMPLES)
    one, cut = decode(best, space)
    if seen[best] < 0.0:
        raise ValueError(
            f"limit_s: no architecture at any cut answers within {limit_s:g} s; the nearest"
            f" of {len(seen)} tried, {one} at {cut}, takes {costs.seconds(one, cut):.3g} s"
        )
    return one, cut


def decode(candidate: Candidate, space: Space) -> tuple[Architecture, str]:
    """What the numbers of the chosen options mean."""
    widths = tuple(WIDTHS[i] for i in candidate[:-1:2])
    strides = tuple(STRIDES[i] for i in candidate[1:-1:2])
    return Architecture(widths, strides), space.stages[candidate[-1]]


@cache
def checked(model: str) -> dict[Architecture, float]:
    """Accuracy of every architecture on the validation samples, as it was when it was trained."""
    chosen = setup(model)
    known = str(read_provenance(chosen.weights)["accuracies_checked"]).split()
    return dict(zip(architectures(chosen.space.n_blocks), map(float, known), strict=True))


def _shifted_digits() -> Samples:
    """The digits for calibration, shifted by up to a pixel: enough to tell architectures apart."""
    own = digits.samples("calibration")
    padded = np.pad(own.inputs, ((0, 0), (1, 1), (1, 1), (0, 0)))
    moved = [padded[:, row : row + 8, column : column + 8] for row, column in _SHIFTS]
    return Samples(np.concatenate(moved), np.tile(own.labels, len(_SHIFTS)))
