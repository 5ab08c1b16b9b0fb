"""The way of one request, the time stamps it collects and the seconds it books at every place.

Event-bearing stages, fixed for every engine: think or arrive; device (head + encode, then half
the round trip); uplink; server (queue, decode + tail, then the answer's way down).
"""

from math import inf, nan

from sim.sources.draw import Draw

OUTCOMES = (
    "in_flight",
    "done",
    "busy",  # dropped at birth: its device had too many in flight
    "rejected",  # the server's queue or memory was full
    "expired",  # past its deadline before it was served
    "left",  # its device left
    "server_lost",  # the server failed
    "link_lost",  # a frame ran out of retransmissions
)
IN_FLIGHT, DONE, BUSY, REJECTED, EXPIRED, LEFT, SERVER_LOST, LINK_LOST = range(len(OUTCOMES))

ENDINGS = ("complete", "memory", "ttft_deadline", "token_deadline", "session_deadline")
COMPLETE, MEMORY, TTFT_DEADLINE, TOKEN_DEADLINE, SESSION_DEADLINE = range(len(ENDINGS))

BOOKED = (
    "memory_wait_s",  # for room in the server's memory
    "device_wait_s",  # for the device's own processor
    "link_grant_s",  # for the scheduler's grant
    "link_wait_s",  # for others on the medium
    "airtime_s",  # on the medium, as it would take alone
    "link_resend_s",  # the part of it that retransmissions take
    "link_outage_s",  # while the medium is silent or faded out
    "decoder_wait_s",  # for a core that decodes
    "decoder_service_s",
    "server_wait_s",  # for the GPU
    "server_service_s",  # the whole batch
    "repair_wait_s",  # for the failed server to come back
    "answer_wait_s",  # the answer, for others on a shared medium
    "network_s",  # propagation, and the answer's way
    "backward_s",  # a round of training: on the device, behind the gradient
)
"""Seconds that a request books at the place where it spends them."""

COLUMNS = (
    "device",
    "group",
    "outcome",
    "sample",
    "choice",
    "created_s",
    "deadline_s",
    "device_start_s",
    "device_end_s",
    "link_start_s",
    "link_end_s",
    "server_start_s",
    "server_end_s",
    "done_s",
    "payload_bytes",
    "air_bytes",
    "resent_frames",
    "erased",
    "retries",
    "server_share_s",
    "tokens",
    "ending",
    "correct",
    *BOOKED,
)


class Request:
    """One request: what it costs (`draw`) and when it passed each stage (seconds, NaN: never).

    A session's request holds the sums over its steps; every step is a `Request` of its own.
    """

    __slots__ = (
        *BOOKED,
        "air_bytes",
        "choice",
        "created_s",
        "deadline_s",
        "device",
        "device_end_s",
        "device_start_s",
        "done_s",
        "draw",
        "ending",
        "erased",
        "group",
        "link_end_s",
        "link_start_s",
        "outcome",
        "payload_bytes",
        "resent_frames",
        "retries",
        "server_end_s",
        "server_share_s",
        "server_start_s",
        "tokens",
        "visit",
    )

    def __init__(
        self, device: int, group: int, draw: Draw, created_s: float, choice: int = 0
    ) -> None:
        self.device = device
        self.group = group
        self.draw = draw
        self.created_s = created_s
        self.choice = choice
        self.deadline_s = inf
        self.payload_bytes = draw.payload_bytes
        self.device_start_s = self.device_end_s = nan
        self.link_start_s = self.link_end_s = nan
        self.server_start_s = self.server_end_s = self.done_s = nan
        self.air_bytes = self.erased = self.server_share_s = 0.0
        self.memory_wait_s = self.device_wait_s = self.link_grant_s = self.link_wait_s = 0.0
        self.airtime_s = self.link_resend_s = self.link_outage_s = 0.0
        self.decoder_wait_s = self.decoder_service_s = 0.0
        self.server_wait_s = self.server_service_s = self.repair_wait_s = 0.0
        self.answer_wait_s = self.network_s = self.backward_s = 0.0
        self.outcome = self.resent_frames = self.retries = self.tokens = self.ending = 0
        self.visit: object = None

    def row(self) -> tuple[float, ...]:
        """Its record, in the order of `COLUMNS`."""
        draw = self.draw
        return (
            self.device,
            self.group,
            self.outcome,
            draw.sample,
            self.choice,
            self.created_s,
            self.deadline_s,
            self.device_start_s,
            self.device_end_s,
            self.link_start_s,
            self.link_end_s,
            self.server_start_s,
            self.server_end_s,
            self.done_s,
            self.payload_bytes,
            self.air_bytes,
            self.resent_frames,
            self.erased,
            self.retries,
            self.server_share_s,
            self.tokens,
            self.ending,
            draw.correct,
            self.memory_wait_s,
            self.device_wait_s,
            self.link_grant_s,
            self.link_wait_s,
            self.airtime_s,
            self.link_resend_s,
            self.link_outage_s,
            self.decoder_wait_s,
            self.decoder_service_s,
            self.server_wait_s,
            self.server_service_s,
            self.repair_wait_s,
            self.answer_wait_s,
            self.network_s,
            self.backward_s,
        )
