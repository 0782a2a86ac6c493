/* Work memory of the calling thread, kept from call to call so that a training step touches no fresh page. */
#ifndef MINIGRAD_SCRATCH_H
#define MINIGRAD_SCRATCH_H

#include <stdint.h>
#include <stdlib.h>

#if defined(_MSC_VER) && !defined(__clang__)
#define MG_SCRATCH_LOCAL __declspec(thread)
#else
#define MG_SCRATCH_LOCAL __thread
#endif

/* At least `bytes` bytes at a multiple of 64, or NULL; what was there before in this slot (0 or 1) is lost. */
static void *scratch(int slot, size_t bytes)
{
    static MG_SCRATCH_LOCAL struct { void *block; size_t size; } slots[2];
    if (bytes > slots[slot].size || !slots[slot].block) {
        free(slots[slot].block);
        slots[slot].block = malloc(bytes + 64);
        slots[slot].size = slots[slot].block ? bytes : 0;
    }
    if (!slots[slot].block)
        return NULL;
    return (void *)(((uintptr_t)slots[slot].block + 63) / 64 * 64);
}

#endif
