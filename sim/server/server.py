"""The server: GPUs behind one queue that decode payloads and run tails.

`PlainServer` serves in order of arrival by arithmetic; `QueueServer` holds an explicit queue for
batching, priorities, limits, failures and devices that leave. Both end a visit as a station does,
or with None and the request's `outcome` set where it was not served. Stamps and GPU seconds stand
on the request from the moment at which they are known, so that work in progress can be counted.
"""

from heapq import heapify, heapreplace
from math import fsum, inf
from typing import Protocol

from simpy import Environment, Event

from sim.request import EXPIRED, REJECTED, SERVER_LOST, Request
from sim.server import batching
from sim.server.batching import Job
from sim.server.service import ServiceLaw, batch_s
from sim.sources.source import Source
from sim.specs import ServerSpec
from sim.station import FifoStation, PoolStation, QueuePool, leave
from sim.streams import Stream


class Server(Protocol):
    """What a device needs of the server."""

    @property
    def decoder(self) -> PoolStation | QueuePool | None:
        """The cores that decode, where those do and not the GPU."""

    def serve(self, request: Request, source: Source, after_s: float) -> Event:
        """Serve one request; the event fires when its answer has been down for `after_s`."""

    def cancel(self, event: Event) -> None:
        """Its device has left: take a waiting request out of the queue for the GPU or for a
        decoder; one in service is finished in vain.
        """

    def busy_s(self) -> float:
        """Seconds of GPU work so far, per GPU."""

    def wait_hint_s(self) -> float:
        """How long a request that came now would wait, as the server can know it."""

    def wait_until_up(self) -> Event:
        """An event that fires when the server is up."""


class PlainServer:
    """First come, first served, unlimited, never failing, never left: departure-time arithmetic."""

    def __init__(self, env: Environment, spec: ServerSpec) -> None:
        self._env = env
        one = spec.n_gpus == 1
        self._gpu: FifoStation | PoolStation
        self._gpu = FifoStation(env) if one else PoolStation(env, spec.n_gpus)
        self._spec = spec
        self._bare = spec.is_bare
        self.decoder: PoolStation | QueuePool | None
        self.decoder = PoolStation(env, spec.cpu_workers) if spec.decode_on == "cpu" else None

    def serve(self, request: Request, source: Source, after_s: float) -> Event:
        """Queue up for decode and tail."""
        draw = request.draw
        if self._bare:
            work_s = draw.server_s if self.decoder else draw.decode_s + draw.server_s
            work_s /= self._spec.speed
        else:
            work_s = batch_s(self._spec, [draw], draw.server_s)
        request.server_share_s = work_s
        request.server_start_s = start_s = self._gpu.start_s()
        request.server_end_s = start_s + work_s
        return self._gpu.serve(work_s, after_s)

    def cancel(self, event: Event) -> None:
        """The work was admitted and is done in vain; the caller no longer listens."""

    def busy_s(self) -> float:
        """Seconds of GPU work so far, per GPU."""
        return self._gpu.busy_s()

    def wait_hint_s(self) -> float:
        """The backlog."""
        return self._gpu.backlog_s()

    def wait_until_up(self) -> Event:
        """It is always up."""
        return self._env.event().succeed()


