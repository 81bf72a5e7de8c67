"""Dense products in tiles, and formulas over rows, as instructions for LLVM.

Lanes lie in panels of ``PANEL_BYTES``: one vector. A tile of a product, up to ``TILE_ROWS`` rows
of one panel, stays in registers while its sums grow. Each lane of a sum is a chain of fused
multiply-adds whose order follows from the shapes of its own product alone, so a trial's bits do
not depend on which others lie beside it.
"""

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from coarsefine.models.kernels.lanes import PANEL_BYTES, Vectors, data_of

# Where a panel takes two of 16 registers, twelve hold sums, two a panel and one a number that it is
# multiplied with.
TILE_ROWS = 6


def _product(*, transposed: bool) -> Any:
    """Return what multiplies a matrix with a panel."""

    def product(context: Any, left: Any, right: Any, out: Any, sizes: Any) -> Any:
        signature = types.void(left, right, out, sizes)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            matrices = _matrices(context, builder, signature.args[:3], arguments)
            rows, length, adds = cgutils.unpack_tuple(builder, arguments[3], 3)
            vectors = Vectors(context, builder, signature.args[0].types[0].dtype, PANEL_BYTES)
            tile = _Tile(vectors, *matrices, transposed=transposed)
            tile.generate_all(rows, length, adds)
            return context.get_dummy_value()

        return signature, generate

    return intrinsic(product)


def _step(
    context: Any, left: Any, right: Any, weights: Any, rate: Any, kept: Any, sizes: Any
) -> Any:
    """Change weights along a product: takes rows of a panel of numbers beside the matrices."""
    signature = types.void(left, right, weights, rate, kept, sizes)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        *matrices, rate, kept = _matrices(context, builder, signature.args[:5], arguments)
        rows, length = cgutils.unpack_tuple(builder, arguments[5], 2)
        vectors = Vectors(context, builder, signature.args[0].types[0].dtype, PANEL_BYTES)

        def changed(total: Any, before: Any) -> Any:
            eta, factor = (vectors.load(vectors.at(each.pointer, 0)) for each in (rate, kept))
            return builder.fsub(builder.fmul(before, factor), builder.fmul(total, eta))

        tile = _Tile(vectors, *matrices, transposed=True, changed=changed)
        tile.generate_all(rows, length, vectors.number(0))
        return context.get_dummy_value()

    return signature, generate


def _matrices(
    context: Any, builder: Any, kinds: Sequence[Any], arguments: Sequence[Any]
) -> list["_Matrix"]:
    pairs = zip(kinds, arguments, strict=False)
    return [_Matrix(context, builder, kind, argument) for kind, argument in pairs]


class _Matrix:
    """A flat array, where in it a matrix starts, and how far its rows are apart."""

    def __init__(self, context: Any, builder: Any, kind: Any, argument: Any) -> None:
        array, offset, self.stride = cgutils.unpack_tuple(builder, argument, 3)
        self.builder = builder
        self.pointer = builder.gep(data_of(context, builder, kind.types[0], array), [offset])

    def row(self, index: Any) -> Any:
        """Return a pointer to a row."""
        return self.builder.gep(self.pointer, [self.builder.mul(index, self.stride)])


