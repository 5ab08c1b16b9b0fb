"""The problem of a search as data: what every option costs, who asks, over which link, what limits.

An option is a cut l, a codec setting theta and, for autoregressive work, a sequence length w. All
columns have shape [option] and hold means over requests; autoregressive ones hold the means of a
token step, and `first` those of the prompt step. Where the requests of an option go unlike ways,
such as those that a gate ends on the device, `requests` holds each way with its share. Memory and
the accuracy drop are upper ends.
"""

import math
from dataclasses import dataclass, field, replace
from math import inf

import numpy as np
from numpy.typing import NDArray

from profiles.tables.split import Split
from sim.specs import LinkSpec, ServerSpec
from sim.specs.check import above, at_least, one_of

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class First:
    """The prompt step of a session, per option: [option] arrays; device_s includes encoding."""

    device_s: Floats
    payload_bytes: Floats
    decode_s: Floats
    server_s: Floats


@dataclass(frozen=True, kw_only=True, eq=False)
class Requests:
    """Unlike requests of the options: [request] arrays; device_s includes encoding.

    `option`: whose request each is, by its row; `share`: how many of that option's are like it. One
    without payload and server seconds ends on the device.

    Raises:
        ValueError: columns of unequal length, a negative cost, shares of an option that do not sum
            to 1.
    """

    option: NDArray[np.int64]
    share: Floats
    device_s: Floats
    payload_bytes: Floats
    decode_s: Floats
    server_s: Floats
    answer_bytes: Floats

    def __post_init__(self) -> None:
        shape = (len(self.option),)
        for name in REQUEST_COSTS:
            column = np.asarray(getattr(self, name))
            if column.shape != shape:
                raise ValueError(f"requests.{name} must have shape {shape}, got {column.shape}")
            if not (np.isfinite(column).all() and (column >= 0.0).all()):
                raise ValueError(f"requests.{name} must be finite and >= 0, got {column.min()}")
        shares = np.bincount(self.option, self.share)
        if not np.allclose(shares, 1.0):
            off = int(np.argmax(np.abs(shares - 1.0)))
            raise ValueError(f"requests.share of option {off} must sum to 1, got {shares[off]:g}")

    def __len__(self) -> int:
        return len(self.option)

    def mean(self, values: Floats) -> Floats:
        """What [request] comes to for every option, [option]: the mean by the shares."""
        return np.asarray(np.bincount(self.option, self.share * values), dtype=float)

    def take(self, rows: NDArray[np.int64]) -> "Requests":
        """Those of the options `rows`, which are numbered anew."""
        each = [np.flatnonzero(self.option == row) for row in rows.tolist()]
        picks = np.concatenate(each)
        number = np.repeat(np.arange(len(rows)), [len(one) for one in each])
        return Requests(option=number, **{n: getattr(self, n)[picks] for n in REQUEST_COSTS})


REQUEST_COSTS = ("share", "device_s", "payload_bytes", "decode_s", "server_s", "answer_bytes")


@dataclass(frozen=True, kw_only=True, eq=False)
class Options:
    """Everything that may be chosen, one row each.

    `depth` ranks the cuts from the input (0) to the output, `harshness` the settings from mild to
    aggressive; searches that walk in the paper's order read them. Where there are `requests`, the
    columns of the costs hold their means.

    Raises:
        ValueError: columns of unequal length, a negative or infinite cost, requests of other
            options or of sessions.
    """

    labels: tuple[Split, ...]
    device_s: Floats
    encode_s: Floats
    payload_bytes: Floats
    decode_s: Floats
    server_s: Floats
    answer_bytes: Floats
    memory_bytes: Floats
    drop_pp: Floats
    depth: NDArray[np.int64]
    harshness: NDArray[np.int64]
    first: First | None = None
    requests: Requests | None = None

    def __post_init__(self) -> None:
        n = len(self.labels)
        at_least("options.labels", n, 1)
        if self.requests is not None:
            known = set(self.requests.option.tolist())
            if self.first is not None or known != set(range(n)):
                raise ValueError(f"options.requests must be single-shot ones of all {n} options")
        for name in (*_COSTS, "depth", "harshness"):
            column = np.asarray(getattr(self, name))
            if column.shape != (n,):
                raise ValueError(f"options.{name} must have shape ({n},), got {column.shape}")
            if name in _COSTS and name != "drop_pp" and not (np.isfinite(column).all()
                                                             and (column >= 0).all()):  # fmt: skip
                raise ValueError(f"options.{name} must be finite and >= 0, got {column.min()}")

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def tokens(self) -> NDArray[np.int64]:
        """Steps of a session, 1 for a single-shot request, shape [option]."""
        return np.array([max(1, label.tokens) for label in self.labels], dtype=np.int64)

    def index(self, label: Split) -> int:
        """Row of an option; ValueError where it is none."""
        if label not in self.labels:
            raise ValueError(f"option must be one of {len(self)} of the problem, got {label}")
        return self.labels.index(label)

    def take(self, rows: NDArray[np.int64]) -> "Options":
        """The same options, only `rows` of them."""
        picked = {name: getattr(self, name)[rows] for name in (*_COSTS, "depth", "harshness")}
        first = self.first and First(
            **{name: getattr(self.first, name)[rows] for name in First.__dataclass_fields__}
        )
        requests = None if self.requests is None else self.requests.take(rows)
        labels = tuple(self.labels[i] for i in rows)
        return Options(labels=labels, first=first, requests=requests, **picked)


