"""Needs: the answer to the inverse question, as JSON, as rows and as a person reads it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape

from scenarios._results import Store, write_table
from scenarios.planning.answer import Found, as_json, check_accuracy
from scenarios.planning.inverse import inverse
from scenarios.planning.probe import Player
from scenarios.planning.subject import Subject


def needed(config: Any, asked: Subject, *, play: Player) -> Found:
    """The least resources for `plan.n_devices`.

    Raises:
        Refusal: one device misses a constraint, or no resource by itself is enough.
    """
    check_accuracy(config, asked)
    found = inverse(
        asked.spec, asked.sources, config.slo.goals, config.plan.n_devices,
        spare=config.plan.spare, budget=config.plan, play=play,
    )  # fmt: skip
    return {
        **asked.names,
        "n_devices": found.n_devices,
        "spare": found.spare,
        "words": asked.words,
        "confidence": asked.spec.confidence,
        "remedies": [remedy._asdict() for remedy in found.remedies],
        "seed": asked.spec.seed,
        "requests": found.requests,
        "provenance": dict(asked.provenance),
    }


def store(folder: Store, found: Found) -> None:
    """plan.json and plan.csv, a row per remedy."""
    folder.write_text("plan.json", as_json(found))
    write_table(folder.folder / "plan.csv", found["remedies"])


def show(found: Mapping[str, Any]) -> None:
    """Print one line per resource."""
    Console().print(escape(_needs(found)), highlight=False, soft_wrap=True)


def _needs(found: Mapping[str, Any]) -> str:
    """One line per resource that would be enough by itself."""
    spare = f", {found['spare']} of them spare" if found["spare"] else ""
    lines = [f"{found['n_devices']} devices need one of these ({found['words']}):"]
    for remedy in found["remedies"]:
        least = remedy["least"]
        if least is None:
            text = "is not enough by itself, however large"
        elif remedy["unit"] == "x" and remedy["lo"] is None:
            text = f"less than {least:.3g} times what there is"
        elif remedy["unit"] == "x":
            text = f"{least:.3f} [{remedy['lo']:.3f}, {remedy['hi']:.3f}] times what there is"
        else:
            text = f"{least}{spare}{'' if remedy['sure'] else ' (within the error of the runs)'}"
        lines.append(f"  {remedy['words']}: {text}")
    return "\n".join(lines)
