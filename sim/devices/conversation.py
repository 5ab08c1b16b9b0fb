"""Devices that hold autoregressive sessions: prefill once, then the same way for every token.

KV memory grows on both sides; a session ends at its length, at the memory limit of either side, or
at a latency limit (per token, or for the whole session). A policy with `adapt.per=token` may change
the codec from token to token, but not the cut: both caches stay where they are.
"""

from collections.abc import Mapping, Sequence
from math import inf
from typing import Any, cast

from simpy import Event, Interrupt

from sim.devices.device import Device, Steps
from sim.devices.memory import Memory
from sim.request import (
    BUSY,
    DONE,
    LEFT,
    MEMORY,
    REJECTED,
    SESSION_DEADLINE,
    TOKEN_DEADLINE,
    TTFT_DEADLINE,
    Request,
)
from sim.sources.sessions import Session, SessionSource
from sim.sources.sizes import Size, session_of
from sim.specs import WorkloadSpec


class Conversation(Device):
    """A device whose requests are sessions; `memory` is the server's, shared by all."""

    __slots__ = ("_limits", "_memory", "_memory_bytes", "_rejects")

    def __init__(
        self,
        *positional: Any,
        workload: WorkloadSpec,
        memory: Memory,
        rejects: bool,
        memory_bytes: float | None,
        **named: Any,
    ) -> None:
        super().__init__(*positional, workload=workload, **named)
        self._memory = memory
        self._rejects = rejects
        self._memory_bytes = inf if memory_bytes is None else memory_bytes
        self._limits = (
            inf if workload.max_new_tokens is None else workload.max_new_tokens,
            inf if workload.ttft_deadline_s is None else workload.ttft_deadline_s,
            inf if workload.token_deadline_s is None else workload.token_deadline_s,
            inf if workload.session_deadline_s is None else workload.session_deadline_s,
        )

    def handle(self, size: Size | None = None) -> Steps:
        """One session from birth to record, of a recorded size if there is one."""
        self.rows.advance()
        choice = self.choose()
        sessions = self._follow(choice, size)
        request = self.create(sessions[choice].steps[0], choice)
        request.payload_bytes = 0.0
        if self.max_in_flight is not None and self.in_flight >= self.max_in_flight:
            self.meter.count_departure(request, BUSY)
            return
        self.in_flight += 1
        held = _Held(self._memory)
        try:
            outcome = yield from self._admit_and_talk(request, sessions, held)
        except Interrupt:
            self._end(request, held, LEFT)
            raise
        self._end(request, held, outcome)

    def _follow(self, choice: int, size: Size | None) -> dict[int, Session]:
        """The session as every source that may serve it has it: the chosen one, and where a policy
        decides per token all others of its cut. One draw for all, so that their rows agree.
        """
        sources = cast(Sequence[SessionSource], self.sources)
        if self.policy is None or self.adapt.per != "token":
            return {choice: session_of(sources[choice], self.rows, size)}
        key, once = sources[choice].key, _Once(self.rows.random())
        return {
            i: session_of(each, once, size) for i, each in enumerate(sources) if each.key == key
        }

    def _end(self, request: Request, held: "_Held", outcome: int) -> None:
        """Give the memory back and record the session."""
        held.release()
        self.in_flight -= 1
        self.meter.count_departure(request, outcome)

    def _admit_and_talk(
        self, request: Request, sessions: Mapping[int, Session], held: "_Held"
    ) -> Steps:
        """Take memory for the prompt, waiting for it where the server lets sessions wait."""
        session = sessions[request.choice]
        need = session.server_bytes[0]
        if session.device_bytes[0] > self._memory_bytes:
            return REJECTED  # the prompt itself does not fit: nothing was answered
        if need > self._memory.limit_bytes:
            return REJECTED
        if not held.take(need):
            if self._rejects:
                return REJECTED
            yield held.wait(need)
        return (yield from self._talk(request, sessions, held))

    def _talk(self, request: Request, sessions: Mapping[int, Session], held: "_Held") -> Steps:
        """Step after step until something ends the session."""
        max_tokens, first_limit_s, token_limit_s, session_limit_s = self._limits
        used_bytes = 0.0
        session = sessions[request.choice]
        for number, draw in enumerate(session.steps):
            used_bytes += session.device_bytes[number]
            grown = number == 0 or held.grow(session.server_bytes[number])
            if used_bytes > self._memory_bytes or not grown:
                request.ending = MEMORY
                break
            choice = request.choice
            usable = tuple(i for i, each in sessions.items() if number < len(each.steps))
            if number > 0 and len(usable) > 1:
                choice = self.choose(usable)
                draw = sessions[choice].steps[number]
            step = Request(self.index, self.group, draw, self.env.now, choice)
            step.tokens = number
            step.deadline_s = request.deadline_s
            if number == 0:
                step.created_s = request.created_s
                step.memory_wait_s = self.env.now - request.created_s
            outcome = yield from self._play(request, step)
            if outcome != DONE:
                return outcome
            now = self.env.now
            if number + 1 >= min(max_tokens, len(session.steps)):
                break
            if now - step.created_s > (token_limit_s if number else first_limit_s):
                request.ending = TOKEN_DEADLINE if number else TTFT_DEADLINE
                break
            if now - request.created_s > session_limit_s:
                request.ending = SESSION_DEADLINE
                break
        return DONE

    def _play(self, request: Request, step: Request) -> Steps:
        """One step, counted with whatever becomes of it; returns its outcome."""
        self.meter.begin_step(step)
        try:
            outcome = yield from self.step(step)
        except Interrupt:
            self.withdraw(step)
            self._book(request, step, LEFT)
            raise
        self._book(request, step, outcome)
        return outcome

    def _book(self, request: Request, step: Request, outcome: int) -> None:
        self.meter.count_step(step, outcome)
        _add(request, step)


