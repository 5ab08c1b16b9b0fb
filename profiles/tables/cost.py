"""Cost surfaces: seconds of the head or the tail of a network at every cut.

Shapes: `seconds[cut, batch, token, kv]`; axes ascend. `token` counts the new tokens of one call
(1 for vision), `kv` the tokens that already lie in the cache.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from profiles.tables import archive, choices

PRECISIONS = ("fp32", "fp16", "bf16")
MODES = ("eager", "graph", "compiled")


@dataclass(frozen=True, kw_only=True, eq=False)
class CostSurface:
    """Seconds of one part of a network over (cut, batch, new tokens, KV length) on one machine.

    Between measured points it interpolates linearly along every axis; it refuses to extrapolate.
    `precision` (fp32, fp16, bf16) and `mode` (eager, graph, compiled) say how the network ran.
    `factor` is 1 for a measured surface, and the product of all factors after `scale`. `errors`
    are the relative standard errors of the points, None where they are not known;
    `provenance["log_error"]` the standard deviation of the logarithm of a factor that all of its
    points share. `provenance["kind"]` is one of measured, scaled, modelled, published.

    Raises:
        ValueError: an axis that does not ascend, a wrong shape, a negative or NaN time.
    """

    part: str
    hardware: str
    cuts: tuple[str, ...]
    seconds: np.ndarray
    batches: tuple[int, ...] = (1,)
    new_tokens: tuple[int, ...] = (1,)
    kv_lengths: tuple[int, ...] = (0,)
    precision: str = "fp32"
    mode: str = "eager"
    factor: float = 1.0
    errors: np.ndarray | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        choices.position("cost.part", self.part, ("head", "tail"))
        choices.position("cost.precision", self.precision, PRECISIONS)
        choices.position("cost.mode", self.mode, MODES)
        for name in ("batches", "new_tokens", "kv_lengths"):
            _ascends(f"cost.{name}", getattr(self, name), lowest=0 if name == "kv_lengths" else 1)
        if not self.cuts or len(set(self.cuts)) != len(self.cuts):
            raise ValueError(f"cost.cuts must be distinct names, got {self.cuts}")
        if not (np.isfinite(self.factor) and self.factor > 0):
            raise ValueError(f"cost.factor must be > 0, got {self.factor}")
        axes = (self.cuts, self.batches, self.new_tokens, self.kv_lengths)
        shape = tuple(len(axis) for axis in axes)
        seconds = np.array(self.seconds, np.float64)
        if seconds.shape != shape:
            raise ValueError(f"cost.seconds must have shape {shape}, got {seconds.shape}")
        if not (np.isfinite(seconds) & (seconds >= 0)).all():
            worst = seconds[~(np.isfinite(seconds) & (seconds >= 0))][0]
            raise ValueError(f"cost.seconds must be finite and >= 0, got {worst}")
        seconds.setflags(write=False)
        object.__setattr__(self, "seconds", seconds)
        if self.errors is not None:
            self._keep_errors(np.array(self.errors, np.float64))

    def _keep_errors(self, errors: np.ndarray) -> None:
        if errors.shape != self.seconds.shape:
            raise ValueError(
                f"cost.errors must have shape {self.seconds.shape}, got {errors.shape}"
            )
        if not (np.isfinite(errors) & (errors >= 0)).all():
            raise ValueError("cost.errors must be finite and >= 0, got a negative or NaN one")
        errors.setflags(write=False)
        object.__setattr__(self, "errors", errors)

    @property
    def log_error(self) -> float:
        """Standard deviation of the logarithm of the factor that all points share: that of the way
        they came from elsewhere, or of how fast a machine that drifts evenly is at one moment of a
        measurement over how fast it is at another, drift / sqrt(6), less what chance explains of
        the trend.
        """
        drift = np.log1p(float(self.provenance.get("anchor_drift", 0.0)))
        chance = float(self.provenance.get("anchor_drift_error", 0.0))
        own = np.sqrt(max(0.0, drift * drift - 2.0 * chance * chance) / 6.0)
        return float(self.provenance.get("log_error", own))

    @property
    def drift(self) -> float:
        """How much slower the anchor became while this was measured, here or where the seconds
        come from; 0 where nobody looked.
        """
        said: Mapping[str, Any] = self.provenance
        while "anchor_drift" not in said and isinstance(said.get("from"), Mapping):
            said = said["from"]
        return float(said.get("anchor_drift", 0.0))

    @property
    def coarse(self) -> tuple[str, ...]:
        """Points `cut@batch` whose median is known to less than 5 %, measured here or where the
        seconds come from.
        """
        said: Mapping[str, Any] = self.provenance
        while "coarse" not in said and isinstance(said.get("from"), Mapping):
            said = said["from"]
        return tuple(said.get("coarse", ()))

    def seconds_at(
        self, cut: str, batch: float = 1, new_tokens: float = 1, kv_length: float = 0
    ) -> float:
        """Seconds of one call at `cut`.

        Raises:
            ValueError: an unknown cut, or a point outside the measured range.
        """
        values = self.seconds[choices.position("cut", cut, self.cuts)]
        for name, axis, at in (
            ("batch", self.batches, batch),
            ("new_tokens", self.new_tokens, new_tokens),
            ("kv_length", self.kv_lengths, kv_length),
        ):
            values = _interpolate(values, name, axis, at)
        return float(values)

    def seconds_by_batch(self, cut: str, most: int) -> np.ndarray:
        """Seconds of one call at `cut` for 1 to `most` requests of one token, [most], each as
        `seconds_at` has it; NaN outside the measured range.
        """
        sizes, axis = np.arange(1, most + 1), np.array(self.batches)
        seconds = np.full(most, np.nan)
        if (self.new_tokens[0], self.kv_lengths[0]) != (1, 0):
            return seconds
        known = (axis[0] <= sizes) & (sizes <= axis[-1])
        measured = self.seconds[choices.position("cut", cut, self.cuts), :, 0, 0]
        right = np.minimum(np.maximum(1, np.searchsorted(axis, sizes[known])), len(axis) - 1)
        left = np.maximum(0, right - 1)
        weight = (sizes[known] - axis[left]) / np.maximum(1, axis[right] - axis[left])
        seconds[known] = (1 - weight) * measured[left] + weight * measured[right]
        return seconds

    def resample(self, generator: np.random.Generator) -> "CostSurface":
        """The surface as it might have been measured as well: every point with an error of its own.
        Itself where none is known.
        """
        if self.errors is None or not self.errors.any():
            return self
        factors = np.exp(self.errors * generator.standard_normal(self.errors.shape))
        return replace(self, seconds=self.seconds * factors)

    def shift(self, deviations: float) -> "CostSurface":
        """The surface where its machine is off by that many standard deviations, all points alike.
        Itself where no such error is known.
        """
        if not self.log_error or not deviations:
            return self
        return replace(self, seconds=self.seconds * np.exp(self.log_error * deviations))

    def scale(
        self, factor: float, *, hardware: str, source: str, log_error: float = 0.0
    ) -> "CostSurface":
        """The same surface on a machine that is `factor` times slower; marked "scaled".

        `log_error`: standard deviation of the logarithm of that factor.
        """
        if not source:
            raise ValueError("cost.scaled needs the source of its factor, got an empty text")
        provenance = {
            "kind": "scaled",
            "log_error": float(np.hypot(self.log_error, log_error)),
            "from": {"hardware": self.hardware, **self.provenance},
            "factor": factor,
            "source": source,
        }
        return replace(
            self,
            hardware=hardware,
            seconds=self.seconds * factor,
            factor=self.factor * factor,
            provenance=provenance,
        )

    def plus(self, seconds: float) -> "CostSurface":
        """The same surface where every call takes so many seconds more."""
        return replace(self, seconds=self.seconds + seconds)

    def header(self) -> archive.Header:
        """Everything but the seconds, as JSON."""
        return {
            "part": self.part,
            "hardware": self.hardware,
            "cuts": list(self.cuts),
            "batches": list(self.batches),
            "new_tokens": list(self.new_tokens),
            "kv_lengths": list(self.kv_lengths),
            "precision": self.precision,
            "mode": self.mode,
            "factor": self.factor,
            "provenance": dict(self.provenance),
        }

    @classmethod
    def from_header(
        cls, header: Mapping[str, Any], seconds: np.ndarray, errors: np.ndarray | None = None
    ) -> "CostSurface":
        """The inverse of `header`."""
        names = ("cuts", "batches", "new_tokens", "kv_lengths")
        axes: dict[str, Any] = {name: tuple(header[name]) for name in names}
        plain = ("part", "hardware", "precision", "mode", "factor", "provenance")
        rest = {name: header[name] for name in plain if name in header}
        return cls(seconds=seconds, errors=errors, **axes, **rest)


def _ascends(name: str, axis: tuple[int, ...], lowest: int) -> None:
    if not axis or axis[0] < lowest or any(b <= a for a, b in itertools.pairwise(axis)):
        raise ValueError(f"{name} must ascend from {lowest} or above, got {axis}")


def _interpolate(values: np.ndarray, name: str, axis: tuple[int, ...], at: float) -> np.ndarray:
    """Take the first axis of `values` at `at`, linearly between its two neighbours."""
    if not axis[0] <= at <= axis[-1]:
        raise ValueError(
            f"{name} must lie in the measured range {axis[0]}..{axis[-1]}, got {at}"
            " (cost surfaces do not extrapolate)"
        )
    right = max(1, int(np.searchsorted(axis, at))) if len(axis) > 1 else 0
    left = max(0, right - 1)
    if left == right:
        return np.asarray(values[0])
    weight = (at - axis[left]) / (axis[right] - axis[left])
    return np.asarray((1 - weight) * values[left] + weight * values[right])


def join_phases(prefill: CostSurface, decode: CostSurface) -> CostSurface:
    """One surface over new tokens and KV length of the two that were measured.

    Exact on both: (new tokens, no KV) and (one token, KV). Approximation elsewhere, where no
    session ever is: the KV costs what it costs one token.
    """
    first = prefill.seconds[:, :, :, :1]
    later = decode.seconds[:, :, :1, :]
    seconds = first + np.maximum(0.0, later - later[..., :1])
    seconds[:, :, :1, :] = later
    errors = None
    if prefill.errors is not None and decode.errors is not None:
        errors = np.broadcast_to(prefill.errors[:, :, :, :1], seconds.shape).copy()
        errors[:, :, :1, :] = decode.errors[:, :, :1, :]
    return replace(prefill, seconds=seconds, errors=errors, kv_lengths=decode.kv_lengths)
