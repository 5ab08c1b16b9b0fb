"""One page of all figures: outputs/report.html, self-contained, with tables and provenance."""

import html
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from scenarios.present.page import document, draw, fold, image
from scenarios.present.summary import Summary

_TITLE = (
    "splitfleet: how many devices can one server serve, at which split, with which codec, over"
    " which link?"
)


def write_report(path: Path, folders: Sequence[Path], missing: Mapping[str, str]) -> Path:
    """Write the page of all runs in `folders`; `missing` says why a figure is not among them."""
    links = " &middot; ".join(f'<a href="#{f.name}">{html.escape(f.name)}</a>' for f in folders)
    gone = [
        f"<p><b>{html.escape(name)}</b> is missing: {html.escape(why)}</p>"
        for name, why in missing.items()
    ]
    parts = [f"<h1>{_TITLE}</h1>", f"<nav>{links}</nav>", *gone, *map(_section, folders)]
    partial = path.with_suffix(".html.partial")
    partial.write_text(document("splitfleet", parts), encoding="utf-8")
    partial.replace(path)
    return path


def _section(folder: Path) -> str:
    """One figure, its table, and command, versions, tables and configuration folded away."""
    made = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    summary = Summary(**made["summary"])
    picture = image(folder / "figure.png", summary.title)
    kept = {key: made[key] for key in ("versions", "provenance", "config")}
    command = f"splitfleet {made['command']}: versions, tables, configuration"
    inner = draw(summary, level=2, picture=picture) + fold(command, kept)
    return f'<section id="{folder.name}">{inner}</section>'
