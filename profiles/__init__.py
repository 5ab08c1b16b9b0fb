"""What one inference costs and answers, measured.

Importing this package loads neither torch nor the codec: the measured world is handed on as plain
arrays. `profiles.models` and `profiles.measuring` do the measuring and are imported by name.
"""

from profiles.tables.cost import CostSurface
from profiles.tables.hardware import DeviceSpec, ServerSpec
from profiles.tables.layers import Cut, Layer, ModelProfile
from profiles.tables.trace import Column, TraceTable

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
