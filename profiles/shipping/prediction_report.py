"""The report on predictions: how far the ways of scaling lie from published latencies."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from profiles.predicting import published
from profiles.predicting.analytic import LLAMA2_7B
from profiles.shipping import portfolio
from profiles.shipping.portfolio import DATA
from profiles.tables.hardware import DeviceSpec, ServerSpec, parse
from profiles.tables.layers import ModelProfile
from profiles.tables.sheets import read

Sheets = Mapping[str, DeviceSpec | ServerSpec]
_GOOD = 0.3


def report(sheets: Sheets, profiles: Mapping[str, ModelProfile]) -> str:
    """Tables of every way's errors, and which of them are not to be trusted.

    `profiles` are those of the reference machine on one thread, by model.
    """
    known = published.latencies()
    layers = {
        name: [layer for layer in profile.layers if layer.flops > 0]
        for name, profile in profiles.items()
    }
    ways = {
        "Anchor: one factor from a published ResNet-18": published.by_anchor(
            known, sheets, profiles
        ),
        "Roofline, one efficiency from the machine's other networks": published.by_other_networks(
            known, sheets, layers
        ),
        "Roofline, one efficiency from other machines": published.by_other_machines(
            known, sheets, {"llama2-7b": LLAMA2_7B}
        ),
    }
    parts = [_section(title, comparisons) for title, comparisons in ways.items() if comparisons]
    head = "# Predicted against published seconds\n\nMade by `python -m profiles published`.\n"
    return "\n".join([head, *parts])


def sheets_in(folder: Path | str) -> dict[str, DeviceSpec | ServerSpec]:
    """The data sheets below `folder`/device and `folder`/server, by name.

    Raises:
        ValueError: there are none, or one is not valid.
    """

    def sheets(kind: str, spec: type[DeviceSpec] | type[ServerSpec]) -> Sheets:
        paths = sorted((Path(folder) / kind).glob("*.yaml"))
        return {path.stem: parse(spec, read(path)) for path in paths}

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
    models = {one.model for one in published.latencies()} - {"llama2-7b"}
    profiles = {
        name: portfolio.find(name)
        for name in sorted(models)
        if (DATA / "profiles" / f"{name}-single-1.npz").is_file()
    }
    if not profiles:
        raise ValueError("no profile is shipped yet; make them: python -m profiles profiles")
    text = report(sheets, profiles)
    Path(path).write_text(text)
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
