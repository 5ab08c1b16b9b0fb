"""Llama-2 (Touvron et al. 2023) of 7 and 13 thousand million parameters: one real layer of many.

All layers are alike, so that one is held and measured and counts `copies` times; embedding and
head are whole. Random weights in bfloat16, unless `weights` names a folder with a checkpoint, from
which layer 0, the embedding and the head are read. In bfloat16 the layer of 7B takes 0.4 GB, the
rest 0.5 GB.
"""

import hashlib
from dataclasses import asdict, replace
from pathlib import Path

import torch
from torch import nn

from profiles.models.llama import Llama, Shape
from profiles.models.llama_folder import fill, find_dtype, read_shape
from profiles.models.network import Network, content_digest

LAYERS = {"llama2_7b": 32, "llama2_13b": 40}
SHAPES = {
    "llama2_7b": Shape(vocabulary=32_000, width=4096, n_layers=1, n_heads=32, inner=11_008),
    "llama2_13b": Shape(vocabulary=32_000, width=5120, n_layers=1, n_heads=40, inner=13_824),
}
VERSION = 1
_SPREAD = 0.02


def network(name: str, *, weights: str = "", dtype: str = "bfloat16") -> Network:
    """Embedding, one layer that counts 32 (7B) or 40 (13B) times, and the head.

    Raises ValueError for an unknown type, or where `weights` holds no such checkpoint.
    """
    kind = find_dtype(dtype)
    with torch.device("meta"):
        module = Llama(SHAPES[name]).to(kind)
    module = module.to_empty(device="cpu").eval().requires_grad_(False)
    if weights:
        _check_shape(name, Path(weights))
        fill(module, Path(weights), n_layers=LAYERS[name])
    else:
        _draw(module)
    return Network(
        name=name,
        module=module,
        example_input=torch.arange(16)[None],
        stages=("layers.0",),
        weights="trained" if weights else "random",
        digest=content_digest(module) if weights else _recipe_digest(name, dtype),
        task="language",
        copies=LAYERS[name],
    )


def _check_shape(name: str, folder: Path) -> None:
    """Refuse the checkpoint of another Llama: every number of its config.json must be ours."""
    stated, tied = read_shape(folder)
    ours = replace(SHAPES[name], n_layers=LAYERS[name], n_kv_heads=SHAPES[name].kv_heads)
    for field, value in asdict(ours).items():
        if getattr(stated, field) != value:
            got = getattr(stated, field)
            raise ValueError(f"model.weights={folder} is not {name}: {field} must be {value}, "
                             f"got {got}")  # fmt: skip
    if tied:
        raise ValueError(f"model.weights={folder} is not {name}: its head is its embedding")


def _draw(module: nn.Module) -> None:
    """Normal weights with the deviation of Llama's own start; gains of norms 1."""
    generator = torch.Generator().manual_seed(0)
    for part in module.modules():
        if isinstance(part, nn.RMSNorm):
            assert part.weight is not None
            part.weight.fill_(1.0)
        elif isinstance(part, nn.Linear | nn.Embedding):
            part.weight.normal_(0.0, _SPREAD, generator=generator)


def _recipe_digest(name: str, dtype: str) -> str:
    text = f"{name}|random|{dtype}|{VERSION}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]
