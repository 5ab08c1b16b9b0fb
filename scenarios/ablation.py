"""Draw what each of SLICER's knobs does: sparsity, distortion, blocks, asymmetry, block rule.

One knob moves, the others stay at the defaults; the block rules and the granularity are compared
at equal rate by moving the distortion under each. Rate, error and lost answers are measured.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from plots import ablation
from scenarios._figure import produce
from scenarios._gallery import Gallery, elements_of, measured_origin
from scenarios._ladder import Rung, jobs, rungs
from scenarios._measured import ladder
from scenarios._results import Row
from scenarios._summary import Summary, between, number


@dataclass(frozen=True, kw_only=True)
class Config(Gallery):
    """The figure: its cut and the ladders, grouped by the word before the colon."""

    cut: str = field(default="stage2", metadata={"help": "where the feature is taken"})
    ladders: dict[str, Any] = field(
        default_factory=dict, metadata={"help": "PANEL: LINE: a chain with one list"}
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.ladders:
            raise ValueError("ladders must name at least one, got none")


def run(config: Config) -> int:
    """Trace every setting, write rate, error and loss of each, draw them."""
    chosen = [
        rung._replace(ladder=f"{panel}: {rung.ladder}", setting=f"{panel}: {rung.setting}")
        for panel, lines in config.ladders.items()
        for rung in rungs(lines)
    ]
    table = ladder(config.model, _distinct(chosen), [config.cut])
    where = measured_origin(table.provenance, len(table.sample_ids))
    return produce(
        config,
        "ablation",
        list(jobs(table, chosen, elements_of(config.model.name))),
        draw=partial(ablation.draw, title=f"slicer on {config.model.name}, cut at {config.cut}"),
        summarise=partial(_summary, config, where),
        provenance=table.provenance,
        finish=_with_panels,
    )


def _distinct(chosen: Sequence[Rung]) -> dict[str, dict[str, Any]]:
    return {rung.setting: rung.codec for rung in chosen}


def _with_panels(rows: Sequence[Row]) -> list[Row]:
    return [{**row, "panel": str(row["method"]).split(": ")[0]} for row in rows]


def _summary(config: Config, where: str, rows: Sequence[Row]) -> Summary:
    words = []
    for panel in dict.fromkeys(row["panel"] for row in rows):
        here = [row for row in rows if row["panel"] == panel]
        bits = [row["bits_per_element"] for row in here]
        errors = [row["relative_l2"] for row in here]
        words.append(
            f"{panel} moves the rate {number(max(bits) / min(bits))}x and the error "
            f"{number(max(errors) / min(errors))}x"
        )
    return Summary(
        title=f"What SLICER's knobs do, {config.model.name} at {config.cut}",
        finding="Over the ranges shown " + "; ".join(words) + ".",
        columns=("setting", "bits per element", "relative L2", "drop pp"),
        rows=tuple(
            (row["codec"], between(row, "bits_per_element"), between(row, "relative_l2"),
             between(row, "accuracy_drop", 100))
            for row in rows
        ),
        origin=where,
    )  # fmt: skip
