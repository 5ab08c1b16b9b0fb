"""SemanticNN's codec inside a network whose weights are closed, and how well both answer together.

images -[ front ]- f -[ encoder ]- x ~ channel ~ y -[ decoder ]- f' -[ rest ]- scores
"""

from collections.abc import Callable
from copy import deepcopy

import torch
from torch import Tensor, nn

from profiles.models.data.handwriting import Samples
from profiles.models.network import Network
from profiles.models.residual import ResidualNet
from profiles.schemes.centres import snr_of
from profiles.schemes.semantic_training import SemanticCodec

STAGES = ("front", "encoder")
_TURNS, _BATCH = 8, 500


def split(network: Network) -> tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]:
    """A network before and behind the feature that the codec takes, its weights closed."""
    module = deepcopy(network.module).eval().requires_grad_(False)
    assert isinstance(module, ResidualNet)
    return _Front(module), _Rest(module)


class _Front(nn.Module):
    """Images to the feature."""

    def __init__(self, base: ResidualNet) -> None:
        super().__init__()
        self.normalise, self.stem, self.stage1 = base.normalise, base.stem, base.stage1

    def forward(self, images: Tensor) -> Tensor:
        """Of a batch."""
        f: Tensor = self.stage1(self.stem(self.normalise(images)))
        return f


class _Rest(nn.Module):
    """The feature to scores."""

    def __init__(self, base: ResidualNet) -> None:
        super().__init__()
        self.stages = nn.Sequential(base.stage2, base.stage3, base.stage4)
        self.classifier = base.classifier

    def forward(self, f: Tensor) -> Tensor:
        """Of a batch."""
        scores: Tensor = self.classifier(self.stages(f).mean((2, 3)))
        return scores


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
        x = self.encoder(self.front(images))
        state = self.snr.expand(len(x), 1) / 10.0
        return self.rest(self.decoder(x, state))


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
        _, y = module.send(front(images), snr_db, torch.full((len(images),), rate))
        return rest(module.restore(y, snr_db))

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        turns = _TURNS if rate else 1
        return sum(share_of(answer, test) for _ in range(turns)) / turns


@torch.inference_mode()
def share_of(answer: Callable[[Tensor], Tensor], test: Samples) -> float:
    """Share of a test split that is answered rightly."""
    images, labels = torch.from_numpy(test.inputs), torch.from_numpy(test.labels)
    parts = zip(torch.split(images, _BATCH), torch.split(labels, _BATCH), strict=True)
    return sum(int((answer(x).argmax(1) == y).sum()) for x, y in parts) / len(labels)
