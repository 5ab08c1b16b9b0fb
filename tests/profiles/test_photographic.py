"""The networks for photographs: published sizes, exact splits, real checkpoints, image folders."""

import sys

import numpy as np
import pytest
import torch
from PIL import Image

from profiles import models
from profiles.measuring.cuts import split
from profiles.models.data.imagenet import SIZE

# Parameters in millions and GMAC at 224 x 224 (reference of the papers; slicer.md section 3).
PUBLISHED = {
    "resnet34": (21.797672, 3.664),
    "mobilenet_v2": (3.504872, 0.301),
    "efficientnet_b0": (5.288548, 0.386),
    "swin_t": (28.288354, 4.49),
    "vgg16": (138.357544, 15.470),
    "densenet121": (7.978856, 2.834),
}
LIGHT = ("resnet34", "mobilenet_v2")


@pytest.mark.parametrize(
    "name",
    [name if name in LIGHT else pytest.param(name, marks=pytest.mark.slow) for name in PUBLISHED],
)
def test_sizes_are_the_published_ones_and_halves_compose_to_the_whole(name):
    network = models.create(name)
    parameters, gmac = PUBLISHED[name]
    assert network.n_parameters == round(parameters * 1e6)
    assert network.weights == "random"
    parts = split(network)
    whole = network.module(parts.example)
    assert 0.05 < float(whole.std()) < 50  # calibrated: neither died nor blew up
    cuts = parts.describe()
    assert cuts[-1].head_flops / 2e9 == pytest.approx(gmac, rel=0.001)
    for cut in cuts:
        answer = parts.tail(cut.name)(parts.head(cut.name)(parts.example))
        assert torch.allclose(answer, whole, rtol=1e-4, atol=1e-4)


def test_resnet34_has_the_elements_and_server_shares_of_the_reference():
    cuts = {cut.name: cut for cut in split(models.create("resnet34")).describe()}
    total = cuts["output"].head_flops
    expected = {
        "stem": (200_704, None),
        "layer1": (200_704, 0.778),
        "layer2": (100_352, 0.540),
        "layer3.4": (50_176, 0.239),
        "layer3": (50_176, 0.175),
        "layer4": (25_088, None),
    }
    for name, (elements, share) in expected.items():
        assert np.prod(cuts[name].shape) == elements
        if share is not None:
            assert cuts[name].tail_flops / total == pytest.approx(share, abs=0.001)


def test_two_random_networks_are_the_same_and_leave_the_global_generator_alone():
    before = torch.random.get_rng_state()
    one, other = models.create("mobilenet_v2"), models.create("mobilenet_v2")
    assert torch.equal(before, torch.random.get_rng_state())
    assert one.digest == other.digest
    x = one.example_input
    assert torch.equal(one.module(x), other.module(x))


def test_a_checkpoint_folder_is_read(tmp_path):
    import transformers

    config = transformers.ResNetConfig(
        layer_type="basic", depths=[3, 4, 6, 3], hidden_sizes=[64, 128, 256, 512], num_labels=1000
    )
    model = transformers.ResNetForImageClassification(config).eval()
    model.save_pretrained(tmp_path)
    network = models.create("resnet34", weights=str(tmp_path))
    assert network.weights == "trained"
    images = torch.from_numpy(models.samples("resnet34", "test", 2).inputs)
    x = network.module.normalise(images)
    with torch.inference_mode():
        assert torch.allclose(network.module(images), model(x).logits, atol=1e-4)


def test_a_folder_without_checkpoint_says_what_to_put_there(tmp_path):
    with pytest.raises(ValueError, match=r"holds no config.json: put a checkpoint there"):
        models.create("swin_t", weights=str(tmp_path))
    with pytest.raises(ValueError, match=r"holds 0 \*.pth files: put one torchvision state dict"):
        models.create("densenet121", weights=str(tmp_path))


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ValueError, match=r"pip install 'splitfleet\[models\]'"):
        models.create("resnet34")


@pytest.fixture
def photographs(tmp_path):
    for number, colour in enumerate(((250, 5, 5), (5, 250, 5))):
        folder = tmp_path / f"n0{number}"
        folder.mkdir()
        for i in range(3):
            Image.new("RGB", (300 + 40 * i, 260), colour).save(folder / f"{i}.JPEG")
    return tmp_path


def test_an_image_folder_gives_square_images_and_labels(photographs):
    (photographs / "classes.txt").write_text("\n".join(["n01", *"ab", "n00"]) + "\n")
    (photographs / "config.json").write_text('{"num_labels": 4}')
    asked = {"data": str(photographs), "weights": str(photographs)}
    found = models.samples("resnet34", "test", 6, **asked)
    assert found.inputs.shape == (6, SIZE, SIZE, 3)
    assert sorted(found.labels.tolist()) == [0, 0, 0, 3, 3, 3]
    for image, label in zip(found.inputs, found.labels, strict=True):
        assert int(image.mean((0, 1)).argmax()) == {3: 0, 0: 1}[label]  # n00 is red, n01 green
    few = models.samples("resnet34", "test", 2, **asked)
    assert np.array_equal(few.inputs, found.inputs[:2])


def test_a_folder_without_images_or_with_a_broken_one_is_refused(photographs, tmp_path):
    def samples(folder, n):
        return models.samples("resnet34", "test", n, data=str(folder))

    with pytest.raises(ValueError, match="is no folder: put one subfolder per class"):
        samples(tmp_path / "nothing", 1)
    with pytest.raises(ValueError, match="holds 6 images, 7 were asked for"):
        samples(photographs, 7)
    (photographs / "n00" / "0.JPEG").write_bytes(b"\xff\xd8 not an image")
    with pytest.raises(ValueError, match="is no readable image"):
        samples(photographs, 6)
