"""One adapter of SALT: behind which closed network, for which user, how trained and judged.

Features are [sample, channel, row, column] at the adapter; labels [sample].
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from profiles.models.data.handwriting import Samples
from profiles.models.network import content_digest
from profiles.models.recipe import Recipe, load_or_train
from profiles.schemes import closed, early_exit, erasure, semanticnn, users
from profiles.schemes.adapters import FORMS, RESIDUAL, FeatureAdapter
from profiles.schemes.adapting import Curve, measure_ratios, share_right
from profiles.schemes.closed import Closed
from profiles.schemes.datasets import DIGITS, SCENES, SCENES16, Dataset, check_model, dataset
from profiles.schemes.shipped import round_weights
from profiles.tables.choices import unknown

MODELS = (DIGITS, SCENES16, SCENES)
ROTATED, COLOURED, LOSS, NOISE = GOALS = ("rotated", "coloured", "loss", "noise")
PLAIN, EARLY_EXIT, SEMANTICNN = CLOSED = ("plain", "early_exit", "semanticnn")
"""Whose network is closed: that of the data set, or that of another scheme."""
LOSSES = (0.0, 0.25, 0.5, 0.75)
SIGMA = 3.0
"""Noise in standard deviations of the frozen feature."""
N_CURVE = 1200
_CROSSINGS = 2880
"""About so many payloads with wrong bits judge a bit error rate, at least one a sample."""
_SEEN = {
    ROTATED: "rotated {}", COLOURED: "coloured {}", LOSS: "{}, segments lost",
    NOISE: "{}, noise added",
}  # fmt: skip
_BY_NAME = {PLAIN: "", EARLY_EXIT: "-exit", SEMANTICNN: "-semantic"}


@dataclass(frozen=True, kw_only=True)
class Place:
    """Behind which stage an adapter stands, channels of the feature there and inside of it."""

    after: str
    channels: int
    hidden: int


@dataclass(frozen=True, kw_only=True)
class User:
    """How many images of a user an adapter learns from, how often, how fast."""

    n_images: int
    epochs: int
    rate: float


PLACES: Mapping[tuple[str, str], Place] = {
    (DIGITS, PLAIN): Place(after="stage3", channels=32, hidden=16),
    (DIGITS, SEMANTICNN): Place(after="front", channels=8, hidden=16),
    (SCENES16, PLAIN): Place(after="stage2", channels=32, hidden=32),
    (SCENES16, SEMANTICNN): Place(after="front", channels=16, hidden=16),
    (SCENES, PLAIN): Place(after="stage3", channels=64, hidden=32),
    (SCENES, EARLY_EXIT): Place(after="stage2", channels=32, hidden=16),
    (SCENES, SEMANTICNN): Place(after="front", channels=16, hidden=16),
}
"""By data set and by whose network is closed."""
_OF_DIGITS = User(n_images=400, epochs=30, rate=1e-2)
_OF_SCENES = User(n_images=2000, epochs=20, rate=5e-3)


@dataclass(frozen=True, kw_only=True)
class Setup:
    """One adapter: the closed network, the user, how it is trained and judged."""

    data: Dataset
    goal: str
    form: str
    place: Place
    user: User
    base: str = PLAIN
    fold: int = 0

    @property
    def recipe(self) -> Recipe:
        """How it is trained."""
        more = _BY_NAME[self.base] + (f"-{self.fold}" if self.fold else "")
        return Recipe(
            name=f"salt-{self.data.name}-{self.goal}-{self.form}{more}", version=1, batch=40,
            epochs=self.user.epochs, peak_rate=self.user.rate, weight_decay=0.02, warmup=0.1,
            seed=self.fold,
        )  # fmt: skip

    @cached_property
    def closed(self) -> Closed:
        """The closed network in its parts."""
        if self.base == SEMANTICNN:
            return semanticnn.close(self.data.name)
        if self.base == EARLY_EXIT:
            whole = early_exit.scheme(self.data.name).network
            return closed.close(whole.module, self.place.after, exits=True)
        return closed.close(closed.network(self.data.name, self.fold).module, self.place.after)

    def build(self) -> FeatureAdapter:
        """The adapter, untrained."""
        return FeatureAdapter(self.place.channels, self.place.hidden, self.form)

    def samples(self, split: str, n: int) -> Samples:
        """Images of the user, and labels; of `digits` as many as there are."""
        change = {ROTATED: users.rotate, COLOURED: users.colour}.get(self.goal)
        if change is None:
            return self.data.samples(split, n)
        return self.data.samples(split, n, partial(change, most=self.data.white))

    def features(self, split: str, n: int) -> tuple[Tensor, Tensor]:
        """What the frozen head makes of the user's images, and labels."""
        inputs, labels = self.samples(split, n)
        return self.closed.features(inputs), torch.from_numpy(labels)

    @cached_property
    def learnt_from(self) -> tuple[Tensor, Tensor]:
        """Features and labels of the user's own images: the head is frozen, so once is enough."""
        return self.features("train", self.user.n_images)

    @cached_property
    def deviation(self) -> float:
        """Of the noise, in units of the feature."""
        return SIGMA * float(self.learnt_from[0].std())

    def answer(self, adapted: Tensor, level: float | None) -> Tensor:
        """What an adapter made of features to scores, over the way that the goal or the closed
        network has: `level` is the share of loss or the bit error rate, drawn where None.
        """
        sent = self.closed.send(adapted)
        if self.closed.carry is not None:
            sent = self.closed.carry(sent, level)
        elif self.goal == LOSS:
            sent = erasure.lose(sent, level)
        elif self.goal == NOISE:
            sent = sent + self.deviation * torch.randn(sent.shape)
        scores: Tensor = self.closed.tail(sent)
        return scores

    def loss(self, module: nn.Module, z: Tensor, labels: Tensor) -> Tensor:
        """Cross-entropy of the frozen tail's answers to what arrives; with an exit head plus that
        of its answers.
        """
        adapted = module(z)
        late = nn.functional.cross_entropy(self.answer(adapted, None), labels)
        if self.closed.exit is None:
            return late
        return late + nn.functional.cross_entropy(self.closed.exit(adapted), labels)

    @property
    def levels(self) -> tuple[str, tuple[float, ...]]:
        """At which losses or bit error rates it is judged as well, and what they are called."""
        if self.base == SEMANTICNN:
            return "ber", semanticnn.JUDGED
        return "loss", LOSSES if self.goal == LOSS else ()

    def right(
        self, module: nn.Module, z: Tensor, labels: Tensor, level: float | None = None
    ) -> float:
        """Share of right answers under the goal's conditions, on draws of its own: at the worst
        loss and without bit errors unless said.
        """
        meant = level if level is not None else erasure.WORST if self.goal == LOSS else 0.0
        turns = max(1, _CROSSINGS // len(z)) if self.base == SEMANTICNN and meant else 1
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.recipe.seed)
            found = [
                share_right(lambda part: self.answer(module(part), meant), z, labels)
                for _ in range(turns)
            ]
        return sum(found) / turns

    def train(self, folder: Path) -> tuple[nn.Module, dict[str, Any]]:
        """The adapter by its recipe, or found in `folder`, and its provenance."""
        z, labels = self.learnt_from
        epoch = Samples(z.numpy(), labels.numpy())  # features, not images: the head is frozen
        tried, answers = (part[:N_CURVE] for part in self.features("test", self.data.n_test))
        curve = Curve(lambda module: self.right(module, tried, answers))
        return load_or_train(
            self.recipe, self.build, lambda number: epoch, partial(self.judge, curve),
            folder=folder, loss=self.loss, after=curve.look, finish=round_weights,
        )  # fmt: skip

    def judge(self, curve: Curve, module: nn.Module) -> dict[str, Any]:
        """Accuracy of the whole with and without the adapter, how it was reached, its costs."""
        test, nothing = self.features("test", self.data.n_test), nn.Identity()
        curve.end(module)
        batch = self.recipe.batch
        figures: dict[str, Any] = {
            "accuracy": round(self.right(module, *test), 6),
            "accuracy_frozen": round(self.right(nothing, *test), 6),
            "n_test": len(test[1]),
            "learning": {"batch": batch, **curve.figures(),
                         **measure_ratios(self.closed, module, self.samples("train", batch))},
            "trained_on": _SEEN[self.goal].format(self.data.said),
            "frozen_digest": content_digest(self.closed.whole),
        }  # fmt: skip
        called, levels = self.levels
        if levels:
            figures |= {"losses" if called == "loss" else "bers": list(levels)}
            for name, each in (("accuracy", module), ("frozen", nothing)):
                found = [round(self.right(each, *test, level), 6) for level in levels]
                figures[f"{name}_by_{called}"] = found
        if self.closed.exit is not None:
            for name, each in (("accuracy_early", module), ("frozen_early", nothing)):
                way = nn.Sequential(each, self.closed.exit)
                figures[name] = round(share_right(way, *test), 6)
        if self.goal == NOISE:
            figures["noise_deviation"] = self.deviation
        return figures


def setup(
    model: str,
    goal: str = ROTATED,
    form: str = RESIDUAL,
    *,
    base: str = PLAIN,
    fold: int = 0,
) -> Setup:
    """The adapter for a data set and a goal, behind the network of `base`.

    Raises:
        ValueError: another data set, goal or form, a scheme that is not trained for these data, a
            goal for which the closed network has a way of its own.
    """
    check_model("salt", model, MODELS)
    for name, value, known in (("goal", goal, GOALS), ("form", form, FORMS),
                               ("closed", base, CLOSED)):  # fmt: skip
        if value not in known:
            raise ValueError(unknown(f"scheme.{name}", value, known))
    if (model, base) not in PLACES:
        raise ValueError(f"scheme.threshold of salt needs model=scenes, got {model}")
    if base == SEMANTICNN and goal in (LOSS, NOISE):
        raise ValueError(
            "scheme.closed=semanticnn has bit errors of its own, so scheme.goal must be"
            f" {ROTATED} or {COLOURED}, got {goal}"
        )
    return Setup(
        data=dataset(model, fold), goal=goal, form=form, place=PLACES[model, base],
        user=_OF_DIGITS if model == DIGITS else _OF_SCENES, base=base, fold=fold,
    )  # fmt: skip
