"""Memory and latency budgets against direct counts and against sessions in the simulator."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim import ConstantSessions, run
from sim.request import ENDINGS
from sim.search.budget import longest
from sim.sources.draw import Draw
from sim.specs import FleetSpec, GroupSpec, LinkSpec, SystemSpec, WorkloadSpec


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


def end_of(step_s, step_bytes, memory_bytes=math.inf, first_limit_s=math.inf,
           token_limit_s=math.inf, session_limit_s=math.inf):  # fmt: skip
    """Tokens made and why no more: memory ends a session before a step, lateness after it."""
    used, spent = 0.0, 0.0
    for k, (seconds, size) in enumerate(zip(step_s, step_bytes, strict=True)):
        used, spent = used + size, spent + seconds
        if used > memory_bytes:
            return k, "memory"
        if k + 1 < len(step_s) and seconds > (token_limit_s if k else first_limit_s):
            return k + 1, "token_deadline" if k else "ttft_deadline"
        if k + 1 < len(step_s) and spent > session_limit_s:
            return k + 1, "session_deadline"
    return len(step_s), "complete"


@pytest.mark.parametrize(
    "limits",
    [
        {},
        {"memory_bytes": 1000.0},
        {"memory_bytes": 639.0},
        {"token_limit_s": 0.0099},
        {"first_limit_s": 0.029},
        {"first_limit_s": 0.031, "token_limit_s": 0.011},
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
            think_s=0.1, ttft_deadline_s=limits.get("first_limit_s"),
            token_deadline_s=limits.get("token_limit_s"),
            session_deadline_s=limits.get("session_limit_s"),
        ),
    )  # fmt: skip
    records = run(spec, {"a": source}).records
    steps, reason = end_of([0.03, *[0.01] * 11], [640.0, *[10.0] * 11], **limits)
    if steps == 0:
        assert not np.any(records["tokens"] > 0)
        return
    assert records["tokens"][0] == steps
    assert ENDINGS[int(records["ending"][0])] == reason
