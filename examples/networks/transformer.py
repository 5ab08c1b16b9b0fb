"""A transformer on padded sequences: its mask crosses every cut beside the hidden states."""

import numpy as np
import torch
from torch import Tensor, nn

PAD, WORDS, LENGTH = 0, 16, 24


class Layer(nn.Module):
    """Attention that sees no padding, then two linear maps, each beside a shortcut."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.wide = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU())
        self.narrow = nn.Linear(2 * width, width)

    def forward(self, x: Tensor, padding: Tensor) -> Tensor:
        y = self.norm1(x)
        x = x + self.attention(y, y, y, key_padding_mask=padding, need_weights=False)[0]
        return x + self.narrow(self.wide(self.norm2(x)))


class Classifier(nn.Module):
    """Tokens [sample, 24], padded by 0, to scores [sample, 2]."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.embed = nn.Embedding(WORDS, width)
        self.layers = nn.ModuleList(Layer(width, 4) for _ in range(3))
        self.classes = nn.Linear(width, 2)

    def forward(self, tokens: Tensor) -> Tensor:
        padding = tokens == PAD
        x = self.embed(tokens)
        for layer in self.layers:
            x = layer(x, padding)
        seen = (~padding).unsqueeze(-1).float()
        return self.classes((x * seen).sum(1) / seen.sum(1))


def sentences(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Words of any length, and whether one of the upper half outnumbers the lower."""
    draw = np.random.default_rng(seed)
    tokens = draw.integers(1, WORDS, (n, LENGTH))
    tokens[np.arange(LENGTH) >= draw.integers(5, LENGTH + 1, (n, 1))] = PAD
    high, low = (tokens > WORDS // 2).sum(1), ((tokens > PAD) & (tokens <= WORDS // 2)).sum(1)
    return tokens, (high > low).astype(np.int64)


def make() -> dict[str, object]:
    """Trained for a few seconds."""
    module = Classifier()
    optimiser = torch.optim.Adam(module.parameters(), 3e-3)
    for step in range(60):
        tokens, labels = (torch.from_numpy(each) for each in sentences(64, 1 + step))
        optimiser.zero_grad()
        nn.functional.cross_entropy(module(tokens), labels).backward()
        optimiser.step()
    tokens, labels = sentences(375, 0)
    return {"module": module, "inputs": tokens, "labels": labels, "classes": ["low", "high"]}
