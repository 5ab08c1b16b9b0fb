"""Page: one self-contained HTML file that a plan can be handed on with."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 60rem; margin: 2rem auto;
       padding: 0 1rem }
h1 { font-size: 1.5rem } h2 { font-size: 1.1rem; margin-top: 2rem }
.grade { font-size: 1.1rem; border-left: .3rem solid #0072B2; padding-left: .8rem }
img { width: 100% } .wide { overflow-x: auto }
table { border-collapse: collapse; font-size: .85rem }
td, th { padding: .2rem .7rem; text-align: right; border-bottom: 1px solid #eee;
         font-variant-numeric: tabular-nums }
td:first-child, th:first-child { text-align: left }
.caution { color: #a15c00 } .bad { color: #b00020 }
pre { white-space: pre-wrap; font-size: .8rem } details { color: #666; font-size: .85rem }
"""


def page(found: Mapping[str, Any], sentence: str, picture: Path) -> str:
    """The page of a plan: its sentence, grade, figure, tables and provenance; nothing is fetched.

    Args:
        found: the plan as in plan.json.
        sentence: the answer in words.
        picture: the figure, as PNG.
    """
    total = f"[{found['n_star_lo_total']}, {found['n_star_hi_total']}]"
    parts = [
        f"<h1>{html.escape(sentence)}</h1>",
        f"<p>Limit: {html.escape(found['goal'])}. With the sampling error of the trace table the "
        f"interval is {total}. {found['requests']:,} requests were simulated.</p>",
        f'<p class="grade">Grade {found["grade"]}: {html.escape(found["action"])}.</p>',
        image(picture, sentence),
        "<h2>What would help</h2>",
        table(("resource", "devices per 1 % more", "95 % interval", "numbers"),
               [_gain(gain, found["kinds"]) for gain in found["gains"]]),
        "<h2>Where time goes at N*</h2>",
        table(("stage", "mean, ms", "slowest 5 %, ms"),
               [(s["words"], _ms(s["mean_s"]), _ms(s["slowest_s"])) for s in found["stages"]]),
        "<h2>Why believe it</h2>",
        table(("what was looked at", "verdict", "figures"),
               [(t["name"], t["verdict"], t["words"]) for t in found["trust"]]),
        *_choice(found.get("choice", ())),
        origin(found["provenance"]),
    ]  # fmt: skip
    return document(parts)


def document(parts: Sequence[str]) -> str:
    """The parts, one below the other, with the look of every plan."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Capacity plan</title>'
        f"<style>{_STYLE}</style></head><body>{''.join(parts)}</body></html>\n"
    )


def image(picture: Path, words: str) -> str:
    """A PNG within the page, and the words for who cannot see it."""
    data = base64.b64encode(picture.read_bytes()).decode()
    return f'<img alt="{html.escape(words)}" src="data:image/png;base64,{data}">'


def origin(provenance: Mapping[str, Any]) -> str:
    """Where every number comes from, folded away."""
    text = html.escape(json.dumps(provenance, indent=1, default=str))
    return f"<details><summary>Provenance</summary><pre>{text}</pre></details>"


def _gain(gain: Mapping[str, Any], kinds: Mapping[str, str]) -> tuple[str, ...]:
    interval = f"[{gain['lo']:+.2f}, {gain['hi']:+.2f}]"
    return (gain["words"], f"{gain['devices']:+.2f}", interval, kinds[gain["name"]])


def _choice(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    if not rows:
        return []
    heads = ("system", "N*", "accuracy drop pp, at most", "device mJ", "device ms", "Pareto",
             "what became of it")  # fmt: skip
    return ["<h2>Systems compared</h2>", table(heads, [_system(row) for row in rows])]


def _system(row: Mapping[str, Any]) -> tuple[str, ...]:
    n_star = "-" if row["n_at_most"] is None else f"<= {row['n_at_most']}"
    if row["n_star"] is not None:
        n_star = f"{row['n_star']} [{row['n_star_lo']}, {row['n_star_hi']}]"
    drop, energy_j, device_s = (
        row[name] for name in ("accuracy_drop_pp_hi", "device_energy_j", "device_s")
    )
    return (
        row["label"], n_star,
        "-" if drop is None else f"{drop:.2f}",
        "-" if energy_j is None else f"{1e3 * energy_j:.1f}",
        "-" if device_s is None else _ms(device_s),
        "yes" if row["pareto"] else "", row["fate"],
    )  # fmt: skip


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows below their headings; a cell that is a verdict has its colour."""
    head = "".join(f"<th>{html.escape(name)}</th>" for name in columns)
    body = "".join(
        "<tr>" + "".join(f"<td{_mark(cell)}>{html.escape(cell)}</td>" for cell in row) + "</tr>"
        for row in rows
    )
    inner = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="wide">{inner}</div>'


def _mark(cell: str) -> str:
    return f' class="{cell}"' if cell in ("caution", "bad") else ""


def _ms(seconds: float) -> str:
    return f"{1e3 * seconds:.2f}"
