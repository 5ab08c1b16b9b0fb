"""Figures to files: PDF and PNG, the same bytes for the same data."""

from pathlib import Path

from matplotlib.figure import Figure

from plots.style import apply


def prepare() -> None:
    """Load what writes a figure, so that writing one takes less time later."""
    import matplotlib.backends.backend_agg
    import matplotlib.backends.backend_pdf  # noqa: F401 (with fontTools a third of a second)


def save(figure: Figure, folder: Path, name: str = "figure") -> list[Path]:
    """Write NAME.pdf and NAME.png below `folder` and return their paths; no dates inside."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for suffix, metadata in (("pdf", {"CreationDate": None}), ("png", {"Software": "splitfleet"})):
        path = folder / f"{name}.{suffix}"
        with apply():  # fonts are embedded, and resolution chosen, when the file is written
            figure.savefig(path, metadata=metadata)
        written.append(path)
    return written
