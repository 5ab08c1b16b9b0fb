"""The report on the byte Llama: bits per byte and generations at every cut and setting."""

import itertools

import codec
from profiles import models
from profiles.measuring import generation
from profiles.models.data import sources
from profiles.shipping import language
from profiles.shipping.portfolio import DATA
from profiles.shipping.products import report, settings

_TEXT = """# Byte Llama: what the codec costs

Made by `python -m profiles language` on the test files of the Python standard library.

## Bits per byte, {n_windows} windows of 256 bytes, each coded as one tensor

{losses}
## Generations, {n_prompts} prompts of 64 bytes, {n_tokens} tokens, every step coded by itself

Step 0 is the prefill. Errors stay in both caches; fed the tokens of no codec, or its own (free).

{steps}
## Codecs (stream format {version})

{codecs}
"""


def make(n_windows: int = 200, n_prompts: int = 24, n_tokens: int = 48) -> str:
    """Bits per byte of the byte Llama at every cut and setting, and generations, into `DATA`."""
    network = models.create("bytellama")
    chosen = {name: kinds["feature"] for name, kinds in settings("bytellama").items()}
    lost = language.losses(
        "bytellama", chosen, network.stages, n_windows=n_windows, progress=report
    )
    prompts = sources.windows("test", n_prompts, length=64).inputs
    table = generation.trace(
        network, chosen, prompts,
        cuts=network.stages, n_tokens=n_tokens, repeats=1, progress=report,
    )  # fmt: skip
    text = _TEXT.format(
        n_windows=n_windows,
        n_prompts=n_prompts,
        n_tokens=n_tokens,
        losses=language.table_of(lost),
        steps=language.steps_table_of(table, _spans(n_tokens)),
        version=codec.FORMAT_VERSION,
        codecs="\n".join(f"- {name}: `{one.spec}`" for name, one in chosen.items()),
    )
    (DATA / "accuracy_language.md").write_text(text)
    return text


def _spans(n_tokens: int) -> list[tuple[int, int]]:
    """The first step, then spans that double, as far as `n_tokens`."""
    ends = [0, 1, *(2**k for k in range(2, 20) if 2**k < n_tokens), n_tokens]
    return list(itertools.pairwise(dict.fromkeys(ends)))
