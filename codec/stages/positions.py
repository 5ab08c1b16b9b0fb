"""Where the kept elements lie: a boolean mask as bytes and back.

Masks are (rows, cols), read row by row; `count` is the number of kept elements K. Every decoder is
told the shape and the count, which the caller has bounded, and accepts exactly the bytes that the
encoder writes for them.

    CSR      (rows + 1) row pointers of ceil(log2(K + 1)) bits, then K columns of ceil(log2 cols)
    bitmap   rows * cols bits
    gaps     distances between kept elements, entropy-coded: near rows * cols * H2(density)
    map      the bits under contexts of their causal neighbours: below that where they cluster
"""

import numpy as np
import numpy.typing as npt

from codec.entropy import coder as entropy
from codec.entropy.packing import pack, packed_size, unpack, width_for
from codec.stream.base import CorruptBitstreamError
from codec.stream.kernel import I64, U8, U32, array, helper, kernel

Mask = npt.NDArray[np.bool_]


def csr_size(rows: int, cols: int, count: int) -> int:
    """Bytes that `encode_csr` writes: pointers and columns, each section in whole bytes."""
    pointers = packed_size(rows + 1, width_for(count))
    return pointers + packed_size(count, width_for(max(cols, 1) - 1))


def bitmap_size(rows: int, cols: int) -> int:
    """Bytes that `encode_bitmap` writes: ceil(rows * cols / 8)."""
    return (rows * cols + 7) // 8


def encode_csr(mask: Mask) -> bytes:
    """Compressed sparse rows of a (rows, cols) mask, bit-packed: `csr_size` bytes."""
    rows, cols = _shape(mask)
    pointers = np.zeros(rows + 1, dtype=np.uint32)
    columns = np.empty(int(np.count_nonzero(mask)), dtype=np.uint32)
    _gather_csr(_as_bytes(mask), cols, pointers, columns)
    return pack(pointers, width_for(columns.size)) + pack(columns, width_for(max(cols, 1) - 1))


def decode_csr(data: bytes | memoryview, rows: int, cols: int, count: int) -> Mask:
    """The (rows, cols) mask that `encode_csr` wrote, with exactly `count` elements set.

    Raises CorruptBitstreamError for a wrong length, row pointers that do not rise from 0 to
    `count`, or columns that are out of range or do not rise within their row.
    """
    _check_count(rows, cols, count)
    if len(data) != csr_size(rows, cols, count):
        raise CorruptBitstreamError(
            f"CSR of {count} in {rows} x {cols} takes {csr_size(rows, cols, count)} bytes, "
            f"got {len(data)}"
        )
    split = packed_size(rows + 1, width_for(count))
    pointers = unpack(data[:split], rows + 1, width_for(count))
    columns = unpack(data[split:], count, width_for(max(cols, 1) - 1))
    out = np.zeros(rows * cols, dtype=np.uint8)
    if not _scatter_csr(pointers, columns, cols, out):
        raise CorruptBitstreamError("CSR row pointers or columns are out of order or range")
    return out.view(np.bool_).reshape(rows, cols)


def encode_bitmap(mask: Mask) -> bytes:
    """One bit per element, least significant first: `bitmap_size` bytes."""
    return np.packbits(_as_bytes(mask), bitorder="little").tobytes()


def decode_bitmap(data: bytes | memoryview, rows: int, cols: int, count: int) -> Mask:
    """The (rows, cols) mask that `encode_bitmap` wrote, with exactly `count` elements set.

    Raises CorruptBitstreamError for a wrong length, set padding bits or another count.
    """
    _check_count(rows, cols, count)
    if len(data) != bitmap_size(rows, cols):
        raise CorruptBitstreamError(
            f"bitmap of {rows} x {cols} takes {bitmap_size(rows, cols)} bytes, got {len(data)}"
        )
    bits = np.unpackbits(np.frombuffer(data, dtype=np.uint8), bitorder="little")
    mask, padding = bits[: rows * cols], bits[rows * cols :]
    if padding.any() or int(np.count_nonzero(mask)) != count:
        raise CorruptBitstreamError(f"bitmap must hold {count} set bits and zero padding")
    return mask.view(np.bool_).reshape(rows, cols)


