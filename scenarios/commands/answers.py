"""Measure a language model's answers to questions in a file, with every codec at every cut.

Multiple choice (BoolQ, PIQA, HellaSwag, ARC, Winogrande, OpenBookQA, MMLU, or prompt, endings,
answer) by log-likelihood; task=number: word problems (GSM8K) by exact match of generated numbers.
The file is model.data=FILE.jsonl, the network model.weights=FOLDER (or the byte Llama). Writes one
row per cut and setting with the accuracy and its paired drop (CSV), and run.json.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from profiles.tables.quality import paired_drop, share
from scenarios.present.summary import Summary, between, number
from scenarios.shell.names import unknown
from scenarios.shell.progress import progress
from scenarios.sweep.store import Row, Store, write_table
from scenarios.systems.answers import choose_cuts
from scenarios.systems.coders import coders
from scenarios.systems.scenario import Model
from sim.specs.check import at_least, option

_TASKS = ("choice", "number")
_PLAIN = "none"


@dataclass(frozen=True, kw_only=True)
class Config:
    """Which network, which questions, which settings, at which cuts."""

    name: str = option("answers", "folder of the results")
    model: Model = field(default_factory=Model)
    task: str = option("choice", "choice, or number (GSM8K)")
    codec: dict[str, Any] = option({}, "the setting; see group codec")
    codecs: dict[str, dict[str, Any]] = option({}, "many settings instead of one: +methods=few")
    cut: Any = option("all", "all, one cut, or a list")
    shots: int = option(0, "task=number: solved examples in the prompt")
    new_tokens: int = option(256, "task=number: longest answer")
    seed: int = option(0, "which model.samples questions are drawn")

    def __post_init__(self) -> None:
        if self.task not in _TASKS:
            raise ValueError(unknown("task", self.task, _TASKS))
        at_least("new_tokens", self.new_tokens, 1)


def run(config: Config) -> int:
    """Answer, store and print."""
    from profiles.measuring.answering import judge_of

    if not config.model.data:
        raise ValueError("model.data is empty: name a jsonl file of questions, model.data=FILE")
    network = config.model.network()
    settings = _settings(config)
    cuts = _cuts(config.cut, network)
    judge = judge_of(
        network, config.model.data, config.model.samples, config.seed,
        numbers=config.task == "number", shots=config.shots, new_tokens=config.new_tokens,
        tokens_from=None if config.model.name == "bytellama" else config.model.weights,
    )  # fmt: skip
    store = Store(Path("outputs") / config.name)
    with store.lock():
        with progress(f"answering with {config.model.name}") as report:
            rows = list(_rows(config, cuts, settings, judge, report))
        write_table(store.folder / "answers.csv", rows)
        about = {"kind": "measured", "weights": network.weights, "data": config.model.data}
        made = {"config": asdict(config), "digests": {"model": network.digest}}
        store.write_run(command="answers", provenance=about, **made)
    _summary(rows).show()
    print(f"written: {store.folder}/answers.csv and run.json")
    return 0


def _settings(config: Config) -> Mapping[str, Any]:
    """Codecs of hidden states by name; those of images do not take part."""
    chosen = config.codecs.values() if config.codecs else [config.codec]
    made = {str(one["name"]): coders(one).get("feature") for one in chosen}
    kept = {name: one for name, one in made.items() if one is not None}
    if not kept:
        raise ValueError(f"no codec of {', '.join(made)} encodes hidden states; try slicer")
    return kept


def _cuts(wanted: Any, network: Any) -> tuple[str, ...]:
    if network.task != "language":
        raise ValueError(f"{network.name} answers no questions in words; try model=bytellama")
    return choose_cuts(wanted, network.stages)


def _rows(
    config: Config,
    cuts: Sequence[str],
    settings: Mapping[str, Any],
    judge: Callable[[str, Any, list[float] | None], np.ndarray],
    report: Callable[[int, int], None],
) -> Iterator[Row]:
    """The answers without a codec, then every setting at every cut, paired with them."""
    n_all = 1 + len(cuts) * len(settings)
    plain = judge(cuts[0], None, None)
    report(1, n_all)
    yield _row(config, "", _PLAIN, plain, paired_drop(plain, plain), None)
    for at, (cut, name) in enumerate([(c, s) for c in cuts for s in settings], 2):
        sent: list[float] = []
        right = judge(cut, settings[name], sent)
        report(at, n_all)
        yield _row(config, cut, name, right, paired_drop(plain, right), sent)


def _row(
    config: Config, cut: str, setting: str, right: np.ndarray, drop: Any, sent: list[float] | None
) -> Row:
    row: Row = {"model": config.model.name, "cut": cut, "setting": setting, "n": len(right)}
    row |= share(right).columns("accuracy")
    if sent is not None:
        row |= drop.columns("drop_pp", 100)
        row["uplink_bytes_per_request"] = sum(sent) / len(right)
    return row


def _summary(rows: Sequence[Row]) -> Summary:
    return Summary(
        columns=("cut", "setting", "n", "right, %", "drop, pp", "bytes each"),
        rows=tuple(
            (
                str(row["cut"]) or "-", str(row["setting"]), str(row["n"]),
                between(row, "accuracy", 100), between(row, "drop_pp"),
                number(row.get("uplink_bytes_per_request")),
            )
            for row in rows
        ),
    )  # fmt: skip
