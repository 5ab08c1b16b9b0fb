"""Deployment: on which processor, in which numbers and how launched a network is measured.

    eager      operator by operator from Python; on a GPU launches rule small batches
    graph      the launches of a call recorded once as a CUDA graph and replayed together
    compiled   torch.compile with its default mode, no CUDA graphs: fused operators, launched from
               Python. ("max-autotune-no-cudagraphs" tries every tiling, minutes for each part.)

A call that is recorded or compiled is compared with the eager one before it is timed.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

import torch
from torch import nn

from profiles.measuring.clock import Clock, clock_of
from profiles.measuring.composition import CompositionError, answers_of, differ
from profiles.models.network import Network
from profiles.tables import choices
from profiles.tables.cost import MODES, PRECISIONS

Run = Callable[[], object]
"""A call that may be timed."""
_DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
_WARM_UPS = 3
_SLACK = {"fp32": 10.0, "fp16": 4.0, "bf16": 4.0}
"""Other kernels round at other places, those of TF32 most: how many times the tolerance of a cut a
recorded or compiled call may be off.
"""


class Graphs(Protocol):
    """Records calls to be replayed."""

    def capture(self, call: Run) -> Run:
        """A run that replays the call and hands out its answer, at the same place every time."""


class _CudaGraphs:
    """CUDA graphs that share one pool of memory: never run at once, each keeps its answer."""

    def __init__(self) -> None:
        self._pool: Any = None

    def capture(self, call: Run) -> Run:
        """Warm up on a side stream, as capturing asks for, then record."""
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(_WARM_UPS):
                call()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool):
            answer = call()
        self._pool = self._pool or graph.pool()
        return _Replay(graph, call, answer)


class _Replay:
    """Runs what was recorded; keeps the tensors that it reads and writes."""

    def __init__(self, graph: torch.cuda.CUDAGraph, call: Run, answer: object) -> None:
        self._graph, self._call, self._answer = graph, call, answer

    def __call__(self) -> object:
        self._graph.replay()
        return self._answer


def graphs_on(device: str) -> Graphs:
    """What records calls on a device.

    Raises:
        ValueError: it is no CUDA device.
    """
    if device != "cuda":
        raise ValueError(f"mode=graph records CUDA graphs: it needs a GPU, got device={device}")
    return _CudaGraphs()


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """A processor ("cpu", "cuda"), a precision and a mode.

    `precision` "auto" is the network's own, but fp16 for an fp32 network on a GPU; `mode` "auto" is
    graph on a GPU, else eager.

    Raises:
        ValueError: an unknown word, or CUDA graphs without a GPU.
    """

    device: str = "cpu"
    precision: str = "auto"
    mode: str = "auto"

    def __post_init__(self) -> None:
        choices.position("precision", self.precision, ("auto", *PRECISIONS))
        choices.position("mode", self.mode, ("auto", *MODES))
        if self.mode == "auto":
            object.__setattr__(self, "mode", "graph" if self.device == "cuda" else "eager")
        if self.mode == "graph":
            graphs_on(self.device)

    @property
    def clock(self) -> Clock:
        """The clock of the processor."""
        return clock_of(self.device)

    def resolve(self, network: Network) -> "Deployment":
        """The same with the precision that "auto" comes to for a network."""
        if self.precision != "auto":
            return self
        own = own_precision(network.module)
        chosen = "fp16" if (own, self.device) == ("fp32", "cuda") else own
        return replace(self, precision=chosen)

    def place(self, network: Network) -> Network:
        """The network on this processor in this precision; the original is left as it is."""
        clock_of(self.device)
        wanted = self.resolve(network).precision
        same = wanted == own_precision(network.module)
        if self.device == "cpu" and same:
            return network
        module = copy.deepcopy(network.module).to(self.device)
        example = network.example_input.to(self.device)
        if not same:
            module = module.to(_DTYPES[wanted])
            example = example.to(_DTYPES[wanted]) if example.is_floating_point() else example
            _take_own_type(module)
        return replace(network, module=module, example_input=example)

    def runner(self, name: str) -> "Runner":
        """What prepares the calls of one network at one batch size."""
        return Runner(self, name)


class Runner:
    """Calls as they are deployed, each compared with the eager one.

    A new one forgets what earlier ones compiled: their calls are no longer to be run.
    """

    def __init__(self, deployment: Deployment, name: str) -> None:
        self._mode, self._name = deployment.mode, name
        self._slack = _SLACK.get(deployment.precision, 1.0)
        self._graphs = graphs_on(deployment.device) if self._mode == "graph" else None
        if self._mode == "compiled":
            torch._dynamo.reset()

    def prepare(self, where: str, call: Callable[..., object], *given: object) -> Run:
        """`call(*given)` as a run; `where` names it in errors.

        Raises:
            CompositionError: its answer is not the eager one's, or it cannot be compiled.
        """
        plain = partial(call, *given)
        if self._mode == "eager":
            return plain
        run = self._graphs.capture(plain) if self._graphs else self._compile(where, call, given)
        if words := differ(answers_of(run()), answers_of(plain()), self._slack):
            words = words.replace("the network gives", "mode=eager gives")
            raise CompositionError(f"{self._name}, {where}: mode={self._mode} gives {words}")
        return run

    def _compile(self, where: str, call: Callable[..., object], given: tuple[object, ...]) -> Run:
        compiled = compile_call(call)
        run = partial(compiled, *given)
        try:
            with torch._dynamo.config.patch(recompile_limit=1024):
                run()
        except Exception as error:  # whatever the compiler raises
            first = next(iter(str(error).splitlines()), "")
            words = f"{type(error).__name__}: {first}"
            raise CompositionError(
                f"{self._name}, {where}: mode=compiled fails, use mode=eager ({words})"
            ) from error
        return run


def compile_call(call: Callable[..., object]) -> Callable[..., object]:
    """The call compiled for the shapes it is first given, in one piece."""
    return torch.compile(call, dynamic=False, fullgraph=True)


def own_precision(module: nn.Module) -> str:
    """That of a module's first floating parameter or buffer; fp32 where it has none.

    Raises:
        ValueError: numbers that no profile knows, such as float64.
    """
    tensors = (*module.parameters(), *module.buffers())
    dtype = next((t.dtype for t in tensors if t.is_floating_point()), torch.float32)
    names = {kind: name for name, kind in _DTYPES.items()}
    if dtype not in names:
        kind = str(dtype).removeprefix("torch.")
        raise ValueError(
            f"precision must be one of {', '.join(PRECISIONS)}; the network's is {kind}"
        )
    return names[dtype]


def _take_own_type(module: nn.Module) -> None:
    """Every layer with weights takes what it is given in the type of its weights, as it was before
    where a network makes fp32 numbers of its own (of images, say).
    """

    def cast(layer: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...]:
        weight = next(layer.parameters(recurse=False))
        return tuple(
            x.to(weight.dtype) if isinstance(x, torch.Tensor) and x.is_floating_point() else x
            for x in given
        )

    for layer in module.modules():
        own = next(layer.parameters(recurse=False), None)
        if own is not None and own.is_floating_point():
            layer.register_forward_pre_hook(cast)
