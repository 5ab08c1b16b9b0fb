"""SALT in front of SemanticNN: the adapter learns before a frozen encoder, bits still get lost."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

import codec
from profiles import schemes
from profiles.models.network import content_digest
from profiles.schemes import damage, personal, semanticnn
from profiles.schemes.tracing import answers_of
from profiles.schemes.transports import BitErrors
from tests.profiles.test_training import tolerance

BYTES = {"digits": 12, "scenes16": 24, "scenes": 192}
N_TEST, DRAWS = 360, 4


def made(model="digits", form="residual"):
    return schemes.create("salt", model, form=form, closed="semanticnn")


def over(scheme, n, rates=(0.0, 0.1)):
    """Payload bytes and correctness [sample, rate] over real bit errors."""
    coder = codec.create("centres", **scheme.brings["centres"])
    ways = [BitErrors(rate=rate) for rate in rates]
    table = damage.trace(scheme.network, {"centres": {"feature": coder}},
                         *scheme.samples("test", n), ways, cuts=("encoder",),
                         draws=DRAWS)  # fmt: skip
    return tuple(table.columns[f"{name}_over"][:, 0, 0] for name in ("payload_bytes", "correct"))


@pytest.mark.parametrize("model", BYTES)
def test_all_but_the_adapter_is_semanticnn_to_the_last_bit(model):
    scheme, alone = made(model), schemes.create("semanticnn", model)
    mine = scheme.network.module.state_dict()
    for name, value in alone.network.module.state_dict().items():
        part, _, rest = name.partition(".")
        same = f"front.frozen.{rest}" if part == "front" else name
        torch.testing.assert_close(mine[same], value, rtol=0, atol=0)
    assert scheme.brings == alone.brings
    assert content_digest(semanticnn.close(model).whole) == scheme.provenance["frozen_digest"]
    assert (scheme.cut, scheme.first_cut, scheme.adapter.after) == ("encoder", "encoder", "front")


def test_training_leaves_the_hash_of_all_that_is_closed(tmp_path):
    whole = personal.setup("digits", base="semanticnn")
    short = replace(whole, user=replace(whole.user, epochs=1, n_images=80))
    module, about = short.train(tmp_path)
    after = content_digest(short.closed.whole)
    assert after == content_digest(semanticnn.close("digits").whole) == about["frozen_digest"]
    assert all(weight.grad is None for weight in short.closed.whole.parameters())
    untrained = short.build().state_dict()
    assert any(not torch.equal(value, untrained[k]) for k, value in module.state_dict().items())


@pytest.mark.parametrize(("model", "gain", "in_errors"), [
    ("digits", 0.35, 0.35), ("scenes16", 0.55, 0.5), ("scenes", 0.2, 0.15),
])  # fmt: skip
def test_the_shifted_user_is_understood_again_by_as_many_bytes(model, gain, in_errors):
    """Real payloads, real bit errors; `none` is SemanticNN as it is, on the same images."""
    n = N_TEST if model == "digits" else 200
    found = {form: over(made(model, form), n) for form in ("residual", "none")}
    for sent, _ in found.values():
        assert set(sent.ravel()) == {float(BYTES[model])}
    right = {form: correct.mean(0) for form, (_, correct) in found.items()}
    assert right["residual"][0] - right["none"][0] > gain
    assert right["residual"][1] - right["none"][1] > in_errors
    about = made(model).provenance
    for column, form in (("accuracy_by_ber", "residual"), ("frozen_by_ber", "none")):
        for number, rate in enumerate((0.0, 0.1)):
            p = about[column][about["bers"].index(rate)]
            drawn = 1 / 8 + 1 / DRAWS if rate else 0.0
            part = 0.0 if model == "digits" else 1.0  # of the scenes that judge
            reach = 4.0 * math.sqrt(p * (1 - p) * (drawn + part) / n) + 1e-6
            assert right[form][number] == pytest.approx(p, abs=reach)


def test_what_it_answered_before_is_semanticnn_without_a_codec():
    scheme, closed = made(), made(form="none")
    inputs, _ = scheme.samples("test", 60)
    with torch.no_grad():
        before = scheme.adapter.before(torch.from_numpy(inputs)).numpy()
    np.testing.assert_allclose(before, answers_of(closed.network.module, inputs), atol=1e-4)


@pytest.mark.parametrize("goal", ["loss", "noise"])
def test_goals_of_the_way_are_refused_where_the_closed_network_has_one(goal):
    with pytest.raises(ValueError, match=r"bit errors of its own, so scheme\.goal must be rotated"):
        schemes.create("salt", "digits", goal=goal, closed="semanticnn")


def test_a_threshold_is_not_its():
    with pytest.raises(ValueError, match=r"threshold belongs to scheme\.closed=early_exit"):
        schemes.create("salt", "digits", closed="semanticnn", threshold=0.7)


@pytest.mark.slow
@pytest.mark.parametrize("model", BYTES)
def test_the_recipe_gives_the_accuracy(model, tmp_path):
    _, fresh = schemes.train("salt", model, folder=tmp_path, closed="semanticnn")
    shipped = made(model).provenance
    assert fresh["accuracy"] == pytest.approx(shipped["accuracy"], abs=tolerance(shipped))
    assert fresh["frozen_digest"] == shipped["frozen_digest"]
