"""One page of all figures: outputs/report.html, self-contained, with tables and provenance."""

import base64
import html
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["write_report"]

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 60rem; margin: 2rem auto;
       padding: 0 1rem }
h1 { font-size: 1.5rem }
h2 { font-size: 1.15rem; border-top: 1px solid #ddd; padding-top: 1.2rem; margin-top: 2rem }
section { display: flow-root }
img { width: 23rem; max-width: 100%; float: left; margin: 0 1.5rem 1rem 0 }
table { border-collapse: collapse; font-size: .8rem }
td, th { padding: .15rem .6rem; text-align: right; border-bottom: 1px solid #eee;
         font-variant-numeric: tabular-nums }
td:first-child, th:first-child { text-align: left }
.wide { overflow-x: auto; clear: both }
.origin, details, nav { font-size: .82rem; color: #666 }
pre { white-space: pre-wrap }
"""


def write_report(path: Path, folders: Sequence[Path], missing: Mapping[str, str]) -> Path:
    """Write the page of all runs in `folders`; `missing` says why a figure is not among them."""
    sections = [_section(folder) for folder in folders]
    links = " &middot; ".join(f'<a href="#{f.name}">{html.escape(f.name)}</a>' for f in folders)
    gone = "".join(
        f"<p><b>{html.escape(name)}</b> is missing: {html.escape(why)}</p>"
        for name, why in missing.items()
    )
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>splitfleet</title>'
        f"<style>{_STYLE}</style></head><body><h1>splitfleet: how many devices can one server "
        "serve, at which split, with which codec, over which link?</h1>"
        f"<nav>{links}</nav>{gone}{''.join(sections)}</body></html>\n"
    )
    partial = path.with_suffix(".html.partial")
    partial.write_text(page, encoding="utf-8")
    partial.replace(path)
    return path


def _section(folder: Path) -> str:
    made = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    summary = made["summary"]
    picture = base64.b64encode((folder / "figure.png").read_bytes()).decode()
    return (
        f'<section id="{folder.name}"><h2>{html.escape(summary["title"])}</h2>'
        f'<img alt="{html.escape(summary["title"])}" src="data:image/png;base64,{picture}">'
        f"<p>{html.escape(summary['finding'])}</p>"
        f'<p class="origin">{html.escape(summary["origin"])}</p>'
        f'<div class="wide">{_table(summary["columns"], summary["rows"])}</div>'
        f"{_provenance(made)}</section>"
    )


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{html.escape(name)}</th>" for name in columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _provenance(made: Mapping[str, Any]) -> str:
    """Command, versions, tables and configuration, folded away."""
    kept = {key: made[key] for key in ("versions", "provenance", "config")}
    text = html.escape(json.dumps(kept, indent=1, sort_keys=True, default=str))
    command = html.escape(f"splitfleet {made['command']}")
    return (
        f"<details><summary>{command}: versions, tables, configuration</summary>"
        f"<pre>{text}</pre></details>"
    )
