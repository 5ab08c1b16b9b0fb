"""docs/inputs.md, section Tables with numbers, line by line: each with its right value."""

import dataclasses
import io
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import sim
from profiles.measuring import features
from profiles.predicting.roles import Known
from profiles.shipping import portfolio
from profiles.tables.hardware import parse
from scenarios.__main__ import run
from scenarios.systems import sheets
from scenarios.systems.given import with_given
from scenarios.systems.scenario import Server
from sim.devices.arrivals import arrivals
from sim.medium.rates import read, scale_of, trace_of
from sim.server.service import ServiceLaw
from sim.sources.sizes import Size
from tests.inputs_page import check, lines_of

SECTION = "Tables with numbers"
TIMES = "time_s,factor\n0,1\n5,0.5\n15,\n"
IRISH = "Timestamp,Longitude,Speed,DL_bitrate,UL_bitrate,State\n"
AZURE = "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.9799600,4808,10\n"
VIDUR = "arrived_at,num_prefill_tokens,num_decode_tokens\n"
BURST = (
    "Timestamp, Session ID, Elapsed time, Model, Request tokens, Response tokens, Total tokens,"
    " Log Type\n"
)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """Every line plays in a folder of its own."""
    monkeypatch.chdir(tmp_path)


def put(content):
    data = content.encode() if isinstance(content, str) else content
    Path("file.csv").write_bytes(data)


def link(*contents, factors=(1.0, 0.5), times_s=(0.0, 5.0), length_s=15.0, **fields):
    """A trace; its values at the link's rate of 1 Mbit/s."""

    def play():
        for content in contents:
            put(content)
            spec = sim.LinkSpec(sharing="ps", rate_bps=1e6, rate_csv="file.csv", **fields)
            trace = trace_of(spec)
            assert trace.times_s == pytest.approx(times_s)
            scale = scale_of(spec, trace)
            assert [scale * each for each in trace.factors] == pytest.approx(list(factors))
            assert trace.length_s == pytest.approx(length_s)

    return play


def folder():
    Path("folder").mkdir()
    read("folder")


def replayed(content, times_s, sizes=None, n_devices=2, **fields):
    def play():
        put(content)
        spec = sim.WorkloadSpec(kind="replay", replay_csv="file.csv", **fields)
        found = arrivals(spec, n_devices)
        assert {k: list(v) for k, v in found.times_s.items()} == {
            index: pytest.approx(each) for index, each in times_s.items()
        }
        assert found.sizes == (sizes or {})

    return play


def late():
    put("time_s\n11\n")
    spec = sim.SystemSpec(
        link=sim.LinkSpec(sharing="ps"), horizon_s=10.0,
        workload=sim.WorkloadSpec(kind="replay", replay_csv="file.csv"),
    )  # fmt: skip
    sim.run(spec, {"default": sim.ConstantSource(server_s=0.01)})


def simulate(content, *words):
    """The command; its refusal, one line and status 2, as a ValueError; else what it printed."""
    put(content)
    with redirect_stderr(io.StringIO()) as said, redirect_stdout(io.StringIO()) as shown:
        line = [
            "workload.kind=replay",
            "workload.replay_csv=file.csv",
            "horizon_s=20",
            "warmup_s=0",
        ]
        status = run(["simulate", "replications=1", *line, *words])
    if status == 2:
        raise ValueError(said.getvalue().removesuffix("\n").split("\n")[-1])
    assert status == 0
    return said.getvalue() + shown.getvalue()


def too_long():
    words = ["model=llama2_7b", "cut=layers.0", "codec=int8", "device=jetson_agx_orin"]
    simulate(VIDUR + "0,4096,1\n", *words, "server=h100", "session.n_tokens=4")


def unplayed():
    shown = simulate(VIDUR + "0,40,8\n1,50,8\n", "request=by_hand", "request.server_s=0.01")
    assert "file.csv: Vidur, 2 requests until 1 s, prompts of 40 to 50 tokens, 8 generated" in shown
    assert "warning: the token counts of file.csv are not played" in shown


def service(*contents, mean=2.0):
    def play():
        for content in contents:
            put(content)
            spec = sim.ServerSpec(service_law="empirical", service_csv="file.csv")
            assert ServiceLaw.mean(spec) == pytest.approx(mean)

    return play


def activations(*contents):
    def play():
        for content in contents:
            put(content)
            found = features.of_file(Path("file.csv"))
            assert np.array_equal(found.calibration, np.float32([[1, 2]]))
            assert np.array_equal(found.test, np.float32([[0.5, -4e-3]]))

    return play


