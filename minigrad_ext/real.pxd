"""The two widths every kernel is written for, and their mathematics.

`real` is Cython's fused type: one body, one compiled copy per width. `libc.math.sqrt` is double and makes a float32
loop 2.5 to 3 times slower, so each function here picks sqrtf or sqrt when the copy is compiled.
"""
from libc cimport math
from libc.math cimport expf, fabsf, logf, powf, sqrtf, tanhf

ctypedef fused real:
    float
    double


cdef inline real real_sqrt(real x) noexcept nogil:
    if real is float:
        return sqrtf(x)
    else:
        return math.sqrt(x)


cdef inline real real_exp(real x) noexcept nogil:
    if real is float:
        return expf(x)
    else:
        return math.exp(x)


cdef inline real real_log(real x) noexcept nogil:
    if real is float:
        return logf(x)
    else:
        return math.log(x)


cdef inline real real_tanh(real x) noexcept nogil:
    if real is float:
        return tanhf(x)
    else:
        return math.tanh(x)


cdef inline real real_abs(real x) noexcept nogil:
    if real is float:
        return fabsf(x)
    else:
        return math.fabs(x)


cdef inline real real_pow(real x, real p) noexcept nogil:
    if real is float:
        return powf(x, p)
    else:
        return math.pow(x, p)
