"""Draw how errors grow over a long generation, and what crosses the link per step.

The byte Llama, trained weights, greedy: the cut sends one hidden state per token, and both caches
carry every earlier codec error. Above: KL of the next token's distribution against no codec, on
the same tokens. Middle: share of generations still equal to those without codec. Below: bits.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from math import inf
from typing import Any

from plots import long_generation as generation
from profiles.tables.trace import TraceTable
from scenarios.present.summary import Summary, between, number
from scenarios.study.figure import produce, split_name
from scenarios.study.gallery import Gallery
from scenarios.sweep.columns import mean_columns
from scenarios.sweep.play import Job
from scenarios.sweep.store import Row
from scenarios.systems.coders import kind_of
from scenarios.systems.generations import generations
from sim.specs.check import at_least, option


@dataclass(frozen=True, kw_only=True)
class Config(Gallery):
    """The figure: how many prompts, how long, at which cut."""

    codecs: dict[str, dict[str, Any]] = option({}, "what is compared; see group methods")
    cut: str = option("layers.1", "last layer on the device")
    n_prompts: int = option(8, "generations; intervals are over them")
    prompt_tokens: int = option(117, "length of every prompt")
    n_tokens: int = option(96, "steps of every generation")
    window: int = option(8, "steps that one point averages")
    repeats: int = option(3, "repeats of every codec time")

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("n_prompts", "prompt_tokens", "n_tokens", "window", "repeats"):
            at_least(name, getattr(self, name), 1)


def run(config: Config) -> int:
    """Generate with every codec between both sides, measure each step, draw it."""
    chosen = [codec for codec in config.codecs.values() if kind_of(codec) == "feature"]
    known = generations(
        config.model.name, chosen, [config.cut], n_prompts=config.n_prompts,
        prompt_tokens=config.prompt_tokens, n_tokens=config.n_tokens, repeats=config.repeats,
        live=config.live,
    )  # fmt: skip
    table = known.table
    draw = partial(generation.draw, title=f"{table.model}, cut at {config.cut}")
    summarise = partial(_summary, config, table)
    jobs = _jobs(config, table, [str(codec["name"]) for codec in chosen])
    return produce(config, "long_generation", jobs, draw, summarise, table.provenance)


def _jobs(config: Config, table: TraceTable, settings: Sequence[str]) -> Iterator[Job]:
    for setting in settings:
        for start in range(1, config.n_tokens, config.window):  # step 0 is the prompt
            steps = slice(start, min(start + config.window, config.n_tokens))
            yield Job(
                spec={"window": config.window},
                digests={"trace": table.digest},
                labels={"method": split_name(setting), "model": table.model, "cut": config.cut,
                        "codec": setting, "step": (steps.start + steps.stop - 1) / 2},
                evaluate=partial(_row, table, config.cut, setting, steps),
            )  # fmt: skip


def _row(table: TraceTable, cut: str, setting: str, steps: slice) -> Row:
    """Means over generations and the steps of a window, intervals over the generations."""
    row: Row = {}
    for name, column, factor in (
        ("uplink_bits_per_token", "payload_bytes", 8.0),
        ("relative_l2", "relative_l2", 1.0),
        ("logit_kl", "logit_kl", 1.0),
        ("agree", "agree", 1.0),
    ):
        values = factor * table.cell(column, cut, setting)[:, steps].mean(axis=1)
        most = 1.0 if name == "agree" else inf
        row |= mean_columns(name, values, least=0.0, most=most)
    whole = table.cell("agree_free", cut, setting)[:, : steps.stop].min(axis=1)
    row |= mean_columns("still_equal", whole, least=0.0, most=1.0)
    bits = 8.0 * table.cell("payload_bytes", cut, setting)[:, 1:]
    row["bits_per_token_cv"] = float(bits.std() / bits.mean())
    return row


def _summary(config: Config, table: TraceTable, rows: Sequence[Row]) -> Summary:
    names = list(dict.fromkeys(row["method"] for row in rows))
    first, last = ({r["method"]: r for r in rows if r["step"] == choose(x["step"] for x in rows)}
                   for choose in (min, max))  # fmt: skip
    lossy = [name for name in names if last[name]["logit_kl"] > 1e-3]
    grown = {name: last[name]["logit_kl"] / max(first[name]["logit_kl"], 1e-12) for name in lossy}
    worst = max(grown, key=lambda name: grown[name], default="")
    steadiest = min(names, key=lambda name: last[name]["bits_per_token_cv"])
    machine = table.provenance["machine"]["processor"]
    words = (
        f"Over {config.n_tokens} steps the KL per token changes most with {worst}, by a factor of "
        f"{number(grown[worst])}; " if worst else ""
    )  # fmt: skip
    return Summary(
        title=f"Error and traffic over long generations, {table.model}",
        finding=(
            f"{words}traffic per step varies by at most "
            f"{number(100 * max(row['bits_per_token_cv'] for row in rows))} % of its mean "
            f"(least: {steadiest})."
        ),
        columns=("method", "bits per token", "variation %", "KL nats, first steps", "last steps",
                 "same next token %", "generations still equal %"),
        rows=tuple(
            (name, between(last[name], "uplink_bits_per_token"),
             number(100 * last[name]["bits_per_token_cv"]), between(first[name], "logit_kl"),
             between(last[name], "logit_kl"), between(last[name], "agree", 100),
             between(last[name], "still_equal", 100))
            for name in names
        ),
        origin=(
            f"Bytes, KL and tokens: measured on {config.n_prompts} generations from "
            f"{config.prompt_tokens} bytes of held-out source text each, trained weights, "
            f"{machine}. Intervals: 95 % over generations."
        ),
    )  # fmt: skip
