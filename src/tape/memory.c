/* memory.c -- the user's allocator, and the bump arena on top of it. */
#include "tape.h"

void *tp__allocate(const tp_allocator *allocator, size_t size)
{
    return allocator->allocate(size ? size : 1, TP__ALIGNMENT, allocator->user);
}

void tp__release(const tp_allocator *allocator, void *memory, size_t size)
{
    if (memory != NULL)
        allocator->release(memory, size ? size : 1, allocator->user);
}

static char *block_bytes(tp__block *block)
{
    return (char *)(block + 1);
}

void *tp__arena_take(tp__arena *arena, size_t size)
{
    const size_t smallest = 16384 - sizeof(tp__block);
    tp__block *block = arena->head;

    size = (size + 15) & ~(size_t)15;
    if (block == NULL || block->size - block->used < size) {
        const size_t room = size > smallest ? size : smallest;
        block = tp__allocate(arena->allocator, sizeof *block + room);
        if (block == NULL)
            return NULL;
        *block = (tp__block){.next = arena->head, .size = room};
        arena->head = block;
    }
    char *taken = block_bytes(block) + block->used;
    block->used += size;
    return memset(taken, 0, size);
}

static void drop_head(tp__arena *arena)
{
    tp__block *block = arena->head;
    arena->head = block->next;
    tp__release(arena->allocator, block, sizeof *block + block->size);
}

void tp__arena_cut(tp__arena *arena, const void *position)
{
    const uintptr_t at = (uintptr_t)position;
    while (arena->head != NULL) {
        const uintptr_t begin = (uintptr_t)block_bytes(arena->head);
        if (begin <= at && at <= begin + arena->head->used) {
            arena->head->used = at - begin;
            return;
        }
        drop_head(arena);
    }
}

void tp__arena_clear(tp__arena *arena)
{
    while (arena->head != NULL)
        drop_head(arena);
}
