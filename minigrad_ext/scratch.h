/* Work memory of the calling thread: kept from kernel to kernel, so that a training step touches no fresh page, and
   freed when the thread ends. Only `runtime` includes this; kernels find it in their Team. */
#ifndef MINIGRAD_SCRATCH_H
#define MINIGRAD_SCRATCH_H

#include <stdint.h>
#include <stdlib.h>

typedef struct {
    void *block[2];
    size_t size[2];
} Slots;

#if defined(_WIN32)
#include <windows.h>
static DWORD slots_key = FLS_OUT_OF_INDEXES;
static void WINAPI free_slots(void *slots);
static int mg_scratch_start(void) { return (slots_key = FlsAlloc(free_slots)) == FLS_OUT_OF_INDEXES ? -1 : 0; }
static Slots *slots_of_thread(void) { return (Slots *)FlsGetValue(slots_key); }
static int keep_slots(Slots *slots) { return FlsSetValue(slots_key, slots) ? 0 : -1; }
#define FREE_SLOTS void WINAPI free_slots
#else
#include <pthread.h>
static pthread_key_t slots_key;
static void free_slots(void *slots);
static int mg_scratch_start(void) { return pthread_key_create(&slots_key, free_slots) ? -1 : 0; }
static Slots *slots_of_thread(void) { return (Slots *)pthread_getspecific(slots_key); }
static int keep_slots(Slots *slots) { return pthread_setspecific(slots_key, slots) ? -1 : 0; }
#define FREE_SLOTS void free_slots
#endif

static FREE_SLOTS(void *slots) {
    if (!slots) return;
    free(((Slots *)slots)->block[0]);
    free(((Slots *)slots)->block[1]);
    free(slots);
}

/* At least `bytes` bytes at a multiple of 64, or NULL; what was there before in this slot (0 or 1) is lost. */
static void *mg_scratch(int slot, size_t bytes) {
    Slots *slots = slots_of_thread();
    if (!slots) {
        slots = (Slots *)calloc(1, sizeof(Slots));
        if (!slots || keep_slots(slots)) {
            free(slots);
            return NULL;
        }
    }
    if (bytes > slots->size[slot] || !slots->block[slot]) {
        free(slots->block[slot]);
        slots->block[slot] = malloc(bytes + 64);
        slots->size[slot] = slots->block[slot] ? bytes : 0;
        if (!slots->block[slot]) return NULL;
    }
    return (void *)(((uintptr_t)slots->block[slot] + 63) / 64 * 64);
}

#endif
