"""Training between a closed head and a closed tail: what it reaches round by round, what it costs.

Shapes: images uint8 [image, row, column, channel]; features [image, channel, row, column].
"""

from collections.abc import Callable, Iterator
from copy import deepcopy
from statistics import median
from time import process_time
from typing import Any

import torch
from torch import Tensor, nn

from profiles.measuring.machine import threads
from profiles.models.data.handwriting import Samples
from profiles.models.recipe import accuracy
from profiles.schemes.closed import Closed

_BATCH = 250
_REPEATS = 15


def share_right(way: Callable[[Tensor], Tensor], z: Tensor, labels: Tensor) -> float:
    """Share of features that a way to scores answers rightly."""
    return accuracy(way, Samples(z.numpy(), labels.numpy()), _BATCH)


class Curve:
    """The share of right answers of a module while it is trained, after 0, 1, 2, 5, 10, ... rounds.

    `look` is to be called before the first round and after every one.
    """

    def __init__(self, judge: Callable[[nn.Module], float]) -> None:
        self._judge = judge
        self._due = _marks()
        self._next = next(self._due)
        self._round = 0
        self._found: dict[int, float] = {}

    def look(self, module: nn.Module) -> None:
        """One more round is over."""
        if self._round == self._next:
            self._keep(module)
            self._next = next(self._due)
        self._round += 1

    def end(self, module: nn.Module) -> None:
        """The last one is over."""
        self._round -= 1
        self._keep(module)

    def figures(self) -> dict[str, Any]:
        """Rounds and accuracies."""
        return {"rounds": list(self._found), "accuracy": list(self._found.values())}

    def _keep(self, module: nn.Module) -> None:
        training = module.training
        self._found[self._round] = round(self._judge(module.eval()), 6)
        module.train(training)


def _marks() -> Iterator[int]:
    """0, 1, 2, 5, 10, 20, 50, ..."""
    yield 0
    for power in range(12):
        yield from (first * 10**power for first in (1, 2, 5))


def measure_ratios(closed: Closed, adapter: nn.Module, samples: Samples) -> dict[str, float]:
    """What a round costs in units of inference, on one thread of this machine: ratios of median
    CPU seconds, which other work does not lengthen.

    server_ratio: tail forward and backward over forward; device_ratio: the adapter's backward and
    the optimiser's step over the forward of all that is the device's.
    """
    images, labels = torch.from_numpy(samples.inputs), torch.from_numpy(samples.labels)
    adapter = deepcopy(adapter).train()
    optimiser = torch.optim.AdamW(adapter.parameters(), lr=0.0)
    spent: dict[str, list[float]] = {name: [] for name in ("head", "back", "tail", "both")}
    with threads(1):
        for _ in range(_REPEATS):
            with torch.no_grad():
                z = _timed(spent["head"], _forward, closed, adapter, images)
                _timed(spent["tail"], closed.tail, z)
            sent = z.clone().requires_grad_()
            _timed(spent["both"], _backward, closed, sent, labels)
            _timed(spent["back"], _learn, optimiser, _forward(closed, adapter, images), sent.grad)
    took = {name: median(times) for name, times in spent.items()}
    return {
        "server_ratio": round(took["both"] / took["tail"], 3),
        "device_ratio": round(took["back"] / took["head"], 3),
    }


def _timed(times: list[float], work: Callable[..., Any], *given: Any) -> Any:
    start = process_time()
    made = work(*given)
    times.append(process_time() - start)
    return made


def _forward(closed: Closed, adapter: nn.Module, images: Tensor) -> Tensor:
    """The device's part of a round before anything is sent."""
    sent: Tensor = closed.send(adapter(closed.head(images)))
    return sent


def _backward(closed: Closed, sent: Tensor, labels: Tensor) -> None:
    """The server's part of a round: answers, and the gradient with respect to what was sent."""
    torch.autograd.backward(nn.functional.cross_entropy(closed.tail(sent), labels))


def _learn(optimiser: torch.optim.Optimizer, made: Tensor, gradient: Tensor | None) -> None:
    """The device's part once the gradient is there."""
    optimiser.zero_grad()
    torch.autograd.backward(made, gradient)
    optimiser.step()
