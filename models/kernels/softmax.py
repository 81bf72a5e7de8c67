"""Softmax of a trial's scores of one sample, as instructions for LLVM.

Scores of a trial lie side by side, and other trials' may begin within their last vector. Numbers
beyond the classes are read, therefore, and written as they were.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from coarsefine.models.kernels.lanes import PANEL_BYTES, Vectors, data_of


class _Row:
    """Vectors over the scores of a trial, the last of which may reach beyond them."""

    def __init__(self, context: Any, builder: Any, signature: Any, arguments: Any) -> None:
        array, place = arguments[:2]
        self.vectors = vectors = Vectors(context, builder, signature.args[0].dtype, PANEL_BYTES)
        self.builder = builder
        offset, self.n_classes = cgutils.unpack_tuple(builder, place, 2)
        data = data_of(context, builder, signature.args[0], array)
        self.pointer = builder.gep(data, [offset])
        lanes = vectors.number(vectors.lanes)
        rest = vectors.number(vectors.lanes - 1)
        self.n_vectors = builder.udiv(builder.add(self.n_classes, rest), lanes)

    def each(self, body: Callable[[Any, Any, Any, Any], None]) -> None:
        """Generate ``body`` for each vector.

        It is given a pointer, what is there, which lanes are classes, and the first lane.
        """
        vectors, builder = self.vectors, self.builder

        def generate(index: Any) -> None:
            first = builder.mul(index, vectors.number(vectors.lanes))
            inside = builder.icmp_signed("<", self._numbers(), self._all(self.n_classes, first))
            pointer = vectors.at(self.pointer, index)
            body(pointer, vectors.load(pointer), inside, first)

        one = vectors.number(1)
        generate(vectors.number(0))
        # Few have more classes than a vector has lanes.
        with cgutils.for_range(builder, builder.sub(self.n_vectors, one)) as loop:
            generate(builder.add(loop.index, one))

    def is_lane(self, number: Any, first: Any) -> Any:
        """Return which lane is that of a class."""
        return self.builder.icmp_signed("==", self._numbers(), self._all(number, first))

    def _numbers(self) -> Any:
        return ir.Constant(self.vectors.integers, list(range(self.vectors.lanes)))

    def _all(self, number: Any, first: Any) -> Any:
        builder, vectors = self.builder, self.vectors
        scalar = builder.sub(number, first)
        if vectors.bits < vectors.index.width:
            scalar = builder.trunc(scalar, vectors.integers.element)
        return vectors.spread(scalar)

    def highest(self) -> Any:
        """Return the highest score in all lanes; of NaN it may be any."""
        vectors, builder = self.vectors, self.builder
        lowest = vectors.same(float("-inf"))
        held = cgutils.alloca_once_value(builder, lowest)

        def raise_to(_: Any, scores: Any, inside: Any, _first: Any) -> None:
            scores = builder.select(inside, scores, lowest)
            builder.store(self._higher(builder.load(held), scores), held)

        self.each(raise_to)
        high = builder.load(held)
        distance = vectors.lanes // 2
        while distance:
            turned = [(lane + distance) % vectors.lanes for lane in range(vectors.lanes)]
            mask = ir.Constant(ir.VectorType(ir.IntType(32), vectors.lanes), turned)
            high = self._higher(high, builder.shuffle_vector(high, high, mask))
            distance //= 2
        return high

    def _higher(self, a: Any, b: Any) -> Any:
        return self.builder.select(self.builder.fcmp_ordered(">", a, b), a, b)


def _exponentials_of(context: Any, array: Any, place: Any) -> Any:
    """Replace scores by exponentials of what they are below the highest.

    Takes a flat array, and where the scores begin and how many they are. Returns the highest score,
    and the first class that has it (the last class where there is none).
    """
    signature = types.containers.BaseTuple.from_types((array.dtype, types.intp))(array, place)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        row = _Row(context, builder, signature, arguments)
        vectors = row.vectors
        high = row.highest()
        bits = ir.IntType(vectors.lanes)
        last = builder.sub(row.n_classes, vectors.number(1))
        best = cgutils.alloca_once_value(builder, last)

        def exponentiate(pointer: Any, scores: Any, inside: Any, first: Any) -> None:
            equal = builder.and_(builder.fcmp_ordered("==", scores, high), inside)
            equal = builder.bitcast(equal, bits)
            found = builder.zext(builder.cttz(equal, ir.Constant(ir.IntType(1), 0)), vectors.index)
            found = builder.add(first, found)
            here = builder.icmp_unsigned("!=", equal, ir.Constant(bits, 0))
            earlier = builder.icmp_signed("<", found, builder.load(best))
            found = builder.select(builder.and_(here, earlier), found, builder.load(best))
            builder.store(found, best)
            raised = vectors.exponential(builder.fsub(scores, high))
            vectors.store(builder.select(inside, raised, scores), pointer)

        row.each(exponentiate)
        highest = builder.extract_element(high, ir.Constant(ir.IntType(32), 0))
        return context.make_tuple(builder, signature.return_type, [highest, builder.load(best)])

    return signature, generate


def _to_deltas(context: Any, array: Any, place: Any, total: Any, label: Any, size: Any) -> Any:
    """Replace exponentials by ``(exp / total - one_hot) / size``; ``place`` as above."""
    signature = types.void(array, place, array.dtype, types.intp, types.intp)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        row = _Row(context, builder, signature, arguments)
        vectors = row.vectors
        number = builder.sitofp(arguments[4], vectors.type.element)
        total, size = vectors.spread(arguments[2]), vectors.spread(number)

        def subtract(pointer: Any, values: Any, inside: Any, first: Any) -> None:
            label = row.is_lane(arguments[3], first)
            one_hot = builder.select(label, vectors.same(1.0), vectors.same(0.0))
            deltas = builder.fsub(builder.fdiv(values, total), one_hot)
            deltas = builder.fdiv(deltas, size)
            vectors.store(builder.select(inside, deltas, values), pointer)

        row.each(subtract)
        return context.get_dummy_value()

    return signature, generate


exponentials_of: Any = intrinsic(_exponentials_of)
to_deltas: Any = intrinsic(_to_deltas)
