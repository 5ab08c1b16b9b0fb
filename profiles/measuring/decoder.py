"""Autoregressive networks layer by layer, with resident KV.

    tokens -[ embed ]-> hidden -[ layer 0 ]-> hidden -[ ... ]-> hidden -[ answer ]-> scores
                                    |  past k, v stay with the layer, on its side of the cut

Only the hidden states [batch, token, width] cross a cut; keys and values never do.
"""

from typing import Protocol, cast, runtime_checkable

import torch

from profiles.measuring.composition import CompositionError, answers_of, differ, draw_like
from profiles.models.network import Network

Keys = tuple[torch.Tensor, torch.Tensor]
Cache = list[Keys | None]


@runtime_checkable
class Decoder(Protocol):
    """What a language model offers besides `forward`, which equals their composition."""

    n_layers: int

    def embed(self, tokens: torch.Tensor) -> torch.Tensor:
        """Tokens [batch, token] int64 to hidden states [batch, token, width]."""

    def layer(
        self, index: int, hidden: torch.Tensor, past: Keys | None
    ) -> tuple[torch.Tensor, Keys]:
        """One layer; keys and values [batch, head, kv, dim] of old and new tokens come back."""

    def answer(self, hidden: torch.Tensor) -> torch.Tensor:
        """Hidden states to scores [batch, token, class]."""


def decoder_of(network: Network) -> Decoder:
    """The network's module as a decoder.

    Raises:
        ValueError: it is no autoregressive network.
    """
    if not isinstance(network.module, Decoder):
        raise ValueError(
            f"{network.name} is not autoregressive: it lacks n_layers, embed, layer or answer"
        )
    return cast(Decoder, network.module)


def run_layers(
    decoder: Decoder, hidden: torch.Tensor, cache: Cache, first: int, last: int
) -> torch.Tensor:
    """Layers `first` .. `last` - 1 on the hidden states; `cache[i]` of each is replaced."""
    for index in range(first, last):
        hidden, cache[index] = decoder.layer(index, hidden, cache[index])
    return hidden


@torch.inference_mode()
def check_decoder(network: Network) -> None:
    """Compare embedding, layers and answer, in one piece and in two, with the whole network.

    On random tokens like the network's example. The second piece reads the keys and values that
    the first left behind.

    Raises:
        CompositionError: they differ.
        ValueError: it is no autoregressive network.
    """
    decoder, tokens = decoder_of(network), draw_like(network.example_input)
    whole = answers_of(network.module(tokens))
    for first in {tokens.shape[1], max(1, tokens.shape[1] // 2)}:
        cache: Cache = [None] * decoder.n_layers
        pieces = [piece for piece in (tokens[:, :first], tokens[:, first:]) if piece.shape[1]]
        scores = [
            decoder.answer(run_layers(decoder, decoder.embed(p), cache, 0, decoder.n_layers))
            for p in pieces
        ]
        if words := differ([torch.cat(scores, 1)], whole):
            how = f"{len(pieces)} piece" + "s" * (len(pieces) > 1)
            raise CompositionError(
                f"{network.name} cannot be cut: its layers on the tokens in {how} give {words}"
            )
