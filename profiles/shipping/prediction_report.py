"""The report on predictions: how far the ways of scaling lie from published latencies."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from statistics import median

from profiles.predicting import fitting, published, ways
from profiles.predicting.analytic import LLAMA2_7B
from profiles.predicting.roofline import peaks_of
from profiles.predicting.ways import Way
from profiles.shipping import portfolio, shipped
from profiles.shipping.portfolio import DATA
from profiles.tables.hardware import DeviceSpec, ServerSpec, parse
from profiles.tables.layers import ModelProfile
from profiles.tables.sheets import read

Sheets = Mapping[str, DeviceSpec | ServerSpec]
_GOOD, _GPU = 0.3, "h100"
_TITLES = (
    "Anchor: one factor from a published ResNet-18, on processors",
    "The same on GPUs, from the processor's profile",
    "Roofline of other GPUs at the efficiencies of the H100",
    "The same, calibrated by what the H100 takes for that network",
    "Tokens: the H100's latencies times the ratio of memory rates",
)
_HEAD = """# Predicted against published seconds

Made by `python -m profiles published`, which also writes `ways.csv`: of every way the root mean
square of the logarithm of predicted over published seconds, which goes into intervals and grades.
Efficiencies of the {0} under CUDA graphs in fp16: {1.compute:.3g} of its peak rate,
{1.memory:.3g} of its memory's, {1.kernel_s:.3g} s a kernel.
"""


def report(sheets: Sheets, profiles: Mapping[str, ModelProfile]) -> tuple[str, list[Way]]:
    """Tables of every way's errors, which of them are not to be trusted, and the ways themselves.

    `profiles` are those of the reference machine on one thread, by model.
    """
    known = published.latencies()
    cpus, gpus = ({n: s for n, s in sheets.items() if (s.processor == "gpu") == g} for g in (0, 1))
    timed, peaks = _timed(profiles), peaks_of(gpus[_GPU], "fp16")
    graphs = {n: t for n, t in timed.items() if t.tail is not None}
    efficiency = fitting.fit_efficiency(graphs.values(), peaks)
    roofs = [
        fitting.by_efficiency(known, gpus, chosen, peaks, efficiency, calibrated=calibrated)
        for chosen, calibrated in ((timed, False), (graphs, True))
    ]
    comparisons = {
        (ways.ANCHOR, "cpu"): published.by_anchor(known, cpus, profiles),
        (ways.ANCHOR, "gpu"): published.by_anchor(known, gpus, profiles),
        (ways.ROOFLINE, "gpu"): roofs[0],
        (ways.CALIBRATED, "gpu"): roofs[1],
        (ways.BANDWIDTH, "gpu"): fitting.by_bandwidth(known, gpus, _GPU),
    }
    made = [
        fitting.way_of(*key, found, efficiency if key == (ways.ROOFLINE, "gpu") else None)
        for key, found in comparisons.items()
    ]
    by_hand = published.by_other_machines(known, sheets, {"llama2-7b": LLAMA2_7B})
    titles = dict(zip(comparisons, _TITLES, strict=True))
    parts = [_section(titles[key], found) for key, found in comparisons.items()]
    parts += [_section("Roofline of Llama-2-7B, one efficiency from other machines", by_hand)]
    return "\n".join([_HEAD.format(_GPU, efficiency), *parts]), made


def _timed(profiles: Mapping[str, ModelProfile]) -> dict[str, fitting.Timed]:
    """Layers of every network, and its tail on the measured GPU under CUDA graphs where it is."""
    found = {}
    for name, profile in profiles.items():
        layers = [layer for layer in profile.layers if layer.name != "overhead"]
        there = [
            one
            for one in shipped.surfaces(name, "single")
            if (one.hardware, one.part, one.mode, one.precision) == (_GPU, "tail", "graph", "fp16")
        ]
        found[name] = fitting.Timed(layers, there[0] if there else None)
    return found


def sheets_in(folder: Path | str) -> dict[str, DeviceSpec | ServerSpec]:
    """The data sheets below `folder`/device and `folder`/server, by name.

    Raises:
        ValueError: there are none, or one is not valid.
    """

    def sheets(kind: str, spec: type[DeviceSpec] | type[ServerSpec]) -> Sheets:
        paths = sorted((Path(folder) / kind).glob("*.yaml"))
        own = {item.name for item in fields(spec)}
        return {
            path.stem: parse(spec, {k: v for k, v in read(path).items() if k in own})
            for path in paths
        }

    both = {**sheets("device", DeviceSpec), **sheets("server", ServerSpec)}
    if not both:
        raise ValueError(f"sheets={folder} holds no device/*.yaml and no server/*.yaml")
    return both


def make(folder: Path | str = "conf", path: Path | str = DATA / "published.md") -> str:
    """The report from the shipped profiles and the sheets in `folder`, written to `path`.

    Raises:
        ValueError: no sheets, or no profile of a vision network on one thread is shipped.
    """
    sheets = sheets_in(folder)
    models = {one.model for one in published.latencies()} - {"llama2-7b"} | {"scenes"}
    profiles = {
        name: portfolio.find(name)
        for name in sorted(models)
        if (DATA / "profiles" / f"{name}-single-1.npz").is_file()
    }
    if not profiles:
        raise ValueError("no profile is shipped yet; make them: python -m profiles profiles")
    text, made = report(sheets, profiles)
    Path(path).write_text(text)
    ways.write(made, Path(path).with_name("ways.csv"))
    return text


def _section(title: str, comparisons: Sequence[published.Comparison]) -> str:
    errors = [abs(one.relative_error) for one in comparisons]
    bad = sorted({
        f"{one.published.model} on {one.published.machine}"
        for one in comparisons
        if abs(one.relative_error) > _GOOD
    })  # fmt: skip
    words = (
        f"Median absolute error {100 * median(errors):.0f} %, largest {100 * max(errors):.0f} %."
    )
    if bad:
        words += f" Beyond {100 * _GOOD:.0f} %, not to be trusted: {', '.join(bad)}."
    return f"## {title}\n\n{published.table_of(comparisons)}\n{words}\n"
