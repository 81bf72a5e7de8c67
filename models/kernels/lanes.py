"""Sparse products, and exponentials, on whole vectors, as instructions for LLVM.

Written in Python and left to LLVM's vectoriser, these loops keep their sums in memory and take
two to three times as long. Here a row of up to ``MOST`` vectors stays in registers. Each multiply
and add is one fused operation, asked for by name: a lane's bits depend neither on how many others
there are nor on the processor.
"""

from math import factorial, log
from typing import Any, NamedTuple

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

# Vectors held in registers at once: a processor has 16, and two are for what is multiplied.
MOST = 12
VECTOR_BYTES = 32
# Of dense products and softmax: LLVM makes two halves of it where registers are smaller.
PANEL_BYTES = 64
_INT32 = ir.IntType(32)


class Vectors:
    """Vectors of one type of number, and how they are read, written and multiplied."""

    def __init__(self, context: Any, builder: Any, dtype: Any, n_bytes: int) -> None:
        self.builder = builder
        self.bits = dtype.bitwidth
        self.lanes = n_bytes * 8 // self.bits
        self.index = context.get_value_type(types.intp)
        self.type = ir.VectorType(context.get_data_type(dtype), self.lanes)
        self.integers = ir.VectorType(ir.IntType(self.bits), self.lanes)

    def call(self, name: str, *arguments: Any) -> Any:
        """Return what one of LLVM's own functions returns."""
        kind = ir.FunctionType(self.type, [self.type] * len(arguments))
        full = f"llvm.{name}.v{self.lanes}f{self.bits}"
        function = cgutils.get_or_insert_function(self.builder.module, kind, full)
        return self.builder.call(function, arguments)

    def fused(self, a: Any, b: Any, c: Any) -> Any:
        """Return ``a b + c``, rounded once."""
        return self.call("fma", a, b, c)

    def floor(self, a: Any) -> Any:
        """Return the next whole numbers below."""
        return self.call("floor", a)

    def same(self, value: float) -> Any:
        """Return a vector of one number that is known."""
        return ir.Constant(self.type, [value] * self.lanes)

    def number(self, value: int) -> Any:
        """Return an index."""
        return ir.Constant(self.index, value)

    def spread(self, scalar: Any) -> Any:
        """Return a vector of one number, of the number's own type."""
        none = ir.Constant(ir.VectorType(scalar.type, self.lanes), ir.Undefined)
        first = self.builder.insert_element(none, scalar, ir.Constant(_INT32, 0))
        zeros = ir.Constant(ir.VectorType(_INT32, self.lanes), [0] * self.lanes)
        return self.builder.shuffle_vector(first, none, zeros)

    def transposed(self, square: list[Any]) -> list[Any]:
        """Return as many vectors as they have lanes, rows for columns."""
        builder, size = self.builder, 1
        while size < self.lanes:
            # Blocks of this size change places across the diagonal of blocks of twice the size.
            low = [n if not n & size else self.lanes + n - size for n in range(self.lanes)]
            high = [n + size if not n & size else self.lanes + n for n in range(self.lanes)]
            masks = [ir.Constant(ir.VectorType(_INT32, self.lanes), each) for each in (low, high)]
            for i in (i for i in range(self.lanes) if not i & size):
                pair = square[i], square[i + size]
                square[i], square[i + size] = (
                    builder.shuffle_vector(*pair, mask) for mask in masks
                )
            size *= 2
        return square

    def at(self, pointer: Any, vector: Any) -> Any:
        """Return a pointer to a vector after ``pointer``, by its number."""
        if isinstance(vector, int):
            vector = self.number(vector)
        first = self.builder.mul(vector, self.number(self.lanes))
        return self.builder.bitcast(self.builder.gep(pointer, [first]), self.type.as_pointer())

    def exponential(self, given: Any, *, less_one: bool = False) -> Any:
        """Return ``exp x`` of numbers <= 0, or ``exp x - 1`` without cancellation near 0."""
        builder = self.builder
        # exp x = 2ⁿ exp r with |r| <= ½ ln 2: a Taylor sum to the precision of the type. Below
        # the lowest x its exponential is taken for that: it is still a normal number, and far from
        # any that counts beside the 1 of the highest score. ln 2 in two parts, so that r is exact.
        single = self.bits == 32
        lowest, degree = (-87.0, 7) if single else (-708.0, 13)
        high = 0.693359375 if single else 0.6931471803691238
        low = -2.12194440054690583e-4 if single else 1.9082149292705877e-10
        mantissa, bias = (23, 127) if single else (52, 1023)
        is_number = builder.fcmp_ordered("ord", given, given)
        x = builder.select(is_number, given, self.same(0.0))
        lowest_x = self.same(lowest)
        x = builder.select(builder.fcmp_ordered("<", x, lowest_x), lowest_x, x)
        n = self.floor(self.fused(x, self.same(1 / log(2)), self.same(0.5)))
        r = self.fused(n, self.same(-high), x)
        r = self.fused(n, self.same(-low), r)
        total = self.same(1 / factorial(degree))
        for k in range(degree - 1, 0, -1):
            total = self.fused(total, r, self.same(1 / factorial(k)))
        exponent = builder.add(
            builder.fptosi(n, self.integers), ir.Constant(self.integers, [bias] * self.lanes)
        )
        power = builder.shl(exponent, ir.Constant(self.integers, [mantissa] * self.lanes))
        power = builder.bitcast(power, self.type)
        one = self.same(1.0)
        if less_one:
            # 2ⁿ (exp r - 1) + (2ⁿ - 1), whose last part is exact where it counts.
            total = builder.fmul(total, r)
            result = self.fused(total, power, builder.fsub(power, one))
        else:
            result = builder.fmul(self.fused(total, r, one), power)
        return builder.select(is_number, result, given)

    def load(self, pointer: Any) -> Any:
        """Return the vector at a pointer, which need not be aligned."""
        return self.builder.load(pointer, align=self.bits // 8)

    def store(self, value: Any, pointer: Any) -> None:
        """Set the vector at a pointer."""
        self.builder.store(value, pointer, align=self.bits // 8)


def data_of(context: Any, builder: Any, kind: Any, array: Any) -> Any:
    """Return a pointer to an array's first number."""
    return cgutils.create_struct_proxy(kind)(context, builder, array).data


def _over_row(*, adds_to_rows: bool) -> Any:
    """Return what runs through a sparse row: its dot product with ``W``, or its part in one."""

    def over_row(
        context: Any,
        matrix: Any,
        width: Any,
        values: Any,
        columns: Any,
        start: Any,
        stop: Any,
        dense: Any,
    ) -> Any:
        index = types.intp
        signature = types.void(matrix, index, values, columns, index, index, dense)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            vectors = Vectors(context, builder, signature.args[0].dtype, VECTOR_BYTES)
            matrix, values, columns, dense = (
                data_of(context, builder, signature.args[i], arguments[i]) for i in (0, 2, 3, 6)
            )
            width, start, stop = (arguments[i] for i in (1, 4, 5))
            most = vectors.number(MOST)
            # As many vectors at a time as registers hold.
            n_vectors = builder.udiv(width, vectors.number(vectors.lanes))
            n_parts = builder.udiv(builder.add(n_vectors, vectors.number(MOST - 1)), most)
            with cgutils.for_range(builder, n_parts) as part:
                first = builder.mul(part.index, most)
                left = builder.sub(n_vectors, first)
                count = builder.select(builder.icmp_signed("<", left, most), left, most)
                before = builder.mul(first, vectors.number(vectors.lanes))
                held = builder.gep(dense, [before])
                rows = builder.gep(matrix, [before])
                end = builder.append_basic_block("end")
                switch = builder.switch(count, end)
                for number in range(1, MOST + 1):
                    block = builder.append_basic_block(f"vectors{number}")
                    switch.add_case(vectors.number(number), block)
                    builder.position_at_end(block)
                    run = _Run(vectors, rows, width, values, columns, held, number)
                    run.generate(start, stop, adds_to_rows=adds_to_rows)
                    builder.branch(end)
                builder.position_at_end(end)
            return context.get_dummy_value()

        return signature, generate

    return intrinsic(over_row)


class _Run(NamedTuple):
    """A run through a sparse row, for some vectors of the dense one that are held in registers."""

    vectors: Vectors
    matrix: Any
    width: Any
    values: Any
    columns: Any
    dense: Any
    n_vectors: int

    def generate(self, start: Any, stop: Any, *, adds_to_rows: bool) -> None:
        """Generate its loop."""
        vectors, builder = self.vectors, self.vectors.builder
        loop, body, done = (builder.append_basic_block(name) for name in ("loop", "body", "done"))
        head = builder.block
        held = [vectors.load(vectors.at(self.dense, k)) for k in range(self.n_vectors)]
        builder.branch(loop)
        builder.position_at_end(loop)
        position = builder.phi(vectors.index)
        position.add_incoming(start, head)
        sums = []
        for vector in () if adds_to_rows else held:
            sums.append(builder.phi(vectors.type))
            sums[-1].add_incoming(vector, head)
        builder.cbranch(builder.icmp_signed("<", position, stop), body, done)
        builder.position_at_end(body)
        value = vectors.spread(builder.load(builder.gep(self.values, [position])))
        column = builder.load(builder.gep(self.columns, [position]))
        column = builder.zext(column, vectors.index)
        row = builder.gep(self.matrix, [builder.mul(column, self.width)])
        for k in range(self.n_vectors):
            pointer = vectors.at(row, k)
            weights = vectors.load(pointer)
            if adds_to_rows:
                vectors.store(vectors.fused(value, held[k], weights), pointer)
            else:
                sums[k].add_incoming(vectors.fused(value, weights, sums[k]), body)
        after = builder.add(position, vectors.number(1))
        position.add_incoming(after, body)
        builder.branch(loop)
        builder.position_at_end(done)
        for k, total in enumerate(sums):
            vectors.store(total, vectors.at(self.dense, k))


# Both take: a matrix W as a flat array, the length P of its rows; values and columns (unsigned) of
# sparse rows, and where one starts and stops in them; the row d.
add_dot = _over_row(adds_to_rows=False)  # d += x W for the sparse row x
add_outer = _over_row(adds_to_rows=True)  # W += xᵀ d


def _call_at(context: Any, address: Any, operands: Any) -> Any:
    """Call what ``Compiled.address`` gives for arguments of these types, and returns nothing.

    A function that is called by its name is compiled once more with each function that calls it.
    """
    signature = types.void(types.intp, operands)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kinds = tuple(signature.args[1])
        given = cgutils.unpack_tuple(builder, arguments[1], len(kinds))
        convention = context.call_conv
        kind = convention.get_function_type(types.none, kinds).as_pointer()
        function = builder.inttoptr(arguments[0], kind)
        convention.call_function(builder, function, types.none, kinds, given)
        return context.get_dummy_value()

    return signature, generate


call_at: Any = intrinsic(_call_at)
