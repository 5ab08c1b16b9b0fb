"""Every data sheet in conf/ is a valid spec under its own name, headed by a comment."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from profiles.tables import sheets
from profiles.tables.hardware import DeviceSpec, parse
from scenarios.systems.scenario import Server

CONF = Path(__file__).parents[2] / "conf"
SHEETS = [
    *((path, DeviceSpec) for path in sorted((CONF / "device").glob("*.yaml"))),
    *((path, Server) for path in sorted((CONF / "server").glob("*.yaml"))),
]


@pytest.mark.parametrize(("path", "spec"), SHEETS, ids=lambda value: getattr(value, "stem", ""))
def test_sheet_is_valid_and_sourced(path, spec):
    assert path.read_text().startswith("# ")
    sheet = parse(spec, sheets.read(path))
    assert sheet.name == path.stem
    assert sheet.title


@pytest.mark.parametrize("folder", ["device", "server", "link", "codec"])
def test_a_sheet_reads_as_hydra_reads_it(folder):
    for path in sorted((CONF / folder).glob("*.yaml")):
        assert sheets.read(path) == OmegaConf.to_container(OmegaConf.load(path))


VALUES = ["1e6", "1.3e12", "1e-3", "-2E+3", "+1.", ".5", "1_000.5", ".inf", "-.inf", "1_0e3", "12"]
VALUES += ["1_000", "2025-01-01", "e5", "1e", ".e3", "1.3e12 FLOP", "0x10", "true", "yes", "~"]


@pytest.mark.parametrize("text", VALUES)
def test_a_number_is_a_number_as_on_the_command_line(text, tmp_path):
    path = tmp_path / "sheet.yaml"
    path.write_text(f"peak: {text}\n")
    (value,) = sheets.read(path).values()
    expected = OmegaConf.load(path).peak
    assert value == expected
    assert type(value) is type(expected)


def test_the_numbers_that_yaml_1_1_takes_for_words_are_floats(tmp_path):
    path = tmp_path / "sheet.yaml"
    path.write_text("a: 1e6\nb: 1.3e12\nc: 1e-3\n")
    assert list(sheets.read(path).values()) == [1e6, 1.3e12, 1e-3]
    assert all(type(value) is float for value in sheets.read(path).values())


def test_a_file_without_a_mapping_is_refused(tmp_path):
    path = tmp_path / "sheet.yaml"
    path.write_text("- 1\n")
    with pytest.raises(ValueError, match=r"sheet\.yaml must hold `name: value` lines, got \[1\]"):
        sheets.read(path)
