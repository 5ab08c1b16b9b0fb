"""Real weights from a local folder; nothing is ever downloaded.

A folder as transformers' `save_pretrained` writes it, or, for the networks written out here, one
that holds a torchvision state dict (*.pth), read without running any code of it.
"""

import pickle
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn


def load_or_draw(
    kind: str, config: str, weights: str, *, n_classes: int = 1000, **fields: Any
) -> Any:
    """The transformers model of class `kind`: from the folder `weights`, or drawn for a config.

    Raises ValueError where transformers is not installed, or `weights` holds no checkpoint.
    """
    try:
        import transformers
    except ImportError:
        raise ValueError(f"{kind} needs transformers: pip install 'splitfleet[models]'") from None
    maker = getattr(transformers, kind)
    if not weights:
        return maker(getattr(transformers, config)(num_labels=n_classes, **fields))
    if not (Path(weights) / "config.json").is_file():
        raise ValueError(
            f"model.weights={weights} holds no config.json: put a checkpoint there as "
            f"{kind}.save_pretrained writes it (config.json and model.safetensors)"
        )
    try:
        return maker.from_pretrained(weights, local_files_only=True)
    except (OSError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"model.weights={weights} is no checkpoint of {kind}: {reason}") from None


def load_in_order(module: nn.Module, folder: Path) -> None:
    """Fill `module` from the one *.pth in `folder`, tensor after tensor in the order of both.

    Names differ between libraries and versions, the order of the layers does not; every shape is
    checked. Raises ValueError in one line where file, number or shape of tensors is not right.
    """
    files = sorted(folder.glob("*.pth"))
    if len(files) != 1:
        raise ValueError(
            f"model.weights={folder} holds {len(files)} *.pth files: "
            "put one torchvision state dict there"
        )
    given = _entries(_read(files[0]))
    wanted = _entries(module.state_dict())
    if len(given) != len(wanted):
        raise ValueError(f"{files[0]} holds {len(given)} tensors, the network has {len(wanted)}")
    for (name, old), (other, new) in zip(wanted, given, strict=True):
        if old.shape != new.shape:
            shapes = f"{tuple(new.shape)}, {name} has {tuple(old.shape)}"
            raise ValueError(f"{files[0]}: {other} has shape {shapes}")
    module.load_state_dict({n: new for (n, _), (_, new) in zip(wanted, given, strict=True)},
                           strict=False)  # fmt: skip


def _read(path: Path) -> dict[str, Tensor]:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"{path} is no state dict that can be read safely: {reason}") from None
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise ValueError(f"{path} must hold a state dict of tensors, got {type(state).__name__}")
    return state


def _entries(state: dict[str, Tensor]) -> list[tuple[str, Tensor]]:
    return [(k, v) for k, v in state.items() if not k.endswith("num_batches_tracked")]
