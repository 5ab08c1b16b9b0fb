"""The radio channel: Rayleigh outage, frame errors, counts of retransmissions, Bianchi's slots."""

import numpy as np

from sim.radio import Access, expected_sends, frame_error_rate, residual_loss
from sim.radio.bianchi import efficiency
from sim.radio.slots import play
from sim.sources.source import ConstantSource
from sim.specs import LinkSpec, SystemSpec, WorkloadSpec
from sim.statistics import replication_interval
from sim.validation.case import CONFIDENCE, Case, Metric, Row, mean_of, row_of

_FRAME_BYTES = 1024
_RATE_BPS = 8e6
_FRAME_S = 8.0 * _FRAME_BYTES / _RATE_BPS
DECOUPLING_ERROR = 0.006


def _sender(link: LinkSpec, n_requests: int, think_s: float) -> SystemSpec:
    """One device that sends one payload after the other."""
    return SystemSpec(
        workload=WorkloadSpec(kind="closed", think_s=think_s, think="constant"),
        link=link,
        warmup_s=0.0,
        horizon_s=n_requests * (think_s + 2.0 * _FRAME_S),
    )


def outages() -> list[Case]:
    """A block fails with probability eps at the eps-outage rate; every payload sees a new block."""
    cases = []
    for outage in (0.1, 0.02):
        link = LinkSpec(
            sharing="ps",
            rate="outage",
            fading="rayleigh",
            outage=outage,
            coherence_s=0.5,
            transport="erasure",
            mtu_bytes=_FRAME_BYTES,
        )
        metric = Metric("share of frames lost", outage, figure=mean_of("erased"))
        source = ConstantSource(payload_bytes=_FRAME_BYTES)
        cases.append(
            Case(f"Rayleigh outage {outage:g}", _sender(link, 2_500, 1.0), source, (metric,))
        )
    return cases


def retransmissions() -> list[Case]:
    """Frames of 1,024 B: PER at two bit error rates, sends and losses under ARQ."""
    cases = []
    for ber in (1e-5, 1e-4):
        per = float(frame_error_rate(ber, _FRAME_BYTES))
        lossy = _channel(ber, "erasure", 0)
        metric = Metric("PER", per, figure=mean_of("erased"))
        cases.append(_frames(f"erasure BER {ber:g}", lossy, (metric,)))
        for retries in (2, 50):
            sends = Metric(
                "sends per frame",
                expected_sends(per, retries),
                figure=mean_of("airtime_s", _FRAME_S),
            )
            lost = Metric("dropped_share", residual_loss(per, retries))
            metrics = (sends, lost) if lost.exact > 1e-2 else (sends,)
            cases.append(
                _frames(f"ARQ {retries} BER {ber:g}", _channel(ber, "exact", retries), metrics)
            )
    return cases


def _channel(ber: float, transport: str, retries: int) -> LinkSpec:
    return LinkSpec(
        sharing="ps",
        rate_bps=_RATE_BPS,
        mtu_bytes=_FRAME_BYTES,
        header_bytes=0,
        bit_error_rate=ber,
        transport=transport,
        max_retries=retries,
    )


def _frames(name: str, link: LinkSpec, metrics: tuple[Metric, ...]) -> Case:
    """Payloads of one frame, 2,000 a run."""
    return Case(
        name, _sender(link, 2_000, 0.01), ConstantSource(payload_bytes=_FRAME_BYTES), metrics
    )


def slots(seed: int) -> list[Row]:
    """Bianchi's fixed point against backoff counters; its decoupling error is allowed for."""
    rows = []
    for n in (2, 5, 10, 20, 40):
        metric = Metric("efficiency", efficiency(n), slack=DECOUPLING_ERROR)
        generator = np.random.default_rng((seed, n))
        cells = play(n, Access(), 1500, generator, n_cells=50)
        interval = replication_interval(cells, CONFIDENCE)
        rows.append(row_of(f"Bianchi against slots n={n}", metric, seed, interval, cells.size))
    return rows
