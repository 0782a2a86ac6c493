"""The compiled kernels. Buffers in, buffers out: they allocate nothing for their callers and know nothing of minigrad.

One family per module (matmul, softmax, elementwise, conv, pool, norm, optim). `runtime` holds the number of threads and
the instruction set, `memory` the memory that large results leave to the next ones. `minigrad.kernels` has the NumPy
definition of each kernel and chooses between the two.
"""
