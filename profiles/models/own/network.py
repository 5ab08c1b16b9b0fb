"""What a user's function returns, checked, as a network with its samples."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from profiles.models import scores
from profiles.models.data.handwriting import Samples
from profiles.models.network import Network, content_digest
from profiles.models.own import blocks
from profiles.models.own.samples import check_labels, check_samples, noise, task_of
from profiles.models.own.source import call, find, import_file, in_words
from profiles.tables import own
from profiles.tables.choices import unknown

_KEYS = (
    "module", "example", "inputs", "labels", "task", "metric", "classes", "stages", "trained",
    "name",
)  # fmt: skip
_METRICS: Mapping[str, Mapping[str, Any]] = {
    "classify": {"accuracy": scores.accuracy},
    "segment": {"iou": scores.iou, "pixel_accuracy": scores.pixel_accuracy},
    "regress": {"r2": scores.r2},
}
"""By task; the first is the one that is taken unless another is named."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Own:
    """A user's network, and its samples; labels are None where none were given."""

    network: Network
    inputs: np.ndarray
    labels: np.ndarray

    def samples(self, split: str, n: int) -> Samples:
        """At most `n` samples: of every five the fifth calibrates, the others test."""
        fifth = np.arange(len(self.inputs)) % 5 == 4
        if len(self.inputs) < 5:
            fifth[-1] = split == "calibration"
        chosen = np.flatnonzero(fifth if split == "calibration" else ~fifth)[:n]
        return Samples(self.inputs[chosen], self.labels[chosen])


def load(name: str) -> Own:
    """The network that a user's function makes, made once while its file stays as it is.

    Raises:
        ValueError: no such file or function, one that fails, or what it returns is no network; the
            line says which and what was expected.
    """
    path, function = own.place(name)
    if not path.is_file():
        raise ValueError(f"model={name}: no such file")
    return _load(name, path.resolve(), function, path.read_bytes())


@lru_cache(maxsize=4)
def _load(name: str, path: Path, function: str, source: bytes) -> Own:
    try:
        make = find(import_file(path, source), function)
        return _check(_by_key(call(make)), path, function, source)
    except ValueError as error:
        raise ValueError(f"model={name}: {error}") from None


def _by_key(made: Any) -> dict[str, Any]:
    """What a function returned, by key."""
    if isinstance(made, nn.Module):
        given: Mapping[str, Any] = {"module": made}
    elif isinstance(made, Mapping):
        given = made
    elif isinstance(made, tuple | list):
        given = dict(zip(_KEYS[:4], made, strict=False))
        if not 2 <= len(made) <= 4:
            raise ValueError(f"it must return 2 to 4 values, {', '.join(_KEYS[:4])}, "
                             f"got {len(made)}")  # fmt: skip
    elif hasattr(made, "module"):
        given = {key: getattr(made, key) for key in _KEYS if hasattr(made, key)}
    else:
        raise ValueError("it must return a dict of module, example, ..., or a tuple, "
                         f"got {type(made).__name__}")  # fmt: skip
    for key in given:
        if key not in _KEYS:
            raise ValueError(unknown("key", str(key), _KEYS))
    return {key: value for key, value in given.items() if value is not None}


def _check(given: Mapping[str, Any], path: Path, function: str, source: bytes) -> Own:
    module = given.get("module")
    if not isinstance(module, nn.Module):
        raise ValueError(f"module must be an nn.Module, got {type(module).__name__}")
    module = module.to("cpu").eval().requires_grad_(False)
    inputs = None if given.get("inputs") is None else _array(given["inputs"], "inputs")
    example = _example(given.get("example"), inputs)
    with in_words("the network fails on its example", path):
        calls = blocks.watch(module, example)
    answer = calls.answer
    known = inputs is not None
    inputs = noise(example) if inputs is None else check_samples(inputs, example)
    classes = [str(each) for each in given.get("classes", ())]
    labels = None if given.get("labels") is None else _array(given["labels"], "labels")
    task = task_of(given.get("task"), answer, labels)
    labels = check_labels(labels, len(inputs), task, answer, classes)
    metric, trained = _metric(given.get("metric"), task, labels), bool(given.get("trained", known))
    text = source + f"|{function}|{task}".encode()
    digest = hashlib.sha256(text + content_digest(module).encode()).hexdigest()[:16]
    network = Network(
        name=_short(given.get("name"), path, function),
        module=module,
        example_input=example,
        stages=_stages(given.get("stages"), calls),
        weights="trained" if trained else "random",
        digest=digest,
        task=task,
        metric=metric,
        answer_bytes=_answer_bytes(task, answer),
        origin=f"{path}:{function}",
    )
    return Own(network=network, inputs=inputs, labels=labels)


