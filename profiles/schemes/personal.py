"""One adapter of SALT: behind which closed network, for which user, how trained and judged.

Features are [sample, channel, row, column] at the cut; labels [sample].
"""

from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from profiles.models import digits, scenes
from profiles.models.data.handwriting import Samples
from profiles.models.network import Network, content_digest
from profiles.models.recipe import Recipe, load_or_train
from profiles.models.residual import STAGES, ResidualNet
from profiles.schemes import early_exit, erasure, users
from profiles.schemes.adapters import FORMS, RESIDUAL, FeatureAdapter
from profiles.schemes.adapting import Closed, Curve, measure_ratios, share_right
from profiles.schemes.shipped import round_weights
from profiles.tables.choices import unknown

MODELS = ("digits", "scenes")
ROTATED, COLOURED, LOSS, NOISE = GOALS = ("rotated", "coloured", "loss", "noise")
LOSSES = (0.0, 0.25, 0.5, 0.75)
SIGMA = 3.0
"""Noise in standard deviations of the frozen feature."""
N_CURVE = 1200
_SEEN = {
    ROTATED: "rotated {}", COLOURED: "coloured {}", LOSS: "{}, segments lost",
    NOISE: "{}, noise added",
}  # fmt: skip
_MOST = {"digits": 16, "scenes": 255}


