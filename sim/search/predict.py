"""What a joint choice would do: latency with contention, server seconds, loads. Nothing simulated.

Every array has shape [choice, group]. The link is a processor-sharing station (FIFO where its rule
is), the GPU a FIFO station. Open groups: Poisson arrivals, M/G/1 with Pollaczek-Khinchine at the
GPU and M/G/1-PS with a state-dependent rate on the link (insensitive). Closed groups: mean value
analysis (sim.search.closed). Sessions mix their prompt and token steps in the demands; the latency
is that of a token.
"""

from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.search.airtime import STATES, capacity
from sim.search.closed import Stations, solve
from sim.search.demands import Demands, demands_of
from sim.search.problem import Floats, Problem

Choices = NDArray[np.int64]

_BLOCK = 64


class Predicted(NamedTuple):
    """Of every choice, [choice, group] unless said otherwise.

    `server_s` [choice]: server seconds per request (per token), weighted over the groups; loads
    of link and server [choice] are utilisations, 1 and above where an open system has no steady
    state; `allowed_s` is the latency with the problem's allowance, which the limit is held against.
    """

    latency_s: Floats
    device_s: Floats
    uplink_s: Floats
    link_wait_s: Floats
    server_wait_s: Floats
    service_s: Floats
    down_s: Floats
    server_s: Floats
    allowed_s: Floats
    device_load: Floats
    link_load: Floats
    server_load: Floats
    throughput_rps: Floats
    kept: NDArray[np.bool_]

    @property
    def feasible(self) -> NDArray[np.bool_]:
        """Whether every group keeps every limit, shape [choice]."""
        return np.asarray(self.kept.all(axis=(1, 2)))


class _Waits(NamedTuple):
    """Mean waits and own processor's load, [choice, group]; load of link and GPU, [choice]."""

    device_s: Floats
    link_s: Floats
    server_s: Floats
    rate_rps: Floats
    device_load: Floats
    loads: tuple[Floats, Floats]


