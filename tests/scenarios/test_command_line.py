"""The command line: what a user sees of a mistake is one line and status 2."""

import io
import re
import shlex
import subprocess
import sys
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path

import hydra
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from profiles import models
from scenarios.__main__ import run
from scenarios.present import help
from scenarios.shell import commands
from scenarios.shell.schema import register, to_spec
from tests.scenarios.conftest import QUICK

MISTAKES = {
    "simulat": "unknown command 'simulat'; nearest: simulate",
    "simulate fleet.n_devices=0": "fleet.n_devices must be >= 1, got 0",
    "simulate fleet.n_device=8": "unknown field 'fleet.n_device'; nearest: fleet.n_devices",
    "simulate codec=slcer": "unknown codec 'slcer'; nearest: slicer",
    "simulate codec.sparsty=1": "unknown field 'codec.sparsty'; nearest: codec.sparsity",
    "simulate link=wfi": "unknown link 'wfi'; nearest: wifi",
    "simulate fleet.n_devices=many": "fleet.n_devices must be of type integer, got 'many'",
    "simulate link.rate_bps=-1": "link.rate_bps must be > 0, got -1.0",
    "simulate device=z80": "unknown device 'z80'; allowed: jetson",
    "simulate warmup_s=100": "warmup_s must be below horizon_s",
    "simulate cut": "write KEY=VALUE, got 'cut'",
    "simulate --foo fleet.n_devices=2": "write KEY=VALUE, got '--foo'",
    "plan slo.p95_s=1 cut -m seed=1,2": "write KEY=VALUE, got 'cut'",
    "simulate name=a/b": "name must be a plain folder name, got 'a/b'",
    "simulate codec=slicer codec.step=0.2": "the chosen codec has no option step; choices of codec"
    " with it: ecsq",
    "simulate codec=ecsq codec.sparsity=1": "the chosen codec has no option sparsity; choices of"
    " codec with it: klt_slicer, slicer, slicer_rans, slicer_strong, topk",
    "simulate codec.axis=0": "codec.axis is named in no file; chains that take +codec.axis=VALUE:"
    " int8, int4",
    "simulate codec=slicer +codec.step=0.2": "unknown option of slicer 'step'; nearest: ties;"
    " chains with it: ecsq",
    "simulate codec=ecsq +codec.calibration=no.npz": "no.npz: no such calibration",
    "simulate link.step=1": "unknown field 'link.step'",
    "simulate model=resnet34": "unknown cut 'stage3' (the default); resnet34 has input, stem,"
    " layer1, layer2, layer3.4, layer3, layer4, output",
    "simulate model=resnet34 cut=stage1": "unknown cut 'stage1'; nearest: stem; resnet34 has input,"
    " stem, layer1, layer2, layer3.4, layer3, layer4, output",
    "plan model=mobilenet_v2 slo.p95_s=1 cut=x": "unknown cut 'x'; mobilenet_v2 has input, stem,",
    "codec model=resnet34": "resnet34 has no cut 'stage2' behind a stage; it has stem, layer1,",
    "simulate workload.kind=replay workload.replay_csv=no.csv": "no.csv: no such file",
    "simulate workload.kind=replay workload.replay_csv=/": "/: is a directory",
    "codec activations=no.npy": "activations=no.npy: no such file",
    "simulate name=ünï": "cannot read 'name=ünï': a value with letters beyond a-z is written in"
    " quotes of both kinds: 'name=\"ünï\"'",
    "simulate name=a=b": "cannot read 'name=a=b': a value with = is written in quotes of both"
    " kinds: 'name=\"a=b\"'",
    "simulate name=it's": "cannot read \"name=it's\": a value with ' is written in quotes",
    "simulate name=a{b": "cannot read 'name=a{b': a value with { is written in quotes",
    "simulate sweep=[seed=1]": "cannot read 'sweep=[seed=1]': within brackets quote what holds",
    "simulate ünï=3": "unknown field 'ünï'",
    "simulate name=a,b": "'name=a,b' names several values: -m plays each, 'name=\"a,b\"' is one",
}
"""Lines of words without blanks, and how what is said of them begins."""

WORDS_OF_THE_GRAMMAR = ("viable", "mismatched", "Lexer", "EOF", "Errno", "extraneous", "token")


@pytest.fixture(scope="module", autouse=True)
def elsewhere(workplace):
    """What is refused late has locked its folder of outputs by then."""
    with chdir(workplace):
        yield


@pytest.mark.parametrize("line", MISTAKES)
def test_a_mistake_is_one_line_and_status_2(line, capfd):
    assert run(line.split()) == 2
    error = capfd.readouterr().err
    assert error.count("\n") == 1, error
    assert error.startswith(f"splitfleet: {MISTAKES[line]}")
    assert not any(word in error for word in WORDS_OF_THE_GRAMMAR)


