"""How images are prepared, beside transformers' own processors and by hand."""

import json
import os

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from profiles import models
from profiles.models.data.preparation import Preparation, preparation_of
from profiles.models.residual import Normalise

USUAL = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
PROCESSORS = {
    "ConvNext": {"size": {"shortest_edge": 224}, "crop_pct": 0.875, "resample": 3, **USUAL},
    "ConvNext, other crop": {"size": {"shortest_edge": 224}, "crop_pct": 0.95, "resample": 2},
    "MobileNetV2": {"size": {"shortest_edge": 256}, "crop_size": {"height": 224, "width": 224}},
    "MobileNetV2, wide": {"size": {"shortest_edge": 300}, "crop_size": 224, "resample": 3},
    "EfficientNet": {"size": {"height": 224, "width": 224}, "resample": 0, **USUAL},
    "EfficientNet, no top": {"size": {"height": 224, "width": 224}, "include_top": False, **USUAL},
    "ViT": {"size": {"height": 224, "width": 224}, "resample": 3, **USUAL},
    "ViT, raw": {"size": {"height": 224, "width": 224}, "do_rescale": False, "do_normalize": False},
}


def photograph(width, height, seed=0):
    generator = np.random.default_rng(seed)
    small = generator.integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)


@pytest.mark.parametrize("name", PROCESSORS)
@pytest.mark.parametrize("shape", [(300, 260), (240, 517)])
def test_images_reach_the_network_as_from_transformers_own_processor(name, shape, tmp_path):
    transformers = pytest.importorskip("transformers")
    kind = name.split(",")[0] + "ImageProcessor"
    maker = getattr(transformers, kind + "Pil", None) or getattr(transformers, kind)
    theirs = maker(**PROCESSORS[name])
    theirs.save_pretrained(tmp_path)
    image = photograph(*shape)
    expected = np.asarray(theirs(image, return_tensors="np")["pixel_values"])[0]
    ours = preparation_of(str(tmp_path))
    first = Normalise(ours.mean, ours.std, scale=ours.scale)
    found = first(torch.from_numpy(ours.cut(image).copy())[None])[0].numpy()
    assert found.shape == expected.shape
    assert np.allclose(found, expected, atol=1e-4 * np.abs(expected).max())


def test_without_a_checkpoint_or_its_word_it_is_the_fields_own(tmp_path):
    assert preparation_of("") == preparation_of(str(tmp_path)) == Preparation()
    image = photograph(320, 256)
    assert np.array_equal(Preparation().cut(image), np.asarray(image)[16:240, 48:272])


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"size": 224, "crop_pct": 0.875}, {"resize": 256}),
        ({"size": 256, "crop_size": 224}, {"resize": 256}),
        ({"size": 224, "feature_extractor_type": "ViTFeatureExtractor"}, {"resize": (224, 224)}),
        ({"do_resize": False, "crop_size": 224}, {"resize": None}),
        ({"size": {"shortest_edge": 224}, "image_processor_type": "ConvNextImageProcessor"},
         {"resize": 256}),
    ],
)  # fmt: skip
def test_older_files_are_read_as_they_were_meant(tmp_path, config, expected):
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({**config, **USUAL}))
    assert preparation_of(str(tmp_path)) == Preparation(**expected)


SOUND = {"size": {"shortest_edge": 256}, "crop_size": 224, **USUAL}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"crop_size": 299}, "images must be 224 x 224, got 299 x 299"),
        ({"crop_size": {"height": 224, "width": 200}}, "images must be square, got 200 x 224"),
        ({"size": {"longest_edge": 256}}, "size must be a number, shortest_edge, or height and"),
        ({"size": None}, "size must be a number"),
        ({"do_center_crop": False}, "neither cut out nor resized to a square"),
        ({"image_mean": [0.5]}, "must have 3 numbers"),
        ({"image_mean": "a"}, "could not convert"),
        ({"image_std": [1, 1, 0]}, "must be > 0, got 0.0"),
        ({"rescale_factor": 0}, "must be > 0"),
        ({"image_mean": [0, 0, float("nan")]}, "must have 3 numbers"),
        ({"size": {"shortest_edge": 10**9}}, "size must lie in 1..4096, got 1000000000"),
        ({"crop_pct": 1e-9, "size": 224}, "must lie in 1..4096"),
        ({"rescale_factor": -1}, "must be > 0"),
        ({"resample": 9}, "9 is not a valid Resampling"),
        ({"crop_pct": 0.9, "size": {"height": 224, "width": 224}}, "must hold shortest_edge"),
    ],
)
def test_what_is_not_offered_is_refused_in_one_line(tmp_path, change, said):
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({**SOUND, **change}))
    with pytest.raises(ValueError, match=said) as error:
        preparation_of(str(tmp_path))
    assert str(tmp_path) in str(error.value)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 400) | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["height", "width", "shortest_edge"]), inner)
    ),
    max_leaves=4,
)


@given(change=st.dictionaries(st.sampled_from([*SOUND, "crop_pct", "resample"]), _JSON, min_size=1))
def test_any_odd_file_is_read_or_refused_in_one_line(tmp_path_factory, change):
    folder = tmp_path_factory.mktemp("odd")
    (folder / "preprocessor_config.json").write_text(json.dumps({**SOUND, **change}))
    try:
        image = preparation_of(str(folder)).cut(photograph(300, 260))
    except ValueError as error:
        assert "\n" not in str(error)  # noqa: PT017
    else:
        assert image.shape == (224, 224, 3)
    os.remove(folder / "preprocessor_config.json")


def test_an_image_smaller_than_what_is_cut_out_is_refused():
    with pytest.raises(ValueError, match="100 x 90 pixels are less than 224 x 224"):
        Preparation(resize=None).cut(photograph(100, 90))


def test_a_checkpoints_normalisation_is_computed_and_belongs_to_its_digest(tmp_path):
    transformers = pytest.importorskip("transformers")
    config = transformers.ResNetConfig(
        layer_type="basic", depths=[3, 4, 6, 3], hidden_sizes=[64, 128, 256, 512], num_labels=1000
    )
    model = transformers.ResNetForImageClassification(config).eval()
    model.save_pretrained(tmp_path)
    usual = models.create("resnet34", weights=str(tmp_path))
    own = {"size": {"shortest_edge": 224}, "crop_pct": 0.875}
    own |= {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.3, 0.4]}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(own))
    other = models.create("resnet34", weights=str(tmp_path))
    assert usual.digest != other.digest
    images = torch.from_numpy(models.samples("resnet34", "test", 2).inputs)
    mean, std = (torch.tensor(own[f"image_{name}"]).view(3, 1, 1) for name in ("mean", "std"))
    pixels = (images.permute(0, 3, 1, 2) / 255 - mean) / std
    with torch.inference_mode():
        assert torch.allclose(other.module(images), model(pixels).logits, atol=1e-4)
