"""Every data sheet in conf/ is a valid spec under its own name, headed by a comment."""

from pathlib import Path

import pytest
import yaml

from profiles.tables.hardware import DeviceSpec, ServerSpec, parse

CONF = Path(__file__).parents[2] / "conf"
SHEETS = [
    *((path, DeviceSpec) for path in sorted((CONF / "device").glob("*.yaml"))),
    *((path, ServerSpec) for path in sorted((CONF / "server").glob("*.yaml"))),
]


@pytest.mark.parametrize(("path", "spec"), SHEETS, ids=lambda value: getattr(value, "stem", ""))
def test_sheet_is_valid_and_sourced(path, spec):
    text = path.read_text()
    assert text.startswith("# ")
    sheet = parse(spec, yaml.safe_load(text))
    assert sheet.name == path.stem
    assert sheet.title
