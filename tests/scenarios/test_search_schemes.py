"""`search scheme=NAME`: its cuts, codecs and options, on the small network of the digits."""

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import splitfleet as sf
from profiles.tables.quality import drop_interval, paired_drop
from profiles.tables.split import Split
from scenarios.__main__ import run
from scenarios.searching.schemes import SchemeTables, Way
from scenarios.searching.spanning import find_scheme_tables
from sim.search import Group, Predictor, Problem
from sim.sources.source import rows_of
from sim.specs import LinkSpec, ServerSpec
from sim.validation.playback import play

EXIT = ["scheme=early_exit", "device=raspberry_pi_zero_2w", "answers=400", "slo.mean_s=0.05"]
OVER = 'over=[cut,"codec=raw32,int8","scheme.threshold=0.5,0.97,1.0"]'
FREE = LinkSpec(sharing="dedicated", rate_bps=1e12, header_bytes=0)
WIFI = LinkSpec(sharing="wifi", rate_bps=60e6, mtu_bytes=1400, frame_airtime_s=3.2e-5, rtt_s=2e-3)


def decided(*words: str, name: str) -> dict:
    assert run(["search", *words, f"name={name}"]) == 0
    return json.loads(Path(f"outputs/{name}/search.json").read_text())


def spanned(*over: str, **parts) -> SchemeTables:
    """The options of a scheme on 40 samples, as the command would find them."""
    from scenarios.commands import search
    from scenarios.systems.sheets import codecs

    model = sf.model("digits", samples=40, repeats=1)
    config = sf.case(model, device="raspberry_pi_zero_2w", **parts).config
    fields = {name: getattr(config, name) for name in sf._parts().field_names(type(config))}
    return find_scheme_tables(search.Config(**fields, over=list(over), codecs=codecs()))


@pytest.fixture(scope="module")
def exits(workplace) -> SchemeTables:
    """Early exit of digits behind either layer, under three thresholds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(workplace)
        over = ("cut", "codec=raw32,int8", "scheme.threshold=0.97,0.999,1.0")
        return spanned(*over, scheme="early_exit")


def machines(known: SchemeTables):
    config = sf.case("digits", device="raspberry_pi_zero_2w").config
    return config.device, config.server


def test_a_decision_over_cuts_codecs_and_thresholds_stands_beside_its_simulation(quick, capfd):
    words = [*quick, *EXIT, OVER, "slo.accuracy_drop_pp=12", "compare=true"]
    found = decided(*words, name="over")
    decision = found["decision"]
    assert set(decision["option"]) == {"cut", "setting", "tokens", "scheme", "threshold"}
    assert decision["option"]["threshold"] in (0.5, 0.97, 1.0)
    predicted, simulated = decision["predicted"], decision["simulated"]
    assert simulated["latency_s"][0] == pytest.approx(predicted["latency_s"], rel=0.05)
    assert found["searches"]["exhaustive"]["evaluations"] == 2 * 2 * 3
    assert found["searches"]["exhaustive"]["option"] == decision["option"]
    assert found["runner-up"]["predicted"]["server_s"] >= predicted["server_s"]
    said = capfd.readouterr().out
    option = decision["option"]
    wanted = f"decision: {option['cut']}/{option['setting']}, threshold {option['threshold']}"
    assert wanted in said
    about = json.loads(Path("outputs/over/run.json").read_text())["provenance"]["scheme"]
    assert about["trained_on"] == "scikit-learn's digits, 8 x 8"


def test_the_stricter_the_loss_the_more_is_sent(quick):
    """No loss at all leaves the late answers without a codec's error."""
    loads = []
    for limit in (0.0, 100.0):
        words = [*quick, *EXIT, OVER, f"slo.accuracy_drop_pp={limit:g}", "answers=0"]
        decision = decided(*words, name="strict")["decision"]
        loads.append(decision["predicted"]["server_s"])
        if limit == 0.0:
            assert decision["option"]["threshold"] == 1.0
            assert decision["option"]["setting"] == "raw32"
    assert loads[0] > loads[1]


@pytest.mark.parametrize("load", [0.3, 0.7, 0.9])
def test_the_gpu_of_a_gated_scheme_is_an_mg1_queue_of_what_is_sent(exits, load):
    """Pollaczek and Khinchine over the rows that go on, by hand; waits of the device besides."""
    options = exits.options(*machines(exits))
    device, server = machines(exits)
    for row, label in enumerate(options.labels):
        rows = rows_of(exits.source(label, device, server))
        held_s = np.array([one.decode_s + one.server_s if one.is_sent else 0.0 for one in rows])
        n, rate = 100_000, load / held_s.mean()
        wait_s = 0.5 * rate * (held_s**2).mean() / (1.0 - load)
        sent = np.mean([one.is_sent for one in rows])
        device_s = np.array([one.device_s for one in rows])
        own = rate / n
        own_s = 0.5 * own * (device_s**2).mean() / (1.0 - own * device_s.mean())
        exact_s = device_s.mean() + own_s + held_s.mean() + sent * wait_s
        group = Group(options=options, rate_bps=1e12, n_devices=n, rate_rps=own)
        problem = Problem(groups=(group,), link=FREE, server=ServerSpec())
        found = Predictor(problem).predict(np.array([[row]]))
        assert found.latency_s[0, 0] == pytest.approx(exact_s, rel=1e-5)  # and bytes at 1 Tb/s
        assert found.server_load[0] == pytest.approx(load, rel=1e-9)
        assert found.server_s[0] == pytest.approx(held_s.mean(), rel=1e-9)


