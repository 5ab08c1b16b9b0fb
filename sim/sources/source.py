"""What one request costs: the protocol `Source`, the measured source and analytic ones.

A source hands out whole rows, so that a hard input that compresses badly and is answered wrongly
stays one request. Seconds and bytes are floats; `correct` is 1, 0 or NaN (unknown).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from profiles.tables.channels import over
from profiles.tables.cost import CostSurface
from profiles.tables.trace import TraceTable
from sim.sources.draw import Draw, Draws

if TYPE_CHECKING:
    from sim.sources.sessions import Session  # which is made of what stands here
    from sim.sources.training import Training


class Randomness(Protocol):
    """What a source needs of a stream; `streams.Stream` and NumPy generators offer it."""

    def random(self) -> float:
        """A uniform number in [0, 1)."""

    def integers(self, high: int) -> int:
        """An integer in [0, high)."""

    def exponential(self, scale: float = 1.0) -> float:
        """An exponential number with mean `scale`."""


class Source(Protocol):
    """Hands out requests. `key` names what may share a server batch (one model at one cut)."""

    key: str

    def draw(self, stream: Randomness) -> Draw:
        """One request, drawn with `stream` alone."""

    def batch_s(self, draws: Sequence[Draw]) -> float:
        """Seconds of one tail execution that serves all `draws` (decode not included)."""

    def mean(self) -> Draw:
        """A request of average costs, for policies that predict."""

    def resample(self, generator: np.random.Generator) -> "Source":
        """The same source with its rows bootstrapped; itself where it has no sampling error."""


def words(draw: Draw) -> str:
    """What a request costs on its way, as it stands in the `repr` of a source."""
    return (
        f"device {draw.device_s:.4g} s, payload {draw.payload_bytes:.4g} B,"
        f" decode {draw.decode_s:.4g} s, server {draw.server_s:.4g} s"
    )


Sources = Mapping[str, Source]
"""Sources by the name of the group that draws from them."""


class Factor(NamedTuple):
    """How much slower a processor is than the one that ran the codec, and how surely: the standard
    deviation of the factor's logarithm.
    """

    factor: float = 1.0
    log_error: float = 0.0

    @classmethod
    def of(cls, surface: CostSurface | None) -> "Factor":
        """That of a surface; the codec is as much slower as the network is."""
        return cls() if surface is None else cls(surface.factor)

    def shift(self, deviations: float) -> float:
        """By what the factor is off at so many standard deviations."""
        return math.exp(self.log_error * deviations)


class Errors(NamedTuple):
    """How far the layers of two machines, and their codecs, are off, in standard deviations."""

    head: float = 0.0
    tail: float = 0.0
    encode: float = 0.0
    decode: float = 0.0

    def factors(self, deviations: "Errors") -> "Errors":
        """By what each is off, of these standard deviations of logarithms."""
        return Errors(*(math.exp(s * z) for s, z in zip(self, deviations, strict=True)))


def shifted(draw: Draw, factors: Errors) -> Draw:
    """A request whose encoder is as far off as the layers before it."""
    return draw._replace(
        device_s=draw.device_s * factors.head,
        decode_s=draw.decode_s * factors.decode,
        server_s=draw.server_s * factors.tail,
    )


def shift(source: Source, errors: Errors) -> Source:
    """The source on machines that are off by so many standard deviations; itself where it knows of
    no such error.
    """
    shifted: Callable[[Errors], Source] | None = getattr(source, "shift", None)
    return source if shifted is None else shifted(errors)


def log_errors(source: Source) -> Errors:
    """How far its machines may be off: standard deviations of logarithms, 0 where not known."""
    known: Errors = getattr(source, "log_errors", Errors())
    return known


def rows_of(source: Source) -> Sequence[Draw] | None:
    """The rows of which a source hands out any, all alike likely, by one number of its stream; None
    where it draws otherwise, as a class does that has a `draw` but no `even_rows` of its own.
    """
    rows: Sequence[Draw] | None = _even(source, "even_rows", "draw")
    return rows


def sessions_of(source: Source) -> "list[Session] | None":
    """The same of a source's sessions: `even_sessions`, and `session` to draw one."""
    sessions: list[Session] | None = _even(source, "even_sessions", "session")
    return sessions


