"""A language model's answers to questions, with or without a codec at a cut.

    embed, layers -[ encode ]-> bytes -[ decode ]-> layers, answer

Multiple choice: the ending of highest log-likelihood behind its prompt wins, each prompt and ending
crossing as one tensor. Problems: greedy generation, the number that it gives, exact match.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

import codec
from profiles.measuring.decoder import Cache, decoder_of, run_layers
from profiles.measuring.generation import generate
from profiles.models.data import arithmetic, questions, tokens
from profiles.models.data.arithmetic import Problem, number_in
from profiles.models.data.questions import Question
from profiles.models.data.tokens import Tokenizer
from profiles.models.network import Network
from profiles.tables import choices

Forward = Callable[[Tensor], Tensor]
Judge = Callable[[str, codec.Codec | None, list[float] | None], np.ndarray]
"""Cut, codec (None: nothing is encoded) and where sizes go, to right or wrong, bool [question]."""


def through(
    network: Network,
    cut: str,
    chosen: codec.Codec | None = None,
    *,
    sent_bytes: list[float] | None = None,
) -> Forward:
    """Tokens [1, token] to scores [1, token, class], the hidden states at `cut` sent by `chosen`.

    The size of every stream is appended to `sent_bytes`.

    Raises:
        ValueError: no autoregressive network, one that holds one layer of many, or an unknown cut.
    """
    decoder, n_head = decoder_of(network), _n_head(network, cut)

    def forward(tokens: Tensor) -> Tensor:
        cache: Cache = [None] * decoder.n_layers
        hidden = run_layers(decoder, decoder.embed(tokens), cache, 0, n_head)
        if chosen is not None:
            wide = hidden.dtype == torch.bfloat16
            stream = chosen.encode(hidden[0] if wide else hidden[0].numpy())
            if sent_bytes is not None:
                sent_bytes.append(float(len(stream)))
            hidden = torch.as_tensor(chosen.decode(stream))[None].to(hidden.dtype)
        return decoder.answer(run_layers(decoder, hidden, cache, n_head, decoder.n_layers))

    return forward


@torch.inference_mode()
def log_likelihood(forward: Forward, tokenizer: Tokenizer, prompt: str, ending: str) -> float:
    """Natural logarithm of the probability of `ending` behind `prompt`.

    White space at the prompt's end counts to the ending, since tokens of words begin with it.
    Raises ValueError where the prompt has no token.
    """
    bare = prompt.rstrip()
    whole = tokenizer.encode(prompt + ending)
    n_prompt = len(tokenizer.encode(bare))
    if not 0 < n_prompt < len(whole):
        raise ValueError(f"prompt and ending must each have tokens, got {prompt!r}, {ending!r}")
    tokens = torch.tensor([whole])
    logs = forward(tokens[:, :-1])[0, n_prompt - 1 :].float().log_softmax(-1)
    return float(logs.gather(1, tokens[0, n_prompt:, None]).double().sum())


def choose(forward: Forward, tokenizer: Tokenizer, asked: Sequence[Question]) -> np.ndarray:
    """The chosen ending of each question, int64 [question]; the first one where two are equal."""
    picks = np.empty(len(asked), np.int64)
    for at, one in enumerate(asked):
        scores = [
            log_likelihood(forward, tokenizer, prompt, ending)
            / (len(ending.encode()) if one.per_byte else 1)
            for prompt, ending in zip(one.prompts, one.endings, strict=True)
        ]
        picks[at] = int(np.argmax(scores))
    return picks


def solve(
    network: Network,
    tokenizer: Tokenizer,
    problems: Sequence[Problem],
    *,
    cut: str,
    chosen: codec.Codec | None = None,
    n_tokens: int = 256,
    sent_bytes: list[float] | None = None,
) -> np.ndarray:
    """Whether each problem's number is found in `n_tokens` generated tokens, bool [problem].

    The bytes of every prefill and step are appended to `sent_bytes`.
    """
    decoder, n_head = decoder_of(network), _n_head(network, cut)
    right = np.empty(len(problems), bool)
    for at, one in enumerate(problems):
        prompt = np.array([tokenizer.encode(one.prompt)])
        run = generate(decoder, prompt, n_tokens, n_head=n_head, chosen=chosen)
        if sent_bytes is not None:
            sent_bytes.extend(run.payload_bytes[0].tolist())
        right[at] = number_in(tokenizer.decode(run.tokens[0].tolist())) == one.number
    return right


def judge_of(
    network: Network,
    data: str,
    n: int,
    seed: int,
    *,
    numbers: bool,
    shots: int,
    new_tokens: int,
    tokens_from: str | None,
) -> Judge:
    """What judges `n` questions of the file `data`, or its word problems (`numbers`), with the
    tokenizer of the folder `tokens_from`; None: of bytes.
    """
    tokenizer = tokens.Bytes() if tokens_from is None else tokens.Pretrained(tokens_from)
    if numbers:
        problems = arithmetic.problems(data, n, seed, n_shots=shots)
        return lambda cut, chosen, sent: solve(
            network, tokenizer, problems, cut=cut, chosen=chosen, n_tokens=new_tokens,
            sent_bytes=sent,
        )  # fmt: skip
    asked = questions.questions(data, n, seed)
    right = np.array([one.answer for one in asked])

    def judge(cut: str, chosen: codec.Codec | None, sent: list[float] | None) -> np.ndarray:
        forward = through(network, cut, chosen, sent_bytes=sent)
        return np.asarray(choose(forward, tokenizer, asked) == right)

    return judge


def _n_head(network: Network, cut: str) -> int:
    """Layers on the device."""
    if network.copies > 1:
        raise ValueError(
            f"{network.name} holds one of {network.copies} layers and answers nothing: "
            "name a whole checkpoint by model=llama model.weights=FOLDER"
        )
    return 1 + choices.position("cut", cut, network.stages)
