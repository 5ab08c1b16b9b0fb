"""Rounds: the whole network, every head, tail and block at one batch size, one after the other.

They go on until the interval of every median is narrow enough, or the time is over. The anchor runs
between them; a call that does not count follows it, since it leaves the caches cold.
"""

import itertools
from collections.abc import Callable
from time import perf_counter

import numpy as np
import torch

from profiles.measuring.anchor import Anchor
from profiles.measuring.cuts import Split
from profiles.measuring.deployment import Deployment, Run, Runner
from profiles.tables import medians
from profiles.tables.layers import Layer

ENOUGH = 0.02
"""Half the 95 % interval of a median, as a fraction of it, at which rounds end."""
MOST_ROUNDS = 1000
_LOOK_EVERY = 5
_ANCHORS = 12
"""Calls of the anchor in the rounds that are planned."""

Tick = Callable[[int], None]


class Rhythm:
    """Until when rounds go on, and after which of them the anchor runs.

    At least `rounds`; beyond them while `spread` is above `ENOUGH` and `until_s`, in seconds of
    `perf_counter`, has not come (None: no further).
    """

    def __init__(
        self,
        rounds: int,
        anchor: Anchor,
        until_s: float | None = None,
        *,
        n_anchors: int = _ANCHORS,
    ) -> None:
        self.rounds, self.until_s = rounds, until_s
        self._anchor, self._every = anchor, max(1, rounds // n_anchors)

    def goes_on(self, done: int, spread: Callable[[], float]) -> bool:
        """Whether another round follows the `done` ones; `spread` is asked now and then."""
        if done < self.rounds:
            return True
        if self.until_s is None or done >= MOST_ROUNDS or perf_counter() >= self.until_s:
            return False
        return bool((done - self.rounds) % _LOOK_EVERY) or spread() > ENOUGH

    def rest(self, done: int, first: Run) -> None:
        """The anchor, where it is its turn, and one call of `first` to warm up again."""
        if done % self._every == 0:
            self._anchor.time()
            first()


class Session:
    """The rounds of one batch size: the parts, their clock and the samples so far."""

    def __init__(self, cut: Split, deployment: Deployment) -> None:
        self.split = cut
        self.inner = cut.cuts[1:-1]
        self.samples: dict[str, np.ndarray] = {}
        self._clock = deployment.clock
        self._parts = self._runs(deployment.runner(cut.network.name))

    def play(self, rhythm: Rhythm, warmup: int, tick: Tick) -> "Session":
        """Run the rounds, keep their raw seconds and let go of the parts."""
        for done in range(warmup):
            self._round()
            tick(done + 1)
        times: list[list[float]] = []
        while rhythm.goes_on(len(times), lambda: self._spread(times)):
            rhythm.rest(len(times), lambda: self._time(self._parts[0]))
            times.append(self._round())
            tick(warmup + min(len(times), rhythm.rounds))
        self.samples = self._sort(times)
        self._parts = []
        return self

    def seconds(self, part: str) -> np.ndarray:
        """Seconds of the heads or tails at every cut, shape [cut]."""
        whole = self.samples["whole"]
        middle = float(np.median(whole))
        ends = (0.0, middle) if part == "head" else (middle, 0.0)
        inner = medians.part_seconds(self.samples[part], whole)
        return np.array([ends[0], *inner, ends[1]])

    def layers(self) -> tuple[Layer, ...]:
        """The blocks between the cuts, then the overhead that none of them accounts for."""
        seconds = medians.part_seconds(self.samples["block"], self.samples["whole"])
        cuts, described = self.split.cuts, self.split.describe()
        measured = []
        for index, (before, after) in enumerate(itertools.pairwise(described)):
            work = self.split.work(cuts[index], cuts[index + 1])
            measured.append(
                Layer(
                    name=after.name,
                    flops=after.head_flops - before.head_flops,
                    weight_bytes=work.weight_bytes,
                    activation_bytes=work.activation_bytes,
                    kernels=work.kernels,
                    seconds=float(seconds[index]),
                )
            )
        rest = float(np.median(self.samples["whole"])) - float(seconds.sum())
        return (*measured, _overhead(rest))

    def _runs(self, runner: Runner) -> list[Run]:
        module, x = self.split.network.module, self.split.example
        features = {cut: self.split.head(cut).module(x) for cut in self.inner}
        given = {"input": x, **features}
        steps = zip(self.split.cuts, self.split.cuts[1:], strict=False)
        whole = runner.prepare("the whole", self.split.head("output").module, x)
        heads = [runner.prepare(f"head at {c}", self.split.head(c).module, x) for c in self.inner]
        tails = [
            runner.prepare(f"tail at {c}", self.split.tail(c).module, features[c])
            for c in self.inner
        ]
        blocks = [
            runner.prepare(f"{a} to {b}", self.split.between(a, b).module, given[a])
            for a, b in steps
        ]
        return [whole, *heads, *tails, *blocks, _plainly(module, x)]

    def _round(self) -> list[float]:
        return [self._time(run) for run in self._parts]

    def _time(self, run: Run) -> float:
        start = self._clock.mark()
        run()
        return self._clock.seconds([start, self._clock.mark()])[0]

    def _sort(self, times: list[list[float]]) -> dict[str, np.ndarray]:
        n = len(self.inner)
        ends = (1, 1 + n, 1 + 2 * n, 2 + 3 * n)
        whole, head, tail, block, module = np.split(np.array(times), ends, axis=1)
        return {
            "whole": whole[:, 0],
            "head": head,
            "tail": tail,
            "block": block,
            "module": module[:, 0],
        }

    def _spread(self, times: list[list[float]]) -> float:
        """Half the widest interval of the whole, the heads and the tails."""
        found = self._sort(times)
        whole = found["whole"]
        sides = np.hstack([found["head"], found["tail"]])
        errors = [float(medians.median_errors(whole)), *medians.share_errors(sides, whole)]
        return float(medians.Z * max(errors))


def _plainly(module: torch.nn.Module, x: torch.Tensor) -> Run:
    return lambda: module(x)


def _overhead(seconds: float) -> Layer:
    return Layer(
        name="overhead",
        flops=0.0,
        weight_bytes=0.0,
        activation_bytes=0.0,
        kernels=0,
        seconds=seconds,
    )
