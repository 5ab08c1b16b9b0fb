"""Fitting a chain to samples: a basis, tables, and the setting that meets a target.

    samples --> [ basis ] --> knob, bracketed on real bitstreams --> codec (and its calibration)

Every chain with a knob that trades error against size can be set: the step of `ecsq`, the sparsity
or the distortion of `slicer`, the sparsity of `topk`, alone or behind `klt+`.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from codec.chains import registry as chains
from codec.chains import static
from codec.chains.ecsq import DEFAULT_RDOQ, Ecsq
from codec.chains.klt import PREFIX, FarFromMeanError, Klt
from codec.stages import transform
from codec.stages.calibration import Calibration
from codec.stream import floats
from codec.stream.arrays import to_numpy
from codec.stream.base import CodecOptionError
from codec.stream.frame import FloatCodec

Floats = npt.NDArray[np.float32]
_ROUNDS = 40
_CLOSE = 1e-4
"""How near to the target, or to a jump over it, a setting is left as it is."""


class Knob(NamedTuple):
    """An option whose error rises and whose size falls from `low` to `high`."""

    option: str
    low: float
    high: float


KNOBS = {
    "ecsq": (Knob("step", 1e-3, 20.0),),
    "slicer": (Knob("sparsity", 0.0, 0.999), Knob("distortion", 1e-4, 1.0)),
    "topk": (Knob("sparsity", 0.0, 0.999),),
}
"""What can be set of every chain; the first unless told otherwise."""


def calibrate(
    chain: str,
    samples: Sequence[Any],
    *,
    relative_l2: float | None = None,
    bits_per_element: float | None = None,
    axis: int = -1,
    static_tables: bool = True,
    knob: str | None = None,
    **options: Any,
) -> FloatCodec:
    """The chain, set so that over all samples it just meets the target.

    `samples` are tensors as they will be encoded. The target is either the relative L2 error,
    reached from below, or the bits per element, headers included. A name `klt+...` fits a basis
    along `axis` (-1: hidden states, -3: channels); `klt+ecsq` also fits static tables unless told
    not to. `knob` names the option that is set where a chain has several ("sparsity", the default,
    or "distortion" of `slicer`). Other options are handed to the chain.

    Raises CodecOptionError for a chain without a knob, no samples, not exactly one target, or one
    that no setting meets.
    """
    inner = chain.removeprefix(PREFIX)
    if inner not in KNOBS:
        raise CodecOptionError(f"calibrate sets {', '.join(KNOBS)}, alone or behind klt+; "
                               f"got {chain!r}")  # fmt: skip
    target = _target(relative_l2, bits_per_element)
    arrays = [_numbers(sample) for sample in samples]
    if not any(a.any() for a in arrays) or not all(np.isfinite(a).all() for a in arrays):
        raise CodecOptionError("calibrate needs samples that are finite and not all zero")
    turned = _knob(inner, knob)
    known = _basis(arrays, axis) if chain.startswith(PREFIX) else None
    if known is not None and inner == "ecsq" and static_tables:
        return _bracket(_Static(known, arrays, options), arrays, target)
    return _bracket(_Plain(chain, turned, known, options), arrays, target)


def _numbers(sample: Any) -> Floats:
    """A sample of any kind that a chain takes, as float32."""
    array, dtype, _ = to_numpy(sample)
    wide = floats.to_float32(np.ascontiguousarray(array).reshape(-1), dtype)
    return wide.reshape(array.shape)


class _Target(NamedTuple):
    error: bool
    value: float


def _target(relative_l2: float | None, bits: float | None) -> _Target:
    if (relative_l2 is None) == (bits is None):
        raise CodecOptionError("calibrate takes either relative_l2 or bits_per_element")
    value = relative_l2 if relative_l2 is not None else bits
    assert value is not None
    if not 0 < value < 64:
        raise CodecOptionError(f"calibrate's target must be positive, got {value}")
    return _Target(relative_l2 is not None, value)


def _knob(chain: str, wanted: str | None) -> Knob:
    by_name = {knob.option: knob for knob in KNOBS[chain]}
    if wanted is not None and wanted not in by_name:
        raise CodecOptionError(f"knob of {chain} must be one of {', '.join(by_name)}, got {wanted}")
    return KNOBS[chain][0] if wanted is None else by_name[wanted]


class _Plain:
    """A chain at a setting of its knob."""

    def __init__(
        self, chain: str, knob: Knob, known: Calibration | None, options: dict[str, Any]
    ) -> None:
        self.knob = knob
        self._chain, self._known, self._options = chain, known, options

    def at(self, setting: float) -> FloatCodec:
        extra = {} if self._known is None else {"calibration": self._known}
        made = chains.create(self._chain, **{**self._options, self.knob.option: setting}, **extra)
        assert isinstance(made, FloatCodec)
        return made


class _Static:
    """`klt+ecsq` with tables fitted anew at every step; the knob counts in overall scales."""

    def __init__(
        self, known: Calibration, arrays: Sequence[Floats], options: dict[str, Any]
    ) -> None:
        assert known.basis is not None
        self.knob = KNOBS["ecsq"][0]
        self._known, self._options = known, options
        vectors = [transform.vectors_of(a.reshape(-1), a.shape, known.axis) for a in arrays]
        self._y = transform.forward(np.concatenate(vectors), known.mean, known.basis)
        self._scale = float(np.sqrt(np.mean(np.square(self._y, dtype=np.float64))))
        if not np.float32(self._scale * self.knob.low) > 0:
            raise CodecOptionError(
                f"calibrate needs vectors that differ from their mean, along axis {known.axis} "
                f"they do by {self._scale:g}"
            )

    def at(self, setting: float) -> FloatCodec:
        rdoq = float(self._options.get("rdoq", DEFAULT_RDOQ))
        step = np.float32(min(setting * self._scale, float(np.finfo(np.float32).max)))
        fitted = static.fit(self._y, self._known, float(step), rdoq)
        inner = Ecsq(**{**self._options, "coder": "static", "calibration": fitted})
        return Klt(inner=inner, calibration=fitted)


def _basis(arrays: Sequence[Floats], axis: int) -> Calibration:
    if axis not in (-1, -3) or any(a.ndim < -axis for a in arrays):
        shapes = ", ".join(sorted({str(a.shape) for a in arrays}))
        raise CodecOptionError(f"axis must be -1, or -3 for maps, got {axis} for shapes {shapes}")
    vectors = [transform.vectors_of(a.reshape(-1), a.shape, axis) for a in arrays]
    if len({v.shape[1] for v in vectors}) != 1:
        raise CodecOptionError(f"samples must agree in their size along axis {axis}")
    mean, basis = transform.fit(np.concatenate(vectors))
    return Calibration(axis=axis, mean=mean, basis=basis)


def _bracket(family: _Plain | _Static, arrays: Sequence[Floats], target: _Target) -> FloatCodec:
    """The last setting on the good side: largest within an error, smallest within a size.

    Chords between the ends of the bracket (false position) and plain halvings take turns: size and
    error are almost smooth in the knob, but may jump where a width changes.
    """
    low, high = family.knob.low, family.knob.high
    good, bad = (low, high) if target.error else (high, low)
    ends = [_excess(family.at(end), arrays, target) for end in (good, bad)]
    if ends[0] > 0:
        what = "relative L2 error" if target.error else "bits per element"
        raise CodecOptionError(f"no {family.knob.option} reaches {what} {target.value:g}")
    if ends[1] <= 0:
        return family.at(bad)
    scale: _Scale = (math.log, math.exp) if low > 0 else (float, float)
    good, bad = scale[0](good), scale[0](bad)
    for turn in range(_ROUNDS):
        share = _chord(*ends, logarithmic=low > 0) if turn % 2 == 0 else 0.5
        middle = good + min(max(share, 0.02), 0.98) * (bad - good)
        excess = _excess(family.at(scale[1](middle)), arrays, target)
        if excess <= 0:
            good, ends[0] = middle, excess
        else:
            bad, ends[1] = middle, excess
        if ends[0] > -_CLOSE or abs(good - bad) < _CLOSE * max(abs(good), abs(bad)):
            break
    return family.at(scale[1](good))


def _chord(below: float, above: float, *, logarithmic: bool) -> float:
    """Where a line between both excesses is zero, as a share of the bracket."""
    if logarithmic:
        below, above = math.log(max(1 + below, _CLOSE)), math.log1p(above)
    return below / (below - above)


_Scale = tuple[Callable[[float], float], Callable[[float], float]]


def _excess(codec: FloatCodec, arrays: Sequence[Floats], target: _Target) -> float:
    """What the codec makes of the samples over the target, less 1: it meets it where <= 0."""
    try:
        streams = [codec.encode(a) for a in arrays]
    except FarFromMeanError:  # too coarse for the smallest of the samples, whatever the others say
        return math.inf if target.error else -1.0
    if not target.error:
        size = sum(a.size for a in arrays)
        return 8 * sum(map(len, streams)) / (target.value * size) - 1
    wrong = sum(
        float(np.sum(np.square(codec.decode(s) - a, dtype=np.float64)))
        for s, a in zip(streams, arrays, strict=True)
    )
    whole = sum(float(np.sum(np.square(a, dtype=np.float64))) for a in arrays)
    return math.sqrt(wrong / whole) / target.value - 1
