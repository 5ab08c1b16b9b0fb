"""Page: a summary, or many, as one self-contained HTML file; nothing is fetched."""

import base64
import html
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scenarios.present.summary import Summary

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 60rem; margin: 2rem auto;
       padding: 0 1rem }
h1 { font-size: 1.5rem } h2 { font-size: 1.15rem; margin-top: 2rem }
section { display: flow-root; border-top: 1px solid #ddd }
section img { width: 23rem; float: left; margin: 0 1.5rem 1rem 0 } img { max-width: 100% }
table { border-collapse: collapse; font-size: .82rem } .wide { overflow-x: auto; clear: both }
td, th { padding: .2rem .7rem; text-align: right; border-bottom: 1px solid #eee;
         font-variant-numeric: tabular-nums }
td:first-child, th:first-child { text-align: left }
.caution { color: #a15c00 } .bad { color: #b00020 }
.origin, details, nav { font-size: .82rem; color: #666 } pre { white-space: pre-wrap }
"""


def document(title: str, parts: Sequence[str]) -> str:
    """The parts, one below the other."""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{_STYLE}</style></head><body>{''.join(parts)}</body></html>\n"
    )


def page(title: str, summary: Summary, picture: Path, provenance: Mapping[str, Any]) -> str:
    """A summary with its figure, and where every number comes from."""
    whole = draw(summary, picture=image(picture, summary.title))
    return document(title, [whole, fold("Provenance", provenance)])


def draw(summary: Summary, *, level: int = 1, picture: str = "") -> str:
    """Title, picture, finding, origin and table, then the sections with smaller headings."""
    heads = "".join(f"<th>{html.escape(name)}</th>" for name in summary.columns)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in summary.rows)
    table = f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"
    parts = [
        f"<h{level}>{html.escape(summary.title)}</h{level}>" if summary.title else "",
        picture,
        f"<p>{html.escape(summary.finding)}</p>" if summary.finding else "",
        f'<p class="origin">{html.escape(summary.origin)}</p>' if summary.origin else "",
        f'<div class="wide">{table}</div>' if summary.rows else "",
        *(draw(section, level=level + 1) for section in summary.sections),
    ]
    return "".join(parts)


def image(picture: Path, words: str) -> str:
    """A PNG within the page, and the words for who cannot see it."""
    data = base64.b64encode(picture.read_bytes()).decode()
    return f'<img alt="{html.escape(words)}" src="data:image/png;base64,{data}">'


def fold(title: str, content: Mapping[str, Any]) -> str:
    """Where every number comes from, folded away."""
    text = html.escape(json.dumps(content, indent=1, sort_keys=True, default=str))
    return f"<details><summary>{html.escape(title)}</summary><pre>{text}</pre></details>"


def _cell(text: str) -> str:
    """A cell; one that is a verdict has its colour."""
    mark = f' class="{text}"' if text in ("caution", "bad") else ""
    return f"<td{mark}>{html.escape(text)}</td>"
