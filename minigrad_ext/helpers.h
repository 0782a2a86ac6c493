/* The helpers: threads that take parts of a kernel's work. They are made when a kernel first has work for them and
   sleep between kernels.

   The work of a kernel is cut into pieces, and every thread of the team has a seat with an equal share of them before
   it, the same share from kernel to kernel, so that it meets its own numbers in its cache. Whoever has finished with
   his own takes pieces from the others' seats. So the work is done whoever comes: a helper that could not be made, or
   that another program keeps from its processor, is not waited for, unless it is in the midst of a piece.

   One kernel at a time has the helpers. A second Python thread finds them taken and works alone; so does the child of a
   fork until its first kernel makes helpers of its own. */
#ifndef MINIGRAD_HELPERS_H
#define MINIGRAD_HELPERS_H

#include "parts.h"
#include "simd.h"

enum { MOST_THREADS = 256 };

#if defined(MG_ONE_THREAD) || defined(_WIN32)

enum { MG_THREADS = 0 };
static int mg_share(int threads, Work work, const void *context, ptrdiff_t parts) {
    (void)threads;
    return work(context, 0, parts);
}
static void mg_allow_helpers(int most) { (void)most; }
static int mg_helpers(void) { return 0; }
static int mg_awake(void) { return 0; }
static int mg_again(void) { return 0; }
static void mg_allow_processor(int number) { (void)number; }

#else

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

enum { MG_THREADS = 1 };
enum { PIECES = 4 };        /* a seat's share: fewer, and a thread that is held up holds up more; more cost more */
enum { SPIN = 200 * 1000 }; /* ns a thread watches for work before it sleeps: the gap between two kernels of a step */
enum { STACK = 1024 * 1024 };

/* Where a thread waits for a counter to change. */
typedef struct {
    _Alignas(64) atomic_int asleep;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
} Bed;

typedef struct {
    _Alignas(64) atomic_int left; /* pieces before this seat that nobody has taken */
    int past;                     /* number of the last of them, plus 1 */
} Seat;

static Seat seats[MOST_THREADS]; /* 0: the thread that called the kernel */
static Bed beds[MOST_THREADS];
static pthread_t thread_of[MOST_THREADS];
static int helpers;
static atomic_int most_helpers = MOST_THREADS - 1;
static atomic_int taken; /* by a kernel */
static atomic_uint kernels_begun, unfinished;
static atomic_int team_size, failed;

/* The kernel at work. Written while no piece is there to be taken, read by whoever has taken one. */
static struct {
    Work work;
    const void *context;
    ptrdiff_t parts;
    int pieces;
    uint64_t mode;
} now;

static inline void mg_pause(void) {
#if defined(MG_X86)
    _mm_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("yield");
#endif
}

static long long nanoseconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* Where helper `me` wakes: on a processor that the calling thread may use, but not on that which it is on, if there is
   another. Left to itself the system wakes it there as often as not, behind the caller, who has done all the work
   before it is seen, 4 ms later, that another processor idles. Once awake the helper may be moved, as the caller may.
   Both hold the bed's lock. */
#ifdef __linux__
static cpu_set_t processors[MOST_THREADS]; /* that helpers may use; 0: all, where the caller's own do not tell */
static int told;

static void place(int me) {
    const int here = sched_getcpu();
    cpu_set_t others = processors[0];
    if (here < 0 || (!told && sched_getaffinity(0, sizeof others, &others))) return;
    processors[me] = others;
    if (CPU_COUNT(&others) > 1) CPU_CLR(here, &others);
    pthread_setaffinity_np(thread_of[me], sizeof others, &others);
}

static void release(int me) {
    if (CPU_COUNT(&processors[me])) pthread_setaffinity_np(pthread_self(), sizeof processors[me], &processors[me]);
}

/* Helpers may use this processor, whatever their caller may use. */
static void mg_allow_processor(int number) {
    told = 1;
    if (number >= 0 && number < CPU_SETSIZE) CPU_SET(number, &processors[0]);
}
#else
static void place(int me) { (void)me; }
static void release(int me) { (void)me; }
static void mg_allow_processor(int number) { (void)number; }
#endif

/* Returns when *counter is no longer `value`: thread `me` watches it for a while, then sleeps until it is roused. */
static void await(int me, atomic_uint *counter, unsigned value) {
    Bed *bed = &beds[me];
    for (const long long until = nanoseconds() + SPIN; nanoseconds() < until;)
        for (int i = 0; i < 16; i++) {
            if (atomic_load(counter) != value) return;
            mg_pause();
        }
    pthread_mutex_lock(&bed->mutex);
    atomic_store(&bed->asleep, 1);
    while (atomic_load(counter) == value) pthread_cond_wait(&bed->changed, &bed->mutex);
    atomic_store(&bed->asleep, 0);
    if (me > 0) release(me);
    pthread_mutex_unlock(&bed->mutex);
}

/* To be called after the counter has changed: either the sleeper has seen that, or it is seen to be asleep here. */
static void rouse(int me) {
    Bed *bed = &beds[me];
    if (!atomic_load(&bed->asleep)) return;
    pthread_mutex_lock(&bed->mutex);
    if (me > 0 && atomic_load(&bed->asleep)) place(me);
    pthread_cond_signal(&bed->changed);
    pthread_mutex_unlock(&bed->mutex);
}

