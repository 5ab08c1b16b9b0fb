"""Channel reduction and 8-bit quantization: the older bottleneck that SC2 holds others against.

    images -[ two convolutions, 1 x 1 to few channels ]-[ to bytes ] ...> [ to floats ]-[ decoder ]-
                                                                                                   |
                                                                a teacher's feature, its body <----+

The number of channels is the rate, 8 bits a number whatever it is: no prior is learnt. Encoder and
decoder are trained together towards the teacher's features, its body and head stay as they are
(arXiv 2007.15818, what SC2 calls CR+BQ). Quantized after training, over the range of the training
scenes: 256 whole numbers 0..255, at equal steps for all channels.
Approximation: the authors send the range of every tensor with it; ours is fixed.

Shapes: images uint8 [batch, height, width, channel]; features [batch, channel, height, width].
"""

import numpy as np
import torch
from torch import Tensor, nn

import codec
from codec.entropy import frequency_tables
from codec.stages.scalar import SENT
from profiles.models.recipe import Loss
from profiles.models.residual import Normalise
from profiles.schemes.distilling import distance, features_of
from profiles.schemes.multitask import MultiTask
from profiles.schemes.priors import PRECISION

LEVELS = 256
_WIDE = 16


class _Range(nn.Module):
    """The numbers that 0 stands for, and how far the next is."""

    least: Tensor
    step: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("least", torch.zeros(()))
        self.register_buffer("step", torch.ones(()))


class ToBytes(_Range):
    """Numbers to whole ones of 0..255, those outside of the range to its ends; none in training."""

    def forward(self, y: Tensor) -> Tensor:
        """Latents to what is sent."""
        if self.training:
            return y
        return ((y - self.least) / self.step).round().clamp(0, LEVELS - 1)


class FromBytes(_Range):
    """Back to numbers in the range."""

    def forward(self, numbers: Tensor) -> Tensor:
        """What is sent to latents."""
        return numbers if self.training else numbers * self.step + self.least


class Ends(nn.Module):
    """Encoder and decoder, from images to what the teacher's body takes; `width` channels between.

    `n_out`: channels of the teacher's feature.
    """

    def __init__(self, width: int, n_out: int = 32) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            Normalise([0.5], [0.25]), *_layer(1, _WIDE, 3, 2), *_layer(_WIDE, _WIDE, 3, 2),
            nn.Conv2d(_WIDE, width, 1), ToBytes(),
        )  # fmt: skip
        self.decoder = nn.Sequential(
            FromBytes(), *_layer(width, n_out, 3, 1), *_layer(n_out, n_out, 1, 1)
        )

    def forward(self, images: Tensor) -> Tensor:
        """Images to the feature."""
        feature: Tensor = self.decoder(self.encoder(images))
        return feature

    @torch.no_grad()
    def fit_range(self, images: Tensor) -> None:
        """Quantize over the range that the latents of these images have."""
        latents = self.train(False).encoder[:-1](images)
        least, most = latents.min(), latents.max()
        for one in (self.encoder[-1], self.decoder[0]):
            assert isinstance(one, _Range)
            one.least.copy_(least)
            one.step.copy_((most - least) / (LEVELS - 1))


class Reduced(nn.Module):
    """The teacher behind encoder and decoder."""

    stages = ("encoder", "decoder", "body")

    def __init__(self, ends: Ends, teacher: MultiTask) -> None:
        super().__init__()
        self.encoder, self.decoder = ends.encoder, ends.decoder
        self.body, self.heads = teacher.stage3, teacher.heads

    def forward(self, images: Tensor) -> Tensor:
        """Images to the answers."""
        answers: Tensor = self.heads(self.body(self.decoder(self.encoder(images))).flatten(1))
        return answers


def imitate(teacher: MultiTask) -> Loss:
    """Squared distance to the teacher's last two features, mean over the images."""

    def measure(module: Ends, images: Tensor, labels: Tensor) -> Tensor:
        wanted, deeper = features_of(teacher, images)
        found = module(images)
        return (distance(found, wanted) + distance(teacher.stage3(found), deeper)).mean()

    return measure


def flat_tables(width: int) -> codec.Calibration:
    """Those under which `codec=prior` spends exactly 8 bits on each of 0..255."""
    counts = np.ones(LEVELS, np.uint32)
    table = frequency_tables.fit(counts, precision=PRECISION)
    return codec.Calibration(
        axis=-3,
        mean=np.full(width, LEVELS / 2, np.float32),
        step=1.0,
        classes=np.zeros(width, np.uint8),
        offsets=np.zeros((1, SENT), np.int8),
        tables=(table,),
    )


def _layer(n_in: int, n_out: int, size: int, stride: int) -> list[nn.Module]:
    convolution = nn.Conv2d(n_in, n_out, size, stride, size // 2, bias=False)
    return [convolution, nn.BatchNorm2d(n_out), nn.ReLU()]