def _array(value: Any, what: str) -> np.ndarray:
    array = value.detach().cpu().numpy() if isinstance(value, Tensor) else np.asarray(value)
    if array.dtype == object or not array.ndim:
        raise ValueError(f"{what} must be an array [sample, ...], got {type(value).__name__}")
    return np.ascontiguousarray(array)


def _example(given: Any, inputs: np.ndarray | None) -> Tensor:
    if given is None and inputs is not None:
        given = inputs[:1]
    if isinstance(given, np.ndarray):
        given = torch.from_numpy(given)
    if not isinstance(given, Tensor):
        raise ValueError("example must be one tensor with its batch dimension in front, got "
                         f"{'none' if given is None else type(given).__name__}")  # fmt: skip
    if given.ndim < 1 or not given.numel():
        raise ValueError(f"example must have a batch dimension, got shape {tuple(given.shape)}")
    if given.dtype == torch.bfloat16 or given.is_complex():
        raise ValueError(f"example must be of numbers that numpy has, got {given.dtype}; let the "
                         "network itself cast them")  # fmt: skip
    return given[:1].detach().cpu().contiguous()


def _stages(given: Any, calls: blocks.Calls) -> tuple[str, ...]:
    if given is None:
        return blocks.largest(calls)
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise ValueError(f"stages must be a list of submodules, got {given!r}")
    for stage in given:
        if stage not in calls.known:
            raise ValueError(unknown("stage", str(stage), calls.known))
        if stage in ("input", "output"):
            raise ValueError(f"stages: {stage!r} is what an end of the network is called; "
                             "rename that submodule")  # fmt: skip
    return tuple(given)


def _metric(given: Any, task: str, labels: np.ndarray) -> scores.Metric:
    known = _METRICS[task]
    if callable(given):
        return partial(_judge, given)
    name = next(iter(known)) if given is None else str(given)
    if name not in known:
        allowed = ", ".join(known)
        raise ValueError(f"metric of {task} must be {allowed} or a function, got {given!r}")
    if name == "r2":
        spread = labels[np.isfinite(labels)].astype(np.float64)
        variance = float(spread.var()) if spread.size else 1.0
        return partial(scores.r2, variance=variance or 1.0)
    chosen: scores.Metric = known[name]
    return chosen


def _judge(metric: Any, answers: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """A user's metric, held to one number per sample."""
    code = getattr(metric, "__code__", None)
    with in_words("metric fails", Path(getattr(code, "co_filename", "?"))):
        values = np.asarray(metric(answers, labels), np.float64)
    if values.shape != (len(answers),) or np.isinf(values).any():
        raise ValueError(f"metric must give one finite number per sample, {len(answers)}, "
                         f"got shape {values.shape}")  # fmt: skip
    return values


def _short(given: Any, path: Path, function: str) -> str:
    """A name that files can have."""
    name = str(given or (path.stem if function == "make" else f"{path.stem}-{function}"))
    return re.sub(r"[^\w.-]+", "-", name)


def _answer_bytes(task: str, answer: Tensor | None) -> int:
    """The answer on its way back: a class takes 4 bytes, one of every pixel 1, a number 4."""
    if answer is None or task == "classify":
        return 4
    if task == "regress":
        return 4 * answer[0].numel()
    return answer[0].numel() // answer.shape[1] * (1 if answer.shape[1] <= 256 else 2)
