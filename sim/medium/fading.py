"""A device's channel that fades or loses frames: runs of frames, blocks, retransmissions.

Equations. Outage rate under Rayleigh block fading: R = W log2(1 - snr ln(1 - eps)), each block
fails with probability eps. Frame of L bytes: loss 1 - (1 - fer)(1 - ber)^(8 L). The gain g is
exponential with mean 1, constant within `coherence_s`.
"""

import math
from collections import deque
from collections.abc import Callable, Generator
from typing import Any, NamedTuple

from simpy import Environment, Event

from sim.medium.channel import rate_bps
from sim.medium.contended import Radio
from sim.request import Request
from sim.specs import LinkSpec
from sim.station import Station
from sim.streams import Stream

Frame = tuple[float, int]


def refuse_hopeless(spec: LinkSpec, snr_db: float) -> None:
    """A frame that does not fit into a block at the mean would wait for ever."""
    rate = rate_bps(spec, snr_db)
    frame_s = math.inf
    if rate > 0.0:
        frame_s = spec.frame_airtime_s + 8.0 * (spec.mtu_bytes + spec.header_bytes) / rate
    limit_s = spec.coherence_s if spec.fading != "none" else math.inf
    if frame_s >= limit_s:
        raise ValueError(
            f"link.snr_db must let a frame of {spec.mtu_bytes} B pass within"
            f" {limit_s:g} s at its mean, got {snr_db:g}"
        )


def through(spec: LinkSpec, n_bytes: float) -> float:
    """How likely a frame of so many bytes gets through where its block does."""
    bits = 8.0 * (n_bytes + spec.header_bytes)
    ber = 0.0 if spec.transport == "bit_error" else spec.wrong_bits
    return float((1.0 - spec.frame_error_rate) * (1.0 - ber) ** bits)


def arrival_share(spec: LinkSpec, payload_bytes: float) -> float:
    """How likely a payload arrives with as many retransmissions as there may be, where frames are
    lost independently: prod over its frames (1 - p^(m + 1)), p the loss of each (Bertsekas and
    Gallager 1992, section 2.4.1). All of a payload that may be damaged arrives.
    """
    if spec.transport != "exact":
        return 1.0
    sizes = [size for size, _ in split_frames(payload_bytes, spec.mtu_bytes)]
    losses = ((1.0 - through(spec, size)) ** (spec.max_retries + 1) for size in sizes)
    return math.prod(1.0 - lost for lost in losses)


