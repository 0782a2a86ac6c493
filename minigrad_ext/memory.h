/* Memory for large arrays, straight from the system, and the blocks of it that were freed last. */
#ifndef MINIGRAD_MEMORY_H
#define MINIGRAD_MEMORY_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* What is kept belongs to one thread at a time. Nobody waits for it: who finds it taken (NumPy may free without
   Python's lock; the child of a fork may find it so for ever) goes to the system. */
#if defined(_MSC_VER) && !defined(__clang__)
#include <intrin.h>
static volatile char taken;
static int enter_kept(void) { return !_InterlockedExchange8(&taken, 1); }
static void leave_kept(void) { _InterlockedExchange8(&taken, 0); }
#else
static char taken;
static int enter_kept(void) { return !__atomic_exchange_n(&taken, 1, __ATOMIC_ACQUIRE); }
static void leave_kept(void) { __atomic_store_n(&taken, 0, __ATOMIC_RELEASE); }
#endif

#if defined(_WIN32)
static void *system_get(size_t size) { return malloc(size); }
static void system_free(void *start, size_t size) {
    (void)size;
    free(start);
}
#else
#include <sys/mman.h>
static void *system_get(size_t size) {
    void *start = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
    if (start == MAP_FAILED) return NULL;
#ifdef MADV_HUGEPAGE
    madvise(start, size, MADV_HUGEPAGE); /* fewer faults, fewer misses of the address cache: 1 to 2 % of e2 */
#endif
    return start;
}
static void system_free(void *start, size_t size) { munmap(start, size); }
#endif

typedef struct {
    void *start;
    size_t size;
} Memory;

enum { MOST_KEPT = 256, PAGE = 4096 };

static Memory kept[MOST_KEPT]; /* free blocks, the one freed last at the end */
static int kept_count;
static size_t kept_bytes, kept_limit;

static Memory take_out(int i) {
    const Memory block = kept[i];
    kept_count--;
    kept_bytes -= block.size;
    memmove(kept + i, kept + i + 1, (size_t)(kept_count - i) * sizeof *kept);
    return block;
}

/* At least `size` bytes, of which up to a quarter more are left unused; start NULL where memory is lacking. */
static Memory memory_get(size_t size) {
    const int mine = enter_kept();
    Memory block = {NULL, (size + PAGE - 1) / PAGE * PAGE};
    for (int i = mine ? kept_count - 1 : -1; i >= 0 && !block.start; i--)
        if (kept[i].size >= size && kept[i].size - size <= size / 4) block = take_out(i);
    if (!block.start) block.start = system_get(block.size);
    while (!block.start && mine && kept_count) { /* what is kept is in the way */
        const Memory oldest = take_out(0);
        system_free(oldest.start, oldest.size);
        block.start = system_get(block.size);
    }
    if (mine) leave_kept();
    return block;
}

/* Keep no more than `limit` bytes and MOST_KEPT - 1 blocks: the oldest ones go back to the system. */
static void shrink(size_t limit) {
    while (kept_bytes > limit || kept_count == MOST_KEPT) {
        const Memory oldest = take_out(0);
        system_free(oldest.start, oldest.size);
    }
}

/* Keep the block for the next array of its size. */
static void memory_free(Memory block) {
    if (block.size > kept_limit || !enter_kept()) {
        system_free(block.start, block.size);
        return;
    }
    shrink(kept_limit - block.size);
    kept[kept_count++] = block;
    kept_bytes += block.size;
    leave_kept();
}

/* Keep no more than `limit` bytes from now on. */
static void memory_limit(size_t limit) {
    kept_limit = limit;
    if (!enter_kept()) return;
    shrink(limit);
    leave_kept();
}

/* The same for arrays that NumPy makes: its hook for allocators (NEP 49), which looks like this in all versions 2. In
   front of its numbers every array has room to say where its memory is from. */
typedef struct {
    void *context;
    void *(*get)(void *context, size_t size);
    void *(*get_zeros)(void *context, size_t count, size_t size);
    void *(*resize)(void *context, void *numbers, size_t size);
    void (*give_back)(void *context, void *numbers, size_t size);
} Allocator;

typedef struct {
    char name[127];
    uint8_t version;
    Allocator allocator;
} Handler;

enum { LARGE = 262144, HEAD = 64 }; /* bytes; malloc recycles what is smaller */

typedef struct {
    Memory block; /* start NULL: from malloc */
    size_t size;
} Head;

static Head *head_of(void *numbers) { return (Head *)((char *)numbers - HEAD); }

static void *numbers_get(void *context, size_t size, int zero) {
    Memory block = {NULL, 0};
    char *start;
    (void)context;
    if (size > PTRDIFF_MAX - HEAD - PAGE) return NULL;
    if (size >= LARGE) {
        block = memory_get(size + HEAD);
        start = block.start;
        if (start && zero) memset(start + HEAD, 0, size);
    } else
        start = zero ? calloc(1, size + HEAD) : malloc(size + HEAD);
    if (!start) return NULL;
    *(Head *)start = (Head){block, size};
    return start + HEAD;
}

static void *array_get(void *context, size_t size) { return numbers_get(context, size, 0); }

static void *array_get_zeros(void *context, size_t count, size_t size) {
    return size && count > PTRDIFF_MAX / size ? NULL : numbers_get(context, count * size, 1);
}

static void array_give_back(void *context, void *numbers, size_t size) {
    (void)context, (void)size;
    if (!numbers) return;
    if (head_of(numbers)->block.start)
        memory_free(head_of(numbers)->block);
    else
        free(head_of(numbers));
}

static void *array_resize(void *context, void *numbers, size_t size) {
    void *more = array_get(context, size);
    if (more && numbers) {
        const size_t before = head_of(numbers)->size;
        memcpy(more, numbers, before < size ? before : size);
        array_give_back(context, numbers, before);
    }
    return more;
}

static Handler array_handler = {"minigrad", 1, {NULL, array_get, array_get_zeros, array_resize, array_give_back}};

#endif
