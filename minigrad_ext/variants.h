/* Includes the text BODY once for every instruction set and width. Before: #define BODY "file.h".
   The body finds REAL and WIDTH (float f32, double f64), NAME(x), VECTOR_BYTES, NUMBERS (of REAL in a vector) and ISA (0 baseline, 1 AVX2 and FMA, 2 AVX-512), and gives
   its functions names NAME(f); after it, VARIANTS(f, f32)[isa] is f for that instruction set:

       #define BODY "softmax_body.h"
       #include "variants.h"
       static void (*const softmax_f32[])(...) = VARIANTS(softmax, f32);

   Where the compiler has no such targets (or MG_PLAIN_C), there is one instruction set, 0; MG_SETS says how many. */

#define ISA 0
#define VECTOR_BYTES 16
#define REAL float
#define WIDTH f32
#define NUMBERS 4
#define NAME(x) x##_base_f32
#include BODY
#undef REAL
#undef WIDTH
#undef NUMBERS
#undef NAME
#define REAL double
#define WIDTH f64
#define NUMBERS 2
#define NAME(x) x##_base_f64
#include BODY
#undef REAL
#undef WIDTH
#undef NUMBERS
#undef NAME
#undef ISA
#undef VECTOR_BYTES

#undef VARIANTS
#undef MG_SETS
#if defined(MG_X86) && defined(__GNUC__) && !defined(MG_PLAIN_C)
#define MG_SETS 3
#define VARIANTS(f, width) {f##_base_##width, f##_avx2_##width, f##_avx512_##width}

#define ISA 1
#define VECTOR_BYTES 32
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#endif
#define REAL float
#define WIDTH f32
#define NUMBERS 8
#define NAME(x) x##_avx2_f32
#include BODY
#undef REAL
#undef WIDTH
#undef NUMBERS
#undef NAME
#define REAL double
#define WIDTH f64
#define NUMBERS 4
#define NAME(x) x##_avx2_f64
#include BODY
#undef REAL
#undef WIDTH
#undef NUMBERS
#undef NAME
#undef ISA
#undef VECTOR_BYTES
#if defined(__clang__)
#pragma clang attribute pop
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,fma"))), apply_to = function)
#else
#pragma GCC pop_options
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,fma,prefer-vector-width=512")
#endif

#define ISA 2
#define VECTOR_BYTES 64
#define REAL float
#define WIDTH f32
#define NUMBERS 16
#define NAME(x) x##_avx512_f32
#include BODY
#undef REAL
#undef WIDTH
#undef NUMBERS
#undef NAME
#define REAL double
#define WIDTH f64
#define NUMBERS 8
#define NAME(x) x##_avx512_f64
#include BODY
#undef REAL
#undef WIDTH
#undef NUMBERS
#undef NAME
#undef ISA
#undef VECTOR_BYTES
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

#else
#define MG_SETS 1
#define VARIANTS(f, width) {f##_base_##width}
#endif
#undef BODY
