"""Sessions of recorded lengths: what a file asks for is played, or said not to be."""

from collections import Counter
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import sim
from sim.devices.arrivals import arrivals
from sim.devices.replay import with_recorded_sizes
from sim.planning.forecast.work import predict_work
from sim.sources.draw import Draw
from sim.sources.sessions import mean_request, steps_of
from sim.sources.sizes import Size, SizedSessions, held, session_of

HEADS = {
    "azure": "TIMESTAMP,ContextTokens,GeneratedTokens",
    "vidur": "arrived_at,num_prefill_tokens,num_decode_tokens",
    "burstgpt": "Timestamp, Session ID, Elapsed time, Model, Request tokens, Response tokens,"
    " Total tokens, Log Type",
}
SIZES = st.lists(
    st.tuples(st.integers(0, 40), st.integers(1, 90), st.integers(1, 9)), min_size=1, max_size=12
)


def rows_of(layout, sizes):
    """(time in s, prompt, tokens) as lines of a layout."""
    for time_s, prompt, tokens in sizes:
        if layout == "azure":
            yield f"2023-11-16 18:{time_s // 60:02d}:{time_s % 60:02d}.0000000,{prompt},{tokens}"
        elif layout == "vidur":
            yield f"{time_s}.0,{prompt},{tokens}"
        else:
            yield f"{time_s},,,GPT-4,{prompt},{tokens},{prompt + tokens},API log"


def workload(folder, layout, sizes, **fields):
    path = folder / "sessions.csv"
    path.write_text("\n".join([HEADS[layout], *rows_of(layout, sizes)]))
    return sim.WorkloadSpec(kind="replay", replay_csv=str(path), **fields)


def cost(size):
    """A millisecond for every token of the prompt, 2 ms and the prompt's in microseconds later."""
    prompt_s, token_s = 1e-3 * size.prompt_tokens, 2e-3 + 1e-6 * size.prompt_tokens
    return (
        Draw(0, 0.0, 100.0 * size.prompt_tokens, 0.0, prompt_s, 4.0, np.nan, size.prompt_tokens),
        Draw(0, 0.0, 100.0, 0.0, token_s, 4.0, np.nan),
    )


def sized():
    prompt, token = cost(Size(10, 4))
    return SizedSessions(cost=cost, prompt=prompt, token=token, n_tokens=4)


def constant(n_tokens=5):
    prompt, token = cost(Size(10, 4))
    return sim.ConstantSessions(prompt=prompt, token=token, n_tokens=n_tokens)


def play(load, source, n_devices=2, **fields):
    spec = sim.SystemSpec(
        link=sim.LinkSpec(sharing="dedicated", rate_bps=1e9),
        fleet=sim.FleetSpec(n_devices=n_devices),
        workload=load,
        **{"horizon_s": 200.0, "warmup_s": 0.0, **fields},
    )
    return sim.run(spec, {"default": source})


@pytest.mark.parametrize("layout", HEADS)
@given(sizes=SIZES)
def test_every_session_is_played_at_its_time_with_its_lengths(tmp_path_factory, layout, sizes):
    load = workload(tmp_path_factory.getbasetemp(), layout, sizes)
    result = play(load, sized())
    start = min(time for time, _, _ in sizes) if layout == "azure" else 0
    wanted = Counter((time - start, 100 * (prompt + n - 1), n) for time, prompt, n in sizes)
    records = result.records
    seen = zip(records["created_s"], records["payload_bytes"], records["tokens"], strict=True)
    assert Counter((round(t, 6), round(size), n) for t, size, n in seen) == wanted
    assert not any("not played" in word for word in result.warnings)


def test_devices_take_sessions_by_turns_in_the_order_of_their_times(tmp_path):
    load = workload(tmp_path, "vidur", [(9, 1, 1), (3, 2, 2), (5, 3, 3)])
    found = arrivals(load, 2)
    assert found.times_s == {0: (3.0, 9.0), 1: (5.0,)}
    assert found.sizes == {0: (Size(2, 2), Size(1, 1)), 1: (Size(3, 3),)}


def test_a_measured_source_plays_its_tokens_and_says_what_it_does_not(tmp_path):
    load = workload(tmp_path, "vidur", [(0, 10, 3), (20, 10, 5), (40, 30, 9)])
    result = play(load, constant(5))
    assert sorted(result.records["tokens"]) == [3, 5, 5]
    said = " ".join(result.warnings)
    assert (
        f"the prompts of {load.replay_csv} are not played: those of constant sessions are" in said
    )
    assert "1 of 3 sessions of" in said
    assert "end at the 5 tokens that constant sessions holds" in said
    alike = workload(tmp_path, "vidur", [(0, 10, 3), (20, 10, 5)])
    assert not any("tokens" in word for word in play(alike, constant(5)).warnings)


