"""The one reader of YAML sheets (devices, servers, links, codecs), in the dialect of Hydra.

PyYAML alone follows YAML 1.1, in which `1e6` and `1.3e12` are words and `2025-01-01` is a date. On
the command line and in Hydra's files these are two numbers and a word, and so they are here.
"""

import re
from importlib.resources.abc import Traversable
from typing import Any

import yaml  # type: ignore[import-untyped]

_FLOAT, _DATE = "tag:yaml.org,2002:float", "tag:yaml.org,2002:timestamp"
_NUMBER = re.compile(
    r"^(?:[-+]?[0-9][0-9_]*(?:\.[0-9_]*(?:[eE][-+]?[0-9]+)?|[eE][-+]?[0-9]+)"
    r"|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
)


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """Floats as Hydra reads them, and no dates."""

    yaml_implicit_resolvers = {  # noqa: RUF012 (PyYAML's own attribute)
        first: [kind for kind in kinds if kind[0] not in (_FLOAT, _DATE)]
        for first, kinds in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


_Loader.add_implicit_resolver(_FLOAT, _NUMBER, list("-+0123456789."))


def read(path: Traversable) -> dict[str, Any]:
    """The content of a sheet.

    Raises:
        ValueError: it holds no mapping.
    """
    content = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    if not isinstance(content, dict):
        raise ValueError(f"{path} must hold `name: value` lines, got {content!r}")
    return content
