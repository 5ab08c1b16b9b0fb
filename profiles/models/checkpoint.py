"""Real weights from a local folder; nothing is ever downloaded, no code of a file is ever run.

A folder as transformers' `save_pretrained` writes it, or, for the networks written out here, one
that holds a torchvision state dict (*.pth). Either is read whole or refused in one line: every
tensor of the network is there under its name and in its shape, nothing else is, all numbers are
finite. Halves and doubles become float32.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from profiles.models.silence import silence


class CheckpointError(ValueError):
    """A checkpoint is not the network's, or not whole; the message is one line."""


_NOT_LEARNT = ("num_batches_tracked", "relative_position_index", "position_ids", "inv_freq")
"""Ends of names of what is counted or computed, which files may hold or not."""
_FLOATS = ("F16", "BF16", "F32", "F64")
"""safetensors' names of the types that are read."""


def load_or_draw(
    kind: str, config: str, weights: str, *, n_classes: int = 1000, **fields: Any
) -> Any:
    """The transformers model of class `kind`: from the folder `weights`, or drawn for a config.

    A checkpoint's config.json must describe the network of `fields`; the number of classes is its
    own. Raises ValueError in one line where transformers is not installed, or `weights` holds no
    checkpoint, or one of another network, or one that is not whole.
    """
    try:
        import transformers
    except ImportError:
        raise ValueError(f"{kind} needs transformers: pip install 'splitfleet[models]'") from None
    maker, ours = getattr(transformers, kind), getattr(transformers, config)
    if not weights:
        return maker(ours(num_labels=n_classes, **fields))
    where = f"model.weights={weights}"
    if not (Path(weights) / "config.json").is_file():
        raise CheckpointError(
            f"{where} holds no config.json: put a checkpoint there as "
            f"{kind}.save_pretrained writes it (config.json and model.safetensors)"
        )
    stated = read_config(Path(weights) / "config.json", ours.model_type)
    try:
        with silence():
            _check_architecture(f"{where}/config.json", maker, ours, stated, fields)
            _check_stored(Path(weights))
            model, report = maker.from_pretrained(
                weights, local_files_only=True, output_loading_info=True,
                ignore_mismatched_sizes=True,
            )  # fmt: skip
    except CheckpointError:
        raise
    except Exception as error:  # whatever the libraries raise over a file of the user
        raise CheckpointError(f"{where} is no checkpoint of {kind}: {_line(error)}") from None
    if odd := [(name, old, new) for name, old, new in report["mismatched_keys"] if _learnt(name)]:
        name, old, new = sorted(odd)[0]
        raise CheckpointError(f"{where}: {name} has shape {tuple(old)}, {kind} has {tuple(new)}")
    check_names(where, report["missing_keys"], report["unexpected_keys"])
    check_numbers(where, model.state_dict())
    return model.float()


def load_state_dict(
    module: nn.Module, folder: Path, their_name: Callable[[str], str] = str
) -> None:
    """Fill `module` from the one *.pth in `folder`; `their_name` of a tensor is the file's.

    Raises ValueError in one line where file, names, shapes or numbers are not right.
    """
    files = sorted(folder.glob("*.pth"))
    if len(files) != 1:
        raise CheckpointError(
            f"model.weights={folder} holds {len(files)} *.pth files: "
            "put one torchvision state dict there"
        )
    given = {_of_today(k): v for k, v in _read(files[0]).items() if _learnt(k)}
    wanted = {k: v for k, v in module.state_dict().items() if _learnt(k)}
    theirs = {their_name(name): name for name in wanted}
    check_names(str(files[0]), {*theirs} - {*given}, {*given} - {*theirs})
    for other, name in theirs.items():
        check_shape(str(files[0]), other, given[other], wanted[name])
    check_numbers(str(files[0]), given)
    module.load_state_dict({n: given[other].float() for other, n in theirs.items()}, strict=False)


def read_config(path: Path, kind: str) -> dict[str, Any]:
    """What a config.json says, where it is one of a network of that `model_type`, unquantized.

    Raises ValueError in one line otherwise.
    """
    try:
        config = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise CheckpointError(f"{path} is no JSON: {_line(error)}") from None
    found = config.get("model_type") if isinstance(config, dict) else None
    if found != kind:
        raise CheckpointError(f"{path}: model_type must be {kind!r}, got {found!r}")
    assert isinstance(config, dict)
    if config.get("quantization_config"):
        raise CheckpointError(
            f"{path}: quantized weights are not read: save them in float32 or halves"
        )
    return config


