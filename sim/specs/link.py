"""LinkSpec: frames, rate, fading, losses, sharing and outages of the medium."""

import itertools
import math
from dataclasses import dataclass, field

from sim.specs.check import about, above, at_least, one_of, option, within

SHARING = ("dedicated", "fifo", "ps", "weighted", "wifi", "cellular")
"""One file of that name in sim/medium/sharing each."""
RATES = ("fixed", "mcs", "outage", "shannon")
FADING = ("none", "rayleigh")
TRANSPORTS = ("exact", "erasure", "bit_error")
DOWNLINKS = ("dedicated", "shared")
TRACE_ENDS = ("repeat", "hold", "refuse")
CONTENTION = ("bianchi", "ns3")
RATE_FORMATS = (
    "auto", "factor", "rate_bps", "rate_kbps", "rate_mbps", "throughput_kbps", "pensieve",
    "mahimahi", "irish_5g",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class LinkSpec:
    """The medium between devices and server.

    A payload becomes ceil(payload / mtu_bytes) frames, each with header_bytes; up to `aggregation`
    frames, as far as they fit into `access_limit_s`, share one channel access of frame_airtime_s
    (preamble, interframe spaces, mean backoff, acknowledgement).
    """

    sharing: str = field(metadata=about(f"how devices share: {', '.join(SHARING)}"))
    n_cells: int = option(1, "independent media; device i uses number i mod n_cells")
    rate_bps: float = option(50e6, "rate=fixed: physical rate", "bit/s")
    downlink: str = option(
        "dedicated", "answers go on a channel of their own (dedicated) or on the uplink (shared)"
    )
    downlink_rate_bps: float | None = option(None, "rate of the answers; None: rate_bps", "bit/s")
    mtu_bytes: int = option(1500, "largest payload of one frame", "B")
    header_bytes: int = option(64, "header bytes of every frame", "B")
    frame_airtime_s: float = option(0.0, "fixed airtime of a channel access", "s")
    aggregation: int = option(1, "frames that may share a channel access")
    access_limit_s: float | None = option(
        None, "longest time that the frames of an access may take; None: any", "s"
    )
    rtt_s: float = option(0.0, "round-trip time, half before the uplink, half after", "s")
    rate: str = option("fixed", "where the rate comes from: fixed, shannon, mcs, outage")
    snr_db: float = option(20.0, "mean signal-to-noise ratio", "dB")
    snr_spread_db: float = option(
        0.0, "standard deviation of the mean over devices (shadowing)", "dB"
    )
    bandwidth_hz: float = option(20e6, "bandwidth", "Hz")
    rate_factor: float = option(
        1.0, "mcs: factor on the rates of one spatial stream (2: two streams)"
    )
    gap_db: float = option(3.0, "shannon: distance from capacity", "dB")
    outage: float = option(0.05, "outage: probability that a block fails at the chosen rate")
    fading: str = option("none", "none, rayleigh (one gain per block)")
    coherence_s: float = option(0.05, "length of a fading block", "s")
    frame_error_rate: float = option(0.0, "share of frames lost")
    bit_error_rate: float = option(0.0, "share of bits flipped")
    uncoded: bool = option(
        False, "bit errors are those of BPSK without a code at snr_db, not bit_error_rate"
    )
    transport: str = option(
        "exact", "exact (retransmission), erasure (frames missing), bit_error (damaged)"
    )
    max_retries: int = option(7, "exact: retransmissions of a frame before the payload is lost")
    contention: str = option("ns3", "wifi: efficiency against stations from ns3 or bianchi")
    grant_s: float = option(0.004, "cellular: delay from scheduling request to grant", "s")
    slot_s: float = option(0.001, "cellular: length of a scheduled slot", "s")
    outage_at_s: list[float] = option([], "times at which the medium goes silent", "s")
    outage_length_s: float = option(1.0, "length of a silence", "s")
    trace_end: str = option(
        "repeat", f"rate_csv shorter than the run: {', '.join(TRACE_ENDS)} (the last factor)"
    )
    rate_csv: str = option(
        "",
        "file (or a shipped one: burst.csv, fading.csv, mobility.csv) with columns"
        " time_s, factor (or rate_mbps, ...): the medium's speed over time",
    )
    rate_format: str = option("auto", f"what rate_csv holds: {', '.join(RATE_FORMATS)}")
    trace_rate_bps: float | None = option(
        None,
        "rate in a rate_csv of rates at which rate_bps is sent; None: they are sent as they are,"
        " and rate_bps is their mean",
        "bit/s",
    )

    def __post_init__(self) -> None:
        one_of("link.sharing", self.sharing, SHARING)
        one_of("link.rate", self.rate, RATES)
        one_of("link.fading", self.fading, FADING)
        one_of("link.transport", self.transport, TRANSPORTS)
        one_of("link.downlink", self.downlink, DOWNLINKS)
        one_of("link.contention", self.contention, CONTENTION)
        one_of("link.trace_end", self.trace_end, TRACE_ENDS)
        one_of("link.rate_format", self.rate_format, RATE_FORMATS)
        above("link.trace_rate_bps", self.trace_rate_bps, 0.0)
        named = ("rate_bps", "downlink_rate_bps", "bandwidth_hz", "coherence_s", "slot_s")
        for name in (*named, "rate_factor"):
            above(f"link.{name}", getattr(self, name), 0.0)
        above("link.access_limit_s", self.access_limit_s, 0.0)
        for name in ("mtu_bytes", "aggregation", "n_cells"):
            at_least(f"link.{name}", getattr(self, name), 1)
        for name in ("header_bytes", "frame_airtime_s", "rtt_s", "gap_db", "snr_spread_db"):
            at_least(f"link.{name}", getattr(self, name), 0.0)
        at_least("link.max_retries", self.max_retries, 0)
        at_least("link.grant_s", self.grant_s, 0.0)
        above("link.outage_length_s", self.outage_length_s, 0.0)
        within("link.snr_db", self.snr_db, -50.0, 100.0)
        within("link.frame_error_rate", self.frame_error_rate, 0.0, 0.99)
        within("link.bit_error_rate", self.bit_error_rate, 0.0, 0.5)
        within("link.outage", self.outage, 1e-9, 0.99)
        self._check_combination()

    def _check_combination(self) -> None:
        if self.rate == "outage" and self.fading == "none":
            raise ValueError("link.rate=outage needs link.fading=rayleigh, got none")
        if self.sharing == "wifi" and self.frame_airtime_s == 0.0:
            raise ValueError(
                "link.frame_airtime_s must be > 0 for link.sharing=wifi, got 0: preamble, spaces"
                " and acknowledgement of a lone station are no part of its contention"
            )
        if self.rate != "mcs" and self.rate_factor != 1.0:
            raise ValueError(f"link.rate_factor needs link.rate=mcs, got {self.rate}")
        if self.rate == "fixed" and self.fading != "none":
            raise ValueError(f"link.fading={self.fading} needs link.rate=shannon, mcs or outage")
        if not self.rate_csv and (self.rate_format != "auto" or self.trace_rate_bps is not None):
            raise ValueError("link.rate_format and link.trace_rate_bps need link.rate_csv, got ''")
        self._check_uncoded()
        starts = [0.0, *self.outage_at_s]
        if any(later < earlier for earlier, later in itertools.pairwise(starts)):
            raise ValueError(f"link.outage_at_s must ascend from 0, got {self.outage_at_s}")
        ends = [start + self.outage_length_s for start in self.outage_at_s]
        if any(end > start for end, start in zip(ends, self.outage_at_s[1:], strict=False)):
            raise ValueError(
                f"link.outage_length_s must leave the windows apart, got {self.outage_length_s:g}"
            )

    def _check_uncoded(self) -> None:
        unlike = [
            f"link.{name}={value:g}" if isinstance(value, float) else f"link.{name}={value}"
            for name, value, none in (
                ("bit_error_rate", self.bit_error_rate, 0.0),
                ("snr_spread_db", self.snr_spread_db, 0.0),
                ("fading", self.fading, "none"),
            )
            if value != none
        ]
        if self.uncoded and unlike:
            raise ValueError(
                "link.uncoded takes the bit errors of one ratio, snr_db, for all devices, got"
                f" {unlike[0]}"
            )

    @property
    def wrong_bits(self) -> float:
        """Share of bits that arrive wrong: as stated, or of uncoded BPSK over AWGN,
        0.5 erfc(sqrt(snr)) (Proakis, Digital Communications, eq. 4.3-13).
        """
        if not self.uncoded:
            return self.bit_error_rate
        return 0.5 * math.erfc(math.sqrt(10.0 ** (self.snr_db / 10.0)))

    def frames_per_access(self, rate_bps: float) -> int:
        """The most frames of full size that share an access at a physical rate; one at least."""
        if self.access_limit_s is None or self.aggregation == 1:
            return self.aggregation
        frame_s = 8.0 * (self.mtu_bytes + self.header_bytes) / rate_bps
        return max(1, min(self.aggregation, int(self.access_limit_s / frame_s + 1e-9)))

    @property
    def has_own_queues(self) -> bool:
        """Whether a device is one station of the medium, however many transfers it has waiting."""
        return self.sharing in ("wifi", "cellular")

    @property
    def varies(self) -> bool:
        """Whether the medium's speed changes over time."""
        return bool(self.outage_at_s or self.rate_csv)

    @property
    def damages(self) -> bool:
        """Whether payloads may arrive damaged, so that their answers suffer."""
        return self.transport != "exact" and (self.rate == "outage" or not self._lossless)

    @property
    def _lossless(self) -> bool:
        return self.frame_error_rate == 0.0 and self.wrong_bits == 0.0

    @property
    def plain(self) -> bool:
        """Whether a payload's airtime is known when it is handed over, and none is lost."""
        return self.fading == "none" and self._lossless
