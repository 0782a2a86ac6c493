/* The updates of the optimizers: updates.h, once for each instruction set and width, and the table that optim.pyx
   reads.

   Machines with AVX-512 take the copy for AVX2: the loops wait for memory or for divisions, and 512-bit divisions take
   twice as long as 256-bit ones (Adam with all of the box's divisions on 100,000 float32: 108 us baseline, 52 AVX2, 66
   AVX-512). No multiplication and addition is contracted to one rounding: the bits are the same on every machine, and
   NumPy's. */
#ifndef MINIGRAD_OPTIM_H
#define MINIGRAD_OPTIM_H

#include <float.h>
#include <math.h>
#include <stddef.h>
#include <string.h>
#include "simd.h"

#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#define MG_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#elif defined(__GNUC__)
#pragma GCC push_options
#pragma GCC optimize("fp-contract=off", "align-loops=64")
#define MG_INDEPENDENT _Pragma("GCC ivdep")
#else
#define MG_INDEPENDENT
#endif

#define mg_root_f32 sqrtf
#define mg_root_f64 sqrt
#define mg_abs_f32 fabsf
#define mg_abs_f64 fabs

#define WIDEST 1
#define BODY "updates.h"
#include "variants.h"

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC pop_options
#endif

enum { MOST_ARRAYS = 8 }; /* of one update */

/* One update: its signature (updates.h), and its loop by width (1: double) and instruction set. */
typedef struct {
    const char *name, *signature;
    void (*loops[2][MG_SETS])(void *const *a, const double *c, ptrdiff_t i, const ptrdiff_t stop);
} Update;

#define ROW(name, signature) {#name, signature, BOTH(name)},
static const Update updates[] = {UPDATES(ROW)};
enum { UPDATES_COUNT = sizeof updates / sizeof updates[0] };
#undef ROW

static inline void mg_update(const Update *update, char code, int isa, void *const *a, const double *c, ptrdiff_t i,
                             ptrdiff_t stop) {
    update->loops[code == 'd'][isa < MG_SETS ? isa : MG_SETS - 1](a, c, i, stop);
}

enum { ASIDE = 16384 }; /* bytes of a chunk: half of L1 */

/* mg_update of theta (or what `shared` is) in chunks that are computed aside and streamed, see past_caches in
   runtime.pyx: a step of Adam on 100,000 float32 after backward on two threads took 220 us, and takes 40. */
static inline void mg_update_aside(const Update *update, char code, int isa, void *const *a, int arrays,
                                   const double *c, int shared, ptrdiff_t i, ptrdiff_t stop) {
    _Alignas(64) char aside[ASIDE];
    const ptrdiff_t size = code == 'd' ? 8 : 4, most = ASIDE / size;
    for (ptrdiff_t past; i < stop; i = past) {
        past = i + most < stop ? i + most : stop;
        void *of_chunk[MOST_ARRAYS];
        for (int k = 0; k < arrays; k++) of_chunk[k] = (char *)a[k] + i * size;
        memcpy(aside, of_chunk[shared], (size_t)((past - i) * size));
        void *const place = of_chunk[shared];
        of_chunk[shared] = aside;
        mg_update(update, code, isa, of_chunk, c, 0, past - i);
        mg_stream(place, aside, (size_t)((past - i) * size));
    }
    mg_streamed();
}

/* Averages decay by way of the subnormals where no gradient comes any more (Adam's, after some 900 steps) and would
   stay there, where many processors need 10 times as long. So once an update has met a subnormal, its averages below
   the smallest normal number become 0. theta and all else keep every bit. x86 remembers whether one was met: in two
   flags, raised when a subnormal is read, and when one comes out rounded. */
#ifdef MG_X86
static inline unsigned watch_subnormals(void) {
    const unsigned before = _mm_getcsr();
    _mm_setcsr(before & ~0x12u);
    return before;
}

static inline int met_subnormals(unsigned before) {
    const unsigned flags = _mm_getcsr();
    _mm_setcsr(before);
    return (flags & 0x12u) != 0;
}
#else
static inline unsigned watch_subnormals(void) { return 0; }
static inline int met_subnormals(unsigned before) { return (void)before, 1; } /* not known: look at all */
#endif

static inline void forget_subnormals(char code, void *x, ptrdiff_t i, ptrdiff_t stop) {
    if (code == 'f')
        for (float *average = x; i < stop; i++) average[i] = fabsf(average[i]) < FLT_MIN ? 0 : average[i];
    else
        for (double *average = x; i < stop; i++) average[i] = fabs(average[i]) < DBL_MIN ? 0 : average[i];
}

#endif
