/* What the kernels need from the processor: flush subnormals, know the instruction set, ask for inlining. */
#ifndef MINIGRAD_SIMD_H
#define MINIGRAD_SIMD_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(_MSC_VER) && !defined(__clang__)
#define MG_RESTRICT __restrict
#define MG_INLINE static __forceinline
#define MG_OUTSIDE static __declspec(noinline)
#define MG_PLAIN_C 1 /* no vector types */
#else
#define MG_RESTRICT __restrict__
#define MG_INLINE static inline __attribute__((always_inline))
#define MG_OUTSIDE static __attribute__((noinline)) /* its loop wants the registers for itself */
#endif

#ifdef __GNUC__
#define MG_FETCH(p) __builtin_prefetch((p), 0, 2) /* asks for a cache line in L2 */
#define MG_FETCH_TO_WRITE(p) __builtin_prefetch((p), 1)
#else
#define MG_FETCH(p) ((void)(p))
#define MG_FETCH_TO_WRITE(p) ((void)(p))
#endif

/* The compiler no longer knows where x came from, and keeps it in a register of its own. */
#ifdef __GNUC__
#define MG_FRESH(x) __asm__("" : "+r"(x))
#define MG_SELDOM(condition) __builtin_expect(!!(condition), 0)
#else
#define MG_FRESH(x) ((void)(x))
#define MG_SELDOM(condition) (condition)
#endif

/* Before a loop of constant length: its body as often as that, no loop. */
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#elif defined(__GNUC__)
#define UNROLL _Pragma("GCC unroll 32")
#else
#define UNROLL
#endif

/* Before a loop of few rounds, like that over what is left behind whole vectors: one by one. Preparing for more of
   them, as clang would, costs more than the loop. */
#ifdef __clang__
#define ONE_BY_ONE _Pragma("clang loop vectorize(disable) unroll(disable)")
#else
#define ONE_BY_ONE
#endif

#define MG_PASTE_(a, b) a##_##b
#define MG_PASTE(a, b) MG_PASTE_(a, b) /* a_b with macros in a and b expanded */

#if defined(__x86_64__) || defined(_M_X64)
#define MG_X86 1
#include <emmintrin.h>
#endif

/* The calling thread's way with rounding and subnormals. To restore it restores the exception flags too, so that those
   raised meanwhile stay out of the caller's sight. */
static inline uint64_t mg_mode(void) {
#if defined(MG_X86)
    return _mm_getcsr();
#elif defined(__aarch64__) && defined(__GNUC__)
    uint64_t mode;
    __asm__ __volatile__("mrs %0, fpcr" : "=r"(mode));
    return mode;
#else
    return 0;
#endif
}

static inline void mg_set_mode(uint64_t mode) {
#if defined(MG_X86)
    _mm_setcsr((unsigned)mode);
#elif defined(__aarch64__) && defined(__GNUC__)
    __asm__ __volatile__("msr fpcr, %0" : : "r"(mode));
#else
    (void)mode;
#endif
}

/* A subnormal result can cost 100 times a normal one: in sums of products (matmul, conv) it becomes 0. mg_flush_on sets
   flush-to-zero in the calling thread and returns the mode before; mg_flush_off puts that back. Every thread that
   computes calls the pair itself. What is read stays as it is (1e-310 times 1e300 is 1e-10), but on ARM, whose one
   switch takes both. No other kernel changes the mode; for the averages of optimizers see optim.h. */
static inline uint64_t mg_flush_on(void) {
    const uint64_t before = mg_mode();
#if defined(MG_X86)
    mg_set_mode(before | 0x8000u); /* bit 15: flush to zero */
#elif defined(__aarch64__) && defined(__GNUC__)
    mg_set_mode(before | (1ull << 24));
#endif
    return before;
}

static inline void mg_flush_off(uint64_t before) { mg_set_mode(before); }

/* memcpy past the caches, where the processor can, for what is not read again soon or lies in the cache of another
   thread; the first and the last bytes, of lines that are not whole, the usual way. mg_streamed() comes after the last
   one, before other threads hear that the work is done. */
static inline void mg_stream(void *to, const void *from, size_t bytes) {
#ifdef MG_X86
    const size_t gap = (size_t)(-(uintptr_t)to % 64), before = gap < bytes ? gap : bytes;
    const size_t lines = (bytes - before) / 64 * 64;
    char *target = (char *)to + before;
    const char *source = (const char *)from + before;
    memcpy(to, from, before);
    for (size_t b = 0; b < lines; b += 16) /* four of them make a line */
        _mm_stream_si128((__m128i *)(target + b), _mm_loadu_si128((const __m128i *)(source + b)));
    memcpy(target + lines, source + lines, bytes - before - lines);
#else
    memcpy(to, from, bytes);
#endif
}

static inline void mg_streamed(void) {
#ifdef MG_X86
    _mm_sfence();
#endif
}

/* The best instruction set of this machine: 0 baseline (SSE2, NEON, plain C), 1 AVX2 and FMA, 2 AVX-512 F, BW, DQ, VL.
 */
static inline int mg_isa_found(void) {
#if defined(MG_X86) && defined(__GNUC__) && !defined(MG_PLAIN_C)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq")
        && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("fma"))
        return 2;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return 1;
#endif
    return 0;
}

#endif