def split_frames(payload_bytes: float, mtu_bytes: int) -> deque[Frame]:
    """(bytes, retransmissions so far) of every frame; the last one is what is left."""
    n_full = max(0, int(-(-payload_bytes // mtu_bytes)) - 1)
    return deque([*[(float(mtu_bytes), 0)] * n_full, (payload_bytes - n_full * mtu_bytes, 0)])


class RadioChannel:
    """A channel that fades or loses frames: payloads go out in runs of frames.

    A run is what fits into one fading block. Approximation: the rate and the state of the block
    are taken at the run's start; a run that would not let one frame pass waits for the next
    block; retransmissions follow at once, without a growing backoff. Where a device has one
    transmit queue, a payload waits until all runs of those before it are through.
    """

    def __init__(
        self,
        env: Environment,
        spec: LinkSpec,
        medium: Station | Radio,
        stream: Stream,
        snr_db: float,
        silence_s: Callable[[float, float], float],
    ) -> None:
        self._env = env
        self._spec = spec
        self._silence_s = silence_s
        self.medium = medium
        self._stream = stream
        self._snr_db = snr_db
        self._block = -1
        self._gain = 1.0
        self._line: deque[Event] = deque()
        refuse_hopeless(spec, snr_db)

    def _gain_now(self) -> float:
        """The block's gain; blocks in which nothing was sent leave the stream untouched.

        Blocks only go forward: late in a long run the end of one, as a time, may lie before it.
        """
        block = math.floor(self._env.now / self._spec.coherence_s + 1e-9)
        if self._spec.fading == "rayleigh" and block > self._block:
            self._enter(block)
        return self._gain

    def _enter(self, block: int) -> None:
        self._block = block
        self._gain = self._stream.exponential(1.0)

    def _is_lost(self, n_bytes: float, gain: float) -> bool:
        """Whether a frame sent now is lost."""
        spec = self._spec
        if spec.rate == "outage" and gain < -math.log1p(-spec.outage):
            return True
        likely = through(spec, n_bytes)
        return likely < 1.0 and self._stream.random() >= likely

    def send(self, request: Request, weight: float) -> Generator[Event, Any, bool]:
        """Move a payload and book its time; False if a frame ran out of retransmissions."""
        if not self._spec.has_own_queues:
            return (yield from self._move(request, weight))
        place = self._env.event()
        self._line.append(place)
        try:
            if len(self._line) > 1:
                yield from self._wait(request, place)
            return (yield from self._move(request, weight))
        finally:
            first = self._line[0] is place
            self._line.remove(place)
            if first and self._line:
                self._line[0].succeed()

    def _wait(self, request: Request, place: Event) -> Generator[Event, Any, None]:
        """For the payloads before it in the device's queue."""
        entered_s = self._env.now
        yield place
        silence_s = self._silence_s(entered_s, self._env.now)
        request.link_outage_s += silence_s
        request.link_wait_s += self._env.now - entered_s - silence_s

    def _move(self, request: Request, weight: float) -> Generator[Event, Any, bool]:
        """All runs of a payload, one after another."""
        spec, env = self._spec, self._env
        frames = split_frames(request.payload_bytes, spec.mtu_bytes)
        n_frames = len(frames)
        start_s = math.nan
        while frames:
            gain = self._gain_now()
            run = self._run(frames, rate_bps(spec, self._snr_db, gain))
            if not run.frames:
                entered_s = env.now
                yield env.timeout(max(0.0, (self._block + 1) * spec.coherence_s - entered_s))
                self._enter(self._block + 1)
                request.link_outage_s += env.now - entered_s
                continue
            request.air_bytes += math.fsum(size + spec.header_bytes for size, _ in run.frames)
            began_s, request.link_end_s = yield from self._transfer(request, run, weight)
            if start_s != start_s:
                request.link_start_s = start_s = began_s
            lost = [frame for frame in run.frames if self._is_lost(frame[0], gain)]
            if spec.transport != "exact":
                request.erased += len(lost) / n_frames
                continue
            if any(tries >= spec.max_retries for _, tries in lost):
                return False
            request.resent_frames += len(lost)
            if lost and spec.rate == "outage" and spec.rtt_s > 0.0:
                yield from self._hear_of_loss(request)
            frames.extendleft((size, tries + 1) for size, tries in reversed(lost))
        return True

    def _transfer(
        self, request: Request, run: "_Run", weight: float
    ) -> Generator[Event, Any, tuple[float, float]]:
        """One run on the medium, booked; when it began and ended."""
        entered_s = self._env.now
        medium = self.medium
        if isinstance(medium, Radio):
            n_frames, n_accesses = len(run.frames), run.accesses
            visit = medium.send(run.airtime_s, run.fixed_s, n_accesses, n_frames / n_accesses)
        else:
            visit = medium.serve(run.airtime_s, 0.0, weight, run.fixed_s)
        request.visit = visit
        began_s, end_s, alone_s = yield visit
        silence_s = self._silence_s(entered_s, end_s)
        request.airtime_s += alone_s
        request.link_resend_s += run.resent_share * alone_s
        request.link_outage_s += silence_s
        request.link_wait_s += end_s - entered_s - alone_s - silence_s
        return began_s, end_s

    def _hear_of_loss(self, request: Request) -> Generator[Event, Any, None]:
        """A whole block is gone: that is known after a round trip at the earliest."""
        request.link_outage_s += self._spec.rtt_s
        yield self._env.timeout(self._spec.rtt_s)

    def _run(self, frames: deque[Frame], rate: float) -> "_Run":
        """Take the first frames that fit into one block."""
        if rate <= 0.0:
            return _Run([], 0, 0.0, 0.0, 0.0)
        limit_s = self._spec.coherence_s if self._spec.fading != "none" else math.inf
        airtime_s = fixed_s = resent_s = 0.0
        chosen: list[Frame] = []
        accesses, aggregation = 0, self._spec.frames_per_access(rate)
        while frames:
            size, tries = frames[0]
            begins = len(chosen) % aggregation == 0
            access_s = self._spec.frame_airtime_s if begins else 0.0
            frame_s = access_s + 8.0 * (size + self._spec.header_bytes) / rate
            if airtime_s + frame_s > limit_s:
                break
            chosen.append(frames.popleft())
            accesses += begins
            airtime_s += frame_s
            fixed_s += access_s
            resent_s += frame_s if tries else 0.0
        share = resent_s / airtime_s if resent_s else 0.0
        return _Run(chosen, accesses, airtime_s, fixed_s, share)


class _Run(NamedTuple):
    """Frames that go out together, the accesses that they take, their airtime at the medium's full
    speed, the part of it that is fixed, and the share that is sent again.
    """

    frames: list[Frame]
    accesses: int
    airtime_s: float
    fixed_s: float
    resent_share: float
