/* memory.c -- the allocator of files. */
#include <string.h>

#include "memory.h"

tp_allocator tp__io_allocator(const tp_allocator *given)
{
    return given->allocate != NULL ? *given : tp_library_allocator();
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
