"""Arrays into an npz: fixed dates, sorted members; the same content is the same bytes."""

import os
import zipfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

_EPOCH = (1980, 1, 1, 0, 0, 0)


def write(path: Path | str, arrays: Mapping[str, np.ndarray[Any, np.dtype[Any]]]) -> None:
    """Write `arrays` under `path`, whole or not at all; missing folders are made.

    Raises OSError where there is no room or no right to write; what stood there stays.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
            for name in sorted(arrays):
                _put(archive, f"{name}.npy", arrays[name])
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def _put(archive: zipfile.ZipFile, name: str, array: np.ndarray[Any, np.dtype[Any]]) -> None:
    buffer = BytesIO()
    npy.write_array(buffer, np.asarray(array, order="C"), version=(1, 0), allow_pickle=False)
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(entry, buffer.getvalue())
