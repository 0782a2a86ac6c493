# Known to the compiler alone: a node keeps these in a struct. With primitive.pxd and sweep.pxd, 100 small ops and their
# backward take 224 us in place of 256.

cdef class Node:
    cdef public object op, parents, values, data, number
