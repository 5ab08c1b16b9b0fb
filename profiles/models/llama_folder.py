"""Any Llama whose checkpoint lies in a local folder, all layers of it, in transformers' layout.

config.json gives the shape, *.safetensors the weights, tensor by tensor, so that no second copy is
ever held. Variants whose scores would differ are refused: scaled rotary positions, biases.
"""

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from profiles.models.llama import Llama, Shape
from profiles.models.network import Network, content_digest

DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}


def network(*, weights: str = "", dtype: str = "float32") -> Network:
    """The whole network in the folder `weights`, every layer a stage.

    Raises ValueError in one line where no folder is named, or it holds no such checkpoint.
    """
    kind, config = find_dtype(dtype), _config(Path(weights))
    with torch.device("meta"):
        module = Llama(_shape(config, weights)).to(kind)
    module = module.to_empty(device="cpu").eval().requires_grad_(False)
    fill(module, Path(weights), tied=bool(config.get("tie_word_embeddings", False)))
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


def fill(module: nn.Module, folder: Path, *, tied: bool = False) -> None:
    """Fill `module` from the checkpoint in `folder`; `tied` takes the head from the embedding.

    Raises ValueError in one line where a file, a tensor or its shape is not right.
    """
    for name, tensor in module.state_dict().items():
        source = "embed_tokens.weight" if tied and name == "lm_head.weight" else name
        given = _tensor(folder, _their_name(source))
        if given.shape != tensor.shape:
            shapes = f"{tuple(given.shape)}, the network wants {tuple(tensor.shape)}"
            raise ValueError(f"model.weights={folder}: {_their_name(source)} has shape {shapes}")
        tensor.copy_(given)


def _config(folder: Path) -> dict[str, Any]:
    """What config.json says, where it is a Llama's."""
    path = folder / "config.json"
    if not path.is_file():
        raise ValueError(
            f"model.weights={folder} holds no config.json: put a Llama checkpoint there in "
            "transformers' layout (config.json and *.safetensors)"
        )
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is no JSON: {error}") from None
    kind = config.get("model_type") if isinstance(config, dict) else None
    if kind != "llama":
        raise ValueError(f"{path}: model_type must be 'llama', got {kind!r}")
    assert isinstance(config, dict)
    return config


def _shape(config: dict[str, Any], folder: str) -> Shape:
    """The numbers of config.json; transformers 5 keeps rotary positions in a field of their own."""
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    kind = rope.get("rope_type", rope.get("type", "default"))
    if kind != "default":
        raise ValueError(f"model.weights={folder}: rotary positions of type {kind!r} are not known")
    for name in ("attention_bias", "mlp_bias"):
        if config.get(name):
            raise ValueError(f"model.weights={folder}: {name} is not known")
    try:
        shape = Shape(
            vocabulary=config["vocab_size"],
            width=config["hidden_size"],
            n_layers=config["num_hidden_layers"],
            n_heads=config["num_attention_heads"],
            inner=config["intermediate_size"],
            n_kv_heads=config.get("num_key_value_heads"),
            rope_base=config.get("rope_theta") or rope.get("rope_theta", 10_000.0),
            epsilon=config.get("rms_norm_eps", 1e-6),
        )
    except KeyError as error:
        raise ValueError(f"model.weights={folder}: config.json holds no {error}") from None
    if (config.get("head_dim") or shape.dim) != shape.dim:
        raise ValueError(f"model.weights={folder}: head_dim must be {shape.dim}, "
                         f"got {config['head_dim']}")  # fmt: skip
    return shape


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
        from safetensors import SafetensorError, safe_open
    except ImportError:
        raise ValueError("checkpoints need safetensors: pip install 'splitfleet[models]'") from None
    index = folder / "model.safetensors.index.json"
    shard = "model.safetensors"
    if index.is_file():
        shard = json.loads(index.read_text(encoding="utf-8"))["weight_map"].get(name, shard)
    if not (folder / shard).is_file():
        raise ValueError(
            f"model.weights={folder} holds no {shard}: put a Llama checkpoint there in "
            "transformers' layout (config.json and *.safetensors)"
        )
    try:
        with safe_open(folder / shard, framework="pt") as file:
            if name not in file.keys():  # noqa: SIM118 (a handle, not a dictionary)
                raise ValueError(f"{folder / shard} holds no tensor {name}")
            tensor: Tensor = file.get_tensor(name)
    except SafetensorError as error:
        raise ValueError(f"{folder / shard} is no readable safetensors file: {error}") from None
    return tensor
