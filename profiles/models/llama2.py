"""Llama-2 (Touvron et al. 2023) of 7 and 13 thousand million parameters: one real layer of many.

All layers are alike, so that one is held and measured and counts `copies` times; embedding and
head are whole. Random weights in bfloat16, unless `weights` names a folder with a checkpoint, from
which layer 0, the embedding and the head are read. In bfloat16 the layer of 7B takes 0.4 GB, the
rest 0.5 GB.
"""

import hashlib
import json
from pathlib import Path

import torch
from torch import Tensor, nn

from profiles.models.llama import Llama, Shape
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
    kinds = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}
    if dtype not in kinds:
        raise ValueError(f"model.dtype must be one of {', '.join(kinds)}, got {dtype!r}")
    with torch.device("meta"):
        module = Llama(SHAPES[name]).to(kinds[dtype])
    module = module.to_empty(device="cpu").eval().requires_grad_(False)
    if weights:
        _load(module, Path(weights))
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


def parameters(name: str) -> int:
    """Parameters of the whole network, all layers counted; nothing is allocated."""
    with torch.device("meta"):
        module = Llama(SHAPES[name])
    one = sum(p.numel() for p in module.layers[0].parameters())
    rest = sum(p.numel() for p in module.parameters()) - one
    return rest + LAYERS[name] * one


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


def _load(module: nn.Module, folder: Path) -> None:
    """Fill `module` from a checkpoint in transformers' layout (config.json, *.safetensors)."""
    wanted = {_their_name(name): tensor for name, tensor in module.state_dict().items()}
    for name, tensor in wanted.items():
        tensor.copy_(_tensor(folder, name))


def _their_name(name: str) -> str:
    if name.startswith("lm_head"):
        return name
    for part in ("gate_proj", "up_proj", "down_proj"):
        name = name.replace(f".{part}", f".mlp.{part}")
    return f"model.{name}"


def _tensor(folder: Path, name: str) -> Tensor:
    """One tensor of a checkpoint, without reading the others.

    Raises ValueError in one line where the folder, the tensor or the extra is missing.
    """
    try:
        from safetensors import safe_open
    except ImportError:
        raise ValueError("checkpoints need safetensors: pip install 'splitfleet[models]'") from None
    index = folder / "model.safetensors.index.json"
    shard = "model.safetensors"
    if index.is_file():
        shard = json.loads(index.read_text(encoding="utf-8"))["weight_map"].get(name, shard)
    if not (folder / shard).is_file():
        raise ValueError(
            f"model.weights={folder} holds no {shard}: put a Llama-2 checkpoint there in "
            "transformers' layout (config.json and *.safetensors)"
        )
    with safe_open(folder / shard, framework="pt") as file:
        if name not in file.keys():  # noqa: SIM118 (a handle, not a dictionary)
            raise ValueError(f"{folder / shard} holds no tensor {name}")
        tensor: Tensor = file.get_tensor(name)
    return tensor