def profile(rows, heading=" Cut , batch, Seconds\n"):
    """Seconds of a server, in the network's own order of cuts."""

    def play():
        put("\ufeff" + heading + rows)
        sheet = parse(Server, {**sheets.read("server", "h100"), "profile": "file.csv"})
        known = Known(facts=portfolio.find("digits"), surfaces=())
        (tail,) = with_given(known, sheet, "tail").on(sheet, "tail")
        assert [tail.seconds_at(cut) for cut in ("input", "stage1", "output")] == [4e-3, 3e-3, 0]

    return play


def rates(name, unit):
    return f"time_s,{name}\n0,{unit}\n5,{0.5 * unit}\n15,\n"


UNITS = {"rate_bps": 1e6, "rate_kbps": 1e3, "rate_mbps": 1.0, "throughput_kbps": 1e3}
CLOCK = "time_s,factor\n1600000000,1\n1600000005,0.5\n1600000015,\n"
TABLES = {
    "a byte order mark; lines that end in CRLF or CR": link(
        "\ufeff" + TIMES, TIMES.replace("\n", "\r\n"), TIMES.replace("\n", "\r")
    ),
    "tabs, semicolons or blanks between cells": link(
        *(f"time_s{sign}factor\n0{sign}1\n5{sign}0.5\n" for sign in ("\t", ";", "  ")), length_s=10
    ),
    "quoted cells, blanks and capitals in the header": link(
        '"Time_s", " FACTOR "\n"0", "1"\n5,"0.5"\n15,""\n'
    ),
    "blank lines, lines that begin with #": link(f"# mine\n\n{TIMES}\n,\n  \n# end\n"),
    "further columns, blank cells behind the last one": link(
        "cell,factor,time_s\na,1,0,,\nb,0.5,5\nc,,15,\n"
    ),
    "nothing": link(""),
    "a header alone": link("time_s,factor\n"),
    "NaN": link("time_s,factor\n0,1\n5,nan\n"),
    "infinity": link("time_s,factor\n0,1\n5,inf\n"),
    "a number that no float holds": link("time_s,factor\n0,1\n5,1e999\n"),
    "a negative factor": link("time_s,factor\n0,1\n5,-0.5\n"),
    "a number with its unit": link("time_s,factor\n0,5 Mbit/s\n"),
    "a blank cell": link("time_s,factor\n0,1\n5,\n15,1\n"),
    "decimal commas between semicolons": link("time_s;factor\n0;0,5\n"),
    "decimal commas between commas": link("time_s,factor\n0,0,1,0\n5,0,0,5\n"),
    "a short row": link("time_s,factor\n0,1\n5\n"),
    "a column twice": link("time_s,factor,Factor\n0,1,1\n"),
    "other columns": link("t,f\n0,1\n"),
    "text in UTF-16": link(TIMES.encode("utf-16")),
    "letters in another encoding": link("time_s,tr\u00e4ge\n0,1\n".encode("latin1")),
    "a binary file": link(b"PK\3\4\0\0\0"),
    "a quote that never ends": link('time_s,factor\n0,"1\n5,1\n'),
    "a folder": folder,
    "no file": lambda: read("no.csv"),
    "link: times since 1970, which count from the first": link(CLOCK),
    "link: times in ms since 1970": link("time_s,factor\n1600000000000,1\n1600000005000,0.5\n"),
    "link: the same time twice": link("time_s,factor\n0,1\n0,1\n"),
    "link: times that descend": link("time_s,factor\n0,1\n5,1\n1,1\n"),
    "link: silence alone": link("time_s,factor\n0,0\n5,0\n"),
    "link: factors with a mean above 3": link("time_s,factor\n0,30\n5,20\n10,\n"),
    "link: the same, `rate_format=rate_mbps`": link(
        "time_s,factor\n0,30\n5,20\n15,\n", factors=(30, 20), rate_format="rate_mbps"
    ),
    "link: the same, `rate_format=factor`": link(
        "time_s,factor\n0,30\n5,20\n15,\n", factors=(30, 20), rate_format="factor"
    ),
    "link: `rate_bps`, `rate_kbps`, `rate_mbps`, `throughput_kbps`": link(
        *(rates(name, unit) for name, unit in UNITS.items())
    ),
    "link: `factor` and `rate_mbps`": link("time_s,factor,rate_mbps\n0,1,1\n"),
    "link: no header, commas": link("0,1\n5,0.5\n"),
    "link: rates, `link.rate=mcs`": link(rates("rate_mbps", 1), rate="mcs"),
    "link: Pensieve": link(
        "0\t1.0\n5\t0.5\n", "0 1.0\n5 0.5\n", times_s=(0, 5), length_s=10
    ),
    "link: Mahimahi": link(
        "1\n1\n100\n101\n250\n",
        times_s=(0.0, 0.1, 0.2), factors=(0.36096, 0.12032, 0.24064), length_s=0.25,
    ),
    "link: Mahimahi, descending": link("9\n4\n"),
    "link: Irish 5G, a second twice": link(
        IRISH + "".join(
            f"2020.02.14_09.38.{second},-8.4,0,99999,{rate},D\n"
            for second, rate in ((55, 500), (55, 1500), (57, 300), (59, 200))
        ),
        times_s=(0, 2, 4), factors=(1.0, 0.3, 0.2), length_s=6.0,
    ),
    "link: Irish 5G, another date": link(f"{IRISH}14.02.2020,-8.4,0,1,1,D\n"),
    "arrivals: out of order, two at once": replayed(
        "time_s,device\n3,1\n0.5,0\n0.5,0\n1,1\n", {0: [0.5, 0.5], 1: [1, 3]}
    ),
    "arrivals: times since 1970, which count from the first": replayed(
        "time_s\n1600000002\n1600000000\n1600000003\n", {0: [2, 3], 1: [0]}
    ),
    "arrivals: none within the horizon": late,
    "arrivals: a negative time": replayed("time_s\n-1\n", {}),
    "arrivals: no header": replayed("0\n1\n", {}),
    "arrivals: devices with names": replayed("time_s,device\n0,cam\n", {}),
    "arrivals: a device that is not there": replayed("time_s,device\n0,2\n", {}),
    "arrivals: Azure": replayed(
        AZURE + "2023-11-16 18:17:04.0000000,110,27\n2023-11-16 18:17:05.9799600,7,1\n",
        {0: [0.0, 2.0], 1: [0.02004]}, {0: (Size(4808, 10), Size(7, 1)), 1: (Size(110, 27),)},
    ),
    "arrivals: Vidur": replayed(
        VIDUR + "0.5,40,8\n0.25,50,9\n", {0: [0.25], 1: [0.5]},
        {0: (Size(50, 9),), 1: (Size(40, 8),)},
    ),
    "arrivals: BurstGPT, with requests that failed": replayed(
        BURST + "5,1,2,ChatGPT,472,18,490,Conversation log\n45,,,GPT-4,1087,0,1087,API log\n"
        "118,2,,GPT-4,417,276,693,API log\n",
        {0: [5], 1: [118]}, {0: (Size(472, 18),), 1: (Size(417, 276),)},
    ),
    "arrivals: half a token": replayed(VIDUR + "0,40,2.5\n", {}),
    "arrivals: sessions that generate nothing": replayed(VIDUR + "0,40,0\n", {}),
    "arrivals: more tokens than llama2_7b has": too_long,
    "arrivals: tokens, requests without tokens": unplayed,
    "service: factors, with `sample` or without": service(
        "factor\n1\n3\n", "factor,sample\n1,0\n3,1\n"
    ),
    "service: a factor of 0": service("factor\n0\n"),
    "profile: seconds by cut and batch": profile("input,1,0.004\nstage1,1,.003\noutput,1,0\n"),
    "profile: NaN": profile("input,1,0.004\nstage1,1,nan\n"),
    "profile: half a batch": profile("input,1.5,0.004\n"),
    "profile: no seconds": profile("input,1\n", heading="cut,batch\n"),
    "activations: a sample a row, with a header or without": activations(
        "a,b\n1,2\n0.5,-4e-3\n", "1;2\n0.5;-.004\n"
    ),
    "activations: a number that float32 does not hold": activations("1,2\n1e39,2\n"),
    "activations: NaN": activations("a,b\n1,2\n1,nan\n"),
}  # fmt: skip


