/* What a kernel sees of threads: it cuts its outputs into parts, and a team shares them. */
#ifndef MINIGRAD_PARTS_H
#define MINIGRAD_PARTS_H

#include "simd.h"

/* Computes parts first .. past - 1; 0, or -1 where memory is lacking. Which thread calls it, and with which cut, is
   unknown beforehand: a part must have the same bits wherever it is computed. */
typedef int (*Work)(const void *context, ptrdiff_t first, ptrdiff_t past);

/* So many threads at most, and what they have from the module `runtime`: a way to share work (helpers.h), and memory to
   work in (scratch.h): slot 0 or 1 of the calling thread, at least `bytes` bytes at a multiple of 64, or NULL. */
typedef struct {
    int threads;
    int (*share)(int threads, Work work, const void *context, ptrdiff_t parts);
    void *(*scratch)(int slot, size_t bytes);
} Team;

/* For the arithmetic of cutting. Always inlined, for gcc calls what was compiled for another instruction set. */
MG_INLINE ptrdiff_t mg_least(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }
MG_INLINE ptrdiff_t mg_most(ptrdiff_t a, ptrdiff_t b) { return a > b ? a : b; }
MG_INLINE ptrdiff_t mg_ceil(ptrdiff_t a, ptrdiff_t b) { return (a + b - 1) / b; } /* a / b, rounded up */

/* Calls work on ranges that make up 0 .. parts - 1, and returns when all are done: 0, or -1 if any failed. */
static inline int run_parts(Team team, Work work, const void *context, ptrdiff_t parts) {
    if (parts <= 0) return 0;
    return team.threads > 1 && parts > 1 ? team.share(team.threads, work, context, parts) : work(context, 0, parts);
}

#endif
