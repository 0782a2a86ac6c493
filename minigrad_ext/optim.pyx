"""Optimizer updates: one vectorised pass over theta (n,) and the state, in place. The loops are in updates.h.

This module reads its contents from the table of optim.h: for every signature there an object of that name, called with
the arrays and numbers in their order. There is one gate for all of them. Every entry is computed alone, so the bits do
not depend on how the entries are shared between threads.
"""
from minigrad_ext.gate cimport (
    Gate,
    Py_buffer,
    disjoint,
    enter,
    input,
    leave,
    output,
    same_shape,
    size,
)
from minigrad_ext.runtime cimport Team, isa_level, past_caches, run_parts, team_at_hand


cdef extern from "optim.h" nogil:
    ctypedef struct CUpdate "Update":
        const char *name
        const char *signature
    const CUpdate updates[]
    int UPDATES_COUNT
    void mg_update(const CUpdate *update, char code, int isa, void **a, const double *c, Py_ssize_t i, Py_ssize_t stop)
    void mg_update_aside(const CUpdate *update, char code, int isa, void **a, int arrays, const double *c, int shared,
                         Py_ssize_t i, Py_ssize_t stop)
    unsigned watch_subnormals()
    int met_subnormals(unsigned before)
    void forget_subnormals(char code, void *x, Py_ssize_t i, Py_ssize_t stop)


cdef enum:
    MOST = 8                     # arrays, and numbers, of one update
    LINE = 16                    # a part; threads share no cache line

cdef enum Kind:                  # of an argument, by the word before its name; the first is written and has none
    WRITTEN
    CONST
    AVERAGE
    NUMBER

KINDS = {"": WRITTEN, "const": CONST, "average": AVERAGE, "number": NUMBER}


cdef struct Pass:
    const CUpdate *update
    char code
    void *a[MOST]
    double c[MOST]
    Py_ssize_t n
    int arrays
    int written                  # the first array that is: theta, or the interim point
    bint aside                   # is it updated aside? see optim.h
    int averages                 # bit k: a[k] is one


cdef int lines(const void *whole, Py_ssize_t first, Py_ssize_t past) noexcept nogil:
    """Lines first to past of a pass, by the calling thread."""
    cdef Pass *of = <Pass *> whole
    cdef Py_ssize_t start = first * LINE, stop = min(past * LINE, of.n)
    cdef unsigned before = watch_subnormals()
    cdef int k
    if of.aside:
        mg_update_aside(of.update, of.code, isa_level(), of.a, of.arrays, of.c, of.written, start, stop)
    else:
        mg_update(of.update, of.code, isa_level(), of.a, of.c, start, stop)
    if met_subnormals(before):
        for k in range(MOST):
            if of.averages >> k & 1:
                forget_subnormals(of.code, of.a[k], start, stop)
    return 0


cdef class _Update:
    """One update of the table: `update(*arguments)`, in the order of `arguments`, its names.

    Arrays are (n,), contiguous, of one dtype. Those not `const` in `signature` are written, and overlap nothing.
    """
    cdef const CUpdate *update
    cdef readonly str __name__
    cdef readonly str signature
    cdef readonly tuple arguments
    cdef tuple names             # the same in bytes, for the gate
    cdef int count
    cdef Kind kinds[2 * MOST]

    def __cinit__(self, int row):
        self.update = &updates[row]
        self.__name__, self.signature = self.update.name.decode(), self.update.signature.decode()
        pairs = [argument.rpartition(" ") for argument in self.signature.split(", ")]
        self.arguments = tuple([name for _, _, name in pairs])
        self.names = tuple([name.encode() for name in self.arguments])
        self.count = len(pairs)
        for i, (kind, _, _) in enumerate(pairs):
            self.kinds[i] = KINDS[kind]

    def __call__(self, *arguments):
        cdef Gate gate
        cdef Pass whole
        cdef Team team
        cdef Py_buffer *view
        cdef Py_buffer *theta = NULL
        cdef int i, arrays = 0, numbers = 0
        cdef Kind kind
        cdef const char *name
        if len(arguments) != self.count:
            raise TypeError(f"{self.__name__} takes {self.count} arguments ({', '.join(self.arguments)}), "
                            f"got {len(arguments)}")
        whole.averages, whole.written = 0, -1
        enter(&gate, self.update.name)
        try:
            for i in range(self.count):
                kind, name = self.kinds[i], <const char *> self.names[i]
                if kind == NUMBER:
                    whole.c[numbers] = arguments[i]
                    numbers += 1
                    continue
                view = input(&gate, arguments[i], name, 1) if kind == CONST else output(&gate, arguments[i], name, 1)
                if theta == NULL:
                    theta = view
                same_shape(&gate, view, name, theta, "theta")
                whole.a[arrays] = view.buf
                if kind == WRITTEN and whole.written < 0:
                    whole.written = arrays
                whole.averages |= (kind == AVERAGE) << arrays
                arrays += 1
            disjoint(&gate)
            whole.update, whole.code, whole.n = self.update, gate.code, size(theta)
            whole.arrays = arrays
            # Adam, four arrays: two threads from 250,000 numbers, or from 42,000
            team = team_at_hand(6.0 * arrays * whole.n, 1 / 6.0, False)
            whole.aside = past_caches(theta.len)
            with nogil:
                run_parts(team, lines, &whole, (whole.n + LINE - 1) // LINE)
        finally:
            leave(&gate)

    def __repr__(self):
        return f"{self.__name__}({self.signature})"

    @property
    def __module__(self):
        return __name__

    @property
    def __signature__(self):
        from inspect import Parameter, Signature
        return Signature([Parameter(name, Parameter.POSITIONAL_ONLY) for name in self.arguments])


for _row in range(UPDATES_COUNT):
    _update = _Update(_row)
    globals()[_update.__name__] = _update
