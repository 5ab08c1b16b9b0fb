"""Memory and latency budgets against direct counts and against sessions in the simulator."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim import ConstantSessions, run
from sim.request import ENDINGS
from sim.search.budget import exit_at, kv_bytes, longest, weight_bytes
from sim.sources.source import Draw
from sim.specs import FleetSpec, GroupSpec, LinkSpec, SystemSpec, WorkloadSpec


@given(
    st.lists(st.integers(0, 10**6), min_size=1, max_size=8), st.integers(0, 8),
    st.sampled_from((4.0, 8.0, 16.0)),
)  # fmt: skip
def test_weights_on_both_sides_are_all_weights(parameters, cut, bits):
    cut = min(cut, len(parameters))
    front, back = weight_bytes(parameters, cut, front_bits=bits, back_bits=bits)
    assert front + back == pytest.approx(sum(parameters) * bits / 8)
    assert front == pytest.approx(sum(parameters[:cut]) * bits / 8)


@given(st.integers(1, 50), st.integers(1, 4), st.integers(1, 64), st.integers(0, 2**32 - 1))
def test_kv_is_the_papers_sum_term_by_term(tokens, cut, width, seed):
    bits = np.random.default_rng(seed).choice([4.0, 8.0, 16.0], 4)
    total = sum(kv_bytes(tokens, cut, 4, width, bits.tolist()))
    expected = 2 * sum(tokens * width * bits[k] for k in range(cut))
    expected += 2 * sum((tokens - 1) * width * bits[k] for k in range(cut, 4))
    expected += width * bits[cut - 1]
    assert total == pytest.approx(expected / 8)


def test_kv_of_llama2_7b_is_the_constant_of_its_data_sheet() -> None:
    """16,384 bytes per token and layer in fp16, keys and values of width 4,096."""
    front, back, moving = kv_bytes(100, 16, 32, 4096, 16.0)
    assert front == 100 * 16 * 16_384
    assert back == 99 * 16 * 16_384
    assert moving == 8192


@given(
    st.floats(0, 1e6), st.floats(0, 1e5), st.floats(0, 1e5), st.floats(1.0, 1e4),
)  # fmt: skip
def test_the_longest_session_fits_and_one_more_token_does_not(limit, fixed, prompt, token):
    tokens = longest(limit, fixed, prompt, token)
    slack = 1e-6 * (limit + token)
    if tokens == 0:
        assert fixed + prompt > limit - slack
        return
    assert fixed + prompt + (tokens - 1) * token <= limit + slack
    assert fixed + prompt + tokens * token > limit - slack


@pytest.mark.parametrize(
    "limits",
    [
        {},
        {"memory_bytes": 1000.0},
        {"memory_bytes": 639.0},
        {"token_limit_s": 0.0099},
        {"session_limit_s": 0.075},
        {"memory_bytes": 840.0, "session_limit_s": 0.075},
    ],
)
def test_a_session_ends_as_in_the_simulator(limits) -> None:
    """Same number of tokens, same reason; a late token is kept, one without room never was."""
    prompt = Draw(0, 0.02, 400.0, 0.0, 0.01, 0.0, math.nan, 64, 0)
    token = Draw(0, 0.005, 100.0, 0.0, 0.005, 0.0, math.nan, 1, 64)
    source = ConstantSessions(prompt=prompt, token=token, n_tokens=12, device_token_bytes=10.0)
    link = LinkSpec(sharing="ps", rate_bps=1e12, header_bytes=0)
    spec = SystemSpec(
        link=link, horizon_s=3.0, warmup_s=0.0,
        fleet=FleetSpec(groups={"a": GroupSpec(memory_bytes=limits.get("memory_bytes"))}),
        workload=WorkloadSpec(
            think_s=0.1, token_deadline_s=limits.get("token_limit_s"),
            session_deadline_s=limits.get("session_limit_s"),
        ),
    )  # fmt: skip
    records = run(spec, {"a": source}).records
    n = 12
    found = exit_at(
        np.array([0.03, *[0.01] * (n - 1)]), np.array([640.0, *[10.0] * (n - 1)]), **limits
    )
    assert found.kept == found.steps
    if found.steps == 0:
        assert not np.any(records["tokens"] > 0)
        return
    assert records["tokens"][0] == found.steps
    assert ENDINGS[int(records["ending"][0])] == found.reason


def test_refusals() -> None:
    with pytest.raises(ValueError, match=r"cut must lie in 0\.\.3, got 4"):
        weight_bytes([1, 2, 3], 4)
    with pytest.raises(ValueError, match="tokens must be >= 1, got 0"):
        kv_bytes(0, 1, 2, 8)
