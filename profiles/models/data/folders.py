"""Images from a folder in ImageNet's layout: one subfolder a class, known by its name.

FOLDER/n01440764/ILSVRC2012_val_00000293.JPEG
FOLDER/n01443537/...
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from profiles.models.data.draws import uniforms
from profiles.models.data.handwriting import Samples
from profiles.models.data.preparation import Preparation

ENDINGS = (".jpeg", ".jpg", ".png", ".webp", ".bmp", ".tif", ".tiff")
WANTED = "put one subfolder per class with its images there, as ImageNet's validation set has"
_DEEP = ("I", "F")
"""Pillow's modes of more than 8 bits, which it clips instead of scaling."""
_FOREIGN = ("__MACOSX",)

Outputs = Callable[[Sequence[str]], Mapping[str, int]]
"""The output of the network that stands for each of some classes."""


def image_samples(
    folder: Path, n: int, seed: int, *, outputs: Outputs, preparation: Preparation
) -> Samples:
    """`n` images drawn from the folder without repetition: uint8 [n, size, size, 3], labels [n].

    Hidden files and folders, __MACOSX and folders without an image are passed over.
    Raises ValueError in one line for a missing or empty folder, too few or unreadable images, or a
    class that `outputs` does not know.
    """
    classes = _classes(folder)
    number = outputs(list(classes))
    files = [(path, number[name]) for name, paths in classes.items() for path in paths]
    if len(files) < n:
        raise ValueError(f"model.data={folder} holds {len(files)} images, {n} were asked for")
    order = np.argsort(uniforms(f"folder/{seed}", np.arange(len(files)), 1)[:, 0])[:n]
    images = np.stack([_read(files[i][0], preparation) for i in order])
    return Samples(images, np.array([files[i][1] for i in order], np.int64))


def _classes(folder: Path) -> dict[str, list[Path]]:
    """The images of every class that has any, both in the order of their names."""
    if not folder.is_dir():
        raise ValueError(f"model.data={folder} is no folder: {WANTED}")
    below = sorted(path for path in folder.iterdir() if path.is_dir() and _is_ours(path))
    classes = {path.name: _images(path) for path in below}
    found = {name: images for name, images in classes.items() if images}
    if (folder / "annotations").is_dir():
        raise ValueError(f"model.data={folder} looks like COCO, whose boxes are not offered")
    if not found:
        deeper = [path.name for path in below if any(map(_images, _folders(path)))]
        hint = f"did you mean model.data={folder / deeper[0]}?" if deeper else WANTED
        raise ValueError(f"model.data={folder} holds no image in a class folder: {hint}")
    return found


def _images(folder: Path) -> list[Path]:
    every = sorted(folder.iterdir())
    return [path for path in every if path.suffix.lower() in ENDINGS and _is_ours(path)]


def _folders(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_dir() and _is_ours(path)]


def _is_ours(path: Path) -> bool:
    """Whether this is no leaving of another program: .ipynb_checkpoints, ._0.JPEG, __MACOSX."""
    return not path.name.startswith(".") and path.name not in _FOREIGN


def _read(path: Path, preparation: Preparation) -> NDArray[np.uint8]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a file that is not quite right, but readable
            with Image.open(path) as file:
                mode = file.mode
                image = file.convert("RGB")
    except Exception as error:  # Pillow's readers raise what they please over damaged files
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise ValueError(f"{path} is no readable image: {reason}") from None
    if mode.startswith(_DEEP):
        raise ValueError(f"{path} must hold bytes, got {mode}: save it with 8 bits a channel")
    try:
        return preparation.cut(image)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
