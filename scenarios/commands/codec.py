"""Compare codecs on the same activations: bits, error, ledger, seconds, and the bounds.

Features of a network at a cut (or the array in a .npy or .csv file) are encoded and decoded by
every setting of every ladder, or of the chains asked for:
chains=[ecsq,"slicer(sparsity=[0.5,0.8])"].
Beside them stand the memoryless rate-distortion bound (Blahut-Arimoto) and the order-0 entropy of
each quantizer's symbols; answers where the network is trained. A chain with relative_l2 or
bits_per_element is calibrated to it, on other samples.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import codec
from codec.chains.expressions import Rung, expression, rungs
from codec.chains.klt import PREFIX
from codec.stages.bounds import memoryless
from profiles.measuring import coding, features
from scenarios.shell.progress import progress
from scenarios.study.codec_tables import BOUND, ledger_table, rate_table
from scenarios.sweep import multirun
from scenarios.sweep.play import Job, play
from scenarios.sweep.store import Row, Store
from scenarios.systems.scenario import Model
from sim.specs.check import at_least, option

_ERRORS = (0.02, 0.03, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7)


@dataclass(frozen=True, kw_only=True)
class Config:
    """Which activations, which settings."""

    name: str = option("codec", "folder of the results below outputs/")
    model: Model = field(default_factory=Model)
    cut: str = option("stage2", "where the features are taken")
    samples: int = option(64, "test samples, one stream each")
    activations: str = option(
        "", "a .npy file [sample, ...], or a .csv with a sample a row, instead of features"
    )
    ladders: dict[str, Any] = option({}, "chains with one option that holds a list")
    chains: list[str] = option(
        [], 'ladders by name, or chains as "NAME(option=value)"; empty: all ladders'
    )
    repeats: int = option(3, "repeats of every timing; the median is used")
    plot: bool = option(False, "draw rate against error")
    seed: int = option(0, "which samples")
    workers: int = option(1, "processes; times suffer from more than one")

    def __post_init__(self) -> None:
        for name in ("samples", "repeats", "workers"):
            at_least(name, getattr(self, name), 1)
        for text in self.chains:
            if text not in self.ladders:
                expression(text)


def run(config: Config) -> int:
    """Encode everything, store the rows, print them and, on demand, draw them."""
    chosen = _chosen(config)
    known = _features(config)
    if len(known.shapes) > 1 and not config.chains:  # these have no basis in common
        chosen = [rung for rung in chosen if not str(rung.codec["chain"]).startswith(PREFIX)]
    store = Store(Path("outputs") / config.name)
    with multirun.lock(store):
        rows = play(list(_jobs(config, known, chosen, store.folder)), store, workers=config.workers)
        store.write_table(rows)
        sound = [row for row in rows if not row.get("error")]
        summary = rate_table(known.source, sound)
        ledger = ledger_table(sound)
        store.write_text("table.md", f"{summary.markdown()}\n{ledger.markdown()}")
        told = {"summary": summary.plain(), "ledger": ledger.plain()}
        store.write_run(command="codec", config=asdict(config), revision=codec.revision(), **told)
        if config.plot and any(row["relative_l2"] and row["bits_per_element"] for row in sound):
            _draw(config, sound, store.folder)
    summary.show()
    ledger.show()
    for row in rows:
        if row.get("error"):
            print(f"{row['codec']}: {row['error']}")
    print(f"written: {store.folder}/results.csv and table.md")
    return int(len(sound) < len(rows))


def _features(config: Config) -> features.Features:
    """The features to test on, with R(D) at some errors."""
    if config.activations:
        known = features.of_file(Path(config.activations))
    else:
        name = config.model.name
        with progress(f"features of {name}") as report:
            known = features.of_network(
                name, config.cut, config.samples, seed=config.seed, progress=report
            )
    with progress("rate-distortion bound") as report:
        bounds = tuple(memoryless(known.test, _ERRORS))
        report(1, 1)
    return replace(known, bounds=bounds)


def _chosen(config: Config) -> list[Rung]:
    """Every setting that is asked for.

    Raises:
        ValueError: a chain or an option that does not exist, or a value out of range.
    """
    ladders = {text: config.ladders.get(text) or expression(text) for text in config.chains}
    chosen = rungs(ladders or config.ladders)
    for rung in chosen:
        coding.check_options(rung.codec)
    return chosen


def _jobs(config: Config, known: Any, chosen: Sequence[Rung], folder: Path) -> Iterator[Job]:
    digests = {"features": known.digest, "codec": codec.revision()}
    common = {"model": known.model, "cut": known.cut, "samples": len(known.test)}
    for error, bits in zip(_ERRORS, known.bounds, strict=True):
        yield Job(
            spec={"bound": error},
            digests=digests,
            labels={"method": BOUND, "codec": f"R(D) at {error:g}", **common},
            evaluate=partial(dict, relative_l2=error, bits_per_element=bits),
        )
    for rung in chosen:
        yield Job(
            spec={"codec": rung.codec, "repeats": config.repeats},
            digests=digests,
            labels={"method": rung.ladder, "codec": _short(rung), **common},
            evaluate=partial(_evaluate, known, rung, config.repeats, folder),
        )


def _short(rung: Rung) -> str:
    """The ladder and what it varies, as it fits a terminal."""
    return rung.ladder if rung.value is None else f"{rung.ladder} {rung.value:g}"


def _evaluate(known: Any, rung: Rung, repeats: int, folder: Path) -> Row:
    """One setting on all samples: a stream each, as a device would send them.

    What was fitted for it is kept: `codec.calibration=FILE.npz` of other commands takes it.
    """
    made = coding.fit(rung.codec, known.calibration, len(known.shapes))
    fitted = made.options.get("calibration")
    kept = folder / f"{_short(rung).replace(' ', '-')}.npz" if fitted is not None else None
    if kept is not None:
        fitted.save(kept)
    row, decoded = coding.measure(made, known.test, repeats, known.shapes)
    return {**row, "calibration": None if kept is None else str(kept), **known.judge(decoded)}


def _draw(config: Config, rows: Sequence[Row], folder: Path) -> None:
    from plots import codec as rate
    from plots import files

    title = config.activations or f"{config.model.name}, {config.cut}"
    print("written: " + ", ".join(map(str, files.save(rate.draw(rows, title=title), folder))))
