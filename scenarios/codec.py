"""Compare codecs on the same activations: bits, error, ledger, seconds, and the bounds.

Features of a network at a cut (or the array in a .npy file) are encoded and decoded by every
setting of every ladder. Beside them stand the memoryless rate-distortion bound (Blahut-Arimoto) and
the order-0 entropy of each quantizer's symbols; answers where the network is trained. A ladder
with relative_l2 or bits_per_element is calibrated to it, on other samples.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from scenarios import _request
from scenarios._features import features
from scenarios._ladder import Rung, rungs
from scenarios._play import Job, play
from scenarios._results import Row, Store
from scenarios._summary import Summary, number

_TARGETS = ("relative_l2", "bits_per_element")
_ERRORS = (0.03, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7)
_PARTS = ("values", "positions", "labels", "scales", "tables", "header")


@dataclass(frozen=True, kw_only=True)
class Config:
    """Which activations, which settings."""

    name: str = field(default="codec", metadata={"help": "folder of the results below outputs/"})
    model: str = field(default="scenes", metadata={"help": "network whose features are encoded"})
    cut: str = field(default="stage2", metadata={"help": "where the features are taken"})
    samples: int = field(default=64, metadata={"help": "test samples, one stream each"})
    activations: str = field(
        default="", metadata={"help": "a .npy file [sample, ...] instead of a network's features"}
    )
    ladders: dict[str, Any] = field(
        default_factory=dict, metadata={"help": "chains with one option that holds a list"}
    )
    chains: list[str] = field(
        default_factory=list, metadata={"help": "names of the ladders to play; empty: all"}
    )
    repeats: int = field(default=3, metadata={"help": "repeats of every time; the median counts"})
    plot: bool = field(default=False, metadata={"help": "draw rate against error"})
    seed: int = field(default=0, metadata={"help": "which samples"})
    workers: int = field(default=1, metadata={"help": "processes; times suffer from more than one"})

    def __post_init__(self) -> None:
        for name in ("samples", "repeats", "workers"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be >= 1, got {getattr(self, name)}")
        unknown = [name for name in self.chains if name not in self.ladders]
        if unknown:
            raise ValueError(
                f"chains must be of {', '.join(self.ladders)}; got {', '.join(unknown)}"
            )


def run(config: Config) -> int:
    """Encode everything, store the rows, print them and, on demand, draw them."""
    known = features(config, _ERRORS)
    chosen = rungs({k: v for k, v in config.ladders.items() if k in (config.chains or [k])})
    store = Store(Path("outputs") / config.name)
    with _request.locked(store):
        rows = play(list(_jobs(config, known, chosen)), store, workers=config.workers)
        store.write_table(rows)
        sound = [row for row in rows if not row.get("error")]
        summary = _summary(config, known.source, sound)
        store.write_text("table.md", summary.markdown())
        store.write_run(command="codec", config=asdict(config), summary=summary.plain())
        if config.plot and sound:
            _draw(config, sound, store.folder)
    summary.show()
    for row in rows:
        if row.get("error"):
            print(f"{row['codec']}: {row['error']}")
    print(f"written: {store.folder}/results.csv and table.md")
    return int(len(sound) < len(rows))


def _jobs(config: Config, known: Any, chosen: Sequence[Rung]) -> Iterator[Job]:
    common = {"model": known.model, "cut": known.cut, "samples": len(known.test)}
    for error in _ERRORS:
        yield Job(
            spec={"bound": error},
            digests={"features": known.digest},
            labels={"method": "memoryless R(D)", "codec": f"R(D) at {error:g}", **common},
            evaluate=partial(_bound, known, error),
        )
    for rung in chosen:
        yield Job(
            spec={"codec": rung.codec, "repeats": config.repeats},
            digests={"features": known.digest},
            labels={"method": rung.ladder, "codec": _short(rung), **common},
            evaluate=partial(_evaluate, known, rung.codec, config.repeats),
        )


def _short(rung: Rung) -> str:
    """The ladder and what it varies, as it fits a terminal."""
    return rung.ladder if rung.value is None else f"{rung.ladder} {rung.value:g}"


def _bound(known: Any, error: float) -> Row:
    return {"relative_l2": error, "bits_per_element": known.bounds[_ERRORS.index(error)]}


def _evaluate(known: Any, options: Mapping[str, Any], repeats: int) -> Row:
    """One setting on all samples: a stream each, as a device would send them."""
    import codec
    from codec.bounds import symbol_entropy

    made = _made(options, known.calibration)
    streams = [made.encode(x) for x in known.test]
    decoded = np.stack([made.decode(stream) for stream in streams])
    ledgers = [codec.ledger(stream) for stream in streams]
    wrong = np.linalg.norm((decoded - known.test).astype(np.float64))
    n = known.test.size
    return {
        "bits_per_element": 8 * sum(map(len, streams)) / n,
        "relative_l2": float(wrong / np.linalg.norm(known.test.astype(np.float64))),
        # behind a basis the values that come back are mixtures, not symbols
        "symbol_entropy_bits": None if "+" in made.name else symbol_entropy(decoded),
        **{f"{part}_bits": 8 * sum(each[part] for each in ledgers) / n for part in _PARTS},
        "encode_s": _seconds(made.encode, known.test, repeats),
        "decode_s": _seconds(made.decode, streams, repeats),
        **known.judge(decoded),
    }


def _made(options: Mapping[str, Any], samples: np.ndarray) -> Any:
    """The codec of a rung; one with a target is calibrated to it."""
    import codec

    rest = {k: v for k, v in options.items() if k not in ("chain", *_TARGETS)}
    target = {k: options[k] for k in _TARGETS if k in options}
    chain = str(options["chain"])
    if not target:
        return codec.create(chain, **rest)
    return codec.calibrate(chain, list(samples), **target, **rest)


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


def _summary(config: Config, source: str, rows: Sequence[Row]) -> Summary:
    coded = [row for row in rows if "encode_s" in row]
    task = _task_column(coded)
    heads = ("setting", "bits", "rel. L2", "R(D)", "entropy",
             "enc ms", "dec ms", *([task[0]] if task else []))  # fmt: skip
    cells = []
    for row in coded:
        cells.append((
            str(row["codec"]), number(row["bits_per_element"]), number(row["relative_l2"]),
            _or_dash(_rate_at(rows, row["relative_l2"])),
            _or_dash(row.get("symbol_entropy_bits")),
            number(1e3 * row["encode_s"]), number(1e3 * row["decode_s"]),
            *([number(task[2] * row[task[1]])] if task else []),
        ))  # fmt: skip
    return Summary(
        title=f"Rate against error, {source}",
        finding=_finding(rows),
        columns=heads,
        rows=tuple(cells),
        origin=(
            "Bits per element are those of whole streams, headers and tables included; errors, "
            "answers and seconds are measured here. R(D): independent elements of the same "
            "distribution at that error; entropy: order 0, of the values that came back."
        ),
    )


def _or_dash(value: float | None) -> str:
    return "-" if value is None else number(value)


def _task_column(rows: Sequence[Row]) -> tuple[str, str, float] | None:
    """Heading, column and factor of the task's figure, where the network is trained."""
    for column, heading, factor in (
        ("accuracy_drop", "drop pp", 100.0),
        ("bits_per_byte_rise", "bits/byte +", 1.0),
    ):
        if rows and rows[0].get(column) is not None:
            return heading, column, factor
    return None


