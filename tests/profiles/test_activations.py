"""Features at a cut against the network itself, and what the task loses."""

import numpy as np
import pytest
import torch

from profiles import models
from profiles.measuring.activations import activations


def test_features_and_answers_of_a_vision_network_are_its_own():
    found = activations("scenes", "stage2", 20)
    network = models.create("scenes")
    data = models.samples("scenes", "test", 20)
    with torch.inference_mode():
        scores = network.module(torch.from_numpy(data.inputs)).numpy()
    assert found.features.shape == (20, 32, 16, 16)
    assert found.answer(found.features) == pytest.approx(scores, abs=1e-4)
    assert found.judge(found.features)["accuracy_drop"] == 0
    broken = found.judge(np.zeros_like(found.features))
    assert broken["table_accuracy"] < 0.5
    assert broken["accuracy_drop_lo"] > 0


def test_hidden_states_of_a_language_model_give_its_bits_per_byte():
    found = activations("bytellama", "layers.1", 6)
    plain = found.judge(found.features)
    assert plain["bits_per_byte_rise"] == 0
    assert 1.5 < plain["bits_per_byte"] < 3.5
    noise = np.random.default_rng(0).normal(size=found.features.shape).astype(np.float32)
    spread = found.features.std()
    rises = [
        found.judge(found.features + share * spread * noise)["bits_per_byte_rise"]
        for share in (0.1, 0.5)
    ]
    assert 0 < rises[0] < rises[1]


def test_random_weights_have_no_figures_and_unknown_cuts_are_refused():
    found = activations("mobilenet_v2", "stage4", 1)
    assert found.judge(found.features) == {}
    with pytest.raises(ValueError, match="stage9"):
        activations("scenes", "stage9", 1)
    with pytest.raises(ValueError, match=r"layers\.7"):
        activations("bytellama", "layers.7", 1)
