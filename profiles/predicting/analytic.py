"""Llama networks in closed form: FLOPs, bytes and KV of every layer, and modelled profiles.

For machines on which not even one layer was measured: the roofline of `predicting.roofline` with
the work counted here. Provenance "modelled".
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from profiles.predicting.roofline import Efficiency, Peaks
from profiles.tables.cost import CostSurface
from profiles.tables.layers import Cut, Layer, ModelProfile

_KERNELS_PER_LAYER = 12


@dataclass(frozen=True, kw_only=True)
class LlamaShape:
    """The sizes of a Llama (Touvron et al. 2023): `inner` is the width inside the gated MLP."""

    name: str
    n_layers: int
    width: int
    inner: int
    vocabulary: int = 32_000
    kv_share: float = 1.0

    @property
    def layer_parameters(self) -> int:
        """Query and output, key and value, three MLP matrices and two norms."""
        attention = (2 + 2 * self.kv_share) * self.width**2
        return int(attention) + 3 * self.width * self.inner + 2 * self.width

    @property
    def parameters(self) -> int:
        """Layers, embedding, answer and the last norm."""
        return self.n_layers * self.layer_parameters + 2 * self.vocabulary * self.width + self.width

    def kv_bytes(self, bytes_per_number: float = 2.0) -> float:
        """Bytes that one token adds to the cache of one layer."""
        return 2 * self.kv_share * self.width * bytes_per_number

    def layer(self, n_tokens: int, kv: int) -> Layer:
        """Work of one layer on `n_tokens` new tokens after `kv` cached ones, one sample.

        Bytes are those of 4-byte numbers; the roofline scales them to the precision in use.
        Approximation: causal attention reads half of the new tokens' own square.
        """
        seen = kv + (n_tokens + 1) / 2
        attention = 4 * n_tokens * seen * self.width
        cache = (kv + n_tokens) * self.kv_bytes(4.0)
        return Layer(
            name="layer",
            flops=2.0 * n_tokens * self.layer_parameters + attention,
            weight_bytes=4.0 * self.layer_parameters,
            activation_bytes=cache + 4.0 * n_tokens * (8 * self.width + 3 * self.inner),
            kernels=_KERNELS_PER_LAYER,
            seconds=0.0,
        )

    def answer(self) -> Layer:
        """Scores of the last token only."""
        matrix = self.vocabulary * self.width
        return Layer(
            name="output",
            flops=2.0 * matrix,
            weight_bytes=4.0 * matrix,
            activation_bytes=4.0 * (self.vocabulary + self.width),
            kernels=2,
            seconds=0.0,
        )


LLAMA2_7B = LlamaShape(name="llama2-7b", n_layers=32, width=4096, inner=11_008)


def model_phases(
    shape: LlamaShape,
    efficiency: Efficiency,
    peaks: Peaks,
    *,
    hardware: str,
    source: str,
    batches: Sequence[int] = (1, 2, 4, 8),
    prompts: Sequence[int] = (1, 32, 128, 512, 2048),
    kv_lengths: Sequence[int] = (0, 128, 512, 2048, 4096),
) -> dict[str, ModelProfile]:
    """Profiles of "prefill" and "decode" by the roofline; `source` says whose numbers it uses.

    Raises:
        ValueError: an empty source, or axes that do not ascend.
    """
    if not source:
        raise ValueError("a modelled profile needs a source, got an empty text")
    provenance = {"kind": "modelled", "source": source, "shape": shape.name}
    names = ("input", *(f"layers.{index}" for index in range(shape.n_layers)), "output")
    grids = {"prefill": (tuple(prompts), (0,)), "decode": ((1,), tuple(kv_lengths))}
    profiles = {}
    for phase, (tokens, lengths) in grids.items():
        axes = (tuple(batches), tokens, lengths)
        head = np.zeros((len(names), *map(len, axes)))
        tail = np.zeros_like(head)
        for at in np.ndindex(*head.shape[1:]):
            batch, n_tokens, kv = (axis[i] for axis, i in zip(axes, at, strict=True))
            one = efficiency.seconds(shape.layer(n_tokens, kv), peaks, batch)
            last = efficiency.seconds(shape.answer(), peaks, batch)
            reached = np.cumsum([0.0, *[one] * shape.n_layers, last])
            head[:, *at], tail[:, *at] = reached, reached[-1] - reached
        fields: dict[str, Any] = {
            "hardware": hardware,
            "cuts": names,
            "batches": axes[0],
            "new_tokens": tokens,
            "kv_lengths": lengths,
            "provenance": provenance,
        }
        surface = CostSurface(part="head", seconds=head, **fields)
        profiles[phase] = ModelProfile(
            model=shape.name,
            hardware=hardware,
            phase=phase,
            cuts=_cuts(shape, names, tokens[0], lengths[0]),
            head=surface,
            tail=replace(surface, part="tail", seconds=tail),
            provenance=provenance,
        )
    return profiles


def _cuts(shape: LlamaShape, names: Sequence[str], n_tokens: int, kv: int) -> tuple[Cut, ...]:
    flops = [0.0, *[shape.layer(n_tokens, kv).flops] * shape.n_layers, shape.answer().flops]
    done, n = np.cumsum(flops), shape.n_layers
    wide = (n_tokens, shape.width)
    shapes = [(n_tokens,), *[wide] * n, (shape.vocabulary,)]
    return tuple(
        Cut(
            name=name,
            shape=shapes[i],
            dtype="int64" if i == 0 else "float16",
            head_flops=float(done[i]),
            tail_flops=float(done[-1] - done[i]),
            kv_head_bytes=min(i, n) * shape.kv_bytes(),
            kv_tail_bytes=(n - min(i, n)) * shape.kv_bytes(),
        )
        for i, name in enumerate(names)
    )
