"""Eight bytes, or sixty-four, at once in what numba compiles, which has no words of its own for that.

Each is for the inside of a compiled function, and none looks whether the bytes are there. They are LLVM's own
instructions, so every processor has them, with the first byte lowest on each that is still made.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

BITS, BIT = ir.IntType(64), ir.IntType(1)
BYTES = ir.VectorType(ir.IntType(8), 64)


@intrinsic
def eight_at(typing: Any, text: Any, at: Any) -> Any:
    """The bytes from `at` on of a uint8 array as one uint64, the first one lowest."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        return _load(context, builder, signature, given, BITS)

    return types.uint64(text, types.uint64), generate


@intrinsic
def newlines_at(typing: Any, text: Any, at: Any) -> Any:
    """Which of the 64 bytes from `at` on end a line, as the bits of a uint64, the first one lowest."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        newlines = ir.Constant(BYTES, [ord("\n")] * 64)
        found = builder.icmp_unsigned("==", _load(context, builder, signature, given, BYTES), newlines)
        return builder.bitcast(found, BITS)

    return types.uint64(text, types.uint64), generate


@intrinsic
def prefetch(typing: Any, text: Any, at: Any) -> Any:
    """Let the processor fetch what lies from `at` on; it may be outside of the array."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        pointer, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [pointer, number, number, number])
        fetch = builder.module.declare_intrinsic("llvm.prefetch", [pointer], kind)
        to_read, to_first_cache, data = number(0), number(3), number(1)
        builder.call(fetch, [_place(context, builder, signature, given), to_read, to_first_cache, data])
        return context.get_dummy_value()

    return types.void(text, types.uint64), generate


@intrinsic
def lowest_one(typing: Any, bits: Any) -> Any:
    """The number of the lowest bit that is set in a uint64, 64 when none is."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        count = builder.module.declare_intrinsic("llvm.cttz", [BITS], ir.FunctionType(BITS, [BITS, BIT]))
        return builder.call(count, [given[0], BIT(0)])

    return types.uint64(types.uint64), generate


@intrinsic
def ones(typing: Any, bits: Any) -> Any:
    """How many bits of a uint64 are set."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        return builder.call(builder.module.declare_intrinsic("llvm.ctpop", [BITS]), given)

    return types.uint64(types.uint64), generate


def _place(context: Any, builder: Any, signature: Any, given: Any) -> Any:
    return builder.gep(context.make_array(signature.args[0])(context, builder, given[0]).data, [given[1]])


def _load(context: Any, builder: Any, signature: Any, given: Any, kind: ir.Type) -> Any:
    place = builder.bitcast(_place(context, builder, signature, given), kind.as_pointer())
    return builder.load(place, align=1)
