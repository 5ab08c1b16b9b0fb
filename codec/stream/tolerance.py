"""Payloads that may arrive damaged: of fixed length, without an entropy code, symbol by symbol.

    x (shape) --> side      what every symbol needs to be read, such as a range: few bytes or none
              --> symbols   as many bits for every element, whatever the elements are

Shape and type of the tensor are agreed on beforehand and never sent. A flipped bit of the symbols
changes one element; a missing byte leaves its elements out, and they are read as 0. The side must
arrive as it is: how, is the transport's matter.
"""

from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt


class Fixed(NamedTuple):
    """A payload: what must arrive, and what may be damaged."""

    side: bytes
    symbols: bytes


@runtime_checkable
class Tolerant(Protocol):
    """A codec that reads damaged payloads. It has both methods; any other codec has neither."""

    def encode_fixed(self, x: Any) -> Fixed:
        """The payload of an array, as long for any other of its shape and type."""

    def decode_fixed(self, payload: Fixed, like: Any, missing: npt.NDArray[np.bool_]) -> Any:
        """A finite array of the shape and type of `like` from a payload that may be damaged.

        `missing` says of every byte of the symbols whether it never arrived (it then holds 0).
        """


def elements_of(missing: npt.NDArray[np.bool_], size: int, bits: int) -> npt.NDArray[np.bool_]:
    """Of `size` elements of `bits` bits each, packed in order: which lie in a missing byte."""
    first = np.arange(size) * bits // 8
    last = (np.arange(1, size + 1) * bits - 1) // 8
    return np.asarray(missing[first] | missing[last])
