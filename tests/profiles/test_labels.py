"""Labels are identities: what a folder is called decides its output, never its place in a list."""

import json
import shutil
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from profiles import models
from profiles.models.data import folders, labels, preparation
from profiles.models.data.labels import labels_of, outputs_of
from profiles.models.data.preparation import Preparation
from scenarios.systems.scenario import Model

# Imagenette's ten classes with ImageNet's numbers of them (github.com/fastai/imagenette).
IMAGENETTE = {
    "n01440764": 0, "n02102040": 217, "n02979186": 482, "n03000684": 491, "n03028079": 497,
    "n03394916": 566, "n03417042": 569, "n03425413": 571, "n03445777": 574, "n03888257": 701,
}  # fmt: skip
TINY = Preparation(size=4, resize=4)
CATS = {0: "tabby, tabby cat", 1: "Egyptian_cat", 2: "T-shirt", 3: "crane", 4: "crane"}


def found(names, n_outputs=1000, known=None, data=None, tmp=None):
    return outputs_of(names, n_outputs, labels=known or {}, data=data or tmp)


def test_the_list_of_wordnet_ids_is_imagenets():
    ids = labels._wordnet()
    assert len(set(ids)) == 1000
    assert list(ids) == sorted(ids)
    assert {name: ids.index(name) for name in IMAGENETTE} == IMAGENETTE
    assert (ids[999], ids[281], ids[970]) == ("n15075141", "n02123045", "n09193705")


def test_a_subset_of_classes_keeps_the_numbers_of_its_wordnet_ids(tmp_path):
    assert outputs_of(list(IMAGENETTE), 1000, labels={}, data=tmp_path) == IMAGENETTE
    named = {0: "tench, Tinca tinca", **{i: f"c{i}" for i in range(1, 1000)}}
    assert outputs_of(list(IMAGENETTE), 1000, labels=named, data=tmp_path) == IMAGENETTE
    behind = {0: "background", 1: "tench, Tinca tinca", **{i: f"c{i}" for i in range(2, 1001)}}
    shifted = {name: output + 1 for name, output in IMAGENETTE.items()}
    assert outputs_of(list(IMAGENETTE), 1001, labels=behind, data=tmp_path) == shifted


@pytest.mark.parametrize(
    ("n_outputs", "known"),
    [
        (10, {}),  # 1,000 folders against a head of ten
        (1001, {}),  # one more than ImageNet has, and no word of a background
        (1000, {0: "apple", **{i: f"c{i}" for i in range(1, 1000)}}),  # another thousand
    ],
)
def test_wordnet_ids_are_refused_where_the_outputs_are_not_imagenets(tmp_path, n_outputs, known):
    with pytest.raises(ValueError, match=r"class 'n01440764' is no output \(1,?000 of") as error:
        outputs_of(list(labels._wordnet()), n_outputs, labels=known, data=tmp_path)
    assert f"{n_outputs:,} outputs" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "output"),
    [("tabby", 0), ("Tabby Cat", 0), ("tabby, tabby cat", 0), ("egyptian cat", 1), ("t_shirt", 2)],
)
def test_names_are_found_in_id2label(tmp_path, name, output):
    assert outputs_of([name], 5, labels=CATS, data=tmp_path) == {name: output}


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["crane"], "class 'crane' stands for two outputs"),
        (["tabby", "dog"], r"class 'dog' is no output \(1 of 2 classes, the network has 5 outputs"),
        (["cat"], "class 'cat' is no output"),
        (["5"], "class '5' is no output"),
        (["1", "01"], "is no output"),
        (["-1"], "is no output"),
        (["²"], "is no output"),
    ],
)
def test_names_that_are_none_or_two_are_refused(tmp_path, names, said):
    with pytest.raises(ValueError, match=said):
        outputs_of(names, 5, labels=CATS, data=tmp_path)


def test_whole_numbers_are_outputs_from_0(tmp_path):
    assert outputs_of(["004", "2"], 5, labels={}, data=tmp_path) == {"004": 4, "2": 2}
    turned = {0: "1", 1: "0"}  # the checkpoint's word goes before a number's own meaning
    assert outputs_of(["0", "1"], 2, labels=turned, data=tmp_path) == {"0": 1, "1": 0}


