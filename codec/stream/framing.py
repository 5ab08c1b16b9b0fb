"""The frame of a chunk inside compiled loops: what `codec.stream.container` writes and reads.

Helpers for chains that code a chunk in one piece. They know coded chunks of given sections only;
whatever else lies there they decline, and the container says what it is, or what is wrong with it.
"""

import numpy as np

from codec.stream.kernel import helper

HEAD = 64
"""Bytes that the frame of a chunk of up to six sections never exceeds."""


@helper
def put_varint(out, at, value):  # type: ignore[no-untyped-def]
    """Seven bits a byte, lowest first; where the next byte goes."""
    while value > 0x7F:
        out[at] = np.uint8(0x80 | (value & 0x7F))
        value >>= 7
        at += 1
    out[at] = np.uint8(value)
    return at + 1


@helper
def get_varint(data, at, end):  # type: ignore[no-untyped-def]
    """A number in its shortest spelling and where it ends; -1 for the end where there is none."""
    value, shift = np.int64(0), 0
    while at < end and shift < 56:
        byte = np.int64(data[at])
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return value, (at if byte or not shift else -1)
        shift += 7
    return value, -1


@helper
def put_frame(out, parts, sizes):  # type: ignore[no-untyped-def]
    """Kind, number and marks of sections that follow one another; where the first begins."""
    out[0] = np.uint8(0)
    out[1] = np.uint8(parts.size)
    at = 2
    for k in range(parts.size):
        at = put_varint(out, at, sizes[k] << 3 | np.int64(parts[k]))
    return at


@helper
def get_frame(data, at, end, parts, ends):  # type: ignore[no-untyped-def]
    """Where the first section begins and, in `ends`, where each ends; -1 for any other chunk."""
    if end - at < 2 or data[at] != 0 or data[at + 1] != parts.size:
        return -1
    at += 2
    for k in range(parts.size):
        mark, at = get_varint(data, at, end)
        if at < 0 or mark & 7 != np.int64(parts[k]):
            return -1
        ends[k] = mark >> 3
    last = at
    for k in range(parts.size):
        if ends[k] > end - last:
            return -1
        last += ends[k]
        ends[k] = last
    return at if last == end else -1
