# Known to the compiler alone, see graph.pxd.
cimport cython
from minigrad.core.graph cimport Node
from minigrad.core.primitive cimport Op

cdef object _sweep(object order, dict grads, object targets, bint retain_graph, bint create_graph=*, object places=*)
@cython.locals(node=Node, op=Op)
cpdef object _walk(object order, dict grads, object targets, bint retain_graph, bint create_graph, object places)
@cython.locals(op=Op)
cdef object _by_rules(Node node, object g, dict grads, object useful, bint create_graph)
@cython.locals(op=Op)
cdef object _by_fused(Node node, object g, dict grads, object useful, object places=*)
