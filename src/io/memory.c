/* memory.c -- the allocator of files. */
#include <stdlib.h>
#include <string.h>

#include "memory.h"

static void *default_allocate(size_t size, size_t alignment, void *user)
{
    (void)user;
    if (size > SIZE_MAX - alignment)
        return NULL;
    return aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}

static void default_release(void *memory, size_t size, void *user)
{
    (void)size, (void)user;
    free(memory);
}

tp_allocator tp__io_allocator(const tp_allocator *given)
{
    const tp_allocator library = {default_allocate, default_release, NULL};
    return given->allocate != NULL ? *given : library;
}

void *tp__io_allocate(const tp_allocator *a, size_t size)
{
    void *memory = a->allocate(size, 64, a->user);
    return memory != NULL ? memset(memory, 0, size) : NULL;
}

void tp__io_release(const tp_allocator *a, void *memory, size_t size)
{
    if (memory != NULL)
        a->release(memory, size, a->user);
}
