"""Checkpoints are read whole, under the right names, or refused in one line."""

import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from profiles import models
from profiles.models import densenet121, vgg16
from profiles.models.checkpoint import load_or_draw, load_state_dict

transformers = pytest.importorskip("transformers")
safetensors = pytest.importorskip("safetensors.torch")

KIND, CONFIG = "ResNetForImageClassification", "ResNetConfig"
TINY = {"depths": [1, 2], "hidden_sizes": [4, 8], "embedding_size": 4, "layer_type": "basic"}
SMALL_LLAMA = {
    "vocab_size": 40, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2,
}  # fmt: skip


def tiny(n_classes: int = 5):
    torch.manual_seed(0)
    return load_or_draw(KIND, CONFIG, "", n_classes=n_classes, **TINY)


def read(folder):
    return load_or_draw(KIND, CONFIG, str(folder), **TINY)


def rewrite(folder, change):
    """Apply `change` to the tensors of a safetensors file by name."""
    state = safetensors.load_file(folder / "model.safetensors")
    safetensors.save_file(change(state) or state, folder / "model.safetensors", {"format": "pt"})


def refused(folder, message, reader=read):
    with pytest.raises(ValueError, match=message) as error:
        reader(folder)
    assert "\n" not in str(error.value)


def complaint(reader, folder) -> str:
    """What a reader says in one line of a file; empty where it is read."""
    try:
        reader(folder)
    except ValueError as error:
        words = str(error)
        if "\n" in words:
            raise
        return words
    return ""


def test_a_whole_checkpoint_comes_back_with_its_own_number_of_classes(tmp_path, capfd):
    model = tiny(7)
    model.save_pretrained(tmp_path)
    capfd.readouterr()
    again = read(tmp_path)
    assert again.config.num_labels == 7
    assert all(map(torch.equal, again.state_dict().values(), model.state_dict().values()))
    assert capfd.readouterr() == ("", "")  # no report, no progress bar


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_halves_and_doubles_become_float32(tmp_path, kind):
    model = tiny().to(kind)
    model.save_pretrained(tmp_path)
    again = read(tmp_path)
    for name, tensor in again.state_dict().items():
        if tensor.is_floating_point():
            assert tensor.dtype == torch.float32
            assert torch.equal(tensor, model.state_dict()[name].float())
    assert torch.isfinite(again(torch.randn(1, 3, 32, 32)).logits).all()


def test_a_headless_checkpoint_is_refused(tmp_path):
    tiny().resnet.save_pretrained(tmp_path)
    refused(tmp_path, r"holds other tensors than the network: 2 missing, first 'classifier.1.bias'")


def test_other_key_names_are_refused(tmp_path):
    tiny().save_pretrained(tmp_path)
    rewrite(tmp_path, lambda state: {f"backbone.{k}": v for k, v in state.items()})
    refused(tmp_path, r"\d+ missing and \d+ unexpected, first 'classifier.1.bias' and 'backbone.cl")


def test_an_extra_tensor_and_another_shape_are_refused(tmp_path):
    tiny().save_pretrained(tmp_path)
    rewrite(tmp_path, lambda state: {**state, "neck.weight": torch.zeros(3)})
    refused(tmp_path, "1 unexpected, first 'neck.weight'")
    tiny().save_pretrained(tmp_path)
    rewrite(tmp_path, lambda state: state.update({"classifier.1.bias": torch.ones(2)}))
    refused(tmp_path, r"classifier.1.bias has shape \(2,\), ResNetForImageCl\w+ has \(5,\)")


def test_a_number_that_is_not_finite_and_integers_are_refused(tmp_path):
    tiny().save_pretrained(tmp_path)
    bad = torch.full((5,), torch.nan)
    rewrite(tmp_path, lambda state: state.update({"classifier.1.bias": bad}))
    refused(tmp_path, "classifier.1.bias holds a number that is not finite")
    whole = torch.ones(5, dtype=torch.int8)
    rewrite(tmp_path, lambda state: state.update({"classifier.1.bias": whole}))
    refused(tmp_path, "classifier.1.bias must be of floats of 16 bits or more, got int8")


