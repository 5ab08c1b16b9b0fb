"""Effort: how much is measured of one network, so that it fits a budget of seconds."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from profiles.measuring import decoding, timing
from profiles.measuring.deployment import Deployment
from profiles.models.network import Network

BUDGET_S = 60.0

_CPU_BATCHES = tuple((1, 2, 4, 8, 16)[:n] for n in (5, 4, 3, 2, 1))
_GPU_BATCHES = ((1, 2, 4, 8, 16, 32, 64), (1, 4, 16, 64), (1, 16, 64), (1, 64), (1,))
_GAIN = {"cpu": 1.0, "cuda": 8.0}
"""About how many samples of a batch take as long as one alone: for estimates only."""
_SETUP_S = 2.0
"""Exporting a network at one batch size and comparing its halves, about."""
_SMALL = decoding.Grid(batches=(1, 4, 16))
_LARGE = decoding.Grid(prompts=(1, 16, 64), kv_lengths=(0, 64, 256, 1024), batches=(1,))
_GPU = decoding.Grid(
    prompts=(1, 64, 256, 1024), kv_lengths=(0, 256, 1024, 4096), batches=(1, 4, 8, 16, 32, 64)
)


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How much is measured of one network, and about how long that takes."""

    batches: tuple[int, ...]
    rounds: int
    warmup: int
    seconds: float
    budget_s: float = BUDGET_S
    grid: decoding.Grid | None = None

    def __str__(self) -> str:
        what = f"batch {', '.join(map(str, self.batches))}"
        if self.grid is not None:
            prompts, kept = self.grid.prompts, self.grid.kv_lengths
            what += f", prompts of {prompts[0]}-{prompts[-1]} and caches of {kept[0]}-{kept[-1]}"
            what += " tokens"
        return f"{what}, {self.rounds} rounds: about {max(1.0, self.seconds):.0f} s"


def effort(
    network: Network,
    *,
    batches: Sequence[int] = (),
    budget_s: float = BUDGET_S,
    n_threads: int = 1,
    device: str = "cpu",
    precision: str = "auto",
    mode: str = "auto",
) -> Effort:
    """The most batch sizes (of `batches`, or the usual ones), then the most rounds in `budget_s`.

    At least 7 rounds at batch 1 are measured, whatever they take; what is left of the budget goes
    into further rounds where the first ones do not suffice.
    """
    how = Deployment(device=device, precision=precision, mode=mode).resolve(network)
    once = timing.call_seconds(network, n_threads=n_threads, device=device)
    if network.task == "language":
        return _language(network, once, tuple(batches), budget_s, device)
    setup_s = _SETUP_S if how.mode == "eager" else timing.setup_seconds(network, how)
    choices = (tuple(batches),) if batches else _GPU_BATCHES if device == "cuda" else _CPU_BATCHES
    efforts = []
    for chosen in choices:
        for rounds, warmup in ((30, 10), (15, 4), (7, 2)):
            seconds = timing.estimate_seconds(
                network, batches=chosen, rounds=rounds, warmup=warmup, once_s=once,
                setup_s=setup_s, gain=_GAIN[device],
            )  # fmt: skip
            efforts.append(
                Effort(
                    batches=chosen, rounds=rounds, warmup=warmup, seconds=seconds, budget_s=budget_s
                )
            )
    return next((one for one in efforts if one.seconds <= budget_s), efforts[-1])


def _language(
    network: Network, once: float, batches: tuple[int, ...], budget_s: float, device: str
) -> Effort:
    """A grid by the network's size; rounds by the budget, the cost of a call grown by its tokens.

    A step with few tokens is bound by the weights: it costs about what the example's call does.
    """
    grid = _GPU if device == "cuda" else _LARGE if network.copies > 1 else _SMALL
    grid = replace(grid, batches=batches or grid.batches)
    tokens = network.example_input.shape[1]
    gain = _GAIN[device]
    calls = [max(1.0, b * max(1.0, n / tokens) / gain) for b in grid.batches for n in grid.prompts]
    calls += [float(max(1.0, b / tokens)) for b in grid.batches for _ in grid.kv_lengths]
    options = []
    for rounds, warmup in ((30, 5), (15, 3), (7, 2), (5, 1)):
        seconds = 8.0 + once * sum(calls) * (rounds + warmup)
        options.append(
            Effort(
                batches=grid.batches,
                rounds=rounds,
                warmup=warmup,
                seconds=seconds,
                budget_s=budget_s,
                grid=grid,
            )
        )
    return next((one for one in options if one.seconds <= budget_s), options[-1])
