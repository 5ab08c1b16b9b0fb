"""What one inference costs and answers, measured.

Importing this package loads neither torch nor the codec: the measured world is handed on as plain
arrays. `profiles.models`, `profiles.cuts`, `profiles.timing` and `profiles.tracing` do the
measuring and are imported by name.
"""

from profiles.cost import CostSurface
from profiles.hardware import DeviceSpec, ServerSpec
from profiles.layers import Cut, Layer, ModelProfile
from profiles.trace import Column, TraceTable

__all__ = [
    "Column",
    "CostSurface",
    "Cut",
    "DeviceSpec",
    "Layer",
    "ModelProfile",
    "ServerSpec",
    "TraceTable",
]
