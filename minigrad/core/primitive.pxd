# Known to the compiler alone, see graph.pxd.
cimport cython
from minigrad.core.graph cimport Node

cdef class Op:
    cdef public object name, forward, arguments, arity, rules, rule_for_each, fused

@cython.locals(node=Node)
cpdef object record(Op op, object y, object values, object parents)
cpdef object general(Op op, object args)