@pytest.mark.parametrize("name", ["ünï", "a=b", "日本", "it's", "a{b}", "a b", "x,y", "(a)"])
def test_what_the_refusal_says_to_write_is_read_as_it_stands(name, capfd):
    line = ["simulate", "request=by_hand", "dry_run=true"]
    if run([*line, f"name={name}"]):
        said = capfd.readouterr().err.rstrip().removesuffix(" is one")
        word = shlex.split(re.search(r"'name=\".*$", said)[0])[0]
        assert run([*line, word]) == 0
    assert f"nothing written to outputs/{name}\n" in capfd.readouterr().err


@settings(max_examples=60)
@given(value=st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=8))
def test_whatever_a_name_is_it_is_taken_or_refused_in_our_words(value):
    before = set(Path("outputs").glob("*"))
    with redirect_stderr(io.StringIO()) as said, redirect_stdout(io.StringIO()):
        status = run(["simulate", f"name={value}", "request=by_hand", "dry_run=true"])
    assert status in (0, 2)
    assert said.getvalue().count("\n") == 1, said.getvalue()  # of a dry run: what is not written
    assert not any(word in said.getvalue() for word in WORDS_OF_THE_GRAMMAR if word not in value)
    assert set(Path("outputs").glob("*")) <= before | {Path("outputs/cache")}


@pytest.mark.parametrize("line", ["simulate model=resnet34", "codec model=vgg16 cut=x"])
def test_cuts_are_listed_before_a_network_is_made(line, monkeypatch, capfd):
    monkeypatch.setattr(models, "create", lambda *_, **__: pytest.fail("a network was made"))
    assert run(line.split()) == 2
    assert "has" in capfd.readouterr().err


@pytest.mark.parametrize("name", ["scenes", "digits", "resnet34", "mobilenet_v2"])
def test_the_stages_known_beforehand_are_the_networks(name):
    assert models.stages(name) == models.create(name).stages


@pytest.mark.slow
@pytest.mark.parametrize("name", ["efficientnet_b0", "swin_t", "vgg16", "densenet121"])
def test_the_stages_known_beforehand_are_those_of_heavy_networks(name):
    assert models.stages(name) == models.create(name).stages


def test_without_arguments_it_lists_every_command(capfd):
    assert run([]) == 0
    out = capfd.readouterr().out
    places = [out.index(f"\n{group}\n") for group in ("answer", "measure", "study", "figures")]
    assert places == sorted(places)
    for command in commands.names():
        assert f"\n{command} " in out


def test_help_says_what_every_field_means_and_hides_those_that_search_refuses(capfd):
    assert run(["search", "--help"]) == 0
    shown = capfd.readouterr().out
    assert "what the machine is, in words" in shown
    for hidden in ("request = ", "members = ", "alternatives = ", "policy = ", "session.n_tokens"):
        assert f"\n{hidden}" not in shown


def test_every_command_stands_in_exactly_one_group():
    listed = [name for group in commands.group().values() for name in group]
    assert sorted(listed) == commands.names()
    first = {group: names[0] for group, names in commands.group().items()}
    assert first == {
        "answer": "plan", "measure": "profile", "study": "sensitivity", "figures": "figures",
    }  # fmt: skip


def examples(name):
    """The command lines that `--help` prints, each as a list of words."""
    return [shlex.split(line, comments=True)[1:] for line in help.examples(commands.load(name))]


@pytest.mark.parametrize("name", commands.names())
def test_every_example_of_help_composes(name, capfd):
    assert run([name, "--help"]) == 0
    shown = capfd.readouterr().out
    assert examples(name)
    for first, *words in examples(name):
        assert first == name
        assert " ".join([first, *words]) in shown
        schema = commands.load(name).schema
        register(name, schema)
        given = [re.sub(r",.*$", "", word) for word in words if "=" in word]
        with hydra.initialize_config_module("conf", version_base="1.3"):
            assert isinstance(to_spec(hydra.compose(name, given)), schema)


@pytest.mark.parametrize(
    ("name", "less"),
    [
        ("search", ["answers=40", "replications=2"]),
        ("simulate", [*QUICK, "replications=2"]),
    ],
)
def test_quick_examples_run(name, less, workplace, monkeypatch, capfd):
    monkeypatch.chdir(workplace)
    for words in examples(name):
        assert run([*words, *less, f"name=example_{name}"]) == 0, capfd.readouterr().err


def test_help_names_fields_with_defaults_and_units(capfd):
    assert run(["simulate", "--help"]) == 0
    out = capfd.readouterr().out
    assert "fleet.n_devices = 1" in out
    assert "link.rate_bps = 7.3125e+07 (bit/s)" in out


def test_listing_loads_no_heavy_library():
    probe = (
        "import sys; from scenarios.__main__ import run; run([]); "
        "print([m for m in ('torch', 'simpy', 'matplotlib') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert out.stdout.rstrip().endswith("[]")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("splitfleet sim", "simulate"),
        ("splitfleet simulate fleet.n_dev", "fleet.n_devices="),
        ("splitfleet simulate lin", "link="),
        ("splitfleet simulate link=wi", "link=wifi"),
    ],
)
def test_completion(line, expected, monkeypatch, capfd):
    monkeypatch.setenv("COMP_LINE", line)
    assert run(["-sc", "query=bash"]) == 0
    assert expected in capfd.readouterr().out.split()
