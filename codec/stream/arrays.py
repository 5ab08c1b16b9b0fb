"""Tensors of anyone's as numpy arrays, and back; pieces of them, whatever their strides."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from codec.stream import floats
from codec.stream.base import UnsupportedInputError
from codec.stream.container import Header

Stored = npt.NDArray[np.generic]


def to_numpy(x: Any) -> tuple[Stored, int, bool]:
    """(array, dtype code, whether it came from torch); bfloat16 arrives as uint16."""
    if isinstance(x, np.ndarray | np.generic):
        x = np.asarray(x)
        if x.dtype not in (np.float32, np.float16):
            raise UnsupportedInputError(
                f"dtype must be float32, float16 or torch.bfloat16, got {x.dtype}"
            )
        return x, floats.FLOAT32 if x.dtype == np.float32 else floats.FLOAT16, False
    if type(x).__module__.partition(".")[0] != "torch":
        raise UnsupportedInputError(f"input must be a numpy array or a torch tensor, got {type(x)}")
    import torch

    tensor = strided(x)
    if tensor.dtype == torch.bfloat16:
        return tensor.view(torch.int16).numpy().view(np.uint16), floats.BFLOAT16, True
    if tensor.dtype not in (torch.float32, torch.float16):
        raise UnsupportedInputError(
            f"dtype must be float32, float16 or bfloat16, got {tensor.dtype}"
        )
    code = floats.FLOAT32 if tensor.dtype == torch.float32 else floats.FLOAT16
    return tensor.numpy(), code, True


def strided(x: Any) -> Any:
    """A torch tensor's numbers on this machine; UnsupportedInputError where it holds none."""
    import torch

    if x.layout != torch.strided or x.is_meta or x.is_quantized:
        kind = "meta" if x.is_meta else "quantized" if x.is_quantized else str(x.layout)
        raise UnsupportedInputError(f"tensor must be dense and hold numbers, got {kind}")
    return x.detach().cpu().resolve_conj().resolve_neg()


def from_numpy(array: Stored, header: Header, device: str) -> Any:
    """The array itself, or the torch tensor that the stream was made of, on `device`."""
    if not header.torch and header.dtype != floats.BFLOAT16:
        return array
    import torch

    if header.dtype == floats.BFLOAT16:
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16).to(device)
    return torch.from_numpy(array).to(device)


def flat_piece(array: Stored, start: int, stop: int) -> Stored:
    """Elements start..stop of the flattened array; a view where the array is contiguous.

    Other arrays are copied by whole entries of their leading axis: numpy's flat iterator goes
    element by element. No more than the piece itself is ever copied twice.
    """
    if array.flags.c_contiguous:
        return array.reshape(-1)[start:stop]
    inner = math.prod(array.shape[1:])
    first, last = -(-start // inner), stop // inner
    if first > last:
        at = last * inner
        return flat_piece(array[last], start - at, stop - at)
    whole = np.ascontiguousarray(array[first:last]).reshape(-1)
    pieces = [whole]
    if start < first * inner:
        pieces.insert(0, flat_piece(array[first - 1], start - (first - 1) * inner, inner))
    if stop > last * inner:
        pieces.append(flat_piece(array[last], 0, stop - last * inner))
    return np.concatenate(pieces) if len(pieces) > 1 else whole
