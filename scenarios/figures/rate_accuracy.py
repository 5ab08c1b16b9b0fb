"""Draw lost accuracy and error against bits per element, every codec at many strengths.

Each point is really encoded, decoded and answered; intervals are paired per sample (Bonett and
Price). The paper's "0-3 pp" is drawn as a band, a published rival as a labelled reference.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from codec.chains.expressions import rungs
from plots import rate_accuracy
from scenarios.present.summary import Summary, between, number
from scenarios.study.figure import produce
from scenarios.study.gallery import Gallery, elements_of, say_origin
from scenarios.study.ladder import jobs
from scenarios.sweep.store import Row
from scenarios.systems.answers import trace_settings
from sim.specs.check import option


@dataclass(frozen=True, kw_only=True)
class Config(Gallery):
    """The figure: its cuts and the ladders that are compared."""

    cuts: list[str] = option([], "cuts, one panel pair each")
    ladders: dict[str, Any] = option({}, "chains with one option that holds a list")
    loss: float = option(
        0.03, "loss that the table's settings stay below, whole interval", unit="1"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.cuts or not self.ladders:
            raise ValueError("cuts and ladders must name at least one each, got none")


def run(config: Config) -> int:
    """Trace every setting, write rate, error and loss of each, draw them."""
    chosen = rungs(config.ladders)
    table = trace_settings(config.model, {r.setting: r.codec for r in chosen}, config.cuts)
    where = say_origin(table.provenance, len(table.sample_ids))
    draw = partial(rate_accuracy.draw, title=config.model.name)
    summarise = partial(_summary, config, where)
    points = jobs(table, chosen, elements_of(config.model.name))
    return produce(config, "rate_accuracy", points, draw, summarise, table.provenance)


def least(rows: Sequence[Row], loss: float) -> Mapping[str, Any] | None:
    """The row of fewest bits whose loss is below `loss` with its whole interval."""
    sound = [row for row in rows if row.get("accuracy_drop_hi", 1.0) <= loss]
    return min(sound, key=lambda row: row["bits_per_element"], default=None)


def _summary(config: Config, where: str, rows: Sequence[Row]) -> Summary:
    cells, words = [], []
    for cut in config.cuts:
        here = [row for row in rows if row["cut"] == cut]
        reached = {
            name: least([row for row in here if row["method"] == name], config.loss)
            for name in dict.fromkeys(row["method"] for row in here)
        }
        sound = {name: row for name, row in reached.items() if row is not None}
        if not sound:
            words.append(f"behind {cut} no setting is known to stay below")
            continue
        first = min(sound, key=lambda name: sound[name]["bits_per_element"])
        words.append(
            f"behind {cut} {first} needs {number(sound[first]['bits_per_element'])} bits per "
            f"element, {number(16 / sound[first]['bits_per_element'])}x less than half floats"
        )
        cells += [
            (cut, name, row["codec"], between(row, "bits_per_element"),
             number(16 / row["bits_per_element"]), between(row, "relative_l2"),
             between(row, "accuracy_drop", 100))
            for name, row in sound.items()
        ]  # fmt: skip
    loss = f"{100 * config.loss:g} pp"
    return Summary(
        title=f"Rate and accuracy on {config.model.name}",
        finding=f"With the whole interval of the loss below {loss}: {'; '.join(words)}.",
        columns=("cut", "chain", "setting", "bits per element", "x less than fp16", "relative L2",
                 "drop pp"),
        rows=tuple(cells),
        origin=where,
    )  # fmt: skip