def test_another_architecture_is_refused_before_its_weights_are_read(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"never read")
    config = transformers.ResNetConfig(**TINY).to_dict()

    def put(**changed):
        (tmp_path / "config.json").write_text(json.dumps({**config, **changed}))

    put(depths=[3, 4])
    refused(tmp_path, r"config.json: depths must be \[1, 2\], got \[3, 4\]")
    put(model_type="mobilenet_v2")
    refused(tmp_path, "config.json: model_type must be 'resnet', got 'mobilenet_v2'")
    put(num_channels=4)
    refused(tmp_path, r"weight has shape \(4, 4, 7, 7\), the network has \(4, 3, 7, 7\)")
    put(downsample_in_first_stage=True)
    refused(tmp_path, "config.json holds other tensors than the network|has shape")
    put(quantization_config={"load_in_8bit": True})
    refused(tmp_path, "quantized weights are not read")
    put()
    refused(tmp_path, "is no checkpoint of ResNetForImageClassification: ")
    for text in ("", "[", "[1]", '"resnet"', "[" * 100_000):
        (tmp_path / "config.json").write_text(text)
        refused(tmp_path, "is no JSON|model_type must be 'resnet', got None")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "kind", "config", "message"),
    [
        (
            "resnet34",
            "ResNetForImageClassification",
            {"depths": [3, 4, 6, 3], "layer_type": "bottleneck"},
            "layer_type must be basic, got bottleneck",
        ),
        ("resnet34", "MobileNetV2ForImageClassification", {}, "model_type must be 'resnet', got"),
        ("swin_t", "SwinForImageClassification", {"depths": [2, 2, 18, 2]}, "config.json holds"),
        ("mobilenet_v2", "MobileNetV2ForImageClassification", {"depth_multiplier": 0.5}, "shape"),
        (
            "efficientnet_b0",
            "EfficientNetForImageClassification",
            {},
            "width_coefficient must be 1.0, got 2.0",
        ),
    ],
)
def test_another_network_in_the_folder_of_a_shipped_one(tmp_path, name, kind, config, message):
    maker = getattr(transformers, kind)
    maker(maker.config_class(**config)).save_pretrained(tmp_path)
    refused(tmp_path, message, lambda folder: models.create(name, weights=str(folder)))


@settings(max_examples=8, deadline=None, derandomize=True)
@given(data=st.data())
def test_any_defect_of_a_checkpoint_is_named(tmp_path_factory, data):
    """Lost, renamed, added, reshaped tensors and damaged bytes: one line, never random numbers."""
    folder = tmp_path_factory.mktemp("checkpoint")
    tiny().save_pretrained(folder)
    path = folder / "model.safetensors"
    defect = data.draw(st.sampled_from(["lost", "renamed", "added", "reshaped", "cut", "flipped"]))
    names = sorted(n for n in safetensors.load_file(path) if not n.endswith("tracked"))
    name = data.draw(st.sampled_from(names))
    if defect in ("cut", "flipped"):
        raw = bytearray(path.read_bytes())
        at = data.draw(st.integers(0, 2000 if defect == "flipped" else len(raw) - 1))
        raw[at] ^= 1 << data.draw(st.integers(0, 7))
        path.write_bytes(raw[:at] if defect == "cut" else raw)
        words = complaint(read, folder)
        assert words or defect == "flipped"  # another finite weight is no defect of form
        return

    def change(state):
        tensor = state.pop(name)
        if defect == "renamed":
            state[f"{name}_"] = tensor
        elif defect == "added":
            state.update({name: tensor, f"more.{name}": tensor.clone()})
        elif defect == "reshaped":
            state[name] = torch.zeros(*tensor.shape, 2)
        return state

    rewrite(folder, change)
    refused(folder, "missing|unexpected|has shape")