/* The number of a piece that is now the caller's, or -1 where none is left. */
static int take_piece(Seat *seat) {
    int left = atomic_load(&seat->left);
    while (left > 0)
        if (atomic_compare_exchange_weak(&seat->left, &left, left - 1)) return seat->past - left;
    return -1;
}

/* Thread `me` of the team takes pieces until none is left. */
static void work_off(int me) {
    const int size = atomic_load(&team_size);
    for (int i = 0; i < size; i++)
        for (int piece; (piece = take_piece(&seats[(me + i) % size])) >= 0;) {
            const ptrdiff_t each = now.parts / now.pieces, more = now.parts % now.pieces;
            const ptrdiff_t first = piece * each + (piece < more ? piece : more);
            if (me > 0) mg_set_mode(now.mode); /* rounding and subnormals as the caller has them */
            if (now.work(now.context, first, first + each + (piece < more))) atomic_store(&failed, 1);
            if (atomic_fetch_sub(&unfinished, 1) == 1) rouse(0);
        }
}

static void *helper(void *number) {
    const int me = (int)(intptr_t)number;
    for (;;) {
        const unsigned seen = atomic_load(&kernels_begun);
        if (me < atomic_load(&team_size) && me <= atomic_load(&most_helpers)) work_off(me);
        await(me, &kernels_begun, seen);
    }
    return NULL;
}

/* In the child of a fork there are no helpers, and whatever they were at is not under way. */
static void without_helpers(void) {
    const Bed made = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    for (int i = 0; i < MOST_THREADS; i++) {
        beds[i] = made;
        atomic_store(&seats[i].left, 0);
    }
    helpers = 0;
    atomic_store(&taken, 0);
}

/* See to it that there are `wanted` helpers, or as many as the system grants; having refused once, it is not asked
   again. Signals go to Python's threads, but for those that a fault raises in the thread itself. */
static void make_helpers(int wanted) {
    static int watching_forks;
    sigset_t most, before;
    pthread_attr_t attributes;
    if (helpers >= wanted) return;
    if (!watching_forks) {
        without_helpers();
        atomic_store(&taken, 1);
        watching_forks = pthread_atfork(NULL, NULL, without_helpers) == 0;
    }
    if (!watching_forks || pthread_attr_init(&attributes)) return;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, STACK);
    sigfillset(&most);
    sigdelset(&most, SIGSEGV), sigdelset(&most, SIGBUS), sigdelset(&most, SIGFPE), sigdelset(&most, SIGILL);
    pthread_sigmask(SIG_SETMASK, &most, &before);
    while (helpers < wanted) {
        const int me = helpers + 1;
        if (pthread_create(&thread_of[me], &attributes, helper, (void *)(intptr_t)me)) {
            atomic_store(&most_helpers, helpers);
            break;
        }
        pthread_mutex_lock(&beds[me].mutex);
        place(me);
        pthread_mutex_unlock(&beds[me].mutex);
        helpers = me;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
}

/* Team.share: the calling thread and helpers do the parts. */
static int mg_share(int threads, Work work, const void *context, ptrdiff_t parts) {
    const int most = atomic_load(&most_helpers) + 1;
    threads = threads < most ? threads : most;
    if (threads > parts) threads = (int)parts;
    if (threads < 2 || atomic_exchange(&taken, 1)) return work(context, 0, parts);
    make_helpers(threads - 1);
    if (threads > helpers + 1) threads = helpers + 1;
    now.work = work, now.context = context, now.parts = parts, now.mode = mg_mode();
    now.pieces = parts < PIECES * threads ? (int)parts : PIECES * threads;
    atomic_store(&failed, 0);
    atomic_store(&unfinished, (unsigned)now.pieces);
    atomic_store(&team_size, threads);
    for (int i = 0; i < threads; i++) {
        seats[i].past = now.pieces * (i + 1) / threads;
        atomic_store(&seats[i].left, seats[i].past - now.pieces * i / threads);
    }
    atomic_fetch_add(&kernels_begun, 1);
    for (int i = 1; i < threads; i++) rouse(i);
    work_off(0);
    for (unsigned left; (left = atomic_load(&unfinished)) > 0;) await(0, &unfinished, left);
    const int result = atomic_load(&failed) ? -1 : 0;
    atomic_store(&taken, 0);
    return result;
}

/* No more than `most` helpers take part from now on, as if the system refused to make more. */
static void mg_allow_helpers(int most) { atomic_store(&most_helpers, most < MOST_THREADS ? most : MOST_THREADS - 1); }

static int mg_helpers(void) { return helpers; }

/* Is a helper watching for work? (Asked without a lock: it may fall asleep the next moment.) */
static int mg_awake(void) { return helpers > 0 && !atomic_load(&beds[1].asleep); }

/* Was this asked before, as long ago as a helper watches for work? Kernels ask it to which a helper is of use if it is
   awake: one of them is not worth to wake it, but more will follow the second. */
static int mg_again(void) {
    static atomic_llong asked;
    const long long now = nanoseconds();
    return now - atomic_exchange(&asked, now) < SPIN;
}

#endif
#endif
