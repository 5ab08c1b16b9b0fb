"""Measure what a network's samples cost and answer at every cut and codec setting.

Every sample is traced at every cut and setting; codec seconds are the median of interleaved
repeats. Language networks generate text with the codec between both sides. Where accuracy is not
known (random weights, language), a setting CHAIN-1pp is added for slicer and every chosen chain of
adjustable strength: it has the error that costs a trained network of the same kind 1 pp.
Writes the table (npz), one row per cut and setting (CSV) and run.json.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from profiles.shipping import equal
from profiles.shipping.shipped import DATA
from scenarios.present.summary import Summary, number
from scenarios.sweep.store import Row, Store, write_table
from scenarios.systems.answers import choose_cuts, trace
from scenarios.systems.coders import coders
from scenarios.systems.generations import generate
from scenarios.systems.scenario import Model
from scenarios.systems.traces import with_anchor
from sim.specs.check import at_least, option


@dataclass(frozen=True, kw_only=True)
class Config:
    """Which network, which settings, at which cuts."""

    name: str = option("trace", "folder of the results")
    model: Model = field(default_factory=Model)
    codec: dict[str, Any] = option({}, "the setting; see group codec")
    codecs: dict[str, dict[str, Any]] = option({}, "many settings instead of one: +methods=all")
    cut: Any = option("all", "all, one cut, or a list: cut=[stem,stage3]")
    prompt_tokens: int = option(64, "language: bytes of each prompt")
    new_tokens: int = option(48, "language: tokens generated")
    ship: bool = option(False, "store the table among the shipped ones, too")

    def __post_init__(self) -> None:
        for name in ("prompt_tokens", "new_tokens"):
            at_least(name, getattr(self, name), 1)


def run(config: Config) -> int:
    """Trace, store and print."""
    network = config.model.network()
    wanted = _cuts(config, network)
    chosen = config.codecs.values() if config.codecs else [config.codec]
    settings = {str(one["name"]): coders(one) for one in chosen}
    if not network.origin and (network.weights == "random" or network.task == "language"):
        chains = [str(one["chain"]) for one in chosen]
        if not any("feature" in kinds for kinds in settings.values()):
            raise ValueError(f"no codec of {', '.join(settings)} encodes hidden states; try slicer")
        twins = equal.settings_for(network, ["slicer", *chains])
        settings |= {name: {"feature": made} for name, made in twins.items()}
    store = Store(Path("outputs") / config.name)
    with store.lock():
        if network.task == "language":
            kept = {name: each["feature"] for name, each in settings.items() if "feature" in each}
            sizes = (config.prompt_tokens, config.new_tokens)
            table = generate(network, config.model, kept, wanted, *sizes)
        else:
            table = trace(network, config.model, settings, wanted)
        table = with_anchor(table)
        path = store.folder / f"{network.name}.npz"
        table.save(path)
        if config.ship:
            table.save(DATA / "traces" / path.name)
        rows = list(table.means())
        write_table(store.folder / "trace.csv", rows)
        about = {"provenance": dict(table.provenance), "digests": {"trace": table.digest}}
        store.write_run(command="trace", config=asdict(config), **about)
    random = "" if network.weights == "trained" else ", random weights"
    _summary(f"{config.model.name}{random}, {len(table.sample_ids)} samples", rows).show()
    print(f"written: {path}, trace.csv and run.json")
    return 0


def _cuts(config: Config, network: Any) -> tuple[str, ...]:
    """The cuts to trace, in the network's order; a generation crosses none of its ends."""
    if network.copies > 1:
        raise ValueError(
            f"{network.name} holds one layer of {network.copies} and answers nothing;"
            " splitfleet profile measures it"
        )
    ends = () if network.task == "language" else ("input", "output")
    known = (*ends[:1], *network.stages, *ends[1:])
    given = choose_cuts(config.cut, known)
    return tuple(cut for cut in known if cut in given)


def _summary(title: str, rows: Sequence[Row]) -> Summary:
    """The figures that matter most, one line per cut and setting."""
    columns = (
        ("payload_bytes", "payload B", 1.0), ("encode_s", "encode ms", 1e3),
        ("decode_s", "decode ms", 1e3), ("relative_l2", "rel. L2", 1.0),
        ("logit_kl", "KL nat", 1.0), ("correct", "right %", 100.0),
        ("agree", "same token %", 100.0),
    )  # fmt: skip
    present = [column for column in columns if any(column[0] in row for row in rows)]
    return Summary(
        title=title,
        columns=("cut", "setting", *(heading for _, heading, _ in present)),
        rows=tuple(
            (str(row["cut"]), str(row["setting"]),
             *(number(row[key] * factor, 4) for key, _, factor in present))
            for row in rows
        ),
    )  # fmt: skip