def _rate_at(rows: Sequence[Row], error: float) -> float | None:
    """R(D) between the computed points; nothing outside of them."""
    points = sorted(
        (row["relative_l2"], row["bits_per_element"])
        for row in rows
        if row["method"] == "memoryless R(D)"
    )
    errors, rates = np.array(points).T
    if not errors[0] <= error <= errors[-1]:
        return None
    return float(np.interp(np.log(error), np.log(errors), rates))


def _finding(rows: Sequence[Row]) -> str:
    """Bits of every ladder at a relative L2 error of 0.1, where it spans that."""
    found = []
    for name in dict.fromkeys(row["method"] for row in rows):
        points = sorted(
            (row["relative_l2"], row["bits_per_element"]) for row in rows if row["method"] == name
        )
        errors, rates = np.array(points).T
        if len(points) > 1 and errors[0] <= 0.1 <= errors[-1] and errors[0] > 0:
            at = np.interp(np.log(0.1), np.log(errors), rates)
            found.append((float(at), f"{name} {number(float(at))}"))
    words = ", ".join(text for _, text in sorted(found))
    return f"Bits per element at a relative L2 error of 0.1 (interpolated): {words}."


def _draw(config: Config, rows: Sequence[Row], folder: Path) -> None:
    from plots import files, rate

    title = config.activations or f"{config.model}, {config.cut}"
    print("written: " + ", ".join(map(str, files.save(rate.draw(rows, title=title), folder))))