@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize(("load", "worst"), [(0.3, 0.02), (0.6, 0.03), (0.85, 0.08)])
def test_early_exit_is_played_as_it_is_predicted(exits, load, worst, closed):
    """Every threshold at three loads of the busier of link and server."""
    device, server = machines(exits)
    options = exits.options(device, server)
    for threshold in (0.97, 0.999, 1.0):
        row = options.labels.index(
            Split("layer1", f"int8, threshold {threshold:g}" + ".0" * (threshold == 1.0))
        )

        def problem(row=row, **fleet):
            group = Group(options=options, rate_bps=60e6, n_devices=40, **fleet)
            return Problem(groups=(group,), link=WIFI)

        alone = Predictor(problem(rate_rps=1e-9)).predict(np.array([[row]]))
        busiest_s = 40 * max(alone.link_load[0], alone.server_load[0]) / (40 * 1e-9)
        fleet = {"rate_rps": load / busiest_s}
        if closed:
            fleet = {"think_s": max(1e-6, busiest_s / load - float(alone.latency_s[0, 0]))}
        asked = problem(**fleet)
        found = Predictor(asked).predict(np.array([[row]]))
        source = exits.source(options.labels[row], device, server)
        played = play(asked, [row], [source], answers=20_000)
        apart_s = [one.device_s + one.is_sent * 3e-3 for one in rows_of(source)]
        drawn_s = 4.0 * np.std(apart_s) / np.sqrt(20_000)  # of the rows that a run has drawn
        latency_s = float(found.latency_s[0, 0])
        assert played.latency_s[0] == pytest.approx(latency_s, abs=worst * latency_s + drawn_s)
        assert played.link_load == pytest.approx(found.link_load[0], rel=0.1)
        assert played.server_s == pytest.approx(found.server_s[0], rel=0.1)


def test_losses_are_those_of_early_answers_against_the_late_ones(exits):
    options = exits.options(*machines(exits))
    for label, loss in zip(options.labels, options.drop_pp, strict=True):
        known, split = exits.ways[label].known, exits.ways[label].split
        exact = exits.name(label)["threshold"] == 1.0 and split.setting == "raw32"
        late = known.table.cell("correct", "output", "raw32")
        right = np.where(known.ends, known.table.columns["exit_correct"],
                         known.table.cell("correct", split.cut, split.setting))  # fmt: skip
        assert loss == (0.0 if exact else pytest.approx(100.0 * paired_drop(late, right).hi))


@dataclass(eq=False)
class Stub:
    """A variant of a scheme whose answers are given: `late` without codec, `made` under one."""

    late: np.ndarray
    made: np.ndarray
    digest: str
    early = None

    @property
    def table(self):
        return SimpleNamespace(provenance={"model_digest": self.digest})

    @property
    def heard(self):
        error = np.array([0.0 if np.array_equal(self.late, self.made) else 0.1])
        return SimpleNamespace(columns=("relative_l2",), cell=lambda *_: error)

    def whole(self, split):
        return self.late

    def right(self, split):
        return self.made


def test_another_variant_is_held_against_the_best_ones_answers():
    """A narrow bottleneck loses nothing to its codec, and much to the wide one's answers."""
    good, poor = np.arange(100.0) >= 5.0, np.arange(100.0) >= 30.0
    stubs = {"wide": Stub(good, good, "w"), "worn": Stub(good, np.roll(good, 2), "w"),
             "narrow": Stub(poor, poor, "n"), "twin": Stub(good, good, "t")}  # fmt: skip
    ways = {Split("cut", name): Way(stub, Split("cut", "c"), {}) for name, stub in stubs.items()}
    known = SchemeTables(scheme="stub", ways=ways)
    loss = dict(zip(stubs, map(known._drop_pp, ways.values()), strict=True))
    assert loss["wide"] == 0.0  # an exact copy of the best
    assert loss["worn"] == 100.0 * drop_interval(100, 2, 2).hi
    assert loss["narrow"] == 100.0 * drop_interval(100, 25, 0).hi
    assert loss["twin"] == 100.0 * drop_interval(100, 0, 0).hi  # right as often so far


