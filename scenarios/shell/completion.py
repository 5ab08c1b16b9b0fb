"""Shell completion: Hydra completes the fields of one command, this module finds which.

Hydra's script calls `splitfleet -sc query=bash` and leaves the line typed so far in COMP_LINE.
"""

import os

from scenarios.shell import commands


def hydra_arguments(action: str) -> tuple[str, list[str]] | list[str]:
    """Return (command, arguments for Hydra), or the words to print where no command stands yet.

    Args:
        action: what follows `-sc`, such as `install=bash` or `query=bash`.
    """
    verb = action.split("=", 1)[0]
    if verb != "query":
        return commands.names()[0], ["-sc", action]
    line = os.environ.get("COMP_LINE", "")
    program, _, rest = line.partition(" ")
    word, space, fields = rest.lstrip().partition(" ")
    if not space or word not in commands.names():
        return [name for name in commands.names() if name.startswith(word)]
    os.environ["COMP_LINE"] = f"{program} {fields}"
    return word, ["-sc", action]
