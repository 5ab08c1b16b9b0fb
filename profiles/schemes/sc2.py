"""The supervised baselines of the SC2 benchmark (arXiv 2203.08875), on the class of a digit.

    cr_bq             few channels, 8 bits a number; by `width`       channel_reduction.py
    end_to_end        an entropy bottleneck from the start, cross-entropy plus beta times the bits
    entropic_student  the same bottleneck, first towards a teacher's features plus beta times the
                      bits, then encoder and prior frozen and the rest by the teacher's answers

Entropic Student (arXiv 2108.11898) is the training that Ladon took over: its weights with the class
head alone serve here. Written from the mechanism; the benchmark's input codecs are `codec=jpeg` and
`codec=webp` at `cut=input`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from profiles.schemes import ladon, mtl_split
from profiles.schemes.bottleneck import Bottlenecked
from profiles.schemes.channel_reduction import Ends, Reduced, flat_tables
from profiles.schemes.datasets import check_model
from profiles.schemes.distilling import load_coded
from profiles.schemes.heads import answering
from profiles.schemes.sc2_training import (
    TASK,
    end_to_end_recipe,
    reduced_recipe,
    train_end_to_end,
    train_reduced,
    train_student,
)
from profiles.schemes.scheme import Scheme
from profiles.schemes.shipped import SHIPPED, load_shipped

MODELS = ladon.MODELS
WIDTHS = (1, 2, 3, 6, 12)
"""Channels of cr_bq, five of the paper's six."""
USUAL = "entropic_student"
BETAS = (0.0003, 0.001, 0.003, 0.01, 0.03)
"""Nats of cross-entropy that a bit is worth in end_to_end."""


@dataclass(frozen=True, kw_only=True)
class Method:
    """One baseline: `knob` is what sets its rate, `values` those that it is trained for, `usual`
    the one that is meant unless another is named.
    """

    knob: str
    values: tuple[float, ...]
    usual: float
    load: Callable[[mtl_split.Setup, Any], Scheme]
    train: Callable[[mtl_split.Setup, Any, Path], tuple[nn.Module, dict[str, Any]]]


def scheme(
    model: str = "scenes16",
    *,
    method: str = USUAL,
    beta: float | None = None,
    width: int | None = None,
) -> Scheme:
    """One of the baselines with its shipped weights, the class its only task.

    Args:
        model: the data set.
        method: one of `METHODS`.
        beta: what a bit was worth in training; none of cr_bq.
        width: channels that are sent, of cr_bq alone.

    Raises:
        ValueError: another data set or method, a beta or width that it is not trained for.
    """
    made, value = _choose(method, beta=beta, width=width)
    options = {"method": method, made.knob: value}
    return replace(made.load(_setup(model), value), name="sc2", options=options)


def train(
    model: str,
    *,
    method: str = USUAL,
    beta: float | None = None,
    width: int | None = None,
    folder: Path,
) -> tuple[nn.Module, dict[str, Any]]:
    """One baseline at one rate by its recipe, with the teacher that it needs, or found in `folder`.

    About a CPU minute.
    """
    made, value = _choose(method, beta=beta, width=width)
    return made.train(_setup(model), value, folder)


def _choose(method: str, **knobs: float | None) -> tuple[Method, Any]:
    """The method, and the value of its knob."""
    made = method_of(method)
    for knob, value in knobs.items():
        if knob != made.knob and value is not None:
            raise ValueError(f"scheme.method={method} takes {made.knob}, got scheme.{knob}={value}")
    value = knobs[made.knob]
    if value is None:
        return made, made.usual
    if value not in made.values:
        allowed = ", ".join(f"{each:g}" for each in made.values)
        raise ValueError(f"scheme.{made.knob} of {method} must be one of {allowed}, got {value!r}")
    return made, made.values[made.values.index(value)]


def method_of(name: str) -> Method:
    """A baseline (ValueError: an unknown one)."""
    if name not in METHODS:
        allowed = ", ".join(METHODS)
        raise ValueError(f"scheme.method must be one of {allowed}, got {name!r}")
    return METHODS[name]


def _setup(model: str) -> mtl_split.Setup:
    check_model("sc2", model, MODELS)
    return mtl_split.setup(model)


def _load_reduced(chosen: mtl_split.Setup, width: int) -> Scheme:
    recipe, ends = reduced_recipe(chosen.family.name, width), Ends(width)
    provenance = load_shipped(ends, recipe)
    teacher, _ = chosen.load(TASK)
    brings = {ladon.CODEC: {"calibration": flat_tables(width)}}
    return _of_class(chosen, recipe.name, Reduced(ends, teacher), brings, provenance)


def _load_end_to_end(chosen: mtl_split.Setup, beta: float) -> Scheme:
    name = end_to_end_recipe(chosen.family.name, beta).name
    module = ladon.build(chosen.build(TASK))
    tables, provenance = load_coded(module, SHIPPED, name)
    return _of_class(chosen, name, module, {ladon.CODEC: {"calibration": tables}}, provenance)


def _load_student(chosen: mtl_split.Setup, beta: float) -> Scheme:
    return ladon.scheme(chosen.family.name, beta=beta, tasks=TASK)


def _of_class(
    chosen: mtl_split.Setup, name: str, module: Reduced | Bottlenecked,
    brings: Mapping[str, Mapping[str, Any]], provenance: Mapping[str, Any],
) -> Scheme:  # fmt: skip
    """A scheme whose one task is the class."""
    example = torch.from_numpy(chosen.samples("test", 1).inputs)
    return Scheme(
        name="sc2",
        model=chosen.family.name,
        network=answering(name, module, module.heads, example=example, stages=module.stages),
        cut="encoder",
        first_cut="encoder",
        samples=partial(mtl_split.labelled, chosen, (TASK,)),
        heads=module.heads,
        brings=brings,
        provenance=provenance,
    )


METHODS = {
    "cr_bq": Method(
        knob="width", values=WIDTHS, usual=3, load=_load_reduced, train=train_reduced
    ),
    "end_to_end": Method(
        knob="beta", values=BETAS, usual=0.001, load=_load_end_to_end, train=train_end_to_end
    ),
    "entropic_student": Method(
        knob="beta", values=ladon.BETAS, usual=ladon.DEFAULT_BETA, load=_load_student,
        train=train_student,
    ),
}  # fmt: skip
"""The baselines by name."""