_COSTS = (
    "device_s", "encode_s", "payload_bytes", "decode_s", "server_s", "answer_bytes",
    "memory_bytes", "drop_pp",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a decision must keep; infinite: no such limit.

    `latency_s` bounds the mean latency of a request, or of a token where there are sessions.
    """

    latency_s: float = inf
    drop_pp: float = inf
    memory_bytes: float = inf

    def __post_init__(self) -> None:
        for name in ("latency_s", "memory_bytes"):
            if not getattr(self, name) > 0.0:
                raise ValueError(f"limits.{name} must be > 0, got {getattr(self, name)}")
        if not self.drop_pp >= 0.0:
            raise ValueError(f"limits.drop_pp must be >= 0, got {self.drop_pp}")


@dataclass(frozen=True, kw_only=True, eq=False)
class Group:
    """Devices alike: how many, what they may choose, how often they ask, at which rate they send.

    Closed: each pauses `think_s` (mean of an exponential) between its requests or sessions. Open:
    `rate_rps` requests per second and device, Poisson. Exactly one of the two is set.
    """

    options: Options
    rate_bps: float
    n_devices: int = 1
    think_s: float | None = None
    rate_rps: float | None = None
    limits: Limits = field(default_factory=Limits)
    name: str = "default"

    def __post_init__(self) -> None:
        above("group.rate_bps", self.rate_bps, 0.0)
        at_least("group.n_devices", self.n_devices, 1)
        at_least("group.think_s", self.think_s, 0.0)
        above("group.rate_rps", self.rate_rps, 0.0)
        if (self.think_s is None) == (self.rate_rps is None):
            raise ValueError("group takes think_s (closed) or rate_rps (open), got both or neither")
        if self.rate_rps is not None and self.options.first is not None:
            raise ValueError("group.rate_rps is for single-shot requests, got sessions")


@dataclass(frozen=True, kw_only=True, eq=False)
class Problem:
    """Groups of devices, the link and the server that they share.

    `allowance` widens predicted latencies before they are held against the limit:
    `latency * (1 + allowance * load)`, load that of the busiest of link, server and device.

    Raises:
        ValueError: no group, groups open and closed at once, a link or server without predictor.
    """

    groups: tuple[Group, ...]
    link: LinkSpec
    server: ServerSpec = field(default_factory=ServerSpec)
    allowance: float = 0.0

    def __post_init__(self) -> None:
        at_least("problem.groups", len(self.groups), 1)
        at_least("problem.allowance", self.allowance, 0.0)
        one_of("problem.server.discipline", self.server.discipline, ("fifo", "edf"))
        one_of("problem.link.fading", self.link.fading, ("none",))
        if len({group.think_s is None for group in self.groups}) > 1:
            raise ValueError("problem.groups must be all open or all closed, got both")

    @property
    def closed(self) -> bool:
        """Whether every device waits for its answer before it asks again."""
        return self.groups[0].think_s is not None

    @property
    def n_choices(self) -> int:
        """Number of joint choices that an exhaustive search evaluates."""
        return int(np.prod([len(group.options) for group in self.groups], dtype=object))

    @property
    def weights(self) -> Floats:
        """Share of the requests that come from each group, as offered, shape [group].

        Closed groups offer one request per pause; groups without a pause one per device.
        """
        offered = [
            g.n_devices * (g.rate_rps if g.rate_rps is not None else 1.0 / (g.think_s or 1.0))
            for g in self.groups
        ]
        return np.asarray(offered, dtype=float) / math.fsum(offered)

    def of_group(self, number: int, n_devices: int | None = None) -> "Problem":
        """One group alone, as if it were the whole fleet of `n_devices` (default: its own)."""
        group = self.groups[number]
        return replace(self, groups=(replace(group, n_devices=n_devices or group.n_devices),))
