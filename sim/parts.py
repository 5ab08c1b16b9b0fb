# mypy: disable-error-code="no-untyped-call"
"""How Numba compiles functions that many others are made of: machine code for the outermost alone.

By itself Numba optimises every function and makes it machine code before any other may call it, and
does both once more for the copy that goes into each caller: half of all time. A part is typed and
lowered, no more; what calls it from Python links all its parts in and is then optimised as a whole.
The hooks are those that Numba names for compilers of one's own (`pipeline_class`, a pass in the
place of another).
"""

from typing import Any, ClassVar

from numba import _dynfunc  # type: ignore[attr-defined]
from numba.core import typed_passes, untyped_passes
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler, Flags
from numba.core.compiler_machinery import PassManager, register_pass

_RELOADS = "_reload_init"  # what code needs that is loaded from disk; Numba 0.61 has no such list


class _Flags(Flags):
    """A function's flags, quick to compare: Numba looks up a hundred thousand times what it has
    typed before under the same flags, and would list all there are of them at every comparison.
    """

    _first: ClassVar[dict[str, "_Flags"]] = {}

    @classmethod
    def of(cls, flags: Any) -> "_Flags":
        """The same flags, with values that are the very objects of those that came before."""
        return cls(cls._first.setdefault(repr(flags), cls(flags)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Flags) and bool(self._values == other._values)

    def __hash__(self) -> int:
        return hash(frozenset(self._values))


class _Library(JITCodeLibrary):
    """The code of a function with that of all its parts, and of their parts."""

    def add_linking_library(self, library: Any) -> None:
        """Take in what a function calls, and what that calls."""
        super().add_linking_library(library)
        if isinstance(library, _Part):
            for other in library.called:
                if other not in self.called:
                    self.add_linking_library(other)

    @property
    def called(self) -> list[Any]:
        """The code of all functions that this one calls."""
        return list(self._linking_libraries)


class _Part(_Library):
    """Code that is not optimised, and never by itself machine code."""

    def finalize(self) -> None:
        """Be ready to be linked into other code."""
        self._raise_if_finalized()
        for library in self.called if hasattr(self, _RELOADS) else ():
            self._reload_init.update(library._reload_init)
        self._final_module.verify()
        self._finalized = True


@register_pass(mutates_CFG=True, analysis_only=False)
class _LowerWhole(typed_passes.NativeLowering):
    """Make machine code of a function and its parts."""

    _name = "splitfleet_lower_whole"

    def run_pass(self, state: Any) -> bool:
        """Lower into a library that takes parts."""
        state.library = _Library(state.targetctx.codegen(), state.func_id.func_qualname)
        state.library.enable_object_caching()
        return bool(super().run_pass(state))


@register_pass(mutates_CFG=True, analysis_only=False)
class _LowerPart(typed_passes.NativeLowering):
    """Make a part of others."""

    _name = "splitfleet_lower_part"

    def run_pass(self, state: Any) -> bool:
        """Lower, and be known to callers; nobody calls it but them, so that there is no address."""
        state.library = _Part(state.targetctx.codegen(), state.func_id.func_qualname)
        state.flags.no_compile = True
        super().run_pass(state)
        made = state.cr
        name = made.fndesc.qualname.split(".")[-1]
        entry = _dynfunc.make_function(
            made.fndesc.lookup_module(), name, "a part", 0, made.env, (state.library,)
        )
        state.targetctx.insert_user_function(entry, made.fndesc, [state.library])
        state.reload_init.extend(getattr(state.library, _RELOADS, ()))
        state.cr = made._replace(cfunc=entry)
        return True


class Whole(Compiler):
    """Compiles what is called from outside."""

    lowering: type[typed_passes.NativeLowering] = _LowerWhole
    needless: tuple[type[Any], ...] = ()

    def __init__(self, *given: Any) -> None:
        *others, flags, local = given
        super().__init__(*others, _Flags.of(flags), local)  # type: ignore[call-arg]

    def define_pipelines(self) -> list[PassManager]:
        """Numba's own passes with a last one of ours."""
        (passes,) = super().define_pipelines()
        passes.passes = [
            (self.lowering if each is typed_passes.NativeLowering else each, why)
            for each, why in passes.passes
            if each not in self.needless
        ]
        return [passes]


class Part(Whole):
    """Compiles what only compiled functions call."""

    lowering = _LowerPart
    needless = (
        untyped_passes.WithLifting,
        untyped_passes.InlineClosureLikes,
        untyped_passes.RewriteDynamicRaises,
        untyped_passes.MakeFunctionToJitFunction,
        untyped_passes.FindLiterallyCalls,
        untyped_passes.LiteralUnroll,
        typed_passes.NopythonRewrites,
        typed_passes.DumpParforDiagnostics,
    )
    """What deals with closures, contexts, exceptions and expressions of arrays, which no rule has:
    an eighth of the time.
    """