def encode_gaps(mask: Mask) -> bytes:
    """Numbers of dropped elements before each kept one, through `codec.entropy.coder.encode`."""
    _shape(mask)
    places = np.flatnonzero(mask)
    return entropy.encode((np.diff(places, prepend=-1) - 1).astype(np.int32), signed=False)


def decode_gaps(data: bytes | memoryview, rows: int, cols: int, count: int) -> Mask:
    """The mask that `encode_gaps` wrote; CorruptBitstreamError where gaps leave the shape."""
    _check_count(rows, cols, count)
    gaps = entropy.decode(data, count).astype(np.int64)
    places = np.cumsum(gaps + 1) - 1
    if count and (int(gaps.min()) < 0 or int(places[-1]) >= rows * cols):
        raise CorruptBitstreamError(f"gaps leave the {rows} x {cols} elements")
    mask = np.zeros(rows * cols, dtype=np.bool_)
    mask[places] = True
    return mask.reshape(rows, cols)


def encode_map(mask: Mask, planes: int = 1) -> bytes:
    """The bits of a mask of (planes * rows of a plane, cols) through `coder.encode_map`."""
    rows, cols = _shape(mask)
    if planes < 1 or rows % planes:
        raise ValueError(f"planes must divide {rows} rows, got {planes}")
    return entropy.encode_map(mask.reshape(planes, rows // planes, cols).astype(np.int32))


def decode_map(data: bytes | memoryview, rows: int, cols: int, count: int, planes: int = 1) -> Mask:
    """The mask that `encode_map` wrote with the same `planes`; raises CorruptBitstreamError."""
    _check_count(rows, cols, count)
    if planes < 1 or rows % planes:
        raise CorruptBitstreamError(f"{rows} rows are not {planes} planes")
    bits = entropy.decode_map(data, planes, rows // planes, cols).reshape(rows, cols)
    if bits.size and (int(bits.min()) < 0 or int(bits.max()) > 1 or int(bits.sum()) != count):
        raise CorruptBitstreamError(f"map must hold {count} ones and else zeros")
    return bits.astype(np.bool_)


def _shape(mask: Mask) -> tuple[int, int]:
    if mask.ndim != 2 or mask.dtype != np.bool_:
        raise ValueError(f"mask must be a 2-D bool array, got {mask.ndim}-D {mask.dtype}")
    return int(mask.shape[0]), int(mask.shape[1])


def _as_bytes(mask: Mask) -> npt.NDArray[np.uint8]:
    return np.ascontiguousarray(mask).reshape(-1).view(np.uint8)


def _check_count(rows: int, cols: int, count: int) -> None:
    if min(rows, cols, count) < 0 or count > rows * cols or rows * cols >= 2**32:
        raise CorruptBitstreamError(f"no mask of {rows} x {cols} keeps {count} elements")


@helper
def gather_csr(mask, cols, pointers, columns):  # type: ignore[no-untyped-def]
    """Row pointers and columns of what is set; the first pointer is 0 already."""
    k = 0
    for row in range(pointers.size - 1):
        for col in range(cols):
            if mask[row * cols + col]:
                columns[k] = col
                k += 1
        pointers[row + 1] = k


_gather_csr = kernel(
    (array(U8), I64, array(U32, writable=True),
     array(U32, writable=True))
)(gather_csr)  # fmt: skip


@helper
def scatter_csr(pointers, columns, cols, out):  # type: ignore[no-untyped-def]
    """Set the elements; False as soon as a pointer or a column breaks the order."""
    rows = pointers.size - 1
    if pointers[0] != 0 or pointers[rows] != columns.size:
        return False
    for row in range(rows):
        start, stop = np.int64(pointers[row]), np.int64(pointers[row + 1])
        if stop < start or stop > columns.size:
            return False
        last = np.int64(-1)
        for k in range(start, stop):
            col = np.int64(columns[k])
            if col <= last or col >= cols:
                return False
            out[row * cols + col] = 1
            last = col
    return True


_scatter_csr = kernel((array(U32), array(U32), I64, array(U8, writable=True)))(scatter_csr)
