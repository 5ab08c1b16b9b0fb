"""Weights on disk: an npz that runs no code, and a JSON beside it that says where it came from."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import npz
from profiles.models.network import content_digest

SHIPPED = Path(__file__).parent.parent / "data" / "weights"


class WeightsError(ValueError):
    """A weights file is missing, damaged, or belongs to another network."""


def save_weights(module: nn.Module, path: Path, provenance: dict[str, Any]) -> str:
    """Write `path` (.npz) and its provenance (.json); returns the digest of what a load gives.

    Arrays that float16 holds to the bit are written in it.
    """
    arrays = {name: _halved(tensor.detach().cpu().numpy())
              for name, tensor in _entries(module).items()}  # fmt: skip
    npz.write(path, arrays)
    digest = content_digest(module)
    text = json.dumps({**provenance, "digest": digest}, indent=2, sort_keys=True)
    path.with_suffix(".json").write_text(text + "\n", encoding="utf-8")
    return digest


def load_weights(module: nn.Module, path: Path) -> dict[str, Any]:
    """Fill `module` from `path`, strictly, and return the provenance.

    Raises WeightsError in one line for a missing, truncated or foreign file, for tensors whose
    names or shapes are not the module's, for a value that is not finite, and for content whose
    hash is not the one the provenance states.
    """
    provenance = read_provenance(path)
    arrays = _read_arrays(path)
    state = _check_state(module, arrays, path)
    module.load_state_dict(state, strict=False)
    digest = content_digest(module)
    if digest != provenance.get("digest"):
        stated = provenance.get("digest")
        raise WeightsError(f"weights {path.name}: content hash is {digest}, {stated} is stated")
    return provenance


def read_provenance(path: Path) -> dict[str, Any]:
    """The JSON beside a weights file; raises WeightsError where it is missing or unreadable."""
    try:
        provenance = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise WeightsError(f"weights {path.name}: no provenance file beside it") from None
    except ValueError as error:
        raise WeightsError(f"weights {path.name}: unreadable provenance ({error})") from None
    if not isinstance(provenance, dict):
        raise WeightsError(f"weights {path.name}: the provenance is not an object")
    return provenance


def _halved(array: np.ndarray) -> np.ndarray:
    """As float16 where that loses nothing."""
    with np.errstate(over="ignore"):
        half = array.astype(np.float16)
    return half if np.array_equal(half, array) else array


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        return npz.read(path)
    except FileNotFoundError:
        raise WeightsError(f"weights {path.name}: no such file in {path.parent}") from None
    except npz.DamagedError as error:
        raise WeightsError(f"weights {path.name}: damaged file ({error})") from None


def _check_state(
    module: nn.Module, arrays: dict[str, np.ndarray], path: Path
) -> dict[str, torch.Tensor]:
    wanted = _entries(module)
    if odd := sorted(set(wanted) ^ set(arrays)):
        side = "missing" if odd[0] in wanted else "unexpected"
        raise WeightsError(f"weights {path.name}: {side} tensor {odd[0]!r} ({len(odd)} in all)")
    state = {}
    for name, tensor in wanted.items():
        array = arrays[name]
        if array.shape != tuple(tensor.shape):
            shapes = f"{array.shape}, the network wants {tuple(tensor.shape)}"
            raise WeightsError(f"weights {path.name}: {name!r} has shape {shapes}")
        if array.dtype.kind != "f" or not np.isfinite(array).all():
            raise WeightsError(f"weights {path.name}: {name!r} holds values that are not finite")
        state[name] = torch.from_numpy(array).to(tensor.dtype)
    return state


def _entries(module: nn.Module) -> dict[str, torch.Tensor]:
    """Parameters and buffers that carry what was learnt (BatchNorm's batch counter does not)."""
    state = module.state_dict()
    return {k: v for k, v in sorted(state.items()) if not k.endswith("num_batches_tracked")}