def _even(source: Source, name: str, drawing: str) -> Any:
    """What a source shows under a name, unless a class draws otherwise than the one that shows."""
    for kind in type(source).__mro__:
        if name in vars(kind):
            return getattr(source, name)
        if drawing in vars(kind):
            return None
    return None


def coarse_points(source: Source) -> tuple[str, ...]:
    """Points of its machines' tables that are known to less than 5 %, as `cut@batch`."""
    known: tuple[str, ...] = getattr(source, "coarse", ())
    return known


def drift_of(source: Source) -> float:
    """The largest drift of a machine while its table was measured, as a fraction."""
    drift: float = getattr(source, "drift", 0.0)
    return drift


def largest_drift(*surfaces: CostSurface | None) -> float:
    """Of the machines of these tables, up or down."""
    return max((one.drift for one in surfaces if one is not None), key=abs, default=0.0)


def coarse_at(cut: str, *surfaces: CostSurface | None) -> tuple[str, ...]:
    """Those of surfaces at a cut."""
    named = [point for one in surfaces if one is not None for point in one.coarse]
    return tuple(dict.fromkeys(point for point in named if point.startswith(f"{cut}@")))


def seconds_at(surface: CostSurface | None, cut: str) -> float:
    """Seconds of one sample; none where there is no such part."""
    return surface.seconds_at(cut) if surface is not None else 0.0


class ConstantSource:
    """Every request alike: the deterministic cycle, and the batch server with affine time.

    A batch of b takes `server_s + (b - 1) * batch_slope_s`. Without `payload_bytes` nothing is sent
    to the server; an empty payload is a frame of its header. `log_errors`: how far its machines may
    be off.
    """

    def __init__(
        self,
        *,
        device_s: float = 0.0,
        payload_bytes: float | None = None,
        decode_s: float = 0.0,
        server_s: float = 0.0,
        answer_bytes: float = 0.0,
        correct: float = math.nan,
        batch_slope_s: float | None = None,
        log_errors: Errors | None = None,
    ) -> None:
        self.key = "constant"
        self.log_errors = log_errors or Errors()
        costs = (device_s, payload_bytes or 0.0, decode_s, server_s, answer_bytes, correct)
        self._draw = Draw(0, *costs, uplink=payload_bytes is not None)
        self._slope_s = server_s if batch_slope_s is None else batch_slope_s

    def __repr__(self) -> str:
        return f"ConstantSource({words(self._draw)})"

    @property
    def even_rows(self) -> list[Draw]:
        """The one request."""
        return [self._draw]

    def draw(self, stream: Randomness) -> Draw:
        """The one request; the stream is not touched."""
        return self._draw

    def batch_s(self, draws: Sequence[Draw]) -> float:
        """`server_s + (b - 1) * batch_slope_s` seconds."""
        return self._draw.server_s + (len(draws) - 1) * self._slope_s

    def mean(self) -> Draw:
        """The one request."""
        return self._draw

    def resample(self, generator: np.random.Generator) -> "ConstantSource":
        """Itself: a constant has no sampling error."""
        return self

    def shift(self, errors: Errors) -> "ConstantSource":
        """The same request on machines that are off by so many standard deviations."""
        if not any(self.log_errors):
            return self
        other, off = copy(self), self.log_errors.factors(errors)
        other._draw = shifted(self._draw, off)
        other._slope_s = self._slope_s * off.tail
        return other


