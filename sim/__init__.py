"""The discrete-event model: N devices, shared links, one GPU server."""

from sim.replicate import replicate
from sim.result import Estimate, Result
from sim.source import ConstantSource, Draw, ExponentialSource, RandomSource, Source, TraceSource
from sim.spec import FleetSpec, GroupSpec, LinkSpec, ServerSpec, SystemSpec, WorkloadSpec
from sim.system import build, run

__all__ = [
    "ConstantSource",
    "Draw",
    "Estimate",
    "ExponentialSource",
    "FleetSpec",
    "GroupSpec",
    "LinkSpec",
    "RandomSource",
    "Result",
    "ServerSpec",
    "Source",
    "SystemSpec",
    "TraceSource",
    "WorkloadSpec",
    "build",
    "replicate",
    "run",
]
