"""The discrete-event model: N devices, shared links, one GPU server."""

from sim.measures.result import Estimate, Result
from sim.replicate import replicate
from sim.sources.draw import Draw
from sim.sources.sessions import ConstantSessions, TraceSessions
from sim.sources.source import ConstantSource, ExponentialSource, RandomSource, Source, TraceSource
from sim.specs import (
    AdaptSpec,
    ChurnSpec,
    FleetSpec,
    GroupSpec,
    LinkSpec,
    PowerSpec,
    ServerSpec,
    SystemSpec,
    WorkloadSpec,
)
from sim.system import build, play, run

__all__ = [
    "AdaptSpec",
    "ChurnSpec",
    "ConstantSessions",
    "ConstantSource",
    "Draw",
    "Estimate",
    "ExponentialSource",
    "FleetSpec",
    "GroupSpec",
    "LinkSpec",
    "PowerSpec",
    "RandomSource",
    "Result",
    "ServerSpec",
    "Source",
    "SystemSpec",
    "TraceSessions",
    "TraceSource",
    "WorkloadSpec",
    "build",
    "play",
    "replicate",
    "run",
]