@pytest.mark.parametrize("network", [vgg16, densenet121])
def test_torchvisions_names_are_all_there_once(network):
    with torch.device("meta"):
        names = [*nn.ModuleDict(network.parts("")).state_dict()]
    theirs = [network.their_name(n) for n in names if not n.endswith("tracked")]
    assert len({*theirs}) == len(theirs)
    known = {
        vgg16: {"features.0.weight", "features.28.bias", "classifier.0.weight",
                "classifier.3.bias", "classifier.6.weight"},
        densenet121: {"features.conv0.weight", "features.norm0.running_var",
                      "features.denseblock3.denselayer24.conv2.weight",
                      "features.denseblock4.denselayer16.norm1.bias",
                      "features.transition3.norm.weight", "features.transition2.conv.weight",
                      "features.norm5.running_mean", "classifier.bias"},
    }[network]  # fmt: skip
    assert known <= {*theirs}


class Pieces(nn.Sequential):
    """A convolution and two norms of one shape, whose order alone does not tell them apart."""

    def __init__(self) -> None:
        super().__init__(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.BatchNorm2d(4), nn.Linear(4, 2))


def put(folder, state):
    torch.save(state, folder / "net.pth")
    return folder


def into_pieces(folder):
    module = Pieces()
    load_state_dict(module, folder, lambda name: f"features.{name}")
    return module


def test_a_state_dict_is_read_by_name(tmp_path):
    torch.manual_seed(1)
    source = Pieces()
    for part in (source[1], source[2]):
        nn.init.normal_(part.weight)
    state = {f"features.{k}": v for k, v in source.state_dict().items()}
    swapped = dict(reversed(state.items()))  # another order, the same names
    for kept in (state, swapped, {k: v.double() for k, v in state.items()}):
        again = into_pieces(put(tmp_path, kept)).state_dict()
        assert all(torch.equal(again[k], v) for k, v in source.state_dict().items())
    halves = {k: v.to(torch.bfloat16) for k, v in state.items() if "tracked" not in k}
    again = into_pieces(put(tmp_path, halves))
    assert torch.equal(again[0].weight, source[0].weight.bfloat16().float())


def test_older_densenets_have_another_name_for_two_parts(tmp_path):
    class Old(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(2, 2)

    put(tmp_path, {"features.denseblock1.denselayer1.norm.1.weight": torch.ones(2, 2),
                   "features.denseblock1.denselayer1.norm.1.bias": torch.ones(2)})  # fmt: skip
    module = Old()
    load_state_dict(
        module, tmp_path, lambda n: n.replace("layer", "features.denseblock1.denselayer1.norm1")
    )
    assert module.layer.weight.sum() == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("features.3.bias") is None, "1 missing, first 'features.3.bias'"),
        (lambda s: s.update(aux=torch.ones(1)), "1 unexpected, first 'aux'"),
        (
            lambda s: s.update({"features.1.weight": torch.ones(3)}),
            r"features.1.weight has shape \(3,\), the network has \(4,\)",
        ),
        (
            lambda s: s.update({"features.1.weight": torch.ones(4, dtype=torch.int8)}),
            "features.1.weight must be of floats of 16 bits or more, got int8",
        ),
        (
            lambda s: s.update({"features.1.weight": torch.full((4,), torch.inf)}),
            "features.1.weight holds a number that is not finite",
        ),
        (lambda s: s.update(epoch=3), "must hold a state dict of tensors, got dict with 'feat"),
    ],
)
def test_a_state_dict_with_a_defect_is_refused(tmp_path, change, message):
    state = {f"features.{k}": v for k, v in Pieces().state_dict().items()}
    change(state)
    refused(put(tmp_path, state), message, into_pieces)


def test_what_is_no_state_dict_is_refused(tmp_path):
    refused(tmp_path, r"holds 0 \*.pth files", into_pieces)
    refused(put(tmp_path, Pieces()), "no state dict that can be read safely", into_pieces)
    for raw in (b"", b"cos\nsystem\n(S'true'\ntR.", b"PK\x03\x04 no archive", b"\x80\x02\xff"):
        (tmp_path / "net.pth").write_bytes(raw)
        refused(tmp_path, "no state dict that can be read safely", into_pieces)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(at=st.floats(0, 1), bit=st.integers(0, 7), cut=st.booleans())
