"""Divisive normalisation against its formula, written out as loops."""

import numpy as np
import pytest
import torch

from profiles.schemes.gdn import Gdn


def randomised(channels, **how):
    layer, draw = Gdn(channels, **how), torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in layer.parameters():
            weight.copy_(torch.randn(weight.shape, generator=draw))
    return layer


def loops(layer, x, power):
    beta, gamma = layer.beta.detach().numpy(), layer.gamma.detach().numpy()
    out = np.empty_like(x)
    for n, i, row, column in np.ndindex(*x.shape):
        squares = sum(gamma[i, j] * x[n, j, row, column] ** 2 for j in range(x.shape[1]))
        out[n, i, row, column] = x[n, i, row, column] * (beta[i] + squares) ** power
    return out


@pytest.mark.parametrize(("inverse", "power"), [(False, -0.5), (True, 0.5)])
def test_it_is_the_formula(inverse, power):
    layer = randomised(5, inverse=inverse)
    x = np.random.default_rng(0).normal(size=(2, 5, 3, 4)).astype(np.float32)
    with torch.inference_mode():
        found = layer(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(found, loops(layer, x, power), rtol=1e-4)


def test_without_neighbours_both_directions_are_inverse_scalings():
    """gamma = 0."""
    there, back = Gdn(3), Gdn(3, inverse=True)
    with torch.no_grad():
        for layer in (there, back):
            layer.root_gamma.zero_()
            layer.root_beta.copy_(torch.tensor([0.5, 1.0, 2.0]))
    x = torch.randn(1, 3, 2, 2, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(back(there(x)), x)


def test_large_values_saturate():
    """|y_i| < 1 / sqrt(gamma_ii), however large x is."""
    layer = Gdn(4)
    with torch.inference_mode():
        y = layer(torch.full((1, 4, 1, 1), 1e6))
    assert float(y.abs().max()) <= float(layer.gamma.detach().diagonal().rsqrt().max())


def test_every_weight_learns_and_none_can_make_the_norm_vanish():
    layer = Gdn(3)
    layer(torch.ones(1, 3, 1, 1)).square().sum().backward()
    assert all(bool((weight.grad != 0).all()) for weight in layer.parameters())
    with torch.no_grad():
        for weight in layer.parameters():
            weight.zero_()
    assert torch.isfinite(layer(torch.ones(1, 3, 1, 1))).all()


def test_no_channels_are_refused():
    with pytest.raises(ValueError, match=r"gdn.channels must be >= 1, got 0"):
        Gdn(0)
