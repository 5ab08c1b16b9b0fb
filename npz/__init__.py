"""Arrays on disk, npz and npy: the one reader and the one writer of the house.

write(path, {"mean": mean})                     # whole or not at all, the same bytes every time
arrays = read(path)                             # no pickle, no bomb: damage is one DamagedError
"""

from npz.reading import DamagedError, read, read_npy
from npz.writing import write

__all__ = ["DamagedError", "read", "read_npy", "write"]
