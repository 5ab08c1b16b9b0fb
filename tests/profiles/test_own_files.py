"""What a user's file may give, and what is refused in one line."""

from functools import partial

import numpy as np
import pytest
import torch

import codec
from profiles import models
from profiles.measuring.tracing import trace
from profiles.models.own import load
from tests.profiles.own_files import write_file

RAW = codec.create("raw32")


@pytest.fixture
def write(tmp_path):
    return partial(write_file, tmp_path)


def test_every_fifth_sample_calibrates(write):
    name = write("def make():\n    return Net(), None, X, np.arange(10) % 3\n")
    own = load(name)
    test, fifth = (own.samples(one, 100) for one in ("test", "calibration"))
    assert [len(test.labels), len(fifth.labels)] == [8, 2]
    both = np.concatenate([test.inputs, fifth.inputs])
    assert len(np.unique(both[:, 0])) == 10
    assert np.array_equal(own.samples("test", 3).inputs, test.inputs[:3])


def test_names_of_classes_stand_for_numbers(write):
    name = write("""
        def make():
            names = ["cat", "dog", "owl"]
            return {"module": Net(), "inputs": X, "labels": [*names, *names[:2]] * 2,
                    "classes": names}
        """)
    assert list(load(name).labels[:5]) == [0, 1, 2, 0, 1]


def test_a_metric_of_the_users_judges(write):
    name = write("""
        def near(answers, labels):
            return 1.0 - abs(answers - labels).mean(1)

        def make():
            return {"module": Net(), "inputs": X, "labels": np.zeros((10, 3)), "task": "regress",
                    "metric": near}
        """)
    network, samples = models.create(name), models.samples(name, "test", 8)
    table = trace(network, {"raw32": {"feature": RAW}}, *samples, repeats=1)
    with torch.inference_mode():
        whole = network.module(torch.from_numpy(samples.inputs)).numpy()
    assert np.allclose(
        table.cell("correct", "first", "raw32"), 1 - np.abs(whole).mean(1), atol=1e-6
    )
    assert np.isnan(table.columns["logit_kl"]).all()
    assert (table.columns["answer_bytes"] == 12).all()


def check_refused(name, words):
    with pytest.raises(ValueError, match=r"^model=") as error:
        load(name)
    assert words in str(error.value)
    assert "\n" not in str(error.value)
    assert error.value.__cause__ is None  # the command line shows the innermost of them


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("", "unknown function 'make'; allowed: "),
        ("def mak(): ...", "unknown function 'make'; nearest: mak"),
        ("import nothing", "the file cannot be imported at net.py:15: ModuleNotFoundError: No mo"),
        ("def make(:", "the file cannot be imported at net.py:15: SyntaxError"),
        ("def make(): raise KeyError('x')", "make() fails at net.py:15: KeyError: 'x'"),
        ("def make(it): ...", "make() fails: TypeError: make() missing 1 required positional"),
    ],
)
def test_a_file_without_such_a_function_is_refused(write, body, words):
    check_refused(write(body), words)


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ("3", "it must return a dict of module, example, ..., or a tuple, got int"),
        ("(Net(),)", "it must return 2 to 4 values, module, example, inputs, labels, got 1"),
        ("{'modul': Net()}", "unknown key 'modul'; nearest: module"),
        ("{'module': 3}", "module must be an nn.Module, got int"),
        ("Net(), None", "example must be one tensor with its batch dimension in front, got none"),
        ("Net(), (X, X)", "example must be one tensor with its batch dimension in front, got tu"),
        ("Net(), torch.ones(1, 4).bfloat16()", "numbers that numpy has, got torch.bfloat16"),
        ("Net(), torch.zeros(1, 5)", "the network fails on its example at net.py:12: RuntimeE"),
        ("Net(), X, X[:, :3]", "inputs must have the example's shape [sample, 4], got [10, 3]"),
        ("Net(), X, X > 0", "inputs must be float32 as the example is, got bool"),
        ("Net(), X, X[:1]", "inputs must be two samples or more, got 1"),
        ("Net(), X, X + np.nan", "inputs must be finite, sample 0 is not"),
        ("Net(), X, X, np.zeros(9, int)", "labels must have the shape [10], got [9]"),
        ("Net(), X, X, np.arange(10)", "labels must be in 0..2, or -1 where there is none, got 3"),
        ("dict(module=Net(), inputs=X, labels=['a'] * 10, classes=list('bcd'))",
         "labels name a class that classes does not, got 'a'"),
        ("dict(module=Net(), inputs=X, classes=['a'])", "as many names as the network has classes"),
        ("dict(module=Net(), inputs=X, task='guess')", "task must be one of classify, segment, r"),
        ("dict(module=Net(), inputs=X, task='segment')", "segment must answer [sample, class, ..."),
        ("dict(module=Net(), inputs=X, metric='iou')", "metric of classify must be accuracy or a"),
        ("dict(module=Net(), inputs=X, stages=['third'])", "unknown stage 'third'"),
        ("dict(module=Net(), inputs=X, stages='first')", "stages must be a list of submodules"),
    ],
)  # fmt: skip
def test_what_is_no_network_is_refused_in_one_line(write, made, words):
    check_refused(write(f"def make():\n    return {made}\n"), words)


def test_options_and_a_missing_file_are_refused(write, tmp_path):
    with pytest.raises(ValueError, match="no such file"):
        models.create(f"{tmp_path}/nothing.py:make")
    with pytest.raises(ValueError, match="has no option 'weights'; it takes: none"):
        models.create(write("def make():\n    return Net(), X"), weights="here")


def test_a_metric_that_gives_no_score_per_sample_is_refused(write):
    name = write("""
        def make():
            return {"module": Net(), "inputs": X, "labels": np.arange(10) % 3,
                    "metric": lambda answers, labels: 1.0}
        """)
    network, samples = models.create(name), models.samples(name, "test", 8)
    with pytest.raises(ValueError, match="metric must give one finite number per sample, 8, got"):
        trace(network, {"raw32": {"feature": RAW}}, *samples, repeats=1)
