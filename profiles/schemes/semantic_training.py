"""How SemanticNN's codec learns beside a network whose weights are closed (arXiv 2511.11038).

    first stage    |f' - f|^2 under random noise: a denoising auto-encoder
    second stage   cross-entropy through the frozen rest + 2 (histogram of the symbols - flat)^2
                   + compensation: symbols whose attribution is positive and large

Noise: an SNR of -6 to 7 dB for every sample, as bits flipped with 0.5 erfc(sqrt(SNR)); 0.24 to
0.00077. Attribution: 0.5 (gradient at 0 + gradient at y) y of the right class's score in a small
model on the decoder's side that learns with it, the trapezoid of integrated gradients.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from profiles.schemes.centres import Centres, bit_error_rate, uneven
from profiles.schemes.semantic_parts import Decoder, Encoder

SNR_DB = (-6.0, 7.0)
QUIET_DB = 20.0
_EVEN, _COMPENSATION = 2.0, 1.0
_HIDDEN, _WITNESS_RATE = 32, 3e-3


class SemanticCodec(nn.Module):
    """Encoder, centres, decoder: all that learns. `n_in`: channels of the feature."""

    def __init__(self, n_in: int, n_symbols: int, width: int, *, told: bool, rim: int) -> None:
        super().__init__()
        self.encoder = Encoder(n_in, n_symbols, rim)
        self.centres = Centres()
        self.decoder = Decoder(n_symbols, width, n_in, told=told, rim=rim)

    def send(self, f: Tensor, rate: Tensor) -> tuple[Tensor, Tensor]:
        """The numbers that are quantised, and what arrives of them."""
        x = self.encoder(f)
        return x, self.centres(x, rate)

    def restore(self, y: Tensor, snr_db: Tensor) -> Tensor:
        """A feature from what arrived."""
        restored: Tensor = self.decoder(y, snr_db[:, None] / 10.0)
        return restored


def draw_noise(n: int) -> tuple[Tensor, Tensor]:
    """SNR in dB and bit error rate of n samples as they are in training."""
    low, high = SNR_DB
    snr_db = low + (high - low) * torch.rand(n)
    return snr_db, bit_error_rate(snr_db)


class Witness:
    """The small model on the decoder's side, which learns what the symbols say by themselves."""

    def __init__(self, n_symbols: int, n_classes: int) -> None:
        self.model = nn.Sequential(
            nn.Linear(n_symbols, _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, n_classes)
        )
        self._optimiser = torch.optim.Adam(self.model.parameters(), lr=_WITNESS_RATE)

    def learn(self, y: Tensor, labels: Tensor) -> None:
        """One step on symbols that arrived."""
        self._optimiser.zero_grad()
        loss = nn.functional.cross_entropy(self.model(y.detach().flatten(1)), labels)
        torch.autograd.backward(loss)
        self._optimiser.step()

    def attribute(self, y: Tensor, labels: Tensor) -> Tensor:
        """What every symbol adds to the score of the right class, [sample, symbol]."""
        flat = y.flatten(1)
        ends = [self._slope(torch.zeros_like(flat), labels), self._slope(flat, labels)]
        return 0.5 * (ends[0] + ends[1]) * flat

    def _slope(self, flat: Tensor, labels: Tensor) -> Tensor:
        at = flat.detach().requires_grad_()
        score = self.model(at).gather(1, labels[:, None]).sum()
        (slope,) = torch.autograd.grad(score, at)
        return slope


@dataclass(kw_only=True)
class Training:
    """Losses of both stages on batches of images.

    `front`, `rest`: what lies before and behind the codec, frozen; `noisy`: False for a codec that
    learns no errors; `compensate`: with the third term.
    """

    front: Callable[[Tensor], Tensor]
    rest: Callable[[Tensor], Tensor]
    noisy: bool = True
    compensate: bool = True
    witness: Witness | None = field(default=None, init=False)

    def noise(self, n: int) -> tuple[Tensor, Tensor]:
        """SNR in dB and bit error rate of n samples."""
        if not self.noisy:
            return torch.full((n,), QUIET_DB), torch.zeros(n)
        return draw_noise(n)

    def restoring(self, module: SemanticCodec, images: Tensor, labels: Tensor) -> Tensor:
        """Of the first stage."""
        f, _, y, snr_db = self._cross(module, images)
        return (module.restore(y, snr_db) - f).square().mean()

    def answering(self, module: SemanticCodec, images: Tensor, labels: Tensor) -> Tensor:
        """Of the second stage."""
        _, x, y, snr_db = self._cross(module, images)
        scores = self.rest(module.restore(y, snr_db))
        loss = nn.functional.cross_entropy(scores, labels)
        loss = loss + _EVEN * uneven(module.centres.assign(x))
        return loss + self._compensation(y, labels, scores.shape[1])

    def _cross(self, module: SemanticCodec, images: Tensor) -> tuple[Tensor, ...]:
        """Features, their numbers, what arrives of them over noise, and its SNR in dB."""
        with torch.no_grad():
            f = self.front(images)
        snr_db, rate = self.noise(len(f))
        return f, *module.send(f, rate), snr_db

    def _compensation(self, y: Tensor, labels: Tensor, n_classes: int) -> Tensor:
        if not self.compensate:
            return torch.zeros(())
        if self.witness is None:
            self.witness = Witness(y[0].numel(), n_classes)
        self.witness.learn(y, labels)
        return _COMPENSATION * nn.functional.softplus(-self.witness.attribute(y, labels)).mean()
