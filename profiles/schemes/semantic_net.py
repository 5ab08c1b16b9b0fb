"""SemanticNN's codec inside a network whose weights are closed, and how well both answer together.

images -[ front ]- f -[ encoder ]- x ~ channel ~ y -[ decoder ]- f' -[ rest ]- scores
"""

from collections.abc import Callable
from copy import deepcopy

import torch
from torch import Tensor, nn

from profiles.models.data.handwriting import Samples
from profiles.models.network import Network
from profiles.models.recipe import accuracy
from profiles.schemes import closed
from profiles.schemes.centres import Centres, snr_of
from profiles.schemes.closed import Closed
from profiles.schemes.semantic_training import SemanticCodec, draw_noise

STAGES = ("front", "encoder")
AFTER = "stage1"
"""Where the closed network is opened for the codec."""
_TURNS = 8


def split(network: Network) -> tuple[nn.Module, nn.Module]:
    """A network before and behind the feature that the codec takes, its weights closed."""
    return closed.split(deepcopy(network.module).eval().requires_grad_(False), AFTER)


class SemanticNet(nn.Module):
    """The whole way without a channel: what crosses behind `encoder` is not yet quantised."""

    snr: Tensor

    def __init__(self, base: Network, codec: SemanticCodec, snr_db: float) -> None:
        super().__init__()
        front, rest = split(base)
        self.front, self.rest = front, rest
        self.encoder, self.decoder = codec.encoder, codec.decoder
        self.register_buffer("snr", torch.tensor(snr_db))

    def forward(self, images: Tensor) -> Tensor:
        """Images to scores."""
        return self.receive(self.encoder(self.front(images)))

    def receive(self, y: Tensor) -> Tensor:
        """The server's part: numbers that arrived to scores."""
        scores: Tensor = self.rest(self.decoder(y, self.snr.expand(len(y), 1) / 10.0))
        return scores


def close(net: SemanticNet, centres: Centres) -> Closed:
    """The whole with its codec closed around the feature that its encoder takes."""

    def carry(x: Tensor, rate: float | None) -> Tensor:
        rates = draw_noise(len(x))[1] if rate is None else torch.full((len(x),), rate)
        received: Tensor = centres(x, rates)
        return received

    whole = nn.ModuleDict({"network": net, "centres": centres}).eval().requires_grad_(False)
    return Closed(
        whole=whole, head=net.front, send=net.encoder, tail=net.receive, carry=carry
    )  # fmt: skip


@torch.inference_mode()
def accuracy_at(
    front: Callable[[Tensor], Tensor],
    module: SemanticCodec,
    rest: Callable[[Tensor], Tensor],
    test: Samples,
    rate: float,
) -> float:
    """Share of right answers at a bit error rate, which the decoder is told; seeded."""

    def answer(images: Tensor) -> Tensor:
        snr_db = torch.full((len(images),), snr_of(rate))
        _, y = module.send(front(images), torch.full((len(images),), rate))
        return rest(module.restore(y, snr_db))

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        turns = _TURNS if rate else 1
        return sum(accuracy(answer, test) for _ in range(turns)) / turns