def test_every_line_of_the_page_is_played():
    assert list(lines_of(SECTION)) == list(TABLES)


@pytest.mark.parametrize("line", TABLES)
def test_a_line_of_the_page_says_what_is_done(line):
    check(lines_of(SECTION)[line], TABLES[line])


@pytest.mark.parametrize("option", ["link.rate_csv", "workload.replay_csv", "server.service_csv"])
@pytest.mark.parametrize("line", ["nothing", "a column twice", "NaN", "a folder", "no file"])
def test_every_option_refuses_in_one_line_with_status_2(option, line, capfd):
    twice, nan = "factor,time_s,factor\n1,1,1\n", "factor,time_s\n1,0\nnan,nan\n"
    put({"a column twice": twice, "NaN": nan}.get(line, ""))
    path = {"a folder": "/", "no file": "no.csv"}.get(line, "file.csv")
    more = {"workload.replay_csv": ["workload.kind=replay"],
            "server.service_csv": ["server.service_law=empirical"]}.get(option, [])  # fmt: skip
    words = ["request=by_hand", "request.server_s=0.01", "replications=1", "horizon_s=2"]
    assert run(["simulate", *words, "warmup_s=0", f"{option}={path}", *more]) == 2
    said = capfd.readouterr().err
    assert said.count("\n") == 1, said
    assert option in said
    assert said.startswith(f"splitfleet: {path}" if path != "file.csv" else f"splitfleet: {option}")


