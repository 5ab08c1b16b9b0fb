"""The error that a task bears: relative L2 at which a trained network loses 1 pp, per cut.

Networks with random weights can lose no accuracy; their codec is set to the error that the trained
network of the same kind of task bears at its most sensitive cut. The table is measured once.
"""

import csv
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch

import codec
from profiles import models
from profiles.measuring.cuts import split
from profiles.measuring.decoder import decoder_of
from profiles.measuring.timing import Progress
from profiles.measuring.tracing import trace
from profiles.models.network import Network
from profiles.shipping import language, matching
from profiles.shipping.portfolio import DATA
from profiles.tables import choices

PATH = DATA / "tolerance.csv"
LOSS = 0.01
TASKS = {"classify": "scenes", "language": "bytellama"}
_SPARSITIES = (0.2, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98)
_N_SAMPLES, _N_WINDOWS, _N_IMAGES = 3000, 100, 2


def read_tolerance(task: str, path: Path | str = PATH) -> float:
    """The relative L2 error that `task` bears at its most sensitive cut.

    Raises:
        ValueError: an unknown task, or a table without it.
    """
    names = tuple(TASKS)
    choices.position("task", task, names)
    with Path(path).open(newline="") as file:
        errors = [float(row["relative_l2"]) for row in csv.DictReader(file) if row["task"] == task]
    if not errors:
        raise ValueError(f"{path} holds no row of task {task}")
    return min(errors)


def set_for(network: Network, chain: str = "slicer") -> codec.Codec:
    """The chain at the error that the network's task bears, over its features at all stages.

    The features are those of two calibration images, or of the example input's tokens.
    """
    features = _run_hidden(network) if network.task == "language" else _features(network)
    return codec.calibrate(chain, features, relative_l2=read_tolerance(network.task))


def _features(network: Network) -> list[np.ndarray]:
    """Every stage's tensors of two calibration images."""
    images = models.samples(network.name, "calibration", _N_IMAGES).inputs
    parts, given = split(network, batch=_N_IMAGES), torch.from_numpy(images)
    return [x for cut in network.stages for x in parts.head(cut)(given).numpy()]


@torch.inference_mode()
def _run_hidden(network: Network) -> list[np.ndarray]:
    """Hidden states behind every layer that the module holds."""
    decoder, states = decoder_of(network), []
    hidden = decoder.embed(network.example_input)
    for index in range(decoder.n_layers):
        hidden, _ = decoder.layer(index, hidden, None)
        states.append(hidden[0].float().numpy())
    return states


def measure(path: Path | str = PATH, *, progress: Progress | None = None) -> dict[str, float]:
    """Measure the table anew and write it; return the error per "task cut"."""
    settings = {f"{s:g}": codec.create("slicer", sparsity=s) for s in _SPARSITIES}
    errors = {**_vision(settings, progress), **_language(settings, progress)}
    with Path(path).open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["task", "model", "cut", "loss", "relative_l2"])
        for (task, cut), error in errors.items():
            rows.writerow([task, TASKS[task], cut, LOSS, f"{error:.4f}"])
    return {f"{task} {cut}": error for (task, cut), error in errors.items()}


def _vision(
    settings: Mapping[str, codec.Codec], progress: Progress | None
) -> dict[tuple[str, str], float]:
    name = TASKS["classify"]
    network, data = models.create(name), models.samples(name, "test", _N_SAMPLES)
    kinds = {setting: {"feature": chosen} for setting, chosen in settings.items()}
    table = trace(
        network, kinds, data.inputs, data.labels,
        cuts=(*network.stages, "output"), repeats=1, progress=progress,
    )  # fmt: skip
    return _evaluate(
        "classify",
        {cut: partial(matching.find_tolerance, table, cut, LOSS) for cut in network.stages},
    )


def _language(
    settings: Mapping[str, codec.Codec], progress: Progress | None
) -> dict[tuple[str, str], float]:
    name = TASKS["language"]
    cuts = models.create(name).stages
    lost = language.losses(name, settings, cuts, n_windows=_N_WINDOWS, progress=progress)

    def error(cut: str) -> float:
        here: Sequence[language.Loss] = [one for one in lost if one.cut == cut]
        return matching.interpolate_tolerance(
            np.array([one.relative_l2 for one in here]),
            np.array([one.drop[0] for one in here]),
            LOSS,
            cut,
        )

    return _evaluate("language", {cut: partial(error, cut) for cut in cuts})


def _evaluate(task: str, errors: Mapping[str, Callable[[], float]]) -> dict[tuple[str, str], float]:
    """The cuts at which some setting loses enough; a cut that loses less bears more."""
    values = {}
    for cut, error in errors.items():
        try:
            values[task, cut] = error()
        except matching.TooMildError:
            continue
    return values
