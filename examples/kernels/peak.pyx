"""What the processor can do at most: multiply-adds on registers alone, and nothing else.

Twelve sums of one vector each, independent of one another, so that a new multiply-add can begin in every cycle while
the earlier ones are under way. No kernel that has to fetch its numbers is faster.
"""
cdef extern from *:
    """
    #if defined(__AVX512F__)
    #define WIDTH 16
    #elif defined(__AVX2__)
    #define WIDTH 8
    #else
    #define WIDTH 4
    #endif
    #define SUMS 12
    #if defined(__x86_64__)
    #define REGISTER "+x"
    #else
    #define REGISTER "+w"
    #endif
    typedef float peak_vec __attribute__((vector_size(4 * WIDTH)));
    static double busy(long rounds) {
        peak_vec sum[SUMS], x, y;
        for (int i = 0; i < WIDTH; i++) x[i] = 1.0f - 1e-7f * i, y[i] = 1e-3f;
        for (int s = 0; s < SUMS; s++) sum[s] = y;
        for (long round = 0; round < rounds; round++) {
            __asm__("" : REGISTER(x));                                /* not known before: nothing can be worked out */
            for (int s = 0; s < SUMS; s++) sum[s] = sum[s] * x + y;
        }
        for (int s = 1; s < SUMS; s++) sum[0] += sum[s];
        return sum[0][0];
    }
    """
    double busy(long rounds) nogil
    enum: WIDTH
    enum: SUMS

PEAK_WIDTH = WIDTH          # numbers in one register


def multiply_adds(long rounds):
    """Work for `rounds` rounds. Returns the floating-point operations done: two for each number of each sum."""
    cdef double result
    with nogil:
        result = busy(rounds)
    assert result == result
    return 2.0 * rounds * SUMS * WIDTH
