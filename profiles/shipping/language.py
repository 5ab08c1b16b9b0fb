"""What a codec costs a language model: bits per byte, and how the error grows over a generation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import log_softmax
from scipy.stats import t as student

import codec
from profiles.measuring.activations import activations
from profiles.measuring.crossing import relative_l2, send
from profiles.measuring.timing import Progress
from profiles.tables.trace import TraceTable


@dataclass(frozen=True, kw_only=True)
class Loss:
    """A setting at a cut: the codec takes each window's hidden states [token, width] as a whole.

    `rise` is the paired rise of bits per byte over no codec with the ends of its 95 % interval
    (Student's t over windows), `drop` the paired drop of the share of next bytes guessed right.
    """

    cut: str
    setting: str
    n_windows: int
    bits_per_element: float
    relative_l2: float
    bits_per_byte: float
    rise: tuple[float, float, float]
    drop: tuple[float, float, float]


def losses(
    model: str,
    settings: Mapping[str, codec.Codec],
    cuts: Sequence[str],
    *,
    n_windows: int = 200,
    progress: Progress | None = None,
) -> list[Loss]:
    """Every setting at every cut on the same test windows.

    Raises:
        ValueError: an unknown cut, or fewer than two windows.
    """
    if n_windows < 2:
        raise ValueError(f"n_windows must be >= 2, got {n_windows}")
    rows = []
    for at_cut, cut in enumerate(cuts):
        known = activations(model, cut, n_windows)
        plain_bits, plain_right = _judge(known.answer(known.features), known.labels)
        for at, (name, chosen) in enumerate(settings.items(), 1):
            crossing = send(chosen, [known.features])
            bits, right = _judge(known.answer(*crossing.received), known.labels)
            sent = 8.0 * sum(len(stream) for stream in crossing.streams)
            rows.append(
                Loss(
                    cut=cut,
                    setting=name,
                    n_windows=n_windows,
                    bits_per_element=sent / known.features.size,
                    relative_l2=float(relative_l2([known.features], crossing.received).mean()),
                    bits_per_byte=float(bits.mean()),
                    rise=_interval(bits - plain_bits),
                    drop=_interval(plain_right - right),
                )
            )
            if progress is not None:
                progress(at_cut * len(settings) + at, len(cuts) * len(settings))
    return rows


def table_of(losses: Sequence[Loss]) -> str:
    """A Markdown table."""
    lines = [
        "| cut | setting | bits per element | relative L2 | bits per byte | rise"
        " | 95 % interval | next byte, drop pp | 95 % interval |",
        "|" + "---|" * 9,
    ]
    for one in losses:
        mean, lo, hi = one.rise
        drop = " | {:.2f} | {:.2f} .. {:.2f} |".format(*(100 * value for value in one.drop))
        lines.append(
            f"| {one.cut} | {one.setting} | {one.bits_per_element:.2f} | {one.relative_l2:.4f}"
            f" | {one.bits_per_byte:.4f} | {mean:+.4f} | {lo:+.4f} .. {hi:+.4f}{drop}"
        )
    return "\n".join(lines) + "\n"


def steps_table_of(table: TraceTable, spans: Sequence[tuple[int, int]]) -> str:
    """How the error grows: means over steps `first` .. `last` - 1 of an autoregressive trace.

    KL of the scores in nats, and the shares of tokens that are those of no codec: fed the
    reference's tokens, and fed its own (free).
    """
    heads = [f"{first}-{last - 1}" for first, last in spans]
    lines = [
        "| cut | setting | what | " + " | ".join(f"steps {head}" for head in heads) + " |",
        "|" + "---|" * (3 + len(spans)),
    ]
    kinds = (("logit_kl", "KL nat", "{:.4f}"), ("agree", "same token", "{:.3f}"),
             ("agree_free", "same token, free", "{:.3f}"))  # fmt: skip
    for cut in table.cuts:
        for setting in table.settings:
            for column, what, form in kinds:
                values = table.cell(column, cut, setting)
                cells = [form.format(values[:, first:last].mean()) for first, last in spans]
                lines.append(f"| {cut} | {setting} | {what} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _judge(scores: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bits per byte and share of next bytes guessed right, per window."""
    logs = log_softmax(scores.astype(np.float64), axis=-1)
    bits = -np.take_along_axis(logs, labels[..., None], -1)[..., 0] / np.log(2.0)
    return bits.mean(1), (scores.argmax(-1) == labels).mean(1)


def _interval(values: np.ndarray, level: float = 0.95) -> tuple[float, float, float]:
    mean, n = float(values.mean()), len(values)
    reach = float(student.ppf((1 + level) / 2, n - 1) * values.std(ddof=1) / np.sqrt(n))
    return mean, mean - reach, mean + reach
