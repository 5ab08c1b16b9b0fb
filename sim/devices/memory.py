"""The GPU memory that sessions fill: reserve, grow, release, and wait in order of arrival."""

from math import inf

from simpy import Environment, Event


class Memory:
    """Bytes with a limit; None stands for no limit."""

    def __init__(self, env: Environment, limit_bytes: float | None) -> None:
        self._env = env
        self.limit_bytes = self._free_bytes = inf if limit_bytes is None else limit_bytes
        self._waiting: list[tuple[float, Event]] = []

    def take(self, n_bytes: float) -> bool:
        """Take bytes at once if there are enough and nobody waits for them."""
        if self._waiting or n_bytes > self._free_bytes:
            return False
        self._free_bytes -= n_bytes
        return True

    def grow(self, n_bytes: float) -> bool:
        """Take further bytes for a running session, ahead of those that wait."""
        if n_bytes > self._free_bytes:
            return False
        self._free_bytes -= n_bytes
        return True

    def wait(self, n_bytes: float) -> Event:
        """An event that fires when the bytes have been taken."""
        event = self._env.event()
        self._waiting.append((n_bytes, event))
        self._serve()
        return event

    def forget(self, event: Event, n_bytes: float) -> None:
        """Stop waiting; give back what was taken meanwhile."""
        if event.triggered:
            self.release(n_bytes)
        else:
            self._waiting = [entry for entry in self._waiting if entry[1] is not event]
            self._serve()

    def release(self, n_bytes: float) -> None:
        """Give bytes back."""
        self._free_bytes += n_bytes
        self._serve()

    def _serve(self) -> None:
        while self._waiting and self._waiting[0][0] <= self._free_bytes:
            n_bytes, event = self._waiting.pop(0)
            self._free_bytes -= n_bytes
            event.succeed()