class RandomSource:
    """Requests with server seconds and payload bytes from given distributions (theory runs).

    `server_s` and `payload_bytes` are functions of the stream, for instance
    `lambda stream: stream.exponential(0.01)`.
    """

    def __init__(
        self,
        *,
        device_s: float = 0.0,
        payload_bytes: Callable[[Randomness], float] | None = None,
        server_s: Callable[[Randomness], float] | None = None,
        answer_bytes: float = 0.0,
    ) -> None:
        self.key = "random"
        self._device_s = device_s
        self._answer_bytes = answer_bytes
        self._payload_bytes = payload_bytes
        self._server_s = server_s

    def __repr__(self) -> str:
        drawn = {"payload": self._payload_bytes, "server": self._server_s}
        said = ", ".join(f"{name} {'drawn' if each else '0'}" for name, each in drawn.items())
        return f"{type(self).__name__}(device {self._device_s:.4g} s, {said})"

    def draw(self, stream: Randomness) -> Draw:
        """One request; payload first, then server seconds."""
        payload_bytes = self._payload_bytes(stream) if self._payload_bytes else 0.0
        server_s = self._server_s(stream) if self._server_s else 0.0
        uplink = self._payload_bytes is not None
        answer = self._answer_bytes
        return Draw(0, self._device_s, payload_bytes, 0.0, server_s, answer, math.nan, 1, 0, uplink)

    def batch_s(self, draws: Sequence[Draw]) -> float:
        """The sum: nothing is gained by batching."""
        return math.fsum(draw.server_s for draw in draws)

    def mean(self) -> Draw:
        """Refused: the means of arbitrary distributions are not known."""
        raise ValueError("a policy that predicts needs sources with means, got a RandomSource")

    def resample(self, generator: np.random.Generator) -> "RandomSource":
        """Itself: the distribution is known."""
        return self


class ExponentialSource(RandomSource):
    """Exponential server seconds with mean `server_s`: the M/M/1 and machine-repairman server."""

    def __init__(self, *, server_s: float, device_s: float = 0.0) -> None:
        super().__init__(device_s=device_s, server_s=self._draw_s)
        self.server_s = server_s

    def _draw_s(self, stream: Randomness) -> float:
        return stream.exponential(self.server_s)

    @property
    def typical(self) -> Draw:
        """A request whose server seconds are the mean."""
        return Draw(0, self._device_s, 0.0, 0.0, self.server_s, 0.0, math.nan, 1, 0, False)


