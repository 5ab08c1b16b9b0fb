"""Compare codecs on the same activations: bits, error, ledger, seconds, and the bounds.

Features of a network at a cut (or the array in a .npy file) are encoded and decoded by every
setting of every ladder, or of the chains asked for: chains=[ecsq,"slicer(sparsity=[0.5,0.8])"].
Beside them stand the memoryless rate-distortion bound (Blahut-Arimoto) and the order-0 entropy of
each quantizer's symbols; answers where the network is trained. A chain with relative_l2 or
bits_per_element is calibrated to it, on other samples.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

import codec
from codec.chains.klt import PREFIX
from codec.stages.bounds import symbol_entropy
from scenarios.study.codec_tables import BOUND, PARTS, ledger_table, rate_table
from scenarios.study.expressions import expression
from scenarios.study.features import features
from scenarios.study.ladder import Rung, rungs
from scenarios.sweep import multirun
from scenarios.sweep.play import Job, play
from scenarios.sweep.store import Row, Store
from scenarios.systems.scenario import Model
from sim.specs.check import option

_TARGETS = ("relative_l2", "bits_per_element")
_ERRORS = (0.02, 0.03, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7)
_DEFAULT_ERROR = 0.1
_OF_BASIS = ("axis", "static_tables")


@dataclass(frozen=True, kw_only=True)
class Config:
    """Which activations, which settings."""

    name: str = option("codec", "folder of the results below outputs/")
    model: Model = field(default_factory=Model)
    cut: str = option("stage2", "where the features are taken")
    samples: int = option(64, "test samples, one stream each")
    activations: str = option("", "a .npy file [sample, ...] instead of a network's features")
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
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be >= 1, got {getattr(self, name)}")
        for text in self.chains:
            if text not in self.ladders:
                expression(text)


def run(config: Config) -> int:
    """Encode everything, store the rows, print them and, on demand, draw them."""
    chosen = _chosen(config)
    known = features(config, _ERRORS)
    store = Store(Path("outputs") / config.name)
    with multirun.locked(store):
        rows = play(list(_jobs(config, known, chosen, store.folder)), store, workers=config.workers)
        store.write_table(rows)
        sound = [row for row in rows if not row.get("error")]
        summary = rate_table(known.source, sound)
        ledger = ledger_table(sound)
        store.write_text("table.md", f"{summary.markdown()}\n{ledger.markdown()}")
        store.write_run(
            command="codec",
            config=asdict(config),
            revision=codec.revision(),
            summary=summary.plain(),
            ledger=ledger.plain(),
        )
        if config.plot and sound:
            _draw(config, sound, store.folder)
    summary.show()
    ledger.show()
    for row in rows:
        if row.get("error"):
            print(f"{row['codec']}: {row['error']}")
    print(f"written: {store.folder}/results.csv and table.md")
    return int(len(sound) < len(rows))


def _chosen(config: Config) -> list[Rung]:
    """Every setting that is asked for.

    Raises:
        ValueError: a chain or an option that does not exist, or a value out of range.
    """
    ladders = {text: config.ladders.get(text) or expression(text) for text in config.chains}
    chosen = rungs(ladders or config.ladders)
    for rung in chosen:
        chain, own, _ = _parts(rung.codec)
        if chain not in codec.names():
            codec.create(chain)  # names the nearest
        codec.create(chain.removeprefix(PREFIX), **own)
    return chosen


def _parts(options: Mapping[str, Any]) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """The chain, its own options, and what it is calibrated to."""
    rest, chain = dict(options), str(options["chain"])
    del rest["chain"]
    names = (*_TARGETS, *(_OF_BASIS if chain.startswith(PREFIX) else ()))
    return chain, rest, {key: rest.pop(key) for key in names if key in rest}


def _jobs(config: Config, known: Any, chosen: Sequence[Rung], folder: Path) -> Iterator[Job]:
    digests = {"features": known.digest, "codec": codec.revision()}
    common = {"model": known.model, "cut": known.cut, "samples": len(known.test)}
    for error in _ERRORS:
        yield Job(
            spec={"bound": error},
            digests=digests,
            labels={"method": BOUND, "codec": f"R(D) at {error:g}", **common},
            evaluate=partial(_bound, known, error),
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


def _bound(known: Any, error: float) -> Row:
    return {"relative_l2": error, "bits_per_element": known.bounds[_ERRORS.index(error)]}


def _evaluate(known: Any, rung: Rung, repeats: int, folder: Path) -> Row:
    """One setting on all samples: a stream each, as a device would send them.

    What was fitted for it is kept: `codec.calibration=FILE.npz` of other commands takes it.
    """
    made = _made(rung.codec, known.calibration)
    fitted = made.options.get("calibration")
    kept = folder / f"{_short(rung).replace(' ', '-')}.npz" if fitted is not None else None
    if kept is not None:
        fitted.save(kept)
    streams = [made.encode(x) for x in known.test]
    decoded = np.stack([made.decode(stream) for stream in streams])
    ledgers = [codec.ledger(stream) for stream in streams]
    wrong = np.linalg.norm((decoded - known.test).astype(np.float64))
    n = known.test.size
    return {
        "bits_per_element": 8 * sum(map(len, streams)) / n,
        "relative_l2": float(wrong / np.linalg.norm(known.test.astype(np.float64))),
        # behind a basis the values that come back are mixtures, not symbols
        "symbol_entropy_bits": None if PREFIX in made.name else stream_entropy(decoded),
        **{f"{part}_bits": 8 * sum(each[part] for each in ledgers) / n for part in PARTS},
        "encode_s": _seconds(made.encode, known.test, repeats),
        "decode_s": _seconds(made.decode, streams, repeats),
        "calibration": None if kept is None else str(kept),
        **known.judge(decoded),
    }


def stream_entropy(decoded: np.ndarray) -> float:
    """Mean over the streams [sample, ...] of the order-0 entropy of each, bits per element.

    What an order-0 coder with a table of each stream's own cannot beat, the table not counted.
    """
    return float(np.mean([symbol_entropy(each) for each in decoded]))


def _made(options: Mapping[str, Any], samples: np.ndarray) -> Any:
    """The codec of a rung; one with a target, or with a basis, is calibrated on `samples`.

    A basis lies along the channels of maps and along the last axis of anything else.
    """
    chain, own, fitted = _parts(options)
    if chain.startswith(PREFIX) and own.get("calibration") is None:
        fitted.setdefault("axis", -3 if samples.ndim == 4 else -1)
        if not fitted.keys() & set(_TARGETS):
            fitted["relative_l2"] = _DEFAULT_ERROR
    if not fitted:
        return codec.create(chain, **own)
    return codec.calibrate(chain, list(samples), **fitted, **own)


def _seconds(work: Any, inputs: Sequence[Any], repeats: int) -> float:
    """Median over samples and repeats of one call, after a first one that compiles."""
    work(inputs[0])
    times = []
    for _ in range(repeats):
        for each in inputs[:16]:
            start = time.perf_counter()
            work(each)
            times.append(time.perf_counter() - start)
    return median(times)


def _draw(config: Config, rows: Sequence[Row], folder: Path) -> None:
    from plots import codec as rate
    from plots import files

    title = config.activations or f"{config.model.name}, {config.cut}"
    print("written: " + ", ".join(map(str, files.save(rate.draw(rows, title=title), folder))))
