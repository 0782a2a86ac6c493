/* The first n <= LANES numbers of a vector, for one width and instruction set: what an edge has. Nothing behind them is
   touched. LOAD_SOME(p, n) has zeros behind them, STORE_SOME(p, v, n) stores them; load_four(p, n) is LOAD_SOME of a
   vector of four (ISA > 0). */
#undef MASK
#if ISA > 0
#define MASK ((const void *)(NAME(all_then_none) + 8 - n))
static const WHOLE NAME(all_then_none)[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
#if LANES == 4 << ISA /* floats */
MG_INLINE __m128 NAME(load_four)(const REAL *p, ptrdiff_t n) { return _mm_maskload_ps(p, _mm_loadu_si128(MASK)); }
#else
MG_INLINE __m256d NAME(load_four)(const REAL *p, ptrdiff_t n) {
    return _mm256_maskload_pd(p, _mm256_loadu_si256(MASK));
}
#endif
#endif

MG_INLINE vec NAME(load_some)(const REAL *p, ptrdiff_t n) {
#if ISA == 2 && LANES == 16
    return (vec)_mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p);
#elif ISA == 2
    return (vec)_mm512_maskz_loadu_pd((__mmask8)((1u << n) - 1), p);
#elif ISA == 1 && LANES == 8
    return (vec)_mm256_maskload_ps(p, _mm256_loadu_si256(MASK));
#elif ISA == 1
    return (vec)_mm256_maskload_pd(p, _mm256_loadu_si256(MASK));
#else
    REAL some[LANES] = {0};
    for (ptrdiff_t j = 0; j < n; j++) some[j] = p[j];
    return LOAD(some);
#endif
}

MG_INLINE void NAME(store_some)(REAL *p, vec x, ptrdiff_t n) {
#if ISA == 2 && LANES == 16
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), (__m512)x);
#elif ISA == 2
    _mm512_mask_storeu_pd(p, (__mmask8)((1u << n) - 1), (__m512d)x);
#else /* AVX2 has an instruction that some processors do entry by entry, and slowly */
    REAL some[LANES];
    STORE(some, x);
    for (ptrdiff_t j = 0; j < n; j++) p[j] = some[j];
#endif
}

#define LOAD_SOME(p, n) NAME(load_some)(p, n)
#define STORE_SOME(p, v, n) NAME(store_some)(p, v, n)
