"""The limits that plan and search share."""

import pytest

from sim.planning.limits.budget import Missed, Refusal
from sim.planning.limits.slo import Slo, check_memory


def test_every_limit_that_is_simulated_is_a_goal() -> None:
    goals = Slo(mean_s=0.1, ttft_p95_s=0.2, tpot_mean_s=0.03, accuracy_drop_pp=0.0).goals
    assert [goal.column for goal in goals] == ["latency_mean_s", "ttft_p95_s", "tpot_mean_s"]


def test_limits_of_tokens_do_not_apply_to_a_network_that_answers_once() -> None:
    slo = Slo(p95_s=1.0, tpot_p95_s=0.1)
    slo.check_tokens("bytellama", generates=True)
    with pytest.raises(ValueError, match=r"slo\.tpot_p95_s does not apply: no tokens"):
        slo.check_tokens("scenes", generates=False)


def test_memory_is_checked_where_it_is_known() -> None:
    check_memory(Slo(), None, "all")
    slo = Slo(memory_bytes=1e6)
    check_memory(slo, 1e6, "codec ecsq")
    with pytest.raises(Missed, match=r"codec ecsq takes 2e\+06 bytes"):
        check_memory(slo, 2e6, "codec ecsq")
    with pytest.raises(Refusal, match="cannot be checked for codec ecsq"):
        check_memory(slo, None, "codec ecsq")
