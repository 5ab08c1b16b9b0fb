"""What every option asks of the device, the link and the GPU, before anybody waits."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.search.airtime import accesses_of, airtime_s
from sim.search.problem import First, Floats, Group, Options, Problem, Requests
from sim.specs import LinkSpec, ServerSpec


class Demands(NamedTuple):
    """Per option of a group, [option]: what a latency holds, and what a mean step loads."""

    processor_s: Floats  # the device's own: head and encode
    processor_square_s2: Floats
    alone_s: Floats  # until the payload is on the air, without a wait
    air_s: Floats
    gpu_s: Floats
    cpu_s: Floats
    down_s: Floats
    latency_alone_s: Floats
    medium_s: Floats  # on the shared medium: the payload, and the answer where it goes there
    step_alone_s: Floats  # everything that is no shared station, plus think per step
    step_air_s: Floats
    step_gpu_s: Floats
    step_gpu_square_s2: Floats
    transfers: Floats  # on the medium, and the accesses that they take
    accesses: Floats
    step_transfers: Floats
    step_accesses: Floats
    step_access_s2: Floats  # sum of the squared lengths of the accesses
    step_log_frames: Floats  # sum over the accesses of log(frames in one)
    on_air: Floats  # shares of the steps that take the medium, and a GPU
    on_gpu: Floats


def demands_of(group: Group, problem: Problem) -> Demands:
    """The columns of one group's options; a session's steps are averaged in what they load, unlike
    requests by their shares in everything.
    """
    options = group.options
    requests = options.requests
    if requests is None:
        encoded_s = options.device_s + options.encode_s
        return _columns(group, problem, options, encoded_s, options.first, options.tokens)
    each = _columns(group, problem, requests, requests.device_s)
    return Demands(*(requests.mean(np.asarray(column, dtype=float)) for column in each))


def _columns(
    group: Group,
    problem: Problem,
    of: Options | Requests,
    device_s: Floats,
    first: First | None = None,
    n: NDArray[np.int64] | int = 1,
) -> Demands:
    """The same of rows that all go one way; `device_s` with encoding, `n` steps of a session."""
    link, server, rate = problem.link, problem.server, group.rate_bps
    sends = of.payload_bytes > 0.0
    half_s = 0.5 * link.rtt_s + (link.grant_s if link.sharing == "cellular" else 0.0)
    served = sends | (of.server_s > 0.0)
    answer_bytes = np.where(served, of.answer_bytes, 0.0)
    down = airtime_s(link, answer_bytes, link.downlink_rate_bps or rate, slots=False)
    medium_down = down if link.downlink == "shared" else np.zeros_like(down)
    on_gpu = server.decode_on == "gpu"
    air_s = airtime_s(link, of.payload_bytes, rate)
    cpu_s = np.zeros_like(of.decode_s) if on_gpu else of.decode_s
    gpu_s = _gpu_s(server, of)
    down_s = np.where(served, 0.5 * link.rtt_s + down, 0.0)
    alone_s = device_s + np.where(sends, half_s, 0.0)
    steps = [device_s, air_s, gpu_s]
    square = gpu_s**2
    loads = step_loads = _loads(link, of.payload_bytes, air_s, rate)
    if first is not None:
        opening_s = airtime_s(link, first.payload_bytes, rate)
        prompt = (first.device_s, opening_s, _gpu_s(server, first))
        opening = _loads(link, first.payload_bytes, opening_s, rate)
        square = (prompt[2] ** 2 + (n - 1) * square) / n
        steps = [(p + (n - 1) * t) / n for p, t in zip(prompt, steps, strict=True)]
        step_loads = (opening + (n - 1) * loads) / n
    if link.downlink == "shared":
        answer = _loads(link, answer_bytes, down, link.downlink_rate_bps or rate)
        loads, step_loads = loads + answer, step_loads + answer
    think_s = (group.think_s or 0.0) / n
    waits_s = np.where(sends, half_s, 0.0) + cpu_s + down_s - medium_down
    step_air_s = steps[1] + medium_down
    return Demands(
        processor_s=device_s,
        processor_square_s2=device_s**2,
        alone_s=alone_s,
        air_s=air_s,
        gpu_s=gpu_s,
        cpu_s=cpu_s,
        down_s=down_s,
        latency_alone_s=alone_s + cpu_s + down_s,
        medium_s=air_s + medium_down,
        step_alone_s=think_s + steps[0] + waits_s,
        step_air_s=step_air_s,
        step_gpu_s=steps[2],
        step_gpu_square_s2=square,
        transfers=loads[0],
        accesses=loads[1],
        step_transfers=step_loads[0],
        step_accesses=step_loads[1],
        step_access_s2=step_loads[2],
        step_log_frames=step_loads[3],
        on_air=(step_air_s > 0.0).astype(float),
        on_gpu=(steps[2] > 0.0).astype(float),
    )


def _gpu_s(server: ServerSpec, each: First | Options | Requests) -> Floats:
    """GPU seconds of a mean request of every option, [option]; 0 where the device does it all."""
    gpu_s: Any = server.gpu_s  # it computes arrays as it does numbers
    seconds = gpu_s(each.server_s, each.decode_s, each.payload_bytes, 0.0)
    return np.where((each.server_s > 0.0) | (each.payload_bytes > 0.0), seconds, 0.0)


def _loads(link: LinkSpec, payload_bytes: Floats, air_s: Floats, rate_bps: float) -> Floats:
    """Transfers, accesses, their squared lengths and logarithms of frames, [4, option]."""
    frames, accesses = accesses_of(link, payload_bytes, rate_bps)
    sent = accesses > 0.0
    each = np.maximum(accesses, 1.0)
    logs = np.where(sent, accesses * np.log(np.maximum(frames, 1.0) / each), 0.0)
    return np.stack([np.where(sent, 1.0, 0.0), accesses, air_s**2 / each, logs])