@dataclass(frozen=True, kw_only=True)
class Setup:
    """One adapter: the frozen network, the user, how it is trained and judged.

    `after`: the stage behind which it stands, and where the network is cut; `n_user`: images that
    the user has; `n_test`: others of the same user by which it is judged; `exits`: the frozen
    network is that of `early_exit`, the adapter before its exit head, which is frozen as well.
    """

    model: str
    goal: str
    form: str
    channels: int
    hidden: int
    n_user: int
    n_test: int
    epochs: int
    rate: float
    data: str
    after: str = "stage3"
    exits: bool = False
    fold: int = 0

    @property
    def recipe(self) -> Recipe:
        """How it is trained."""
        more = ("-exit" if self.exits else "") + (f"-{self.fold}" if self.fold else "")
        return Recipe(
            name=f"salt-{self.model}-{self.goal}-{self.form}{more}", version=1, batch=40,
            epochs=self.epochs, peak_rate=self.rate, weight_decay=0.02, warmup=0.1,
            seed=self.fold,
        )  # fmt: skip

    def frozen(self) -> Network:
        """The closed network, as it is shipped."""
        if self.exits:
            made = early_exit.scheme(self.model).network
        else:
            made = digits.network(self.fold) if self.model == "digits" else scenes.network()
        for weight in made.module.parameters():
            weight.requires_grad_(False)
        return made

    @cached_property
    def closed(self) -> Closed:
        """Head and tail."""
        module = self.frozen().module
        assert isinstance(module, ResidualNet)
        return Closed(module, STAGES, self.after)

    def build(self) -> FeatureAdapter:
        """The adapter, untrained."""
        return FeatureAdapter(self.channels, self.hidden, self.form)

    def samples(self, split: str, n: int) -> Samples:
        """Images of the user, and labels; of `digits` as many as there are."""
        if self.model == "digits":
            most = len(digits.samples(split, fold=self.fold).labels)
            made = digits.samples(split, min(n, most), fold=self.fold)
        else:
            made = scenes.samples(split, n)
        return Samples(self._seen(made.inputs), made.labels)

    def _seen(self, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        change = {ROTATED: users.rotate, COLOURED: users.colour}.get(self.goal)
        return images if change is None else change(images, most=_MOST[self.model])

    def features(self, split: str, n: int) -> tuple[Tensor, Tensor]:
        """What the frozen head makes of the user's images, and labels."""
        inputs, labels = self.samples(split, n)
        return self.closed.features(inputs), torch.from_numpy(labels)

    @cached_property
    def learnt_from(self) -> tuple[Tensor, Tensor]:
        """Features and labels of the user's own images: the head is frozen, so once is enough."""
        return self.features("train", self.n_user)

    @cached_property
    def deviation(self) -> float:
        """Of the noise, in units of the feature."""
        return SIGMA * float(self.learnt_from[0].std())

    def disturb(self, z: Tensor, share: float | None, generator: torch.Generator | None) -> Tensor:
        """What the goal does to a feature on its way; `share` of loss, any one where None."""
        if self.goal == LOSS:
            if share is None:
                return erasure.erase_any(z)
            return erasure.erase(z, torch.full((len(z),), share), generator)
        if self.goal == NOISE:
            return z + self.deviation * torch.randn(z.shape, generator=generator)
        return z

    def loss(self, module: nn.Module, z: Tensor, labels: Tensor) -> Tensor:
        """Cross-entropy of the frozen tail's answers to what arrives; with an exit head plus that
        of its answers.
        """
        adapted = module(z)
        scores = self.closed.tail(self.disturb(adapted, None, None))
        late = nn.functional.cross_entropy(scores, labels)
        if not self.exits:
            return late
        return late + nn.functional.cross_entropy(self.closed.exit(adapted), labels)

    def right(
        self, module: nn.Module, z: Tensor, labels: Tensor, share: float = erasure.WORST
    ) -> float:
        """Share of right answers under the goal's conditions, on draws of its own."""
        drawn = torch.Generator().manual_seed(self.recipe.seed)

        def answer(part: Tensor) -> Tensor:
            return self.closed.tail(self.disturb(module(part), share, drawn))

        return share_right(answer, z, labels)

    def train(self, folder: Path) -> tuple[nn.Module, dict[str, Any]]:
        """The adapter by its recipe, or found in `folder`, and its provenance."""
        z, labels = self.learnt_from
        epoch = Samples(z.numpy(), labels.numpy())  # features, not images: the head is frozen
        tried, answers = (part[:N_CURVE] for part in self.features("test", self.n_test))
        curve = Curve(lambda module: self.right(module, tried, answers))
        return load_or_train(
            self.recipe, self.build, lambda number: epoch, partial(self.judge, curve),
            folder=folder, loss=self.loss, after=curve.look, finish=round_weights,
        )  # fmt: skip

    def judge(self, curve: Curve, module: nn.Module) -> dict[str, Any]:
        """Accuracy of the whole with and without the adapter, how it was reached, its costs."""
        test, nothing = self.features("test", self.n_test), nn.Identity()
        curve.end(module)
        batch = self.recipe.batch
        figures: dict[str, Any] = {
            "accuracy": round(self.right(module, *test), 6),
            "accuracy_frozen": round(self.right(nothing, *test), 6),
            "n_test": len(test[1]),
            "learning": {"batch": batch, **curve.figures(),
                         **measure_ratios(self.closed, module, self.samples("train", batch))},
            "trained_on": self.data,
            "frozen_digest": content_digest(self.closed.network),
        }  # fmt: skip
        if self.goal == LOSS:
            figures["losses"] = list(LOSSES)
            for name, each in (("accuracy_by_loss", module), ("frozen_by_loss", nothing)):
                figures[name] = [round(self.right(each, *test, share), 6) for share in LOSSES]
        if self.exits:
            for name, each in (("accuracy_early", module), ("frozen_early", nothing)):
                way = nn.Sequential(each, self.closed.network.get_submodule("exit_head"))
                figures[name] = round(share_right(way, *test), 6)
        if self.goal == NOISE:
            figures["noise_deviation"] = self.deviation
        return figures


def setup(
    model: str,
    goal: str = ROTATED,
    form: str = RESIDUAL,
    *,
    exits: bool = False,
    fold: int = 0,
) -> Setup:
    """The adapter for a data set and a goal, in front of an exit head or without.

    Raises:
        ValueError: another data set, goal or form, an exit where there is none for convolutions.
    """
    if model not in MODELS:
        raise ValueError(f"scheme salt is trained for model {' or '.join(MODELS)}, got {model!r}")
    for name, value, known in (("goal", goal, GOALS), ("form", form, FORMS)):
        if value not in known:
            raise ValueError(unknown(f"scheme.{name}", value, known))
    if exits and model != "scenes":
        raise ValueError(f"scheme.threshold of salt needs model=scenes, got {model}")
    if model == "digits":
        return Setup(
            model=model, goal=goal, form=form, channels=32, hidden=16, n_user=400,
            n_test=len(digits.samples("test", fold=fold).labels), epochs=30, rate=1e-2, fold=fold,
            data=_SEEN[goal].format("scikit-learn's digits, 8 x 8"),
        )  # fmt: skip
    place: dict[str, Any] = {"channels": 64, "hidden": 32}
    if exits:
        place = {"channels": 32, "hidden": 16, "after": "stage2", "exits": True}
    return Setup(
        model=model, goal=goal, form=form, n_user=2000, n_test=3600, epochs=20, rate=5e-3, **place,
        data=_SEEN[goal].format("scenes of scikit-learn's digits and photographs, 64 x 64"),
    )  # fmt: skip
