"""Which code made a number: the name of this package's sources.

What an encoder emits may change while the format, and with it every decoder, stays what it was.
Stored results that name the revision are then never taken for those of another encoder.
"""

import hashlib
from functools import cache
from pathlib import Path

from codec.stream.base import FORMAT_VERSION


@cache
def revision() -> str:
    """Sixteen hexadecimal digits of the format's version and of every file of this package.

    A changed comment is another revision: rather measured again than trusted.
    """
    return of_folder(Path(__file__).parent.parent, FORMAT_VERSION)


def of_folder(folder: Path, version: int) -> str:
    """The same for any folder of Python files and all folders below it."""
    total = hashlib.sha256(f"{version}".encode())
    for path in sorted(folder.rglob("*.py")):
        total.update(f"|{path.relative_to(folder).as_posix()}|".encode() + path.read_bytes())
    return total.hexdigest()[:16]
