"""A user's own `sim.py`, `codec.py` or `plots/` that Python would import in place of ours.

Imports nothing of ours: it is asked before anything else is imported.
"""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

PACKAGES = ("codec", "conf", "npz", "plots", "profiles", "scenarios", "sim")
_HOME = Path(__file__).resolve().parents[2]


def find_shadow(names: Sequence[str] = PACKAGES) -> str:
    """Return one line that names the first file or folder that hides a package of ours, or ""."""
    for name in names:
        place = _place_of(name)
        if place is not None and _HOME not in place.resolve().parents:
            return (
                f"splitfleet has a package {name!r}, which {place} hides; rename that, or start"
                " in another folder"
            )
    return ""


def _place_of(name: str) -> Path | None:
    """The file or folder that `import NAME` would take."""
    try:
        spec = find_spec(name)
    except ValueError:  # a module that someone put together by hand
        return None
    if spec is None:
        return None
    if spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations)))
    return Path(spec.origin) if spec.origin else None