def check_names(where: str, missing: Iterable[str], unexpected: Iterable[str]) -> None:
    """Refuse a checkpoint that lacks a tensor of the network or holds another."""
    odd = {"missing": sorted(filter(_learnt, missing)),
           "unexpected": sorted(filter(_learnt, unexpected))}  # fmt: skip
    counts = " and ".join(f"{len(names)} {how}" for how, names in odd.items() if names)
    if counts:
        first = " and ".join(repr(names[0]) for names in odd.values() if names)
        raise CheckpointError(
            f"{where} holds other tensors than the network: {counts}, first {first}"
        )


def check_shape(where: str, name: str, given: Tensor, wanted: Tensor) -> None:
    """Refuse a tensor of another shape."""
    if given.shape != wanted.shape:
        shapes = f"{tuple(given.shape)}, the network has {tuple(wanted.shape)}"
        raise CheckpointError(f"{where}: {name} has shape {shapes}")


def check_type(where: str, name: str, dtype: torch.dtype) -> None:
    """Refuse integers and floats of 8 bits, which mean nothing without their scales."""
    if not dtype.is_floating_point or dtype.itemsize < 2:
        kind = str(dtype).removeprefix("torch.")
        raise CheckpointError(f"{where}: {name} must be of floats of 16 bits or more, got {kind}")


def check_numbers(where: str, state: Mapping[str, Tensor]) -> None:
    """Refuse tensors of anything but finite floats."""
    for name, tensor in state.items():
        if not _learnt(name):
            continue
        check_type(where, name, tensor.dtype)
        if not tensor.isfinite().all():
            raise CheckpointError(f"{where}: {name} holds a number that is not finite")


def _check_architecture(
    where: str, maker: Any, ours: Any, config: Mapping[str, Any], fields: Mapping[str, Any]
) -> None:
    """Refuse a config that describes another network than `fields`."""
    stated = ours.from_dict(config)
    for name, value in fields.items():
        if getattr(stated, name, None) != value:
            got = getattr(stated, name, None)
            raise CheckpointError(f"{where}: {name} must be {value}, got {got}")
    with torch.device("meta"):
        wanted = maker(ours(num_labels=stated.num_labels, **fields)).state_dict()
        given = maker(stated).state_dict()
    check_names(where, {*wanted} - {*given}, {*given} - {*wanted})
    for name, tensor in wanted.items():
        check_shape(where, name, given[name], tensor)


def _check_stored(folder: Path) -> None:
    """Raise ValueError where a file holds weights of a type that transformers would just cast."""
    from safetensors import safe_open

    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            for name in filter(_learnt, file.keys()):
                if file.get_slice(name).get_dtype() not in _FLOATS:
                    check_type(str(path), name, file.get_tensor(name).dtype)
    if not any(folder.glob("*.safetensors")):
        for path in sorted(folder.glob("pytorch_model*.bin")):
            check_numbers(str(path), _read(path))


def _read(path: Path) -> dict[str, Tensor]:
    try:
        with silence():
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch's readers raise what they please over damaged files
        words = f"{path} is no state dict that can be read safely: {_line(error)}"
        raise CheckpointError(words) from None
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        inner = f" with {next(iter(state))!r}" if isinstance(state, dict) and state else ""
        raise CheckpointError(
            f"{path} must hold a state dict of tensors, got {type(state).__name__}{inner}"
        )
    return {str(name): tensor for name, tensor in state.items()}


def _of_today(name: str) -> str:
    """A name as torchvision writes it since 0.3: its older DenseNets say "norm.1" for "norm1"."""
    return re.sub(r"(denselayer\d+\.(?:norm|conv))\.([12])\.", r"\1\2.", name)


def _learnt(name: str) -> bool:
    return not name.endswith(_NOT_LEARNT)


def _line(error: Exception) -> str:
    """The first line of what an error says, or its kind."""
    return next(iter(str(error).splitlines()), "") or type(error).__name__