def test_requests_without_tokens_are_said_to_have_none(tmp_path):
    load = workload(tmp_path, "azure", [(0, 10, 3), (20, 10, 5)])
    result = play(load, sim.ConstantSource(server_s=0.01))
    assert len(result.records["done_s"]) == 2
    assert any("token counts" in word and "no sessions" in word for word in result.warnings)


def test_a_limit_on_tokens_still_ends_a_session(tmp_path):
    load = workload(tmp_path, "vidur", [(0, 10, 3), (20, 10, 9)], max_new_tokens=4)
    assert sorted(play(load, sized()).records["tokens"]) == [3, 4]


def test_a_session_is_a_prefix_of_the_record(tmp_path):
    stream, source = np.random.default_rng(0), constant(5)
    whole, part = source.session(stream), session_of(source, stream, Size(99, 2))
    assert part.steps == whole.steps[:2]
    assert (len(part.device_bytes), len(part.server_bytes)) == (2, 2)
    assert session_of(source, stream, None) == whole
    assert held(source) == ({10}, 5)


def test_unlike_sessions_share_an_iteration_at_their_mean(tmp_path):
    """Without gain a batch takes what its steps take alone; alike steps cost what they did."""
    prompt, token = cost(Size(10, 4))
    source = SizedSessions(
        cost=cost, prompt=prompt, token=token, n_tokens=4, batch_slope_s=token.server_s
    )
    steps = [source.session_of(Size(p, 3)).steps[1] for p in (10, 500, 4000)]
    assert source.batch_s(steps) == pytest.approx(sum(step.server_s for step in steps))
    usual = sim.ConstantSessions(
        prompt=prompt, token=token, n_tokens=4, batch_slope_s=token.server_s
    )
    assert source.batch_s([prompt, token, token]) == usual.batch_s([prompt, token, token])


def test_the_means_are_those_of_the_file(tmp_path):
    spec = sim.SystemSpec(
        link=sim.LinkSpec(sharing="dedicated"), horizon_s=50.0,
        workload=workload(tmp_path, "vidur", [(0, 10, 3), (20, 30, 5), (40, 50, 1)]),
    )  # fmt: skip
    source = with_recorded_sizes(spec, {"default": sized()})["default"]
    assert steps_of(source) == pytest.approx(3.0)
    assert source.mean().server_s == pytest.approx(0.03)
    assert source.mean().new_tokens == 30
    later = (2 * (2e-3 + 1e-5) + 4 * (2e-3 + 3e-5)) / 6
    assert source.token_mean().server_s == pytest.approx(later)
    assert mean_request(source).server_s == pytest.approx(0.03 + 2 * later)
    work = predict_work(spec, {"default": source})
    assert work.events > predict_work(spec, {"default": sized().recorded([Size(30, 1)])}).events


def test_smaller_payloads_are_those_of_recorded_sessions_too():
    half = sized().scale_payloads(0.5)
    assert half.session_of(Size(30, 2)).steps[0].payload_bytes == 1500.0
    assert sized().session_of(Size(30, 2)).steps[0].payload_bytes == 3000.0


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("0,10", "line 2: must have 3 cells as its header, got 2"),
        ("0,10,nan", "line 2: num_decode_tokens must be a whole number .*, got 'nan'"),
        ("0,0,5", "line 2: num_prefill_tokens must be above 0 where tokens are generated"),
        ("0,-1,5", "line 2: num_prefill_tokens must be a whole number .*, got '-1'"),
        ("inf,1,5", "line 2: arrived_at must be a number >= 0, got 'inf'"),
        ("0,1e9,5", "got '1e9'"),
    ],
)
def test_lengths_that_are_none_are_refused(tmp_path, lines, said):
    path = tmp_path / "sessions.csv"
    path.write_text(f"{HEADS['vidur']}\n{lines}\n")
    spec = partial(sim.WorkloadSpec, kind="replay", replay_csv=str(path))
    with pytest.raises(ValueError, match=said):
        arrivals(spec(), 2)
    path.write_text(f"{HEADS['vidur']}\n0,1,1\n")
    with pytest.raises(ValueError, match="needs a column timestamp"):
        arrivals(spec(replay_format="azure"), 2)
