"""Kernels: what carries out the updates of a cohort. One definition, several implementations.

``reference`` is that definition, on NumPy. ``sparse`` does the same sums compiled, for networks
whose first layer is their only one, and ``dense`` for those with hidden layers. ``choice`` says
which of them a plan is given.
"""
