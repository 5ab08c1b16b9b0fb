"""The fleets on which searches are compared: eight, named before anything was compared.

Written down and committed before the first run of `splitfleet search_fleet`; whatever falls out is
reported for all eight. `limit_s` bounds the 95th percentile of all requests (of a session: from its
birth to its last token). `deepest` is the last stage that fits into the devices' memory, so that
none answers alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sim.specs import WorkloadSpec
from sim.specs.check import above

_ASKING = WorkloadSpec(think_s=0.1)


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """One scenario: whose devices (conf/device name to share), over which link, how fast a server.

    `tokens` is the length of a session, 0 for single-shot requests.
    """

    devices: Mapping[str, float]
    limit_s: float
    link: str = "wifi"
    server_speed: float = 1.0
    workload: WorkloadSpec = field(default_factory=lambda: _ASKING)
    model: str = "scenes"
    deepest: str = "stage3"
    tokens: int = 0

    def __post_init__(self) -> None:
        above("fleet.limit_s", self.limit_s, 0.0)
        if not self.devices or any(share <= 0.0 for share in self.devices.values()):
            raise ValueError(f"fleet.devices must have shares > 0, got {dict(self.devices)}")


FLEETS: Mapping[str, Fleet] = {
    "light link": Fleet(devices={"raspberry_pi_4": 1}, limit_s=0.020),
    "tight link": Fleet(devices={"raspberry_pi_4": 1}, limit_s=0.040, link="wifi_slow"),
    "slow devices": Fleet(devices={"raspberry_pi_zero_2w": 1}, limit_s=0.040),
    "fast devices": Fleet(devices={"raspberry_pi_5": 1}, limit_s=0.015),
    "mixed fleet": Fleet(
        devices={"raspberry_pi_4": 2, "raspberry_pi_zero_2w": 1, "raspberry_pi_5": 1}, limit_s=0.040
    ),
    "bursty cameras": Fleet(
        devices={"raspberry_pi_4": 1},
        limit_s=0.040,
        workload=WorkloadSpec(kind="mmpp", rate_rps=4.0, burst_factor=5.0, burst_share=0.1),
    ),
    "autoregressive": Fleet(
        devices={"raspberry_pi_4": 1},
        limit_s=0.5,
        workload=WorkloadSpec(think_s=1.0),
        model="bytellama",
        deepest="layers.2",
        tokens=32,
    ),
    "weak server": Fleet(devices={"raspberry_pi_4": 1}, limit_s=0.040, server_speed=0.25),
}