class TraceSource:
    """Rows of a trace table at one (cut, setting), with head and tail seconds from surfaces.

    `head` belongs to the device class, `tail` to the server; None stands for a part that does not
    exist (head at cut "input", tail at cut "output"). Encode and decode seconds are multiplied by
    `encode` and `decode`, how much slower these machines are than the one that measured the codec,
    and how surely; by default the surfaces' own factors. `channel`: over which of the channels that
    damage payloads its bytes and answers were traced; None: none is damaged. `tensor_bytes`: the
    feature once decoded.

    Raises:
        ValueError: an unknown cut or setting, or one that was not traced.
    """

    def __init__(
        self,
        table: TraceTable,
        cut: str,
        setting: str,
        head: CostSurface | None,
        tail: CostSurface | None,
        *,
        encode: Factor | None = None,
        decode: Factor | None = None,
        channel: str | None = None,
        tensor_bytes: float = 0.0,
    ) -> None:
        self.key = f"{table.model}/{cut}"
        self.channel = channel
        self._cut = cut
        self._head, self._tail = head, tail
        self._batch_s: dict[int, float] = {}
        self._encode, self._decode = encode or Factor.of(head), decode or Factor.of(tail)
        head_s, tail_s = seconds_at(head, cut), seconds_at(tail, cut)
        factors = self._encode.factor, self._decode.factor
        rows = _rows(table, cut, setting, head_s, tail_s, *factors, channel)
        self.rows = rows.change(tensor_bytes=tensor_bytes)
        self.training: Training | None = None

    def __repr__(self) -> str:
        return f"TraceSource({self.key}, {len(self.rows)} rows: {words(self.mean())})"

    @property
    def even_rows(self) -> Sequence[Draw]:
        """Its rows."""
        return self.rows

    def draw(self, stream: Randomness) -> Draw:
        """One whole row, uniformly."""
        return self.rows[stream.integers(len(self.rows))]

    def batch_s(self, draws: Sequence[Draw]) -> float:
        """Tail seconds at this batch size, from the surface."""
        size = len(draws)
        if size not in self._batch_s:
            tail = self._tail
            self._batch_s[size] = tail.seconds_at(self._cut, batch=size) if tail else 0.0
        return self._batch_s[size]

    def batches_s(self, most: int) -> np.ndarray:
        """The same of batches of 1 to `most`, [most]; NaN where the surface has none."""
        tail = self._tail
        return tail.seconds_by_batch(self._cut, most) if tail else np.zeros(most)

    def mean(self) -> Draw:
        """Column means of the rows."""
        return self.rows.mean()

    def resample(self, generator: np.random.Generator) -> "TraceSource":
        """A copy whose rows are drawn with replacement from these, and whose layers were timed once
        more.
        """
        other = copy(self)
        other.rows = self.rows.take(generator.integers(len(self.rows), size=len(self.rows)))
        return other.retime(generator)

    def retime(self, generator: np.random.Generator) -> "TraceSource":
        """The same rows with layers that were timed once more; itself where nothing is off."""
        head, tail = (one and one.resample(generator) for one in (self._head, self._tail))
        if head is self._head and tail is self._tail:
            return self
        other = copy(self)
        other._time(head, tail)
        return other

    def with_head(self, head: CostSurface) -> "TraceSource":
        """The same rows on a device whose layers take other seconds."""
        other = copy(self)
        other._time(head, self._tail)
        return other

    def with_training(self, training: "Training") -> "TraceSource":
        """The same rows, which are those of a trained system, with what training it takes."""
        other = copy(self)
        other.training = training
        return other

    def training_mean(self) -> Draw:
        """The mean of the rows."""
        return self.mean()

    def untrained(self, n_rounds: int) -> "TraceSource":
        """The same rows as they are answered after so many rounds of training."""
        assert self.training is not None
        other = copy(self)
        other.rows = Draws.of(self.training.answer(row, n_rounds) for row in self.rows)
        return other

    def shift(self, errors: Errors) -> "TraceSource":
        """The same requests on machines that are off by so many standard deviations."""
        other = copy(self)
        head, tail = self._head, self._tail
        other._time(
            head and head.shift(errors.head), tail and tail.shift(errors.tail),
            self._encode.shift(errors.encode), self._decode.shift(errors.decode),
        )  # fmt: skip
        return other

    @property
    def log_errors(self) -> Errors:
        """Standard deviations of the logarithms of what its machines are off by."""
        sides = (self._head, self._tail, self._encode, self._decode)
        return Errors(*(one.log_error if one is not None else 0.0 for one in sides))

    @property
    def drift(self) -> float:
        """How far a machine drifted while its table was measured."""
        return largest_drift(self._head, self._tail)

    @property
    def coarse(self) -> tuple[str, ...]:
        """Points of its machines' tables that are known to less than 5 %."""
        return coarse_at(self._cut, self._head, self._tail)

    def _time(
        self,
        head: CostSurface | None,
        tail: CostSurface | None,
        encode: float = 1.0,
        decode: float = 1.0,
    ) -> None:
        """Other seconds of the layers, and factors on those of the codec."""
        old = seconds_at(self._head, self._cut), seconds_at(self._tail, self._cut)
        self._head, self._tail, self._batch_s = head, tail, {}
        new = seconds_at(head, self._cut), seconds_at(tail, self._cut)
        rows = self.rows
        self.rows = rows.change(
            device_s=new[0] + (rows.column("device_s") - old[0]) * encode,
            decode_s=rows.column("decode_s") * decode,
            server_s=rows.column("server_s") - old[1] + new[1],
        )


def _rows(
    table: TraceTable,
    cut: str,
    setting: str,
    head_s: float,
    tail_s: float,
    encode_factor: float,
    decode_factor: float,
    channel: str | None,
) -> Draws:
    """All rows of the table at (cut, setting)."""
    table = table if channel is None else over(table, channel)
    if not table.exists(cut, setting):
        where = f" over {channel}" if channel is not None else ""
        raise ValueError(
            f"trace of {table.model} has no rows at cut {cut!r}, setting {setting!r}{where}"
        )
    payload = table.cell("payload_bytes", cut, setting)
    encode = np.nan_to_num(table.cell("encode_s", cut, setting)) * encode_factor
    decode = np.nan_to_num(table.cell("decode_s", cut, setting)) * decode_factor
    correct = table.cell("correct", cut, setting)
    answer = np.nan_to_num(table.cell("answer_bytes", cut, setting))
    return Draws(np.zeros((len(Draw._fields), len(payload)))).change(
        sample=table.sample_ids, device_s=head_s + encode, payload_bytes=payload, decode_s=decode,
        server_s=tail_s, answer_bytes=answer, correct=correct, new_tokens=1.0, uplink=1.0,
    )  # fmt: skip