class Predictor:
    """Predicts choices of one problem and counts how many it was asked for."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.evaluations = 0
        self.demands = tuple(demands_of(group, problem) for group in problem.groups)
        self._capacity = capacity(problem.link, sum(g.n_devices for g in problem.groups))

    def predict(self, choices: Choices) -> Predicted:
        """Predict `choices` [choice, group]; each counts as one evaluation."""
        choices = np.atleast_2d(choices)
        self.evaluations += len(choices)
        d = Demands(
            *(
                np.stack(
                    [getattr(one, name)[choices[:, g]] for g, one in enumerate(self.demands)], 1
                )
                for name in Demands._fields
            )
        )
        device_wait_s, link_wait_s, server_wait_s, rate, device_load, loads = self._waits(d)
        waits_s = device_wait_s + link_wait_s + server_wait_s
        latency_s = d.latency_alone_s + d.air_s + d.gpu_s + waits_s
        load = np.maximum(np.maximum(*loads)[:, None], device_load)
        allowed_s = latency_s * (1.0 + self.problem.allowance * np.minimum(load, 1.0))
        kept = np.stack([allowed_s <= self._limit("latency_s"), *self._static(choices)], axis=2)
        kept[..., 0] &= load < 1.0
        return Predicted(
            latency_s=latency_s,
            device_s=d.alone_s + device_wait_s,
            uplink_s=d.air_s,
            link_wait_s=link_wait_s,
            server_wait_s=server_wait_s,
            service_s=d.gpu_s + d.cpu_s,
            down_s=d.down_s,
            server_s=d.step_gpu_s @ self.problem.weights,
            allowed_s=allowed_s,
            device_load=device_load,
            link_load=loads[0],
            server_load=loads[1],
            throughput_rps=rate,
            kept=kept,
        )

    def first(self, choices: Choices) -> int | None:
        """Position of the first feasible one of `choices` [choice, group], or None.

        Predicts them in blocks; counts those up to the one found, as if one after another.
        """
        for start in range(0, len(choices), _BLOCK):
            before = self.evaluations
            fits = self.predict(choices[start : start + _BLOCK]).feasible
            if fits.any():
                at = int(np.argmax(fits))
                self.evaluations = before + at + 1
                return start + at
        return None

    def alone(self, group: int) -> Floats:
        """Latency without any wait, [option]: no contention can make it less."""
        d = self.demands[group]
        return np.asarray(d.latency_alone_s + d.air_s + d.gpu_s)

    @cached_property
    def objective(self) -> tuple[Floats, ...]:
        """What each option of each group adds to `Predicted.server_s`; a stored column."""
        return tuple(
            d.step_gpu_s * weight
            for d, weight in zip(self.demands, self.problem.weights.tolist(), strict=True)
        )

    def _limit(self, name: str) -> Floats:
        return np.array([getattr(group.limits, name) for group in self.problem.groups])

    def _static(self, choices: Choices) -> list[NDArray[np.bool_]]:
        """Accuracy and memory kept, [choice, group] each."""
        return [
            np.stack(
                [getattr(g.options, name)[choices[:, i]] <= getattr(g.limits, name)
                 for i, g in enumerate(self.problem.groups)], 1,
            )
            for name in ("drop_pp", "memory_bytes")
        ]  # fmt: skip

    def _waits(self, d: Demands) -> _Waits:
        """What contention adds."""
        return self._wait_closed(d) if self.problem.closed else self._wait_open(d)

    def _wait_open(self, d: Demands) -> _Waits:
        groups, n_gpus = self.problem.groups, self.problem.server.n_gpus
        per_device = np.array([g.rate_rps for g in groups], dtype=float)
        rate = np.broadcast_to(per_device * [g.n_devices for g in groups], d.air_s.shape)
        link_load = (rate * d.step_air_s).sum(1) / self.problem.link.n_cells
        load = (rate * d.step_gpu_s).sum(1) / n_gpus
        with np.errstate(divide="ignore", invalid="ignore"):
            residual = 0.5 * (rate * d.step_gpu_square_s2).sum(1) / n_gpus
            server_wait = np.where(load < 1.0, residual / (1.0 - load), np.inf)
        server_wait *= _pool_factor(load, n_gpus)
        stretch, link_util = self._open_stretch(link_load)
        processor = per_device * d.processor_s
        with np.errstate(divide="ignore", invalid="ignore"):
            own = np.where(
                processor < 1.0,
                0.5 * processor * (processor / per_device) / (1.0 - processor), np.inf,
            )  # fmt: skip
        link_wait = np.zeros_like(d.air_s)
        np.multiply(d.medium_s, (stretch - 1.0)[:, None], out=link_wait, where=d.medium_s > 0.0)
        waits = np.where(d.gpu_s > 0.0, server_wait[:, None], 0.0)
        return _Waits(own, link_wait, waits, np.asarray(rate), processor, (link_util, load))

    def _open_stretch(self, offered: Floats) -> tuple[Floats, Floats]:
        """Residence over airtime and utilisation of the link at `offered` load, [choice]."""
        grid, stretch, busy = self._stretches
        beyond = offered >= grid[-1]
        return (
            np.where(beyond, np.inf, np.interp(offered, grid, stretch)),
            np.where(beyond, np.maximum(1.0, offered), np.interp(offered, grid, busy)),
        )

    @cached_property
    def _stretches(self) -> tuple[Floats, Floats, Floats]:
        """M/G/1-PS with rate capacity(n): P(k) ~ prod a / capacity(j), insensitive to the law.

        Approximation: at most 512 transfers are under way; where contention costs capacity (wifi)
        at most one per device (8 at least), or every load would collapse in the end.
        """
        n_devices = sum(group.n_devices for group in self.problem.groups)
        most = max(8, min(n_devices, STATES)) if self.problem.link.sharing == "wifi" else STATES
        shared = self._capacity(np.arange(1.0, most + 1.0))
        if self.problem.link.sharing == "fifo":
            grid = np.linspace(0.0, 0.999, 400)
            return grid, 1.0 + 0.5 * grid / (1.0 - grid), grid
        limit = 0.999 * float(shared[-1])
        grid = np.linspace(0.0, limit, 400)
        logs = np.log(np.maximum(grid, 1e-12))[:, None] - np.log(shared)[None, :]
        weights = np.cumsum(np.concatenate([np.zeros((400, 1)), logs], 1), axis=1)
        states = np.exp(weights - weights.max(1, keepdims=True))
        states /= states.sum(1, keepdims=True)
        present = states @ np.arange(most + 1.0)
        stretch = np.where(grid > 1e-9, present / np.maximum(grid, 1e-12), 1.0)
        return grid, stretch, 1.0 - states[:, 0]

    def _wait_closed(self, d: Demands) -> _Waits:
        """Mean value analysis of everything between two pauses (sim.search.closed)."""
        stations = self._stations(d)
        rate, wait, on_link = solve(stations)
        air_s = stations.air_s
        stretch = np.divide(on_link, air_s, out=np.ones_like(on_link), where=air_s > 0.0)
        present = (rate * on_link).sum(1) / stations.n_cells
        offered = (rate * air_s).sum(1) / stations.n_cells / self._capacity(1.0 + present)
        loads = (np.minimum(offered, 0.999), np.minimum((rate * stations.gpu_s).sum(1), 0.999))
        none = np.zeros_like(wait)  # a device has one request at a time and waits for no other
        return _Waits(none, d.medium_s * (stretch - 1.0), wait, rate, none, loads)

    def _stations(self, d: Demands) -> Stations:
        link, n_gpus = self.problem.link, self.problem.server.n_gpus
        gpu_s = d.step_gpu_s / n_gpus
        residual_s = np.divide(
            d.step_gpu_square_s2 / n_gpus**2, 2.0 * gpu_s, out=np.zeros_like(gpu_s),
            where=gpu_s > 0.0,
        )  # fmt: skip
        return Stations(
            n=np.array([float(g.n_devices) for g in self.problem.groups]),
            alone_s=d.step_alone_s + d.step_gpu_s * (1.0 - 1.0 / n_gpus),
            air_s=d.step_air_s,
            gpu_s=gpu_s,
            residual_s=residual_s,
            n_cells=link.n_cells,
            capacity=None if link.sharing == "fifo" else self._capacity,
        )


def _pool_factor(load: Floats, n_servers: int) -> Floats:
    """Wait of c servers over that of one c times as fast: about rho^(sqrt(2 (c + 1)) - 2).

    Sakasegawa, "An approximation formula for the queueing system M/G/c", 1977.
    """
    power = np.sqrt(2.0 * (n_servers + 1)) - 2.0
    return np.asarray(np.minimum(load, 1.0) ** power)
