"""Users whose images are not those that a network was trained on.

    rotated    the camera hangs askew by 35 degrees
    coloured   scenes: by dim, reddish light; digits, which are grey: light ink on dark paper

Images uint8 [image, row, column, channel].
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

DEGREES = 35.0
LIGHT = np.array([0.5, 0.15, 0.05], np.float32)
"""What is left of red, green and blue."""

Images = NDArray[np.uint8]


def rotate(images: Images, *, most: int) -> Images:
    """Every image turned about its centre; what comes in from outside mirrors the edge of coloured
    pictures and is empty paper around grey digits.
    """
    edge = "constant" if images.shape[-1] == 1 else "reflect"
    turned = ndimage.rotate(
        images.astype(np.float32), DEGREES, axes=(1, 2), reshape=False, order=1, mode=edge
    )
    seen: Images = np.clip(np.rint(turned), 0, most).astype(np.uint8)
    return seen


def colour(images: Images, *, most: int) -> Images:
    """Every image in other light; grey ones with dark and light exchanged."""
    if images.shape[-1] == 1:
        return np.asarray(most - images, np.uint8)
    seen: Images = np.rint(images * LIGHT).astype(np.uint8)
    return seen