class _Once:
    """One uniform number that several sources draw the same row with."""

    def __init__(self, uniform: float) -> None:
        self._uniform = uniform

    def random(self) -> float:
        """The number."""
        return self._uniform

    def integers(self, high: int) -> int:
        """As `Stream.integers` makes it of that number."""
        return int(self._uniform * high)

    def exponential(self, scale: float = 1.0) -> float:
        """As `Stream.exponential` makes it of that number."""
        from sim import philox

        return scale * float(philox.minus_log(self._uniform))


class _Held:
    """The server memory of one session, given back whatever ends it."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._bytes = 0.0
        self._waiting: tuple[Event, float] | None = None

    def take(self, n_bytes: float) -> bool:
        taken = self._memory.take(n_bytes)
        self._bytes += n_bytes if taken else 0.0
        return taken

    def grow(self, n_bytes: float) -> bool:
        grown = self._memory.grow(n_bytes)
        self._bytes += n_bytes if grown else 0.0
        return grown

    def wait(self, n_bytes: float) -> Event:
        event = self._memory.wait(n_bytes)
        self._waiting = (event, n_bytes)
        event.callbacks.append(self._hear_arrival)
        return event

    def _hear_arrival(self, event: Event) -> None:
        if self._waiting is not None:
            self._bytes += self._waiting[1]
            self._waiting = None

    def release(self) -> None:
        if self._waiting is not None:
            self._memory.forget(*self._waiting)
            self._waiting = None
        self._memory.release(self._bytes)
        self._bytes = 0.0


def _add(request: Request, step: Request) -> None:
    """Book a step on its session; a token was made where it came back."""
    if request.tokens == 0:
        request.device_start_s = step.device_start_s
    request.tokens += step.outcome == DONE
    request.payload_bytes += step.payload_bytes
    request.air_bytes += step.air_bytes
    request.airtime_s += step.airtime_s
    request.resent_frames += step.resent_frames
    request.retries += step.retries
    request.server_share_s += step.server_share_s
    request.outcome = step.outcome
