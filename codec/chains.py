"""The named chains: from a name and options to a codec, from any stream to its tensor."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable
from typing import Any

from codec import container
from codec.base import Codec, CorruptBitstreamError, UnknownCodecError
from codec.container import MAX_ELEMENTS
from codec.ecsq import Ecsq
from codec.frame import FloatCodec
from codec.images import ByteCodec, Jpeg, Raw8, WebP
from codec.plain import Int4, Int8, Raw16, Raw32
from codec.slicer import Slicer

Chain = FloatCodec | ByteCodec

CHAINS: tuple[type[Chain], ...] = (Slicer, Raw16, Raw32, Int8, Int4, Raw8, Jpeg, WebP, Ecsq)
"""Every chain, whose `chain_id` is written into its streams: ids are never used twice."""


def names() -> tuple[str, ...]:
    """Names that `create` knows, sorted."""
    return tuple(sorted(chain.name for chain in CHAINS))


def create(name: str, **options: Any) -> Chain:
    """The chain of that name.

    >>> import numpy as np, codec
    >>> x = np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3)
    >>> chain = codec.create("int8")
    >>> chain.decode(chain.encode(x)).shape
    (2, 3)

    Raises UnknownCodecError for a name or an option that does not exist, with the nearest ones,
    and CodecOptionError for a value out of range.
    """
    by_name = {chain.name: chain for chain in CHAINS}
    if name not in by_name:
        raise UnknownCodecError(_unknown("codec", name, by_name))
    known = [field.name for field in dataclasses.fields(by_name[name])]
    for option in options:
        if option not in known:
            raise UnknownCodecError(_unknown(f"option of {name}", option, known))
    return by_name[name](**options)


def decode(data: bytes, *, max_elements: int = MAX_ELEMENTS, device: str = "cpu") -> Any:
    """The tensor of any stream: numpy, or torch on `device` if it was made of a torch tensor.

    Raises CorruptBitstreamError for anything but a whole stream of at most `max_elements`
    elements.
    """
    header, chunks = container.read(data, max_elements=max_elements)
    for chain in CHAINS:
        if chain.chain_id == header.chain:
            return chain().decode_stream(header, chunks, device=device)
    raise CorruptBitstreamError(f"no chain has the id {header.chain}")


def ledger(data: bytes) -> dict[str, int]:
    """Bytes of a stream per part: header, values, positions, labels, scales, tables.

    Framing and checksum belong to the header; the parts add up to `len(data)`.
    """
    return container.ledger(data)


def _unknown(kind: str, got: str, known: Iterable[str]) -> str:
    choices = sorted(known)
    near = difflib.get_close_matches(got, choices, n=3, cutoff=0.5)
    hint = f"nearest: {', '.join(near)}" if near else f"known: {', '.join(choices)}"
    return f"unknown {kind} {got!r}; {hint}"


__all__ = ["CHAINS", "Codec", "create", "decode", "ledger", "names"]
