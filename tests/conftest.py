"""No test is a matter of time; one that needs an extra which is not installed is skipped."""

import gc
import re
from importlib import import_module

import pytest
from hypothesis import settings

from scenarios.__main__ import OBJECTS

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
gc.set_threshold(OBJECTS, *gc.get_threshold()[1:])  # as every command does

EXTRAS = {"models": "transformers", "codecs": "zstandard", "parquet": "pyarrow", "pandas": "pandas"}
_NAMED = re.compile(r"pip install 'splitfleet\[(\w+)\]'")


def missing_extra(error):
    """The extra that an error names, or whose library could not be imported, if it is missing."""
    named = _NAMED.search(str(error))
    library = getattr(error, "name", None) if isinstance(error, ImportError) else None
    for extra, module in EXTRAS.items():
        if (named and named[1] == extra) or str(library).split(".")[0] == module:
            try:
                import_module(module)
            except ImportError:
                return extra
    return None


def _skip(error):
    extra = missing_extra(error)
    if extra is not None:
        pytest.skip(f"needs the extra {extra!r}: pip install 'splitfleet[{extra}]'")


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call():
    try:
        return (yield)
    except Exception as error:
        _skip(error)
        raise


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup():
    try:
        return (yield)
    except Exception as error:
        _skip(error)
        raise