def test_knobs_are_spelled_out_and_what_is_typed_stays(quick):
    words = [*quick, *EXIT, "slo.accuracy_drop_pp=100", "answers=0", "compare=true"]
    every = decided(*words, "over=[scheme.threshold]", "codec=raw32", "cut=layer1", name="knobs")
    assert every["searches"]["exhaustive"]["evaluations"] == 6
    assert every["decision"]["option"]["cut"] == "layer1"
    fixed = decided(*words, "cut=layer2", "scheme.threshold=1.0", "methods=few", name="typed")
    assert fixed["searches"]["exhaustive"]["evaluations"] == 3  # raw16, slicer, ecsq
    assert fixed["decision"]["option"]["cut"] == "layer2"
    assert "threshold" not in fixed["decision"]["option"]


@pytest.mark.parametrize(("words", "said"), [
    (["over=['link=wifi,lte']"], "over: a search chooses cut, codec and scheme.OPTION, got link"),
    (["over=['scheme.threshold=0.9,2']", "codec=raw32"],
     "over: scheme.threshold=2: scheme.threshold must be in 0..1, got 2"),
    (["over=[scheme.beta]"], "unknown axis of over 'scheme.beta'"),
    (["over=[cut]", "cut=layer1"], "over chooses cut, which the command line fixes; leave one"),
    (["over=['codec=raw32']"],
     "scheme=early_exit has nothing to search here but layer1/raw32; splitfleet plan"),
    (["cut=layer1", "over=['codec=raw8']"], "over: codec=raw8: cut=layer1 sends features"),
    (["sizes=predicted"], "sizes=predicted is about the stored tables of a network"),
    (["ship=true"], "ship is about the stored tables of a network, got scheme=early_exit"),
    (["trace=some.npz"], "trace"),
    (["workload.adapt_rounds=5"], "workload.adapt_rounds must be 0, got 5"),
    (["slo.mean_s=null"], "search of digits needs slo.mean_s"),
    (["slo.p95_s=0.1"], "slo.p95_s does not apply: search predicts means"),
    (["link.transport=bit_error", "over=['codec=slicer']"], "codec=slicer"),
    (["scheme=split", "over=[cut]"], "without a scheme over is not asked, got ['cut']"),
    (["scheme=rans"], "scheme=rans is a network under its codec: without a scheme, search"),
    (["scheme=split", "cut=stage1"], "without a scheme cut is not asked, got stage1"),
    (["scheme=split", "codec=int8"], "without a scheme codec is not asked, got int8"),
    (["scheme=split", "link.transport=bit_error"],
     "without a scheme link.transport is not asked, got bit_error: the stored tables hold answers"),
])  # fmt: skip
def test_what_a_search_cannot_be_is_refused_in_a_line(quick, capfd, words, said):
    given = {word.split("=", 1)[0] for word in words}
    usual = [one for one in EXIT if one.split("=", 1)[0] not in given]
    assert run(["search", *quick, *usual, *words]) == 2
    told = capfd.readouterr().err.splitlines()[-1]
    assert said in told


def test_what_is_asked_is_not_chosen(quick, capfd):
    """Another fold is judged on other digits."""
    words = ["scheme=early_exit", "codec=raw32", "slo.mean_s=1", "over=['scheme.fold=0,1']"]
    assert run(["search", *quick, *words]) == 2
    assert "over: scheme.fold changes what is asked" in capfd.readouterr().err


def test_a_sweep_of_searches_is_a_row_each(quick):
    words = [*quick, *EXIT, "slo.accuracy_drop_pp=0,100", "answers=0", OVER, "name=several"]
    assert run(["search", "-m", *words]) == 0
    with Path("outputs/several/results.csv").open() as file:
        strict, lax = csv.DictReader(file)
    assert (strict["scheme"], strict["cut"], strict["threshold"]) == ("early_exit", "layer2", "1.0")
    assert float(lax["server_s_per_request"]) < float(strict["server_s_per_request"])


def test_the_door_searches_a_network_and_a_scheme(workplace, monkeypatch):
    monkeypatch.chdir(workplace)
    plain = sf.case("scenes", device="raspberry_pi_zero_2w", n_devices=12, replications=2)
    choice = plain.search(mean_s=0.025, answers=400, accuracy_drop_pp=3)
    assert repr(choice).startswith("Choice(stage2/s0.9-d0.03-m1-a1: 1.33 server ms, latency 23.0")
    assert choice["runner_up"]["option"]["setting"] == "s0.9-d0.01-m1-a1"
    with pytest.raises(ValueError, match=r"least relaxation: slo\.mean_s from 0.002 to"):
        plain.search(mean_s=0.002)
    with pytest.raises(ValueError, match="unknown limit or field of search 'mean_q'"):
        plain.search(mean_q=1)
    with pytest.raises(ValueError, match="a search finds the split, got split='stage2/ecsq'"):
        plain.change(split="stage2/ecsq").search(mean_s=1)
    gated = sf.case(sf.model("digits", samples=40, repeats=1), scheme="early_exit", n_devices=8)
    found = gated.search(mean_s=1, accuracy_drop_pp=100, answers=0, over=[
        "cut", "codec=raw32", "scheme.threshold=0.97,1.0"])  # fmt: skip
    assert found["option"]["threshold"] == 0.97
    assert found["simulated"] is None
    assert "threshold 0.97" in repr(found)
