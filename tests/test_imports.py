"""What an import loads: the frameworks stay where they are used."""

import subprocess
import sys

import pytest

FRAMEWORKS = {"torch", "hydra", "omegaconf", "matplotlib", "transformers", "pandas"}
TABLES = (
    "profiles, profiles.tables.quality, profiles.tables.law,"
    " profiles.predicting.roofline, profiles.predicting.analytic, profiles.predicting.published"
)


@pytest.mark.parametrize(
    ("modules", "never"),
    [
        ("sim", {*FRAMEWORKS, "yaml", "codec"}),
        ("sim.planning, sim.search", {*FRAMEWORKS, "yaml", "codec"}),
        (TABLES, {*FRAMEWORKS, "codec", "numba", "simpy"}),
        ("codec", {*FRAMEWORKS, "simpy", "profiles", "sim"}),
        ("plots.lines, plots.files", {"torch", "pandas", "hydra", "simpy", "profiles", "codec"}),
    ],
)
def test_an_import_loads_no_framework_of_others(modules, never):
    code = f"import sys, {modules}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert never & set(loaded.stdout.split()) == set()