def test_a_list_of_classes_goes_before_everything(tmp_path):
    (tmp_path / "classes.txt").write_text("\ufeffdog\r\ntabby\r\nn01440764 tench, Tinca\r\n\n")
    known = {0: "tabby", 1: "dog", 2: "other"}
    asked = ["dog", "tabby", "n01440764"]
    assert outputs_of(asked, 3, labels=known, data=tmp_path) == {
        name: output for output, name in enumerate(asked)
    }
    with pytest.raises(ValueError, match=r"class 'bird' is no line of .*classes.txt"):
        outputs_of(["bird"], 3, labels=known, data=tmp_path)
    for n, text in ((3, "dog\ntabby\n"), (2, "dog\ntabby\nother\n"), (3, "dog\n\ntabby\n")):
        (tmp_path / "classes.txt").write_text(text)
        with pytest.raises(ValueError, match=f"a line for each of the network's {n} outputs, got"):
            outputs_of(["dog"], n, labels={}, data=tmp_path)
    (tmp_path / "classes.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match=r"is no UTF-8 text"):
        outputs_of(["dog"], 1, labels={}, data=tmp_path)


@pytest.mark.parametrize(
    ("config", "known"),
    [
        ({"id2label": {"1": "b", "0": "a"}}, (2, {0: "a", 1: "b"})),
        ({"id2label": {str(i): f"LABEL_{i}" for i in range(7)}}, (7, {})),
        ({"num_labels": 12}, (12, {})),
        ({}, (2, {})),
    ],
)
def test_a_checkpoint_says_how_many_outputs_it_has_and_what_they_are(tmp_path, config, known):
    assert labels_of("") == labels_of(str(tmp_path)) == (1000, {})  # *.pth: torchvision's
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert labels_of(str(tmp_path)) == known


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"id2label": [1]}', '{"id2label": {"a": "b"}}', '{"id2label": {"1": "b"}}']
)
def test_an_odd_configuration_is_refused_in_one_line(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ValueError, match=r"config\.json") as error:
        labels_of(str(tmp_path))
    assert "\n" not in str(error.value)


def put(folder, name, shade):
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (5, 4), (shade, 0, 0)).save(folder / name)


SHADES = {"tabby": 10, "Egyptian cat": 20, "t-shirt": 30}
"""What an image of a class looks like; its output is its place here."""


@settings(max_examples=40)
@given(
    kept=st.sets(st.sampled_from(sorted(SHADES)), min_size=1),
    junk=st.sets(
        st.sampled_from(
            [".ipynb_checkpoints/a.png", "__MACOSX/tabby/._a.png", "__MACOSX/._a.png", "aaa/",
             "AAA/notes.txt", "tabby/._0.png", "tabby/.DS_Store", "Thumbs.db", ".git/HEAD", "zzz/"]
        )
    ),
)  # fmt: skip
def test_any_subset_with_any_leavings_gives_every_image_its_own_output(
    tmp_path_factory, kept, junk
):
    folder = tmp_path_factory.mktemp("data")
    for name in kept:
        for i in range(2):
            put(folder, f"{name}/{i}.png", SHADES[name])
    for name in junk:
        path = folder / name
        (path if name.endswith("/") else path.parent).mkdir(parents=True, exist_ok=True)
        if not name.endswith("/"):
            path.write_bytes(b"\x00\x05\x16\x07 no image")
    known = dict(enumerate(SHADES))
    outputs = partial(outputs_of, n_outputs=3, labels=known, data=folder)
    found = folders.image_samples(folder, 2 * len(kept), 0, outputs=outputs, preparation=TINY)
    shades = list(SHADES.values())
    for image, label in zip(found.inputs, found.labels, strict=True):
        assert shades[label] == int(image[0, 0, 0])
    shutil.rmtree(folder)


def test_a_folder_one_too_high_is_named(tmp_path):
    put(tmp_path, "val/tabby/0.png", 1)
    with pytest.raises(ValueError, match=rf"did you mean model.data={tmp_path}/val\?"):
        folders.image_samples(tmp_path, 1, 0, outputs=dict.fromkeys, preparation=TINY)


def test_a_folder_of_coco_is_said_to_be_one(tmp_path):
    put(tmp_path, "val2017/0.png", 1)
    (tmp_path / "annotations").mkdir()
    with pytest.raises(ValueError, match="looks like COCO, whose boxes are not offered"):
        folders.image_samples(tmp_path, 1, 0, outputs=dict.fromkeys, preparation=TINY)


@pytest.mark.parametrize("n_labels", [3, 1000])
def test_a_checkpoint_labels_its_images_and_random_weights_label_none(tmp_path, n_labels):
    """What the network would have to answer, by name; a head of other classes is refused."""
    names = {i: f"c{i}" for i in range(n_labels)} | {2: "tabby", 0: "egyptian cat"}
    weights, data = tmp_path / "weights", tmp_path / "data"
    weights.mkdir()
    (weights / "config.json").write_text(json.dumps({"id2label": names}))
    for i, name in enumerate(("tabby", "Egyptian cat")):
        put(data, f"{name}/0.png", 100 + i)
    options = {"data": str(data), "weights": str(weights)}
    found = models.samples("resnet34", "test", 2, **options)
    by_shade = dict(zip(found.inputs[:, 0, 0, 0].tolist(), found.labels.tolist(), strict=True))
    assert by_shade == {100: 2, 101: 0}
    drawn = models.samples("resnet34", "test", 2, data=str(data))
    assert drawn.labels.tolist() == [-1, -1]
    assert np.array_equal(drawn.inputs, found.inputs)
    put(data, "stranger/0.png", 1)
    with pytest.raises(ValueError, match=f"'stranger' is no output.*{n_labels:,} outputs"):
        models.samples("resnet34", "test", 2, **options)


