"""Any Llama whose checkpoint lies in a local folder, all layers of it, in transformers' layout.

config.json gives the shape, *.safetensors the weights, tensor by tensor, so that no second copy is
ever held. Variants whose scores would differ are refused: scaled rotary positions, biases, other
activations, quantized weights; so is a file that holds more or less than config.json says.
"""

import json
import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from profiles.models import checkpoint
from profiles.models.llama import Llama, Shape
from profiles.models.network import Network, content_digest

DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}


def network(*, weights: str = "", dtype: str = "float32") -> Network:
    """The whole network in the folder `weights`, every layer a stage.

    Raises ValueError in one line where no folder is named, or it holds no such checkpoint.
    """
    kind, (shape, tied) = find_dtype(dtype), read_shape(Path(weights))
    with torch.device("meta"):
        module = Llama(shape).to(kind)
    module = module.to_empty(device="cpu").eval().requires_grad_(False)
    fill(module, Path(weights), n_layers=shape.n_layers, tied=tied)
    return Network(
        name="llama",
        module=module,
        example_input=torch.arange(16)[None] % module.shape.vocabulary,
        stages=tuple(f"layers.{index}" for index in range(module.n_layers)),
        weights="trained",
        digest=content_digest(module),
        task="language",
    )


def find_dtype(name: str) -> torch.dtype:
    """The type of that name; raises ValueError for another."""
    if name not in DTYPES:
        raise ValueError(f"model.dtype must be one of {', '.join(DTYPES)}, got {name!r}")
    return DTYPES[name]


def fill(module: nn.Module, folder: Path, *, n_layers: int, tied: bool = False) -> None:
    """Fill `module` from the checkpoint of `n_layers` in `folder`, of which it may hold fewer.

    `tied` takes the head from the embedding. Raises ValueError in one line where a file, a tensor,
    its shape or its numbers are not right, and where the checkpoint holds more than a Llama.
    """
    where, files = f"model.weights={folder}", _files(folder)
    own = {_their_name(name) for name in module.state_dict()}
    every = {re.sub(r"(?<=layers\.)\d+", str(at), name) for name in own for at in range(n_layers)}
    missing = every - {*files} - ({"lm_head.weight"} if tied else set())
    checkpoint.check_names(where, missing, {*files} - every)
    for name, tensor in module.state_dict().items():
        source = _their_name("embed_tokens.weight" if tied and name == "lm_head.weight" else name)
        given = _tensor(folder / files[source], source)
        checkpoint.check_shape(where, source, given, tensor)
        checkpoint.check_numbers(where, {source: given})
        tensor.copy_(given)


def read_shape(folder: Path) -> tuple[Shape, bool]:
    """The numbers of config.json, and whether the head is the embedding.

    transformers 5 keeps rotary positions in a field of their own. Raises ValueError in one line
    where the config is not a Llama's that is computed here.
    """
    path = folder / "config.json"
    if not path.is_file():
        raise ValueError(
            f"model.weights={folder} holds no config.json: put a Llama checkpoint there in "
            "transformers' layout (config.json and *.safetensors)"
        )
    config = checkpoint.read_config(path, "llama")
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    kind = rope.get("rope_type", rope.get("type", "default")) if isinstance(rope, dict) else rope
    if kind != "default":
        raise ValueError(f"model.weights={folder}: rotary positions of type {kind!r} are not known")
    for name in ("attention_bias", "mlp_bias"):
        if config.get(name):
            raise ValueError(f"model.weights={folder}: {name} is not known")
    if config.get("hidden_act", "silu") != "silu":
        raise ValueError(f"{path}: hidden_act must be 'silu', got {config['hidden_act']!r}")
    shape = Shape(
        vocabulary=_count(path, config, "vocab_size"),
        width=_count(path, config, "hidden_size"),
        n_layers=_count(path, config, "num_hidden_layers"),
        n_heads=_count(path, config, "num_attention_heads"),
        inner=_count(path, config, "intermediate_size"),
        n_kv_heads=_count(path, config, "num_key_value_heads", config.get("num_attention_heads")),
        rope_base=_positive(path, {"rope_theta": 10_000.0, **rope, **_set(config)}, "rope_theta"),
        epsilon=_positive(path, {"rms_norm_eps": 1e-6, **_set(config)}, "rms_norm_eps"),
    )
    if (config.get("head_dim") or shape.dim) != shape.dim:
        raise ValueError(f"model.weights={folder}: head_dim must be {shape.dim}, "
                         f"got {config['head_dim']}")  # fmt: skip
    return shape, bool(config.get("tie_word_embeddings", False))


def _set(config: dict[str, Any]) -> dict[str, Any]:
    """The fields that are not null, which means the default."""
    return {name: value for name, value in config.items() if value is not None}


def _count(path: Path, config: dict[str, Any], name: str, default: Any = None) -> int:
    value = config.get(name)
    value = default if value is None else value
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{path}: {name} must be a whole number >= 1, got {value!r}")
    return value


def _positive(path: Path, config: dict[str, Any], name: str) -> float:
    value = config[name]
    if not isinstance(value, int | float) or not 0 < value < math.inf:
        raise ValueError(f"{path}: {name} must be a number > 0, got {value!r}")
    return float(value)


def _their_name(name: str) -> str:
    if name.startswith("lm_head"):
        return name
    for part in ("gate_proj", "up_proj", "down_proj"):
        name = name.replace(f".{part}", f".mlp.{part}")
    return f"model.{name}"


def _files(folder: Path) -> dict[str, str]:
    """Which file of the folder holds which tensor.

    Raises ValueError in one line where there is none, or the index is no index.
    """
    index, one = folder / "model.safetensors.index.json", "model.safetensors"
    if index.is_file():
        try:
            files = json.loads(index.read_text(encoding="utf-8"))["weight_map"].items()
            found = {str(name): str(file) for name, file in files}
        except (UnicodeDecodeError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{index} is no index of tensors: {error!r}") from None
        if odd := [file for file in found.values() if Path(file).name != file]:
            raise ValueError(f"{index} names a file outside of its folder: {odd[0]!r}")
        return found
    if not (folder / one).is_file():
        raise ValueError(
            f"model.weights={folder} holds no {one}: put a Llama checkpoint there in "
            "transformers' layout (config.json and *.safetensors)"
        )
    with _opened(folder / one) as file:
        return dict.fromkeys(file.keys(), one)


def _tensor(path: Path, name: str) -> Tensor:
    """One tensor of a checkpoint, without reading the others."""
    with _opened(path) as file:
        if name not in file.keys():  # noqa: SIM118 (a handle, not a dictionary)
            raise ValueError(f"{path} holds no tensor {name}")
        tensor: Tensor = file.get_tensor(name)
    return tensor


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """A safetensors file; ValueError in one line where the file or the extra is missing."""
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError:
        raise ValueError("checkpoints need safetensors: pip install 'splitfleet[models]'") from None
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path} is no readable safetensors file: {error}") from None
