"""Text to tokens and back: bytes for the byte Llama, a checkpoint's own tokenizer for others."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol


class Tokenizer(Protocol):
    """What scoring a language model on text needs."""

    def encode(self, text: str) -> list[int]:
        """Tokens of a text, the one that opens a sequence included where there is one."""

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of generated tokens."""


class Bytes:
    """One token a byte of UTF-8."""

    def encode(self, text: str) -> list[int]:
        """The bytes of the text."""
        return list(text.encode())

    def decode(self, tokens: Sequence[int]) -> str:
        """The text; bytes that are no UTF-8 become U+FFFD."""
        return bytes(tokens).decode(errors="replace")


class Pretrained:
    """The tokenizer that lies in a checkpoint's folder; nothing is downloaded or executed.

    Raises ValueError in one line where the extra `models` or the tokenizer's files are missing.
    """

    def __init__(self, folder: str) -> None:
        self._own = _read(Path(folder))

    def encode(self, text: str) -> list[int]:
        """Tokens with the special ones that the tokenizer puts in front."""
        return list(self._own.encode(text))

    def decode(self, tokens: Sequence[int]) -> str:
        """The text without special tokens."""
        return str(self._own.decode(list(tokens), skip_special_tokens=True))


def _read(folder: Path) -> Any:
    try:
        from transformers import AutoTokenizer
    except ImportError:
        raise ValueError("tokenizers need transformers: pip install 'splitfleet[models]'") from None
    names = ("tokenizer.json", "tokenizer.model")
    if not any((folder / name).is_file() for name in names):
        raise ValueError(
            f"model.weights={folder} holds no tokenizer: put the checkpoint's tokenizer.json "
            "(or tokenizer.model) and tokenizer_config.json there"
        )
    try:
        return AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    except (OSError, ValueError, ImportError, KeyError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"model.weights={folder} holds no readable tokenizer: {reason}") from None
