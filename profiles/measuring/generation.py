"""Autoregressive traces: a real generation loop with the codec between device and server.

    device: embed, layers -[ encode ]-> bytes -[ decode ]-> server: layers, answer -> token

Record 0 is the prefill of the prompt, record t the step that yields token t. Two runs are made
beside the reference without a codec: a forced one, which is fed the reference's tokens so that KL
and agreement compare like with like while both caches carry all earlier codec errors; and a free
one, which is fed its own tokens and shows how far generations part.
"""

import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.special import log_softmax

import codec
from profiles.measuring.decoder import Cache, Decoder, check_decoder, decoder_of, run_layers
from profiles.measuring.machine import fingerprint, threads
from profiles.measuring.timing import Progress
from profiles.models.network import Network
from profiles.tables.trace import Column, TraceTable

_CELL = ("sample", "cut", "setting", "token")
_SCHEMA = {
    "payload_bytes": Column(unit="B", dims=_CELL),
    "encode_s": Column(unit="s", dims=_CELL),
    "decode_s": Column(unit="s", dims=_CELL),
    "relative_l2": Column(unit="1", dims=_CELL),
    "logit_kl": Column(unit="nat", dims=_CELL),
    "agree": Column(unit="1", dims=_CELL),
    "agree_free": Column(unit="1", dims=_CELL),
    "kv_head_bytes": Column(unit="B", dims=("cut", "token")),
    "kv_tail_bytes": Column(unit="B", dims=("cut", "token")),
    "answer_bytes": Column(unit="B", dims=("sample",)),
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Run:
    """One generation: `tokens` [sample, step], `scores` [sample, step, class], what crossed."""

    tokens: np.ndarray
    scores: np.ndarray
    payload_bytes: np.ndarray
    encode_s: np.ndarray
    decode_s: np.ndarray
    relative_l2: np.ndarray
    kv_head_bytes: np.ndarray
    kv_tail_bytes: np.ndarray


@torch.inference_mode()
def generate(
    decoder: Decoder,
    prompts: np.ndarray,
    n_tokens: int,
    *,
    n_head: int,
    chosen: codec.Codec | None = None,
    forced: np.ndarray | None = None,
    repeats: int = 1,
) -> Run:
    """Greedy generation from `prompts` [sample, token]; layers below `n_head` on the device.

    With `forced` [sample, step] those tokens are fed instead of the own ones. Without a codec the
    hidden states cross as they are.
    """
    n = len(prompts)
    cache: Cache = [None] * decoder.n_layers
    link = _Link(chosen, repeats)
    fed, tokens, scores, kept = torch.from_numpy(prompts), [], [], []
    for step in range(n_tokens):
        hidden = run_layers(decoder, decoder.embed(fed), cache, 0, n_head)
        hidden = link.send(hidden)
        hidden = run_layers(decoder, hidden, cache, n_head, decoder.n_layers)
        last = decoder.answer(hidden[:, -1:])[:, 0]
        tokens.append(last.argmax(-1).numpy())
        scores.append(last.float().numpy())
        kept.append((_bytes(cache[:n_head]) / n, _bytes(cache[n_head:]) / n))
        following = tokens[-1] if forced is None else forced[:, step]
        fed = torch.from_numpy(np.asarray(following, np.int64))[:, None]
    kv_head, kv_tail = np.diff(np.array([(0.0, 0.0), *kept]), axis=0).T
    return Run(
        tokens=np.stack(tokens, 1),
        scores=np.stack(scores, 1),
        kv_head_bytes=kv_head,
        kv_tail_bytes=kv_tail,
        **{name: np.stack(values, 1) for name, values in link.records.items()},
    )


def trace(
    network: Network,
    settings: Mapping[str, codec.Codec],
    prompts: np.ndarray,
    *,
    cuts: Sequence[str],
    n_tokens: int,
    repeats: int = 5,
    sample_ids: Sequence[int] | None = None,
    answer_bytes: int = 4,
    progress: Progress | None = None,
) -> TraceTable:
    """Trace generations of `n_tokens` from `prompts` [sample, token] at every cut and setting.

    `cuts` are "layers.i". KV bytes are those that each record adds for one session, on the device
    (`kv_head_bytes`) and on the server (`kv_tail_bytes`). `agree` and `logit_kl` come from the
    forced run, `agree_free` from the free one.

    Raises:
        CompositionError: embedding, layers and answer are not what the network computes.
        ValueError: no decoder, or a cut that is none of its layers.
    """
    decoder = decoder_of(network)
    check_decoder(network)
    heads = [_n_head(decoder, cut) for cut in cuts]
    columns = _columns(len(prompts), len(cuts), len(settings), n_tokens, answer_bytes)
    cells = list(itertools.product(enumerate(heads), enumerate(settings.values())))
    with threads(1):
        reference = generate(decoder, prompts, n_tokens, n_head=heads[0])
        for done, ((at_cut, n_head), (at_setting, chosen)) in enumerate(cells, 1):
            how: dict[str, Any] = {"n_head": n_head, "chosen": chosen}
            forced = generate(
                decoder, prompts, n_tokens, forced=reference.tokens, repeats=repeats, **how
            )
            free = generate(decoder, prompts, n_tokens, **how)
            _book(columns, (at_cut, at_setting), reference, forced, free)
            if progress is not None:
                progress(done, len(cells))
        machine = fingerprint()
    return TraceTable(
        model=network.name,
        cuts=tuple(cuts),
        settings=tuple(settings),
        sample_ids=np.arange(len(prompts)) if sample_ids is None else np.asarray(sample_ids),
        columns=columns,
        schema=_SCHEMA,
        axes={"token": tuple(str(step) for step in range(n_tokens))},
        provenance={
            "kind": "measured",
            "model_digest": network.digest,
            "weights": network.weights,
            "codecs": {name: chosen.spec for name, chosen in sorted(settings.items())},
            "codec_version": codec.FORMAT_VERSION,
            "prompt_tokens": int(prompts.shape[1]),
            "repeats": repeats,
            "machine": machine,
        },
    )


def _columns(
    n: int, n_cuts: int, n_settings: int, n_tokens: int, answer_bytes: int
) -> dict[str, np.ndarray]:
    """Columns to be filled: cells NaN, KV bytes 0."""
    cell = (n, n_cuts, n_settings, n_tokens)
    columns = {name: np.full(cell, np.nan) for name, c in _SCHEMA.items() if c.dims == _CELL}
    kept = {name: np.zeros((n_cuts, n_tokens)) for name in ("kv_head_bytes", "kv_tail_bytes")}
    return {**columns, **kept, "answer_bytes": np.full(n, float(answer_bytes))}


class _Link:
    """Takes hidden states across, sample by sample, and keeps a record per step."""

    def __init__(self, chosen: codec.Codec | None, repeats: int) -> None:
        self._codec, self._repeats = chosen, repeats
        names = ("payload_bytes", "encode_s", "decode_s", "relative_l2")
        self.records: dict[str, list[np.ndarray]] = {name: [] for name in names}

    def send(self, hidden: torch.Tensor) -> torch.Tensor:
        """Hidden states [sample, token, width] as the server receives them."""
        n = len(hidden)
        if self._codec is None:
            for values in self.records.values():
                values.append(np.zeros(n))
            return hidden
        wide = hidden.dtype == torch.bfloat16
        sent = list(hidden) if wide else list(hidden.numpy())
        if not self.records["encode_s"]:
            self._once(sent[0])  # loads compiled code; does not count
        seconds = np.array([[self._once(x) for x in sent] for _ in range(self._repeats)])
        streams = [self._codec.encode(x) for x in sent]
        received = torch.stack([torch.as_tensor(self._codec.decode(data)) for data in streams])
        flat = hidden.reshape(n, -1).double()
        error = torch.linalg.vector_norm(received.reshape(n, -1).double() - flat, dim=1)
        self.records["payload_bytes"].append(np.array([float(len(data)) for data in streams]))
        self.records["encode_s"].append(np.median(seconds[..., 0], axis=0))
        self.records["decode_s"].append(np.median(seconds[..., 1], axis=0))
        norm = torch.linalg.vector_norm(flat, dim=1)
        self.records["relative_l2"].append((error / norm).numpy())
        return received

    def _once(self, x: np.ndarray | torch.Tensor) -> tuple[float, float]:
        assert self._codec is not None
        start = time.perf_counter()
        data = self._codec.encode(x)
        middle = time.perf_counter()
        self._codec.decode(data)
        return middle - start, time.perf_counter() - middle


def _book(
    columns: Mapping[str, np.ndarray], at: tuple[int, int], reference: Run, forced: Run, free: Run
) -> None:
    for name in ("payload_bytes", "encode_s", "decode_s", "relative_l2"):
        columns[name][:, *at] = getattr(forced, name)
    p, q = (log_softmax(run.scores.astype(np.float64), axis=-1) for run in (reference, forced))
    columns["logit_kl"][:, *at] = np.maximum(0.0, (np.exp(p) * (p - q)).sum(-1))
    columns["agree"][:, *at] = forced.tokens == reference.tokens
    columns["agree_free"][:, *at] = free.tokens == reference.tokens
    columns["kv_head_bytes"][at[0]] = forced.kv_head_bytes
    columns["kv_tail_bytes"][at[0]] = forced.kv_tail_bytes


def _n_head(decoder: Decoder, cut: str) -> int:
    names = [f"layers.{index}" for index in range(decoder.n_layers)]
    if cut not in names:
        raise ValueError(f"cut must be one of {names[0]} .. {names[-1]}, got {cut!r}")
    return names.index(cut) + 1


def _bytes(caches: Cache) -> float:
    """Bytes that lie in these caches now."""
    return float(sum(t.numel() * t.element_size() for keys in caches if keys for t in keys))