@pytest.mark.parametrize(
    ("mode", "name", "refused"),
    [
        ("I;16", "x.png", True), ("I", "x.tif", True), ("F", "x.tif", True), ("L", "x.png", False),
        ("P", "x.png", False), ("RGBA", "x.png", False), ("CMYK", "x.jpg", False),
        ("1", "x.png", False), ("RGB", "x.webp", False), ("RGB", "x.bmp", False),
    ],
)  # fmt: skip
def test_images_of_bytes_are_read_and_deeper_ones_refused(tmp_path, mode, name, refused):
    """Pillow clips 16 bits to 255: a dark picture of a scanner would be a white one."""
    (tmp_path / "c").mkdir()
    image = Image.new("L", (6, 6), 77)
    made = Image.new(mode, (6, 6), 77) if mode in ("I;16", "I", "F") else image.convert(mode)
    made.save(tmp_path / "c" / name)

    def read():
        return folders.image_samples(
            tmp_path, 1, 0, outputs=lambda names: dict.fromkeys(names, 0), preparation=TINY
        )

    if refused:
        with pytest.raises(ValueError, match=r"must hold bytes, got|no readable image"):
            read()
    elif mode == "1":
        assert 0 < read().inputs.mean() < 255
    else:
        assert np.abs(read().inputs.astype(int) - 77).max() <= 3


@settings(max_examples=80)
@given(data=st.data())
def test_damaged_images_are_read_or_refused_in_one_line(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("images")
    (folder / "c").mkdir()
    ending = data.draw(st.sampled_from(["png", "jpg", "webp", "bmp", "tif"]))
    path = folder / "c" / f"x.{ending}"
    noise = np.random.default_rng(0).integers(0, 256, (8, 9, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    whole = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(whole[: data.draw(st.integers(1, len(whole)))])
    try:
        found = folders.image_samples(
            folder, 1, 0, outputs=lambda names: dict.fromkeys(names, 0), preparation=TINY
        )
    except ValueError as error:
        assert "\n" not in str(error)  # noqa: PT017
    else:
        assert found.inputs.shape == (1, 4, 4, 3)
    shutil.rmtree(folder)


COLOURS = {"green": (0, 200, 0), "red": (200, 0, 0), "blue": (0, 0, 200)}
"""Outputs 0, 1, 2 of the network below: in no alphabetical order."""


@pytest.fixture(scope="module")
def painter(tmp_path_factory):
    """A checkpoint that tells colours without a mistake: of random features the nearest mean."""
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("painter")
    config = transformers.ResNetConfig(
        layer_type="basic", depths=[3, 4, 6, 3], hidden_sizes=[64, 128, 256, 512],
        id2label=dict(enumerate(COLOURS)), label2id={name: i for i, name in enumerate(COLOURS)},
    )  # fmt: skip
    torch.manual_seed(0)
    model = transformers.ResNetForImageClassification(config).eval()
    mean, std = (torch.tensor(each).view(3, 1, 1) for each in (preparation.MEAN, preparation.STD))
    plain = torch.stack(
        [torch.tensor(c).view(3, 1, 1).expand(3, 224, 224) for c in COLOURS.values()]
    )
    with torch.no_grad():
        means = model.resnet((plain / 255 - mean) / std).pooler_output[:, :, 0, 0]
        model.classifier[-1].weight.copy_(2 * means)
        model.classifier[-1].bias.copy_(-means.square().sum(1))
    model.save_pretrained(folder)
    return folder


@pytest.mark.parametrize(
    ("classes", "junk"),
    [
        (["red", "green", "blue"], []),
        (["red", "blue"], []),  # a subset: by its place in a listing, blue would be green
        (["red"], [".ipynb_checkpoints", "__MACOSX", "aaa"]),
    ],
)
def test_a_network_that_is_always_right_stays_so(painter, tmp_path, classes, junk):
    for name in classes:
        (tmp_path / name).mkdir()
        for i in range(2):
            Image.new("RGB", (240, 250 + i), COLOURS[name]).save(tmp_path / name / f"{i}.png")
    for name in junk:
        (tmp_path / name).mkdir()
    model = Model(
        name="resnet34", weights=str(painter), data=str(tmp_path), samples=2 * len(classes)
    )
    inputs, right = model.inputs()
    with torch.inference_mode():
        answers = model.network().module(torch.from_numpy(inputs)).argmax(1).numpy()
    assert (answers == right).all()
    assert sorted(set(right.tolist())) == sorted(list(COLOURS).index(name) for name in classes)
