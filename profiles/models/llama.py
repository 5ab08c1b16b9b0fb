"""A Llama (Touvron et al. 2023): RMSNorm, rotary positions, grouped-query attention, SwiGLU.

Written layer by layer, since a split network keeps the keys and values of a layer on that layer's
side of the cut. Shapes: tokens int64 [batch, token]; hidden [batch, token, width]; keys and values
[batch, head, kv, dim]; scores [batch, token, class].
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

Keys = tuple[Tensor, Tensor]


@dataclass(frozen=True, kw_only=True)
class Shape:
    """The numbers that make a Llama.

    Raises ValueError where heads do not divide the width, or each other.
    """

    vocabulary: int
    width: int
    n_layers: int
    n_heads: int
    inner: int
    n_kv_heads: int | None = None
    rope_base: float = 10_000.0
    epsilon: float = 1e-5

    def __post_init__(self) -> None:
        if self.width % (2 * self.n_heads):
            raise ValueError(f"llama.width must be a multiple of {2 * self.n_heads}, "
                             f"got {self.width}")  # fmt: skip
        if self.n_heads % self.kv_heads:
            raise ValueError(f"llama.n_kv_heads must divide {self.n_heads}, got {self.kv_heads}")

    @property
    def kv_heads(self) -> int:
        """Heads of keys and values; as many as queries unless stated."""
        return self.n_heads if self.n_kv_heads is None else self.n_kv_heads

    @property
    def dim(self) -> int:
        """Width of one head."""
        return self.width // self.n_heads


class Attention(nn.Module):
    """Causal attention over the past and the new tokens."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        kv_width = shape.kv_heads * shape.dim
        self.q_proj = nn.Linear(shape.width, shape.width, bias=False)
        self.k_proj = nn.Linear(shape.width, kv_width, bias=False)
        self.v_proj = nn.Linear(shape.width, kv_width, bias=False)
        self.o_proj = nn.Linear(shape.width, shape.width, bias=False)

    def forward(self, x: Tensor, past: Keys | None) -> tuple[Tensor, Keys]:
        """Hidden states and the past to hidden states and all keys and values."""
        batch, new, _ = x.shape
        seen = 0 if past is None else past[0].shape[2]
        heads = (batch, new, -1, self.shape.dim)
        q, k, v = (
            proj(x).view(heads).transpose(1, 2) for proj in (self.q_proj, self.k_proj, self.v_proj)
        )
        turn = rotation(seen, new, self.shape, x)
        q, k = rotate(q, turn), rotate(k, turn)
        if past is not None:
            k, v = torch.cat((past[0], k), 2), torch.cat((past[1], v), 2)
        mixed = functional.scaled_dot_product_attention(
            q, k, v,
            attn_mask=_causal(seen, new, x.device) if seen and new > 1 else None,
            is_causal=seen == 0 and new > 1,
            enable_gqa=self.shape.kv_heads != self.shape.n_heads,
        )  # fmt: skip
        return self.o_proj(mixed.transpose(1, 2).reshape(batch, new, -1)), (k, v)


class Layer(nn.Module):
    """Attention and SwiGLU, each behind an RMSNorm and beside a shortcut."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.input_layernorm = nn.RMSNorm(shape.width, shape.epsilon)
        self.self_attn = Attention(shape)
        self.post_attention_layernorm = nn.RMSNorm(shape.width, shape.epsilon)
        self.gate_proj = nn.Linear(shape.width, shape.inner, bias=False)
        self.up_proj = nn.Linear(shape.width, shape.inner, bias=False)
        self.down_proj = nn.Linear(shape.inner, shape.width, bias=False)

    def forward(self, hidden: Tensor, past: Keys | None) -> tuple[Tensor, Keys]:
        """Hidden states to hidden states; keys and values of old and new tokens come back."""
        mixed, keys = self.self_attn(self.input_layernorm(hidden), past)
        hidden = hidden + mixed
        x = self.post_attention_layernorm(hidden)
        inner = functional.silu(self.gate_proj(x)) * self.up_proj(x)
        return hidden + self.down_proj(inner), keys


class Llama(nn.Module):
    """Embedding, layers, a last norm and the head (tied to nothing)."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.n_layers = shape.n_layers
        self.embed_tokens = nn.Embedding(shape.vocabulary, shape.width)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.n_layers))
        self.norm = nn.RMSNorm(shape.width, shape.epsilon)
        self.lm_head = nn.Linear(shape.width, shape.vocabulary, bias=False)

    def embed(self, tokens: Tensor) -> Tensor:
        """Tokens to hidden states."""
        hidden: Tensor = self.embed_tokens(tokens)
        return hidden

    def layer(self, index: int, hidden: Tensor, past: Keys | None) -> tuple[Tensor, Keys]:
        """One layer; the new tokens stand behind those in `past`."""
        out: tuple[Tensor, Keys] = self.layers[index](hidden, past)
        return out

    def answer(self, hidden: Tensor) -> Tensor:
        """Hidden states to scores."""
        scores: Tensor = self.lm_head(self.norm(hidden))
        return scores

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens to scores, without a past."""
        hidden = self.embed(tokens)
        for index in range(self.n_layers):
            hidden, _ = self.layer(index, hidden, None)
        return self.answer(hidden)


def rotation(seen: int, new: int, shape: Shape, like: Tensor) -> tuple[Tensor, Tensor]:
    """Cosines and sines [token, dim] of positions `seen` .. `seen + new - 1` (Su et al. 2021)."""
    exponents = torch.arange(0, shape.dim, 2, device=like.device, dtype=torch.float32) / shape.dim
    places = torch.arange(seen, seen + new, device=like.device, dtype=torch.float32)
    angles = torch.outer(places, shape.rope_base**-exponents).repeat(1, 2)
    return angles.cos().to(like.dtype), angles.sin().to(like.dtype)


def rotate(x: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
    """Each pair (i, i + dim / 2) of x [batch, head, token, dim] turned by its angle."""
    cosine, sine = turn
    first, second = x.chunk(2, -1)
    return x * cosine + torch.cat((-second, first), -1) * sine


def _causal(seen: int, new: int, device: torch.device) -> Tensor:
    """Which of `seen + new` tokens each new one may look at: bool [new, seen + new]."""
    return torch.ones(new, seen + new, dtype=torch.bool, device=device).tril(seen)