def test_a_damaged_state_dict_is_one_line(tmp_path_factory, at, bit, cut):
    folder = tmp_path_factory.mktemp("pth")
    path = put(folder, {f"features.{k}": v for k, v in Pieces().state_dict().items()}) / "net.pth"
    raw = bytearray(path.read_bytes())
    place = int(at * (len(raw) - 1))
    raw[place] ^= 1 << bit
    path.write_bytes(raw[:place] if cut else raw)
    complaint(into_pieces, folder)


def llama(folder, **options):
    return models.create("llama", weights=str(folder), **options)


@pytest.fixture
def llama_folder(tmp_path):
    torch.manual_seed(0)
    model = transformers.LlamaForCausalLM(transformers.LlamaConfig(**SMALL_LLAMA))
    model.save_pretrained(tmp_path)
    return tmp_path


def change_config(folder, **changed):
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changed}))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda s: {k: v for k, v in s.items() if k != "model.norm.weight"},
            "1 missing, first 'model.norm.weight'",
        ),
        (
            lambda s: {**s, "model.layers.0.self_attn.q_proj.bias": torch.ones(16)},
            "1 unexpected, first 'model.layers.0.self_attn.q_proj.bias'",
        ),
        (
            lambda s: {**s, "model.norm.weight": torch.ones(15)},
            r"model.norm.weight has shape \(15,\), the network has \(16,\)",
        ),
        (
            lambda s: {**s, "model.norm.weight": torch.ones(16, dtype=torch.int8)},
            "model.norm.weight must be of floats of 16 bits or more, got int8",
        ),
        (
            lambda s: {**s, "model.norm.weight": torch.full((16,), torch.nan)},
            "model.norm.weight holds a number that is not finite",
        ),
    ],
)
def test_a_llama_with_a_defect_is_refused(llama_folder, change, message):
    rewrite(llama_folder, change)
    refused(llama_folder, message, llama)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"num_hidden_layers": 3}, "9 missing, first 'model.layers.2"),
        ({"num_hidden_layers": 1}, "9 unexpected, first 'model.layers.1"),
        ({"num_hidden_layers": 0}, "num_hidden_layers must be a whole number >= 1, got 0"),
        ({"hidden_size": "16"}, "hidden_size must be a whole number >= 1, got '16'"),
        ({"vocab_size": None}, "vocab_size must be a whole number >= 1, got None"),
        ({"rms_norm_eps": -1}, "rms_norm_eps must be a number > 0, got -1"),
        ({"hidden_act": "gelu"}, "hidden_act must be 'silu', got 'gelu'"),
        ({"model_type": "mistral"}, "model_type must be 'llama', got 'mistral'"),
        ({"quantization_config": {"bits": 4}}, "quantized weights are not read"),
        ({"rope_parameters": {"rope_type": "llama3"}}, "rotary positions of type 'llama3'"),
    ],
)
def test_a_llama_of_another_shape_is_refused(llama_folder, changed, message):
    change_config(llama_folder, **changed)
    refused(llama_folder, message, llama)


def test_an_index_of_shards_is_checked(llama_folder):
    index = llama_folder / "model.safetensors.index.json"
    for text in ("", "[]", "{}", '{"weight_map": 3}'):
        index.write_text(text)
        refused(llama_folder, "is no index of tensors", llama)
    names = safetensors.load_file(llama_folder / "model.safetensors")
    index.write_text(json.dumps({"weight_map": dict.fromkeys(names, "../model.safetensors")}))
    refused(llama_folder, "names a file outside of its folder: '../model.safetensors'", llama)
    index.write_text(json.dumps({"weight_map": dict.fromkeys(names, "lost.safetensors")}))
    refused(llama_folder, "lost.safetensors is no readable safetensors file: ", llama)
    index.write_text(json.dumps({"weight_map": dict.fromkeys(names, "model.safetensors")}))
    assert llama(llama_folder).weights == "trained"


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_halves_of_a_llama_are_cast(llama_folder, kind):
    whole = llama(llama_folder).module.state_dict()
    rewrite(llama_folder, lambda state: {k: v.to(kind) for k, v in state.items()})
    for name, tensor in llama(llama_folder).module.state_dict().items():
        assert tensor.dtype == torch.float32
        assert torch.equal(tensor, whole[name].to(kind).float())
