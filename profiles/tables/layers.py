"""Model profiles: where a network may be cut, and what either side costs on one machine.

Cut names are the same everywhere: "input" (the raw input is sent, the server does all), the
stages of the network in order, and "output" (all on the device; only the answer leaves).
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, ClassVar, Self

import numpy as np

from profiles.tables import archive, choices, medians
from profiles.tables.cost import CostSurface

PHASES = ("single", "prefill", "decode")
_PLAIN = ("model", "hardware", "phase", "fingerprint", "provenance")


@dataclass(frozen=True, kw_only=True)
class Cut:
    """One place to cut: the tensor that crosses (batch 1) and the FLOPs on either side.

    FLOPs count a multiply-add as two. `kv_head_bytes` and `kv_tail_bytes` are the bytes that one
    token adds to the cache on the device and on the server (0 for vision).
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    head_flops: float
    tail_flops: float
    kv_head_bytes: float = 0.0
    kv_tail_bytes: float = 0.0

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("cut.name must not be empty, got ''")
        for name in ("head_flops", "tail_flops", "kv_head_bytes", "kv_tail_bytes"):
            value = getattr(self, name)
            if not (np.isfinite(value) and value >= 0):
                raise ValueError(f"cut {self.name}: {name} must be >= 0, got {value}")

    @property
    def elements(self) -> int:
        """Numbers in the crossing tensor."""
        return int(np.prod(self.shape, dtype=np.int64))


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One block between two cuts: its work, its memory traffic and its share of the time.

    `weight_bytes` are read once per call, `activation_bytes` once per sample. `seconds` is its
    median share times the whole model's median; the last layer, "overhead", books the remainder.
    """

    name: str
    flops: float
    weight_bytes: float
    activation_bytes: float
    kernels: int
    seconds: float

    def __post_init__(self) -> None:
        for name in ("flops", "weight_bytes", "activation_bytes", "kernels"):
            value = getattr(self, name)
            if not (np.isfinite(value) and value >= 0):
                raise ValueError(f"layer {self.name}: {name} must be >= 0, got {value}")
        if not np.isfinite(self.seconds):
            raise ValueError(f"layer {self.name}: seconds must be finite, got {self.seconds}")


@dataclass(frozen=True, kw_only=True, eq=False)
class ModelProfile(archive.Stored):
    """Cuts, layers and the two cost surfaces of one network in one phase on one machine.

    `samples` keeps every raw time in seconds, name -> array; `fingerprint` describes the machine;
    `provenance` says how the numbers came about and from which weights.
    """

    _KIND: ClassVar = "model profile"
    _VERSION: ClassVar = 1

    model: str
    hardware: str
    cuts: tuple[Cut, ...]
    head: CostSurface
    tail: CostSurface
    phase: str = "single"
    layers: tuple[Layer, ...] = ()
    samples: Mapping[str, np.ndarray] = field(default_factory=dict)
    fingerprint: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        choices.position("profile.phase", self.phase, PHASES)
        names = tuple(cut.name for cut in self.cuts)
        for part in (self.head, self.tail):
            if part.cuts != names:
                raise ValueError(f"profile.{part.part}.cuts must be {names}, got {part.cuts}")
        if (self.head.part, self.tail.part) != ("head", "tail"):
            raise ValueError(
                f"profile needs a head and a tail, got {self.head.part} and {self.tail.part}"
            )
        for name, values in self.samples.items():
            if not np.isfinite(values).all():
                raise ValueError(f"profile.samples[{name!r}] must be finite, got a NaN time")
        for name in ("head", "tail"):
            side: CostSurface = getattr(self, name)
            if side.errors is None and side.provenance.get("kind") == "measured":
                known = replace(side, errors=_errors(side, self.samples))
                object.__setattr__(self, name, known)

    def cut(self, name: str) -> Cut:
        """The cut of that name; ValueError with the nearest names otherwise."""
        return self.cuts[choices.position("cut", name, self.cut_names)]

    @property
    def cut_names(self) -> tuple[str, ...]:
        """Names of the cuts, from "input" to "output"."""
        return tuple(cut.name for cut in self.cuts)

    def rows(self) -> Iterator[dict[str, Any]]:
        """One row per cut and point of the grid, with the seconds of both sides."""
        head, tail = self.head, self.tail
        named = {name: getattr(self, name) for name in ("model", "phase", "hardware")}
        of_cut = ("elements", "head_flops", "tail_flops", "kv_head_bytes", "kv_tail_bytes")
        for at, head_s in np.ndenumerate(head.seconds):
            cut, batch, tokens, kv = at
            yield {
                **named,
                "cut": self.cuts[cut].name,
                "batch": head.batches[batch],
                "new_tokens": head.new_tokens[tokens],
                "kv_length": head.kv_lengths[kv],
                **{name: getattr(self.cuts[cut], name) for name in of_cut[:3]},
                "head_s": float(head_s),
                "tail_s": float(tail.seconds[at]),
                **{name: getattr(self.cuts[cut], name) for name in of_cut[3:]},
            }

    @classmethod
    def _build(cls, header: archive.Header, arrays: Mapping[str, np.ndarray]) -> Self:
        return cls(
            **{name: header[name] for name in _PLAIN},
            cuts=tuple(Cut(**{**cut, "shape": tuple(cut["shape"])}) for cut in header["cuts"]),
            layers=tuple(Layer(**layer) for layer in header["layers"]),
            head=CostSurface.from_header(header["head"], arrays["head_seconds"]),
            tail=CostSurface.from_header(header["tail"], arrays["tail_seconds"]),
            samples={
                name.removeprefix("sample_"): array
                for name, array in arrays.items()
                if name.startswith("sample_")
            },
        )

    def _header(self) -> archive.Header:
        return {
            **{name: getattr(self, name) for name in ("model", "hardware", "phase")},
            "fingerprint": dict(self.fingerprint),
            "provenance": dict(self.provenance),
            "cuts": [asdict(cut) for cut in self.cuts],
            "layers": [asdict(layer) for layer in self.layers],
            "head": self.head.header(),
            "tail": self.tail.header(),
        }

    def _arrays(self) -> dict[str, np.ndarray]:
        kept = {f"sample_{name}": np.asarray(values) for name, values in self.samples.items()}
        return {"head_seconds": self.head.seconds, "tail_seconds": self.tail.seconds, **kept}


def _errors(surface: CostSurface, samples: Mapping[str, np.ndarray]) -> np.ndarray | None:
    """Relative standard errors [cut, batch, token, kv] from the raw samples, if they are there."""
    one = any(name.startswith("whole_b") for name in samples)
    made = _of_blocks(surface, samples) if one else _of_calls(surface, samples)
    return made if made is None or made.shape == surface.seconds.shape else None


def _of_blocks(surface: CostSurface, samples: Mapping[str, np.ndarray]) -> np.ndarray | None:
    """Those of a network that answers once: samples of the whole and of every part, by batch."""
    columns = []
    for batch in surface.batches:
        whole, parts = (samples.get(f"{name}_b{batch}") for name in ("whole", surface.part))
        if whole is None or parts is None or len(whole) < 2:
            return None
        of_whole = float(medians.median_errors(whole))
        inner = medians.share_errors(parts, whole)
        ends = (0.0, of_whole) if surface.part == "head" else (of_whole, 0.0)
        columns.append(np.array([ends[0], *inner, ends[1]]))
    return np.stack(columns, axis=1)[:, :, None, None]


def _of_calls(surface: CostSurface, samples: Mapping[str, np.ndarray]) -> np.ndarray | None:
    """Those of a decoder: seconds of embedding, layers and answer within each call.

    One layer that counts several times is off by as much each time.
    """
    errors = np.zeros_like(surface.seconds)
    for at in np.ndindex(*surface.seconds.shape[1:]):
        calls = samples.get(f"parts_{'_'.join(map(str, at))}")
        if calls is None or len(calls) < 2:
            return None
        sides = medians.sides_of_calls(calls, len(surface.cuts))[surface.part == "tail"]
        errors[(slice(None), *at)] = medians.share_errors(sides, calls.sum(1))
    return errors
