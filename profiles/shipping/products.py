"""What the repository ships or measures by itself: the settings, and one call per product.

    python -m profiles          lists them
    python -m profiles NAME     measures one anew, on a machine that does nothing else

Products go to `profiles/data`.
"""

import csv
import sys
from collections.abc import Mapping, Sequence

import codec
from profiles import models
from profiles.measuring.crossing import codec_points
from profiles.measuring.timing import Progress
from profiles.measuring.tracing import Settings, trace
from profiles.models import digits
from profiles.shipping import tolerance
from profiles.shipping.portfolio import DATA
from profiles.tables import quality
from profiles.tables.law import fit
from profiles.tables.settings import specs
from profiles.tables.trace import TraceTable


def settings(model: str = "scenes") -> Settings:
    """The settings of every trace, by name: what goes over the link at which kind of cut.

    slicer-mild keeps half of the elements, slicer-hard a fifth, both at the codec's defaults; of
    hidden states, whose small elements weigh more, 70 % and 40 %. JPEG wants three channels: there
    is none for the digits. With random weights one slicer stands for both: slicer-1pp, at the error
    at which the trained network of the same kind of task loses 1 pp (profiles.shipping.tolerance).
    """
    network = models.create(model)
    kept = (0.3, 0.6) if network.task == "language" else (0.5, 0.8)
    chosen: dict[str, dict[str, codec.Codec]] = {
        "raw16": {"input": codec.create("raw8"), "feature": codec.create("raw16")},
        "raw32": {"feature": codec.create("raw32")},
        "jpeg": {"input": codec.create("jpeg")},
    }
    if network.task == "language":
        chosen = {name: {"feature": codec.create(name)} for name in ("raw16", "int8", "int4")}
    elif network.example_input.shape[-1] != 3:
        del chosen["jpeg"]
    if network.weights == "random":
        return {**chosen, "slicer-1pp": {"feature": tolerance.set_for(network)}}
    for name, sparsity in zip(("slicer-mild", "slicer-hard"), kept, strict=True):
        chosen[name] = {"feature": codec.create("slicer", sparsity=sparsity)}
    return chosen


def cross_fit_digits(*, repeats: int = 1, progress: Progress | None = None) -> TraceTable:
    """All 1,797 digits, each traced through the network of the fold that has not seen it.

    Sample ids are running numbers, fold after fold.
    """
    tables, start = [], 0
    for fold in range(5):
        data = digits.samples("test", fold=fold)
        ids = range(start, start := start + len(data.labels))
        network = models.create("digits", fold=fold)
        table = trace(
            network,
            settings("digits"),
            data.inputs,
            data.labels,
            sample_ids=ids,
            repeats=repeats,
            progress=progress,
        )
        tables.append(table)
    return quality.concatenate(tables)


def make_trace() -> str:
    """Trace 600 scenes at every cut and setting into `DATA`."""
    network, data = models.create("scenes"), models.samples("scenes", "test", 600)
    table = trace(network, settings(), data.inputs, data.labels, progress=report)
    path = DATA / "traces" / "scenes.npz"
    table.save(path)
    return f"{path.name}: {len(table.sample_ids)} rows, {path.stat().st_size / 1e6:.1f} MB"


def scene_drops(
    *, width: float = 0.005, block: int = 3000, limit: int = 36_000
) -> list[quality.Drop]:
    """Drops of scenes at every cut and setting, more scenes until each interval is narrow.

    Every cell sees at least `block` fresh test scenes; a cell whose 95 % interval is still wider
    than `width` sees the next block, `limit` at most. Stopping at a width that hardly depends on
    the mean leaves the coverage as it is.
    """
    network = models.create("scenes")
    by_cell: dict[tuple[str, str], quality.Drop] = {}
    todo = {("input", *network.stages): settings()}
    for start in range(0, limit, block):
        data = models.samples("scenes", "test", block, start=start)
        fresh = [
            drop
            for cuts, chosen in todo.items()
            for drop in quality.drops(
                trace(
                    network,
                    chosen,
                    data.inputs,
                    data.labels,
                    cuts=(*cuts, "output"),
                    repeats=1,
                    progress=report,
                )
            )
        ]
        for drop in fresh:
            key = (drop.cut, drop.setting)
            by_cell[key] = quality.merge(by_cell[key], drop) if key in by_cell else drop
        wide = [(drop.cut, drop.setting) for drop in by_cell.values() if drop.width > width]
        todo = {
            (cut,): {name: settings()[name] for at, name in wide if at == cut}
            for cut in dict.fromkeys(cut for cut, _ in wide)
        }
        if not todo:
            break
    return list(by_cell.values())


def make_accuracy() -> str:
    """The table of paired accuracy drops of scenes and digits into `DATA`."""
    judged = {
        "scenes": scene_drops(),
        "digits, cross-fitted": quality.drops(cross_fit_digits(progress=report)),
    }
    text = accuracy_text(judged)
    (DATA / "accuracy.md").write_text(text)
    return text


def accuracy_text(judged: Mapping[str, Sequence[quality.Drop]]) -> str:
    """The tables under headings, and below them the codecs that were used."""
    parts = [f"## {name}\n\n{quality.table_of(drops)}" for name, drops in judged.items()]
    chosen = [f"- {name}: `{spec}`" for name, spec in specs(settings()).items()]
    title = "# Accuracy drops against no codec, paired per sample"
    head = f"{title}\n\nMade by `python -m profiles accuracy`.\n"
    codecs = f"## Codecs (stream format {codec.FORMAT_VERSION})\n\n" + "\n".join(chosen)
    return "\n".join([head, *parts, codecs]) + "\n"


def make_tolerance() -> str:
    """The errors that tasks bear, into `DATA`."""
    errors = tolerance.measure(progress=report)
    return "\n".join(f"{cut}: relative L2 {error:.4f}" for cut, error in errors.items())


def make_law(sizes: Sequence[int] = (1024, 4096, 16384, 65536, 262144, 1048576)) -> str:
    """Codec seconds against size and depth, with the fitted law, into `DATA`."""
    network, data = models.create("scenes"), models.samples("scenes", "test", 64)
    lines = []
    with (DATA / "codec_law.csv").open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["setting", "cut", "depth", "elements", "encode_s", "decode_s"])
        for name, kinds in settings().items():
            if "feature" not in kinds:
                continue
            points = codec_points(network, kinds["feature"], data.inputs, sizes=sizes)
            for p in points:
                seconds = (f"{p.encode_s:.3e}", f"{p.decode_s:.3e}")
                rows.writerow([name, p.cut, f"{p.depth:.4f}", p.elements, *seconds])
            for law in (fit(points, direction) for direction in ("encode", "decode")):
                lines.append(
                    f"{name} {law.direction}: {1e6 * law.fixed_s:.0f} us"
                    f" + {1e9 * law.per_element_s:.2f} ns per element,"
                    f" largest residual {100 * law.worst:.0f} %"
                )
    return "\n".join(lines)


def report(done: int, total: int) -> None:
    """Progress on one line of the terminal."""
    if sys.stderr.isatty():
        print(f"\r{done}/{total}", end="\n" if done == total else "", file=sys.stderr)
