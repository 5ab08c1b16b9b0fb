"""The levels of a chunk of `ecsq` as sections: one table, contexts, or the adaptive mix.

    header: coder 0 order0, 1 context, 3 adaptive, and 0x10 where values lie far outside, 1
    scales: step, 4 | centroid offsets, 1 each;  positions: far values;  tables;  values

The adaptive mix has no tables, and no such section. 2 is the coder whose tables both sides hold
(`codec.chains.static`).
"""

import math
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from codec.entropy import activity, adaptive, folding
from codec.entropy import coder as entropy
from codec.stages.scalar import Levels
from codec.stream.base import CorruptBitstreamError
from codec.stream.container import Section
from codec.stream.fields import Writer
from codec.stream.frame import sections_of

FAR = 0x10
_ORDER0, _CONTEXT, _ADAPTIVE = 0, 1, 3
_PROBE = 1 << 14
_WORTHWHILE = 0.02
_LARGEST_CODE = 2047
_Kind = TypeVar("_Kind", bound=np.generic)


def make(
    levels: Levels, step: float, offsets: npt.NDArray[np.int8], far: bytes, coder: str
) -> list[Section]:
    """The chunk of levels (planes, rows, cols); "adaptive" is at most as long as `choose`'s."""
    found = _code_shortest(levels) if coder == "adaptive" else _code(levels, coder)
    kind, tables, values = found
    return [
        Section("header", bytes([kind | (FAR if far else 0)])),
        Section("scales", Writer().f32(step).raw(offsets.tobytes()).done()),
        *([Section("positions", far)] if far else []),
        *([Section("tables", tables)] if kind != _ADAPTIVE else []),
        Section("values", values),
    ]


def read(
    sections: tuple[Section, ...], planes: tuple[int, int, int]
) -> tuple[memoryview, memoryview | None, Levels]:
    """Scales, far values or None, and the levels (n,) of `make`; raises CorruptBitstreamError."""
    flags = _flags(sections)
    middle = ("positions",) if flags & FAR else ()
    tables = () if flags & ~FAR == _ADAPTIVE else ("tables",)
    _, scales, *rest, values = sections_of(sections, "header", "scales", *middle, *tables, "values")
    far = rest[0] if middle else None
    if not tables:
        return scales, far, adaptive.decode(values, *planes).reshape(-1)
    data = bytes(rest[-1]) + bytes(values)
    if flags & _CONTEXT:
        return scales, far, entropy.decode_map(data, *planes).reshape(-1)
    return scales, far, entropy.decode(data, math.prod(planes))


def choose(levels: Levels) -> str:
    """Contexts where they gain 2 % on a part of the chunk (planes, rows, cols), else one table."""
    part = probe(levels)
    return "context" if part.size and clusters(part) else "order0"


def probe(levels: npt.NDArray[_Kind]) -> npt.NDArray[_Kind]:
    """Some planes, or rows, of about 16 thousand elements; none where contexts cannot pay."""
    planes, rows, cols = levels.shape
    if rows < 2 or cols < 2 or levels.size < _PROBE // 4:
        return levels[:0]
    if rows * cols >= _PROBE:
        return levels[planes // 2 :, : max(_PROBE // cols, 2)][:1]
    few = max(_PROBE // (rows * cols), 1)
    return levels[:: max(planes // few, 1)][:few]


def clusters(part: Levels) -> bool:
    """Whether contexts would gain 2 % on these levels (planes, rows, cols)."""
    signed = bool(part.min() < 0)
    codes = folding.fold(folding.flatten(part), signed)
    if int(codes.max()) >= _LARGEST_CODE:
        return False
    return activity.gain(codes.astype(np.uint16).reshape(part.shape), signed) > _WORTHWHILE


def _code(levels: Levels, coder: str) -> tuple[int, bytes, bytes]:
    """Kind, tables and values."""
    context = coder == "context"
    data = entropy.encode_map(levels) if context else entropy.encode(levels, "order0")
    split = 1 + entropy.table_size(data)
    return _CONTEXT if context else _ORDER0, data[:split], data[split:]


def _code_shortest(levels: Levels) -> tuple[int, bytes, bytes]:
    """The adaptive mix, unless one table or contexts are shorter; contexts where they could be."""
    rivals = ("order0", "context") if probe(levels).size else ("order0",)
    found = [_code(levels, rival) for rival in rivals]
    mixed = adaptive.encode(levels)
    if mixed is not None:
        found.append((_ADAPTIVE, b"", mixed))
    return min(found, key=lambda each: len(each[1]) + len(each[2]))


def _flags(sections: tuple[Section, ...]) -> int:
    head = bytes(sections[0].data) if sections else b""
    if len(head) != 1 or head[0] & ~FAR not in (_ORDER0, _CONTEXT, _ADAPTIVE):
        raise CorruptBitstreamError(f"ecsq knows no header {head!r:.40} here")
    return head[0]
