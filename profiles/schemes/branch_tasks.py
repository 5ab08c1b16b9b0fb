"""What branches answer: a question, the scenes that it is asked about, how right an answer is.

    class   which digit a scene of one digit shows (model=scenes16)
    cells   which digit stands in each quarter of a scene of 1, 2 or 4; right: all four
    map     how much of each of 8 x 8 patches digits cover (both model=scenes16mixed)

Digits for training, for gates, for calibration and for the test are disjoint in all of them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from profiles.models.data import digit_scenes, mixed_scenes
from profiles.models.data.digit_scenes import LEVELS, Scenes
from profiles.models.data.handwriting import Samples
from profiles.models.recipe import Loss
from profiles.models.scores import Metric, accuracy
from profiles.schemes import branches as parts

_ONE = digit_scenes.family("scenes16")
_MIXED = "scenes of 1, 2 or 4 of scikit-learn's digits, 16 x 16"


@dataclass(frozen=True, kw_only=True)
class BranchTask:
    """One question. `loss`: cross-entropy where None; `kind`: of the network's answer;
    `grouped_by`: by what its provenance tells the quality, `groups(n)`: which of the first n test
    scenes are of each group, bool [scene].
    """

    name: str
    model: str
    data: str
    draw: Callable[..., Scenes]
    labels: Callable[[Scenes], Any]
    loss: Loss | None
    metric: Metric
    kind: str
    answer_bytes: int
    grouped_by: str
    groups: Callable[[int], Mapping[str, np.ndarray]]

    def samples(self, split: str, n: int, *, start: int = 0) -> Samples:
        """Images, and classes [scene], cells [scene, 4] or maps [scene, 8, 8]."""
        made = self.draw(split, n, start=start)
        return Samples(made.inputs, self.labels(made))


def _by_digits(n: int) -> dict[str, np.ndarray]:
    shown = mixed_scenes.n_digits_of(n)
    return {str(number): shown == number for number in mixed_scenes.N_DIGITS}


def _by_brightness(n: int) -> dict[str, np.ndarray]:
    level = _ONE.samples("test", n).labels["brightness"]
    return {str(shade): level == number for number, shade in enumerate(LEVELS)}


TASKS = {
    "cells": BranchTask(
        name="cells", model="scenes16mixed", data=_MIXED, draw=mixed_scenes.samples,
        labels=lambda scenes: scenes.labels["cells"], loss=parts.cells_loss,
        metric=parts.all_cells, kind="several", answer_bytes=4, grouped_by="digits",
        groups=_by_digits,
    ),
    "map": BranchTask(
        name="map", model="scenes16mixed", data=_MIXED, draw=mixed_scenes.samples,
        labels=lambda scenes: scenes.coverage, loss=parts.map_loss, metric=parts.map_match,
        kind="regress", answer_bytes=64, grouped_by="digits", groups=_by_digits,
    ),
    "class": BranchTask(
        name="class", model="scenes16", data="scenes of one of scikit-learn's digits, 16 x 16",
        draw=_ONE.samples, labels=lambda scenes: scenes.labels["class"], loss=None,
        metric=accuracy, kind="classify", answer_bytes=4, grouped_by="brightness",
        groups=_by_brightness,
    ),
}  # fmt: skip
