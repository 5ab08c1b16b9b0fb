"""The named chains: from a name and options to a codec, from any stream to its tensor."""

import dataclasses
import difflib
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from codec.chains.aiq import Aiq
from codec.chains.centres import Centres
from codec.chains.ecsq import Ecsq
from codec.chains.images import ByteCodec, Jpeg, Raw8, WebP
from codec.chains.klt import PREFIX, Klt
from codec.chains.plain import Int4, Int8, Raw16, Raw32
from codec.chains.prior import Prior
from codec.chains.slicer import Slicer
from codec.chains.tabq import TabQ
from codec.chains.tiled import Tiled
from codec.chains.topk import TopK
from codec.chains.zstandard import Zstd
from codec.stages.calibration import Calibration
from codec.stream import container
from codec.stream.base import CorruptBitstreamError, UnknownCodecError
from codec.stream.container import MAX_ELEMENTS, Chunk
from codec.stream.frame import FloatCodec

Chain = FloatCodec | ByteCodec

CHAINS: tuple[type[Chain], ...] = (
    Slicer,
    Raw16,
    Raw32,
    Int8,
    Int4,
    Raw8,
    Jpeg,
    WebP,
    Ecsq,
    Prior,
    Centres,
    TopK,
    Zstd,
    Aiq,
    Tiled,
    TabQ,
)
"""Every chain, whose `chain_id` is written into its streams: ids are never used twice."""


def names() -> tuple[str, ...]:
    """Names that `create` knows, sorted; `klt+` stands in front of any chain of floats."""
    own = [chain.name for chain in CHAINS]
    return tuple(sorted([*own, *(PREFIX + c.name for c in CHAINS if issubclass(c, FloatCodec))]))


def chains_with(option: str) -> list[str]:
    """Names of the chains that take an option; `klt+` takes those of the chain behind it."""
    return [
        chain.name
        for chain in CHAINS
        if option in [field.name for field in dataclasses.fields(chain) if field.init]
    ]


def create(name: str, **options: Any) -> Chain:
    """The chain of that name.

    >>> import numpy as np, codec
    >>> x = np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3)
    >>> chain = codec.create("int8")
    >>> chain.decode(chain.encode(x)).shape
    (2, 3)

    A `calibration` is one, or the path of a file that `Calibration.save` wrote.

    Raises UnknownCodecError for a name or an option that does not exist, with the nearest ones,
    and CodecOptionError for a value out of range or a file that is none.
    """
    if name not in names():
        raise UnknownCodecError(_say_unknown("codec", name, names()))
    if isinstance(options.get("calibration"), str | Path):
        path = options["calibration"]
        options["calibration"] = Calibration.load(path) if str(path) else None
    if name.startswith(PREFIX):
        return _wrap_in_klt(name.removeprefix(PREFIX), **options)
    by_name = {chain.name: chain for chain in CHAINS}
    known = [field.name for field in dataclasses.fields(by_name[name])]
    for option in options:
        if option not in known:
            said = _say_unknown(f"option of {name}", option, known)
            others = ", ".join(chains_with(option))
            raise UnknownCodecError(f"{said}; chains with it: {others}" if others else said)
    return by_name[name](**options)


def decode(
    data: bytes,
    *,
    max_elements: int = MAX_ELEMENTS,
    device: str = "cpu",
    calibration: Calibration | None = None,
) -> Any:
    """The tensor of any stream: numpy, or torch on `device` if it was made of a torch tensor.

    Raises CorruptBitstreamError for anything but a whole stream of at most `max_elements`
    elements, MissingCalibrationError for one that names another `calibration` than the given.
    """
    header, body = container.open_stream(data, max_elements=max_elements)
    if header.chain == Klt.chain_id:
        chunks = container.read_chunks(header, body)
        chain = Klt(inner=_behind(chunks, calibration), calibration=calibration)
        return chain.decode_stream(header, chunks, device=device)
    if header.chain == Ecsq.chain_id and calibration is not None:
        return Ecsq(calibration=calibration).decode_body(header, body, device=device)
    if header.chain == Prior.chain_id:
        return Prior(calibration=calibration).decode_body(header, body, device=device)
    return _decoder(header.chain).decode_body(header, body, device=device)


@cache
def _decoder(chain_id: int) -> Chain:
    """The chain of that id; CorruptBitstreamError where there is none."""
    for kind in CHAINS:
        if kind.chain_id == chain_id:
            return kind()
    raise CorruptBitstreamError(f"no chain has the id {chain_id}")


def ledger(data: bytes) -> dict[str, int]:
    """Bytes of a stream per part: header, values, positions, labels, scales, tables.

    Framing and checksum belong to the header; the parts add up to `len(data)`.
    """
    return container.ledger(data)


def _wrap_in_klt(inner: str, calibration: Calibration | None = None, **options: Any) -> Klt:
    """`klt+inner`; an inner ECSQ shares the calibration, so that its tables count."""
    if inner == Ecsq.name:
        options["calibration"] = calibration
    made = create(inner, **options)
    assert isinstance(made, FloatCodec)
    return Klt(inner=made, calibration=calibration)


def _behind(chunks: Sequence[Chunk], calibration: Calibration | None) -> FloatCodec:
    """The chain behind the basis of the first coded chunk; any, where no chunk is coded."""
    coded = [chunk for chunk in chunks if chunk.kind == container.CODED]
    wanted = bytes(coded[0].sections[0].data)[-1] if coded and coded[0].sections else Ecsq.chain_id
    for kind in CHAINS:
        if kind.chain_id == wanted and issubclass(kind, FloatCodec):
            return kind(calibration=calibration) if kind is Ecsq else kind()
    raise CorruptBitstreamError(f"no chain behind a basis has the id {wanted}")


def _say_unknown(kind: str, got: str, known: Iterable[str]) -> str:
    choices = sorted(known)
    near = difflib.get_close_matches(got, choices, n=3, cutoff=0.5)
    hint = f"nearest: {', '.join(near)}" if near else f"known: {', '.join(choices)}"
    return f"unknown {kind} {got!r}; {hint}"
