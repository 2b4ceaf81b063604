/* memory.h -- all memory of this room comes from an allocator of the user's, or from this one. */
#ifndef TAPIR_IO_MEMORY_H
#define TAPIR_IO_MEMORY_H

#include <tapir/tape.h>

/* *given, or the C library's if that is empty; neither function NULL. */
tp_allocator tp__io_allocator(const tp_allocator *given);

/* NULL when there is none; zeroed. */
void *tp__io_allocate(const tp_allocator *a, size_t size);

/* NULL is ignored. */
void tp__io_release(const tp_allocator *a, void *memory, size_t size);

#endif