CELLS = ["0", "1", "0.5", "2", "nan", "inf", "-1", "", "x", "1,5", "1e999", "1600000000", '"', "é"]
READERS = {
    "time_s,factor": lambda: read("file.csv"),
    "time_s,device": lambda: arrivals(
        sim.WorkloadSpec(kind="replay", replay_csv="file.csv"), n_devices=2
    ),
    "factor,sample": lambda: ServiceLaw.mean(
        sim.ServerSpec(service_law="empirical", service_csv="file.csv")
    ),
    "a,b": lambda: features.of_file(Path("file.csv")),
}


@given(
    heading=st.sampled_from(sorted(READERS)),
    rows=st.lists(st.lists(st.sampled_from(CELLS), min_size=1, max_size=3), max_size=3),
    first=st.booleans(),
)
def test_any_table_is_read_or_refused_in_one_line(heading, rows, first):
    """Refused whenever one of its cells is no number; never another error."""
    put("\n".join(([heading] if first else []) + [",".join(row) for row in rows]))
    said = ""
    try:
        READERS[heading]()
    except ValueError as error:
        said = str(error)
    assert "\n" not in said
    if {"nan", "inf", "x", "1e999", '"', "é"} & {cell for row in rows for cell in row}:
        assert said


def test_units_and_repetitions_are_said_and_stand_in_the_row(capfd):
    put("".join(f"{k}\t{1 + k % 2}\n" for k in range(10)))
    line = ["simulate", "request=by_hand", "request.payload_bytes=1000", "replications=1",
            "horizon_s=38", "warmup_s=0", "link.rate_csv=file.csv"]  # fmt: skip
    assert run(line) == 0
    said = capfd.readouterr().err
    assert said.startswith(
        "splitfleet: link.rate_csv=file.csv: Pensieve, mean 1.5 Mbit/s over 10 s, repeated 4 times;"
        " instead of link.rate_bps\n"
    )
    table = Path("outputs/simulate/results.csv").read_text().splitlines()
    row = dict(zip(*(each.split(",") for each in table[:2]), strict=False))
    assert float(row["trace_rate_mean_bps"]) == pytest.approx(1.5e6, rel=0.01)
    assert float(row["trace_factor_mean"]) == pytest.approx(1.0, rel=0.01)


def test_recorded_rates_are_sent_as_they_are_whatever_the_links_own():
    put(rates("rate_mbps", 4.0))
    source = {"default": sim.ConstantSource(payload_bytes=1000)}
    results = []
    for rate_bps in (1e5, 5e7):
        medium = sim.LinkSpec(
            sharing="fifo", rate_bps=rate_bps, header_bytes=0, rate_csv="file.csv"
        )
        load = sim.WorkloadSpec(kind="periodic", rate_rps=10.0)
        spec = sim.SystemSpec(link=medium, horizon_s=30.0, warmup_s=0.0, workload=load)
        results.append(sim.run(spec, source))
        assert set(np.round(results[-1].records["airtime_s"], 9)) == {0.002, 0.004}
        assert results[-1].value("trace_rate_mean_bps") == pytest.approx(8e6 / 3)
    spec = dataclasses.replace(spec, link=dataclasses.replace(medium, trace_rate_bps=25e6))
    assert np.median(sim.run(spec, source).records["airtime_s"]) == pytest.approx(0.002)
