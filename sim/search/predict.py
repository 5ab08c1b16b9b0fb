"""What a joint choice would do: latency with contention, server seconds, loads. Nothing simulated.

Every array has shape [choice, group]. The link is a processor-sharing station (FIFO where its rule
is; Wi-Fi takes turns), the GPU a FIFO station. Open groups: Poisson arrivals, M/G/1 with
Pollaczek-Khinchine at the GPU and M/G/1-PS with a state-dependent rate on the link (insensitive);
on Wi-Fi they win accesses (sim.search.turns). Closed groups: mean value analysis
(sim.search.closed). Sessions mix their prompt and token steps in the demands; the latency is that
of a token. Requests that go unlike ways, some of them ended on the device, mix all of their demands
by their shares: a part of the latency is its mean over all requests, zero for those that never get
there, and a queue holds no more than come to it (Poisson arrivals thinned; visit ratios of the mean
value analysis).
"""

from functools import cached_property, partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.search.airtime import STATES, capacity, mix
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
        link_wait, link_util = self._wait_at_link(link_load, rate, d)
        processor = per_device * d.processor_s
        with np.errstate(divide="ignore", invalid="ignore"):
            own = np.where(
                processor < 1.0,
                0.5 * per_device * d.processor_square_s2 / (1.0 - processor), np.inf,
            )  # fmt: skip
        waits = _times(d.on_gpu, server_wait[:, None])
        return _Waits(own, link_wait, waits, np.asarray(rate), processor, (link_util, load))

    def _wait_at_link(self, offered: Floats, rate: Floats, d: Demands) -> tuple[Floats, Floats]:
        """Wait [choice, group] and utilisation [choice] of the link at `offered` load."""
        if self.problem.link.sharing == "wifi":
            return self._wait_for_turns(offered, rate, d)
        grid, stretches, busies = self._stretch
        beyond = offered >= grid[-1]
        stretch = np.where(beyond, np.inf, np.interp(offered, grid, stretches))
        busy = np.where(beyond, np.maximum(1.0, offered), np.interp(offered, grid, busies))
        return _times(d.medium_s, (stretch - 1.0)[:, None]), busy

    def _wait_for_turns(self, offered: Floats, rate: Floats, d: Demands) -> tuple[Floats, Floats]:
        """The same on Wi-Fi, by its tables at both sides of the frames per access."""
        from sim.search.turns import tables  # special functions that no other rule needs

        link = self.problem.link
        n_devices = sum(group.n_devices for group in self.problem.groups)
        stations = -(-n_devices // link.n_cells) + (link.downlink == "shared")
        known = tables(link.contention, min(stations, STATES))
        beyond = [offered >= table.load[-1] for table in known]
        frames = _mean_frames(rate, d)
        endless = np.full_like(offered, np.inf)
        full = {"one": endless, "many": endless, "busy": np.maximum(1.0, offered)}

        def at(name: str) -> Floats:
            curves = [
                np.where(over, full[name], np.interp(offered, table.load, getattr(table, name)))
                for over, table in zip(beyond, known, strict=True)
            ]
            return mix(np.array(curves), frames)

        access_s = _mean_access_s(rate, d)
        first = _times(d.transfers, (access_s * at("one"))[:, None])
        rest = _times(d.accesses - d.transfers, (access_s * at("many"))[:, None])
        return first + rest, at("busy")

    @cached_property
    def _stretch(self) -> tuple[Floats, Floats, Floats]:
        """M/G/1-PS with rate capacity(n): P(k) ~ prod a / capacity(j), insensitive to the law.

        Approximation: at most 512 transfers are under way.
        """
        if self.problem.link.sharing == "fifo":
            grid = np.linspace(0.0, 0.999, 400)
            return grid, 1.0 + 0.5 * grid / (1.0 - grid), grid
        shared = self._capacity(np.arange(1.0, STATES + 1.0), np.ones(1))
        grid = np.linspace(0.0, 0.999 * float(shared[-1]), 400)
        logs = np.log(np.maximum(grid, 1e-12))[:, None] - np.log(shared)[None, :]
        weights = np.cumsum(np.concatenate([np.zeros((400, 1)), logs], 1), axis=1)
        states = np.exp(weights - weights.max(1, keepdims=True))
        states /= states.sum(1, keepdims=True)
        present = states @ np.arange(STATES + 1.0)
        stretch = np.where(grid > 1e-9, present / np.maximum(grid, 1e-12), 1.0)
        return grid, stretch, 1.0 - states[:, 0]

    def _wait_closed(self, d: Demands) -> _Waits:
        """Mean value analysis of everything between two pauses (sim.search.closed)."""
        stations = self._stations(d)
        rate, wait, on_link = solve(stations)
        air_s = stations.air_s
        stretch = np.divide(on_link, air_s, out=np.ones_like(on_link), where=air_s > 0.0)
        present = (rate * on_link).sum(1) / stations.n_cells
        carried = self._capacity(1.0 + present, _mean_frames(rate, d))
        offered = (rate * air_s).sum(1) / stations.n_cells / carried
        loads = (np.minimum(offered, 0.999), np.minimum((rate * stations.gpu_s).sum(1), 0.999))
        none = np.zeros_like(wait)  # a device has one request at a time and waits for no other
        link_wait = d.medium_s * (stretch - 1.0)
        if stations.accesses is not None:
            share = np.divide(
                d.accesses, d.step_accesses, out=np.ones_like(air_s), where=d.step_accesses > 0.0
            )
            link_wait = share * (on_link - air_s)
        return _Waits(none, link_wait, wait, rate, none, loads)

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
            capacity=None if link.sharing == "fifo" else partial(self._carry, d),
            accesses=d.step_accesses if link.sharing == "wifi" else None,
            transfers=d.step_transfers,
            on_air=d.on_air,
            on_gpu=d.on_gpu,
        )

    def _carry(self, d: Demands, met: Floats) -> Floats:
        """Capacity with so many present, [choice, group]; groups mixed as their devices are."""
        n = np.array([[float(g.n_devices) for g in self.problem.groups]])
        frames = _mean_frames(n, d)
        return self._capacity(met, frames[:, None])


def _mean_frames(rate: Floats, d: Demands) -> Floats:
    """Frames per access, in the mean of their logarithm over all accesses, [choice]."""
    accesses = (rate * d.step_accesses).sum(1)
    logs = (rate * d.step_log_frames).sum(1)
    mean = np.divide(logs, accesses, out=np.zeros_like(logs), where=accesses > 0.0)
    return np.asarray(np.exp(mean), dtype=float)


def _mean_access_s(rate: Floats, d: Demands) -> Floats:
    """Length of the access that is met on the air, [choice]."""
    air_s = (rate * d.step_air_s).sum(1)
    square = (rate * d.step_access_s2).sum(1)
    mean = np.divide(square, air_s, out=np.zeros_like(square), where=air_s > 0.0)
    return np.asarray(mean, dtype=float)


def _times(number: Floats, wait_s: Floats) -> Floats:
    """The product; nothing of an endless wait is none."""
    number, wait_s = np.broadcast_arrays(number, wait_s)
    return np.multiply(number, wait_s, out=np.zeros_like(wait_s), where=number > 0.0)


def _pool_factor(load: Floats, n_servers: int) -> Floats:
    """Wait of c servers over that of one c times as fast: about rho^(sqrt(2 (c + 1)) - 2).

    Sakasegawa, "An approximation formula for the queueing system M/G/c", 1977.
    """
    power = np.sqrt(2.0 * (n_servers + 1)) - 2.0
    return np.asarray(np.minimum(load, 1.0) ** power)
