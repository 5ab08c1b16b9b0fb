"""The command `splitfleet`."""


def main() -> None:
    """Entry point of the console script."""
