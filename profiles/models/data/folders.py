"""Images from a folder in ImageNet's layout: one subfolder a class, in alphabetical order.

FOLDER/n01440764/ILSVRC2012_val_00000293.JPEG
FOLDER/n01443537/...
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from profiles.models.data.draws import uniforms
from profiles.models.data.handwriting import Samples

ENDINGS = (".jpeg", ".jpg", ".png", ".webp")


def image_samples(folder: Path, n: int, seed: int, *, size: int) -> Samples:
    """`n` images drawn from the folder without repetition: uint8 [n, size, size, 3], labels [n].

    The shorter side is brought to 8/7 of `size`, the centre is cut out (the field's evaluation).
    Raises ValueError in one line for a missing or empty folder, too few or unreadable images.
    """
    files = _files(folder)
    if len(files) < n:
        raise ValueError(f"model.data={folder} holds {len(files)} images, {n} were asked for")
    order = np.argsort(uniforms(f"folder/{seed}", np.arange(len(files)), 1)[:, 0])[:n]
    images = np.stack([_read(files[i][0], size) for i in order])
    return Samples(images, np.array([files[i][1] for i in order], np.int64))


def _files(folder: Path) -> list[tuple[Path, int]]:
    """Every image with the number of its class."""
    wanted = "put one subfolder per class with its images there, as ImageNet's validation set has"
    if not folder.is_dir():
        raise ValueError(f"model.data={folder} is no folder: {wanted}")
    classes = sorted(path for path in folder.iterdir() if path.is_dir())
    files = [
        (path, number)
        for number, each in enumerate(classes)
        for path in sorted(each.iterdir())
        if path.suffix.lower() in ENDINGS
    ]
    if not files:
        raise ValueError(f"model.data={folder} holds no image in a class folder: {wanted}")
    return files


def _read(path: Path, size: int) -> NDArray[np.uint8]:
    try:
        with Image.open(path) as file:
            image = file.convert("RGB")
    except (UnidentifiedImageError, OSError) as error:
        raise ValueError(f"{path} is no readable image: {error}") from None
    scale = size * 8 / 7 / min(image.size)
    width, height = (max(size, round(side * scale)) for side in image.size)
    image = image.resize((width, height), Image.Resampling.BILINEAR)
    left, top = (width - size) // 2, (height - size) // 2
    cut: NDArray[np.uint8] = np.asarray(image.crop((left, top, left + size, top + size)))
    return cut
