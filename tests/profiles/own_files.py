"""Files of a user with a small network, for test_own.py and others."""

import textwrap

HEAD = """
import numpy as np
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(4, 6), nn.Linear(6, 3)

    def forward(self, x):
        return self.second(torch.relu(self.first(x)))

X = np.random.default_rng(0).normal(size=(10, 4)).astype(np.float32)
"""


def write_file(folder, body, name="net.py"):
    """A file with a network `Net`, samples `X` and a body; what `model=` takes."""
    path = folder / name
    path.write_text(HEAD + textwrap.dedent(body))
    return f"{path}:make"