class QueueServer:
    """An explicit queue in front of `n_gpus` GPUs; the discipline picks the batches."""

    def __init__(self, env: Environment, spec: ServerSpec, stream: Stream | None = None) -> None:
        self._env = env
        self._spec = spec
        self._law = ServiceLaw(spec, stream) if stream is not None else None
        self._pick = batching.rule(spec)
        self._queue: list[Job] = []
        self._running: dict[Event, tuple[list[Job], float]] = {}
        self._busy_s = 0.0
        self._last_share_s = 0.0
        self._again_s = inf
        self._up = True
        self._repaired = env.event()
        self.n_served = 0
        self.decoder: PoolStation | QueuePool | None
        self.decoder = QueuePool(env, spec.cpu_workers) if spec.decode_on == "cpu" else None

    def serve(self, request: Request, source: Source, after_s: float) -> Event:
        """Queue up, or be refused at once: where the server is down, or more would have to wait
        than may.
        """
        event = self._env.event()
        limit = self._spec.queue_limit
        if not self._up:
            _refuse(request, event, SERVER_LOST)
            return event
        job = Job(request, source, event, after_s, self._env.now)
        self._queue.append(job)
        self._start_batches()
        if limit is not None and len(self._queue) > limit and self._queue[-1] is job:
            self._queue.pop()
            _refuse(request, event, REJECTED)
        return event

    def cancel(self, event: Event) -> None:
        """Take a waiting request out; one in service is finished in vain."""
        self._queue = [job for job in self._queue if job.event is not event]
        if self.decoder is not None:
            self.decoder.cancel(event)

    def busy_s(self) -> float:
        """Seconds of GPU work so far, per GPU."""
        now = self._env.now
        return (self._busy_s + fsum(now - start for _, start in self._running.values())) / (
            self._spec.n_gpus
        )

    def wait_hint_s(self) -> float:
        """In order of arrival the backlog; else requests present times the last batch's seconds per
        request.
        """
        if self._spec.discipline == "fifo":
            return self._backlog_s()
        present = len(self._queue) + sum(len(jobs) for jobs, _ in self._running.values())
        return present * self._last_share_s / self._spec.n_gpus

    def _backlog_s(self) -> float:
        """Seconds until a GPU would serve a request that came now, every one alone."""
        now = self._env.now
        free_s = [jobs[0].request.server_end_s for jobs, _ in self._running.values()]
        free_s += [now] * self._idle()
        heapify(free_s)
        for job in self._queue:
            heapreplace(free_s, free_s[0] + self._batch_s([job]))
        return max(0.0, free_s[0] - now)

    def wait_until_up(self) -> Event:
        """An event that fires when the server is up, at once if it is."""
        return self._env.event().succeed() if self._up else self._repaired

    def fail(self) -> None:
        """Lose what waits and what is in service; refuse everything until `repair`."""
        self._up = False
        now = self._env.now
        for jobs, start_s in self._running.values():
            self._busy_s += now - start_s
            for job in jobs:
                request = job.request
                request.server_share_s -= job.share_s - (now - start_s) / len(jobs)
                request.server_end_s = now
                request.server_wait_s += start_s - job.queued_s
                request.server_service_s += now - start_s
                _refuse(request, job.event, SERVER_LOST)
        for job in self._queue:
            self._turn_away(job, SERVER_LOST)
        self._running.clear()
        self._queue.clear()

    def repair(self) -> None:
        """Accept requests again."""
        self._up = True
        repaired, self._repaired = self._repaired, self._env.event()
        repaired.succeed()

    def _idle(self) -> int:
        return self._spec.n_gpus - len(self._running)

    def _start_batches(self) -> None:
        """Start as many batches as there are idle GPUs and ready requests."""
        while self._queue and self._idle() > 0:
            if self._spec.drop_expired and self._drop_expired():
                continue
            pick = self._pick(self._queue, self._env.now)
            if not pick.jobs:
                self._look_again(pick.again_s)
                return
            self._run(pick.jobs)

    def _drop_expired(self) -> bool:
        """Drop what is past its deadline; whether there was any."""
        now = self._env.now
        late = [job for job in self._queue if job.request.deadline_s < now]
        self._queue = [job for job in self._queue if job.request.deadline_s >= now]
        for job in late:
            self._turn_away(job, EXPIRED)
        return bool(late)

    def _turn_away(self, job: Job, outcome: int) -> None:
        """End a visit that has waited for nothing."""
        job.request.server_wait_s += self._env.now - job.queued_s
        _refuse(job.request, job.event, outcome)

    def _look_again(self, time_s: float) -> None:
        """Wake up when the rule wants to be asked again."""
        if time_s < self._again_s:
            self._again_s = time_s
            wake = self._env.timeout(max(0.0, time_s - self._env.now))
            wake.callbacks.append(self._wake)

    def _wake(self, timer: Event) -> None:
        self._again_s = inf
        self._start_batches()

    def _run(self, jobs: list[Job]) -> None:
        """Put a batch onto an idle GPU."""
        if jobs == self._queue[: len(jobs)]:
            del self._queue[: len(jobs)]
        else:
            chosen = set(map(id, jobs))
            self._queue = [job for job in self._queue if id(job) not in chosen]
        seconds = self._batch_s(jobs)
        if self._law is not None:
            seconds *= self._law.factor(jobs[0].request.draw.sample)
        share_s = seconds / len(jobs)
        now = self._env.now
        for job in jobs:
            job.share_s = share_s
            job.request.server_share_s += share_s
            job.request.server_start_s = now
            job.request.server_end_s = now + seconds
        self._last_share_s = share_s
        done = self._env.timeout(seconds)
        self._running[done] = (jobs, now)
        done.callbacks.append(self._finish)

    def _batch_s(self, jobs: list[Job]) -> float:
        """Decode of every payload (on the GPU), one execution of the tail, what stands beside."""
        draws = [job.request.draw for job in jobs]
        tail_s = draws[0].server_s if len(draws) == 1 else jobs[0].source.batch_s(draws)
        return batch_s(self._spec, draws, tail_s)

    def _finish(self, done: Event) -> None:
        """A batch is through; a failure may have taken it away before."""
        if done not in self._running:
            return
        now = self._env.now
        jobs, start_s = self._running.pop(done)
        self._busy_s += now - start_s
        for job in jobs:
            self.n_served += 1
            leave(self._env, job.event, start_s, now, now - start_s, job.after_s)
        self._start_batches()


def _refuse(request: Request, event: Event, outcome: int) -> None:
    """End a visit without service."""
    request.outcome = outcome
    event.succeed(None)