class _Tile:
    """Some rows of a product with a panel."""

    def __init__(
        self,
        vectors: Vectors,
        left: _Matrix,
        right: _Matrix,
        out: _Matrix,
        *,
        transposed: bool,
        changed: Callable[[Any, Any], Any] | None = None,
    ) -> None:
        self.vectors = vectors
        self.left = left
        self.right = right
        self.out = out
        self.transposed = transposed
        # What is stored, of a sum and what is there; else the sum itself.
        self.changed = changed

    def generate_all(self, rows: Any, length: Any, adds: Any) -> None:
        """Generate the sums of all rows, some at a time."""
        vectors, builder = self.vectors, self.vectors.builder
        full = vectors.number(TILE_ROWS)
        n_tiles = builder.sdiv(rows, full)
        with cgutils.for_range(builder, n_tiles) as loop:
            self.generate(builder.mul(loop.index, full), TILE_ROWS, length, adds)
        done = builder.mul(n_tiles, full)
        end = builder.append_basic_block("end")
        switch = builder.switch(builder.sub(rows, done), end)
        for n_rows in range(1, TILE_ROWS):
            block = builder.append_basic_block(f"rows{n_rows}")
            switch.add_case(vectors.number(n_rows), block)
            builder.position_at_end(block)
            self.generate(done, n_rows, length, adds)
            builder.branch(end)
        builder.position_at_end(end)

    def generate(self, first: Any, n_rows: int, length: Any, adds: Any) -> None:
        """Generate the sums of rows from ``first`` on."""
        vectors, builder = self.vectors, self.vectors.builder
        # A processor multiplies again before it has added: few rows take several sums each.
        phases = max(1, TILE_ROWS // n_rows)
        sums = [self._sums(n_rows) for _ in range(phases)]
        outs = [self.out.row(builder.add(first, vectors.number(r))) for r in range(n_rows)]
        ends = [vectors.at(pointer, 0) for pointer in outs]
        with builder.if_then(builder.icmp_signed("!=", adds, vectors.number(0))):
            for each, end in zip(sums[0], ends, strict=True):
                builder.store(vectors.load(end), each)
        if self.transposed:
            starts = [builder.gep(self.left.pointer, [first])]
        else:
            starts = [self.left.row(builder.add(first, vectors.number(r))) for r in range(n_rows)]
        n_whole = builder.sdiv(length, vectors.number(phases))
        whole = builder.mul(n_whole, vectors.number(phases))
        with cgutils.for_range(builder, n_whole) as loop:
            k = builder.mul(loop.index, vectors.number(phases))
            for phase, of_phase in enumerate(sums):
                self._step(starts, builder.add(k, vectors.number(phase)), of_phase)
        if phases > 1:
            with cgutils.for_range(builder, builder.sub(length, whole)) as loop:
                self._step(starts, builder.add(whole, loop.index), sums[0])
        for i, end in enumerate(ends):
            total = builder.load(sums[0][i])
            for of_phase in sums[1:]:
                total = builder.fadd(total, builder.load(of_phase[i]))
            if self.changed is not None:
                total = self.changed(total, vectors.load(end))
            vectors.store(total, end)

    def _sums(self, n_rows: int) -> list[Any]:
        """Return a zero a row, which LLVM will keep in registers."""
        builder = self.vectors.builder
        made = [cgutils.alloca_once(builder, self.vectors.type) for _ in range(n_rows)]
        for each in made:
            builder.store(self.vectors.same(0.0), each)
        return made

    def _step(self, starts: Sequence[Any], k: Any, sums: Sequence[Any]) -> None:
        """Add the products of number ``k`` of each row with vectors ``k`` of the panel."""
        vectors, builder = self.vectors, self.vectors.builder
        panel = self.right.row(k)
        held = vectors.load(vectors.at(panel, 0))
        for r, total in enumerate(sums):
            if self.transposed:
                start = builder.gep(starts[0], [builder.mul(k, self.left.stride)])
                pointer = builder.gep(start, [vectors.number(r)])
            else:
                pointer = builder.gep(starts[r], [k])
            number = vectors.spread(builder.load(pointer))
            builder.store(vectors.fused(number, held, builder.load(total)), total)


# Both take (array, offset, row stride) of two matrices and the result, and (rows of the result,
# numbers in a sum, whether the sums are added to what is there). The right matrix is a panel.
multiply = _product(transposed=False)  # out = left right
multiply_transposed = _product(transposed=True)  # out = leftᵀ right
# Weights ← kept weights − rate leftᵀ right, with rate and kept (array, offset, 0) of one panel.
step_transposed: Any = intrinsic(_step)


def _copy(context: Any, to: Any, source: Any, count: Any) -> Any:
    """Copy numbers; takes (array, offset, 1) of both, and how many."""
    signature = types.void(to, source, count)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        to, source = (
            _Matrix(context, builder, kind, argument)
            for kind, argument in zip(signature.args[:2], arguments[:2], strict=True)
        )
        n_bytes = signature.args[0].types[0].dtype.bitwidth // 8
        cgutils.raw_memcpy(builder, to.pointer, source.pointer, arguments[2], n_bytes)
        return context.get_dummy_value()

    return signature, generate


copy: Any = intrinsic(_copy)


def _turn(context: Any, turned: Any, panel: Any, rows: Any) -> Any:
    """Put a panel's lanes one below another: whole vectors of its rows, then zeros.

    Takes (array, offset, row stride) of the result and of the panel, and the panel's rows, behind
    which there is another one.
    """
    signature = types.void(turned, panel, rows)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        turned, panel = _matrices(context, builder, signature.args[:2], arguments)
        vectors = Vectors(context, builder, signature.args[0].types[0].dtype, PANEL_BYTES)
        lanes, rows = vectors.number(vectors.lanes), arguments[2]
        rest = vectors.number(vectors.lanes - 1)
        with cgutils.for_range(builder, builder.udiv(builder.add(rows, rest), lanes)) as loop:
            first = builder.mul(loop.index, lanes)
            square = []
            for r in range(vectors.lanes):
                row = builder.add(first, vectors.number(r))
                inside = builder.icmp_signed("<", row, rows)
                pointer = vectors.at(panel.row(builder.select(inside, row, rows)), 0)
                square.append(builder.select(inside, vectors.load(pointer), vectors.same(0.0)))
            for k, vector in enumerate(vectors.transposed(square)):
                into = builder.gep(turned.row(vectors.number(k)), [first])
                vectors.store(vector, vectors.at(into, 0))
        return context.get_dummy_value()

    return signature, generate


turn: Any = intrinsic(_turn)


def _prefetch(context: Any, matrix: Any, rows: Any) -> Any:
    """Have lines of memory brought near that are read later.

    Takes (array, offset, row stride), and how many rows of one panel.
    """
    signature = types.void(matrix, rows)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        lines = _Matrix(context, builder, signature.args[0], arguments[0])
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        # To be read, in the second cache, and data.
        how = [ir.Constant(number, code) for code in (0, 2, 1)]
        with cgutils.for_range(builder, arguments[1]) as loop:
            builder.call(function, [builder.bitcast(lines.row(loop.index), byte), *how])
        return context.get_dummy_value()

    return signature, generate


prefetch: Any = intrinsic(_prefetch)


class Value:
    """A vector of numbers in a formula."""

    def __init__(self, vectors: Vectors, vector: Any) -> None:
        self.vectors = vectors
        self.vector = vector

    def _of(self, other: "Value | float") -> Any:
        return other.vector if isinstance(other, Value) else self.vectors.same(other)

    def _with(self, vector: Any) -> "Value":
        return Value(self.vectors, vector)

    def __add__(self, other: "Value | float") -> "Value":
        return self._with(self.vectors.builder.fadd(self.vector, self._of(other)))

    def __sub__(self, other: "Value | float") -> "Value":
        return self._with(self.vectors.builder.fsub(self.vector, self._of(other)))

    def __mul__(self, other: "Value | float") -> "Value":
        return self._with(self.vectors.builder.fmul(self.vector, self._of(other)))

    def __truediv__(self, other: "Value | float") -> "Value":
        return self._with(self.vectors.builder.fdiv(self.vector, self._of(other)))

    def root(self) -> "Value":
        """Return the square root."""
        return self._with(self.vectors.call("sqrt", self.vector))

    def unless_below(self, least: "Value") -> "Value":
        """Return this, or 0 where its size is below ``least``."""
        size = self.vectors.call("fabs", self.vector)
        below = self.vectors.builder.fcmp_ordered("<", size, least.vector)
        return self._with(self.vectors.builder.select(below, self._of(0.0), self.vector))

    def where_positive(self, yes: "Value | float", no: "Value | float") -> "Value":
        """Return ``yes`` where this is above 0 or NaN, ``no`` elsewhere."""
        builder = self.vectors.builder
        above = builder.fcmp_unordered(">", self.vector, self.vectors.same(0.0))
        return self._with(builder.select(above, self._of(yes), self._of(no)))

    def tanh(self) -> "Value":
        """Return the hyperbolic tangent, by way of ``exp(-2 |x|) - 1``."""
        size = self._with(self.vectors.call("fabs", self.vector))
        less = self._with(self.vectors.exponential((size * -2.0).vector, less_one=True))
        result = less / (less + 2.0) * -1.0
        return self._with(self.vectors.call("copysign", result.vector, self.vector))


def formula(
    *, own: int, panel: bool, numbers: int | None = None
) -> Callable[[Callable[..., Sequence[Value]]], Any]:
    """Return what applies a formula to rows of whole vectors.

    What is made takes (array, offset, row stride) of each argument of the formula, and (rows,
    vectors of a row). What the formula returns replaces its first arguments.

    Args:
        own: How many of the first arguments have a value for each row; of others all rows have one,
            and their row stride is not looked at.
        panel: Whether rows are of panels, one vector.
        numbers: Which argument has a number for each row rather than vectors.
    """
    return lambda function: _formula(function, own, 1 if panel else None, numbers)


def _formula(
    function: Callable[..., Sequence[Value]], own: int, width: int | None, numbers: int | None
) -> Any:
    def over_rows(context: Any, operands: Any, sizes: Any) -> Any:
        signature = types.void(operands, sizes)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            kinds = signature.args[0].types
            given = cgutils.unpack_tuple(builder, arguments[0], len(kinds))
            vectors = Vectors(context, builder, kinds[0].types[0].dtype, PANEL_BYTES)
            matrices = [
                _Matrix(context, builder, kind, each)
                for kind, each in zip(kinds, given, strict=True)
            ]
            rows, n_vectors = cgutils.unpack_tuple(builder, arguments[1], 2)
            # What all rows of a panel have in common is read once.
            held = {
                (i, k): vectors.load(vectors.at(matrices[i].pointer, k))
                for i in range(own, len(matrices))
                for k in range(width or 0)
            }
            with cgutils.for_range(builder, rows) as row:
                starts = [matrix.row(row.index) for matrix in matrices[:own]]
                starts += [matrix.pointer for matrix in matrices[own:]]

                def apply(k: Any) -> None:
                    pointers = [vectors.at(start, k) for start in starts]
                    values = [
                        held[i, k] if (i, k) in held else vectors.load(pointer)
                        for i, pointer in enumerate(pointers)
                    ]
                    if numbers is not None:
                        values[numbers] = vectors.spread(builder.load(starts[numbers]))
                    results = function(*(Value(vectors, value) for value in values))
                    for pointer, result in zip(pointers, results, strict=False):
                        vectors.store(result.vector, pointer)

                if width is None:
                    with cgutils.for_range(builder, n_vectors) as loop:
                        apply(loop.index)
                for k in range(width or 0):
                    apply(k)
            return context.get_dummy_value()

        return signature, generate

    return intrinsic(over_rows)
