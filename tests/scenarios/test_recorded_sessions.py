"""Llama-2-7B plays a session of recorded length at what it costs where all are of that length."""

from dataclasses import replace

import pytest

from profiles.tables.hardware import parse
from profiles.tables.split import Split
from scenarios.systems import llama2
from scenarios.systems.generations import Session
from scenarios.systems.scenario import Server
from scenarios.systems.sheets import device_sheet, read
from sim.sources.sizes import Size, SizedSessions

CODEC = read("codec", "int8")


@pytest.fixture(scope="module")
def source_of():
    """The sessions of a prompt and a length."""
    server, device = parse(Server, read("server", "h100")), device_sheet("jetson_agx_orin")

    def make(prompt_tokens, n_tokens):
        session = Session(prompt_tokens=117, n_tokens=16, n_prompts=8)
        whole = llama2.measure(session, [CODEC])
        kind = replace(whole, prompt_tokens=prompt_tokens, n_tokens=n_tokens)
        return kind.source(Split("layers.0", "int8", n_tokens), device, server)

    return make


@pytest.mark.parametrize("size", [Size(1, 1), Size(117, 16), Size(374, 44), Size(4000, 96)])
def test_a_session_costs_what_one_of_a_workload_of_its_kind_costs(source_of, size):
    usual = source_of(117, 16)
    assert isinstance(usual, SizedSessions)
    assert usual.session_of(size) == source_of(*size).rows[0]
    assert len(usual.session_of(size).steps) == size.new_tokens


def test_a_session_beyond_the_context_is_refused(source_of):
    with pytest.raises(ValueError, match="must have <= 4,096 tokens, got 4,001 and 96 generated"):
        source_of(117, 16).session_of(Size(4001, 96))
