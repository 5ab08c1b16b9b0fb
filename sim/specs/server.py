"""ServerSpec: the GPU's order of service, batching, limits and failures."""

import itertools
from dataclasses import dataclass

from sim.specs.check import above, at_least, one_of, option

DISCIPLINES = ("fifo", "take_all", "dynamic", "edf", "continuous")
"""One file of that name in sim/server/batching each."""
DECODERS = ("cpu", "gpu")
ADMISSIONS = ("reject", "wait")
SERVICE_LAWS = ("constant", "empirical")
ON_FAILURE = ("lose", "retry")


@dataclass(frozen=True, kw_only=True)
class ServerSpec:
    """The GPU server of the fleet. A batch holds requests of one model and cut only."""

    discipline: str = option("fifo", f"order of service: {', '.join(DISCIPLINES)}")
    n_gpus: int = option(1, "GPUs behind the one queue")
    speed: float = option(1.0, "factor on the GPU's speed (2: twice as fast)")
    max_batch: int = option(1, "largest batch of the batching disciplines")
    max_wait_s: float = option(0.0, "dynamic: longest wait for a batch to fill", "s")
    max_batch_tokens: int = option(2048, "continuous: new tokens that one iteration may hold")
    queue_limit: int | None = option(None, "requests that may wait; further ones are rejected")
    drop_expired: bool = option(False, "requests past their deadline are dropped unserved")
    decode_on: str = option("gpu", "where payloads are decoded: gpu, cpu")
    cpu_workers: int = option(1, "cores that decode when decode_on=cpu")
    overhead_s: float = option(
        0.0, "GPU time of every request beside its layers: launches, bookkeeping", "s"
    )
    batch_overhead_s: float = option(0.0, "GPU time of every batch beside its layers", "s")
    copy_fixed_s: float = option(0.0, "fixed time of copying one request to the GPU", "s")
    copy_bytes_per_s: float | None = option(
        None, "rate of that copy, of the payload or of the decoded tensor; None: no time", "B/s"
    )
    service_law: str = option("constant", f"how service times vary: {', '.join(SERVICE_LAWS)}")
    service_csv: str = option(
        "", "empirical: file with a column factor, measured service times over the profile's"
    )
    service_block: int = option(
        64, "empirical: consecutive services that follow one stretch of the file"
    )
    session_memory_bytes: float | None = option(
        None, "GPU memory for the state of sessions; None: no limit", "B"
    )
    admission: str = option("wait", "a session that does not fit into memory: wait or reject")
    fail_at_s: list[float] = option([], "times at which the server fails", "s")
    mean_up_s: float | None = option(
        None, "mean of exponential times between failures; None: none", "s"
    )
    repair_s: float = option(1.0, "time from a failure to the restart", "s")
    on_failure: str = option("retry", "requests at a failing server: retry (sent again), lose")
    power_idle_w: float | None = option(None, "of one GPU while nothing happens", "W")
    power_busy_w: float | None = option(None, "of one GPU at work, idling included", "W")

    def __post_init__(self) -> None:
        one_of("server.discipline", self.discipline, DISCIPLINES)
        one_of("server.decode_on", self.decode_on, DECODERS)
        one_of("server.admission", self.admission, ADMISSIONS)
        one_of("server.on_failure", self.on_failure, ON_FAILURE)
        one_of("server.service_law", self.service_law, SERVICE_LAWS)
        if (self.service_law == "empirical") != bool(self.service_csv):
            raise ValueError(
                "server.service_law=empirical and server.service_csv go together, got"
                f" {self.service_law} and {self.service_csv!r}"
            )
        for name in ("overhead_s", "batch_overhead_s", "copy_fixed_s"):
            at_least(f"server.{name}", getattr(self, name), 0.0)
        above("server.copy_bytes_per_s", self.copy_bytes_per_s, 0.0)
        for name in ("n_gpus", "max_batch", "max_batch_tokens", "cpu_workers", "service_block"):
            at_least(f"server.{name}", getattr(self, name), 1)
        at_least("server.max_wait_s", self.max_wait_s, 0.0)
        at_least("server.queue_limit", self.queue_limit, 0)
        at_least("server.session_memory_bytes", self.session_memory_bytes, 0.0)
        for name in ("speed", "mean_up_s", "repair_s"):
            above(f"server.{name}", getattr(self, name), 0.0)
        at_least("server.power_idle_w", self.power_idle_w, 0.0)
        at_least("server.power_busy_w", self.power_busy_w, self.power_idle_w or 0.0)
        if self.discipline == "fifo" and self.max_batch > 1:
            raise ValueError(
                f"server.max_batch must be 1 under server.discipline=fifo, got {self.max_batch};"
                " take_all or dynamic make batches"
            )
        if self.fail_at_s and self.mean_up_s is not None:
            raise ValueError("server takes fail_at_s or mean_up_s, got both")
        if any(b <= a for a, b in zip([0.0, *self.fail_at_s], self.fail_at_s, strict=False)):
            raise ValueError(f"server.fail_at_s must ascend from above 0, got {self.fail_at_s}")
        if any(b < a + self.repair_s for a, b in itertools.pairwise(self.fail_at_s)):
            raise ValueError(
                f"server.repair_s must end before the next failure, got {self.repair_s:g}"
            )

    def gpu_s(
        self, tail_s: float, decode_s: float, payload_bytes: float, tensor_bytes: float, n: int = 1
    ) -> float:
        """Seconds for which a batch of `n` holds a GPU.

        Args:
            tail_s: seconds of the batch's layers at the GPU's own speed.
            decode_s: of decoding all payloads; they count where the GPU decodes.
            payload_bytes, tensor_bytes: of all of them, encoded and decoded; what crosses to the
                GPU is copied: the payloads where it decodes, the tensors where cores do.
            n: how many requests.
        """
        on_gpu = self.decode_on == "gpu"
        work_s = (decode_s + tail_s if on_gpu else tail_s) / self.speed
        beside_s = self.batch_overhead_s + n * (self.overhead_s + self.copy_fixed_s)
        if self.copy_bytes_per_s is not None:
            beside_s += (payload_bytes if on_gpu else tensor_bytes) / self.copy_bytes_per_s
        return work_s + beside_s

    @property
    def is_bare(self) -> bool:
        """Whether nothing but layers and decoding holds a GPU."""
        beside = (self.overhead_s, self.batch_overhead_s, self.copy_fixed_s)
        return not any(beside) and self.copy_bytes_per_s is None

    @property
    def fails(self) -> bool:
        """Whether the server may fail."""
        return bool(self.fail_at_s) or self.mean_up_s is not None

    @property
    def plain(self) -> bool:
        """Whether departures follow from arrivals by arithmetic alone."""
        unlimited = self.queue_limit is None and not self.drop_expired
        steady = self.service_law == "constant"
        return self.discipline == "fifo" and unlimited and steady and not self.fails
