/* tape.c -- a tape's life: nodes in chunks, scopes, places, mark and rewind, printing. */
#include <stdlib.h>

#include "tape.h"

/* ---- Create and destroy ---------------------------------------------------------------------------- */

static void *library_allocate(size_t size, size_t alignment, void *user)
{
    (void)user;
    if (size > SIZE_MAX - alignment)
        return NULL;
    return aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}

static void library_release(void *memory, size_t size, void *user)
{
    (void)size, (void)user;
    free(memory);
}

tp_allocator tp_library_allocator(void)
{
    return (tp_allocator){library_allocate, library_release, NULL};
}

tp_tape *tp_tape_create(const tp_tape_options *options)
{
    const tp_tape_options o = options != NULL ? *options : (tp_tape_options){0};
    tp_allocator allocator = o.allocator;

    if (allocator.allocate == NULL && allocator.release == NULL)
        allocator = tp_library_allocator();
    if (allocator.allocate == NULL || allocator.release == NULL)
        return NULL;
    tp_tape *tape = tp__allocate(&allocator, sizeof *tape);
    if (tape == NULL)
        return NULL;
    memset(tape, 0, sizeof *tape);
    tape->allocator = allocator;
    tape->seed = o.seed;
    tape->on_error = o.on_error;
    tape->on_error_user = o.on_error_user;
    tape->verify_ops = o.verify_ops;
    tape->origin = -1;
    tape->arena.allocator = &tape->allocator;
    tape->scopes.allocator = &tape->allocator;
    return tape;
}

static void release_leaf(tp_tape *tape, tp__node *node)
{
    if (node->leaf == NULL)
        return;
    tp__release(&tape->allocator, node->leaf->data, node->leaf->bytes);
    tp__release(&tape->allocator, node->leaf, sizeof *node->leaf);
    node->leaf = NULL;
}

void tp_tape_destroy(tp_tape *tape)
{
    if (tape == NULL)
        return;
    if (tp__is_intrusion(tape, "destroyed it"))
        return;
    if (tape->programs != NULL) {
        tape->destroyed = true;
        return;
    }
    const tp_allocator allocator = tape->allocator;
    for (int32_t id = 0; id < tape->count; id++)
        release_leaf(tape, tp__node_at(tape, id));
    tp__arena_clear(&tape->arena);
    tp__arena_clear(&tape->scopes);
    for (int32_t c = 0; c < tape->chunks; c++)
        tp__release(&allocator, tape->chunk[c], TP__CHUNK * sizeof(tp__node));
    tp__release(&allocator, tape->chunk, (size_t)tape->chunk_capacity * sizeof *tape->chunk);
    tp__release(&allocator, tape->bucket, (size_t)tape->buckets * sizeof *tape->bucket);
    tp__release(&allocator, tape, sizeof *tape);
}

/* ---- Nodes ----------------------------------------------------------------------------------------- */

tp__node *tp__node_at(const tp_tape *tape, int32_t id)
{
    return &tape->chunk[id / TP__CHUNK][id % TP__CHUNK];
}

tp_tensor tp__handle(tp_tape *tape, int32_t id)
{
    const tp__node *node = tp__node_at(tape, id);
    return (tp_tensor){tape, node->place.file, node->place.line, id, node->epoch};
}

tp_tensor tp__invalid(tp_tape *tape)
{
    return (tp_tensor){.tape = tape, .id = -1};
}

int64_t tp_tape_count(const tp_tape *tape)
{
    return tape == NULL ? 0 : tape->count;
}

static bool grow_chunk_list(tp_tape *tape)
{
    const int32_t capacity = tape->chunk_capacity ? tape->chunk_capacity * 2 : 16;
    tp__node **list = tp__allocate(&tape->allocator, (size_t)capacity * sizeof *list);
    if (list == NULL)
        return false;
    if (tape->chunks > 0)
        memcpy(list, tape->chunk, (size_t)tape->chunks * sizeof *list);
    tp__release(&tape->allocator, tape->chunk, (size_t)tape->chunk_capacity * sizeof *list);
    tape->chunk = list;
    tape->chunk_capacity = capacity;
    return true;
}

static bool make_room_for_node(tp_tape *tape)
{
    if (tape->count < tape->chunks * TP__CHUNK)
        return true;
    if (tape->count > INT32_MAX - TP__CHUNK)
        return false;
    if (tape->chunks == tape->chunk_capacity && !grow_chunk_list(tape))
        return false;
    tp__node *chunk = tp__allocate(&tape->allocator, TP__CHUNK * sizeof *chunk);
    if (chunk == NULL)
        return false;
    tape->chunk[tape->chunks++] = chunk;
    return true;
}

/* Only what draws numbers counts: other recording changes none of them. */
static bool draws(const tp_op *op)
{
    return op->kind == TP_SOURCE && (op->flags & TP_OP_IMPURE);
}

tp__node *tp__append(tp_tape *tape, const tp_op *op, tp_dtype dtype, const tp_shape *shape,
                     const int32_t *input, int n, const void *attr, tp__place place)
{
    const size_t input_bytes = ((size_t)n * sizeof *input + 7) & ~(size_t)7;
    char *storage =
        make_room_for_node(tape) ? tp__arena_take(&tape->arena, input_bytes + op->attr_size) : NULL;

    if (storage == NULL) {
        tp__fail(tape, TP_OUT_OF_MEMORY, place, "%s: out of memory while recording", op->name);
        return NULL;
    }
    tp__node *node = tp__node_at(tape, tape->count);
    *node = (tp__node){
        .op = op,
        .shape = *shape,
        .dtype = dtype,
        .n = n,
        .input = (int32_t *)(void *)storage,
        .attr = op->attr_size > 0 ? storage + input_bytes : NULL,
        .place = place,
        .origin = tape->origin,
        .epoch = tape->epoch,
        .chain = -1,
    };
    if (n > 0)
        memcpy(node->input, input, (size_t)n * sizeof *input);
    if (op->attr_size > 0)
        memcpy(node->attr, attr, op->attr_size);
    if (draws(op))
        node->ordinal = tape->impure++;
    tape->count++;
    return node;
}

tp__node *tp__resolve(tp_tensor tensor, const char *what)
{
    tp_tape *tape = tensor.tape;
    if (tape == NULL || tensor.id < 0)
        return NULL;
    if (tensor.id < tape->count) {
        tp__node *node = tp__node_at(tape, tensor.id);
        if (node->epoch == tensor.epoch)
            return node;
    }
    if (what != NULL)
        tp__fail(tape, TP_BAD_HANDLE, tp__place_of(tensor),
                 "%s: the tensor is stale: the tape was rewound past it", what);
    return NULL;
}

/* ---- Places and scopes ------------------------------------------------------------------------------ */

tp_tensor tp_locate(tp_tensor tensor, const char *file, int line)
{
    tensor.file = file;
    tensor.line = line;
    return tensor;
}

tp_tape *tp_locate_tape(tp_tape *tape, const char *file, int line)
{
    if (tape != NULL) {
        tape->here_file = file;
        tape->here_line = line;
    }
    return tape;
}

static const tp__scope *scope_now(const tp_tape *tape)
{
    return tape->inside != NULL ? tape->inside->scope : tape->scope;
}

tp__place tp__take_here(tp_tape *tape)
{
    const tp__place place = {tape->here_file, tape->here_line, scope_now(tape)};
    tape->here_file = NULL;
    tape->here_line = 0;
    return place;
}

tp__place tp__place_of(tp_tensor tensor)
{
    return (tp__place){tensor.file, tensor.line, scope_now(tensor.tape)};
}

static tp__scope *find_scope(const tp_tape *tape, const tp__scope *parent, const char *name)
{
    for (tp__scope *s = tape->scope_list; s != NULL; s = s->next)
        if (s->parent == parent && strcmp(s->name, name) == 0)
            return s;
    return NULL;
}

void tp_scope_begin(tp_tape *tape, const char *name)
{
    if (tape == NULL)
        return;
    if (name == NULL || name[0] == '\0')
        name = "?";
    tp__scope *scope = find_scope(tape, tape->scope, name);
    if (scope == NULL) {
        const size_t length = strlen(name) + 1;
        scope = tp__arena_take(&tape->scopes, sizeof *scope + length);
        if (scope == NULL) {
            tp__fail(tape, TP_OUT_OF_MEMORY, (tp__place){0}, "tp_scope_begin: out of memory");
            return;
        }
        memcpy(scope->name, name, length);
        scope->parent = (tp__scope *)tape->scope;
        scope->next = tape->scope_list;
        scope->index = tape->scope_count++;
        tape->scope_list = scope;
    }
    tape->scope = scope;
}

void tp_scope_end(tp_tape *tape)
{
    if (tape == NULL)
        return;
    if (tape->scope == NULL && tape->status == TP_OUT_OF_MEMORY)
        return; /* its begin found no memory */
    if (tape->scope == NULL)
        tp__fail(tape, TP_BAD_STATE, (tp__place){0}, "tp_scope_end: no scope is open");
    else
        tape->scope = tape->scope->parent;
}

/* ---- Memory ---------------------------------------------------------------------------------------- */

void *tp_tape_keep(tp_tape *tape, size_t size)
{
    if (tape == NULL || size > SIZE_MAX / 2)
        return NULL;
    return tp__arena_take(&tape->scopes, size);
}

/* ---- Mark and rewind ------------------------------------------------------------------------------- */

tp_mark tp_tape_mark(tp_tape *tape)
{
    tp_mark mark = {.tape = tape, .scope = -1};
    if (tape == NULL)
        return mark;
    mark.count = tape->count;
    mark.epoch = tape->count > 0 ? tp__node_at(tape, tape->count - 1)->epoch : 0;
    if (tape->scope != NULL)
        mark.scope = tape->scope->index;
    return mark;
}

static bool mark_is_alive(const tp_tape *tape, tp_mark mark)
{
    if (mark.count < 0 || mark.count > tape->count)
        return false;
    return mark.count == 0 || tp__node_at(tape, mark.count - 1)->epoch == mark.epoch;
}

tp_status tp_tape_rewind(tp_mark mark)
{
    tp_tape *tape = mark.tape;
    if (tape == NULL)
        return TP_BAD_ARGUMENT;
    if (tp__is_intrusion(tape, "rewound it"))
        return TP_BAD_STATE;
    if (!mark_is_alive(tape, mark))
        return tp__fail_using(tape, TP_BAD_STATE, (tp__place){0},
                              "tp_tape_rewind: the tape was already rewound past this mark");
    for (int32_t id = mark.count; id < tape->count; id++) {
        const tp__node *node = tp__node_at(tape, id);
        if (node->leaf != NULL && node->leaf->users > 0) {
            char text[TP_TEXT_SIZE];
            return tp__fail_using(tape, TP_BAD_STATE, node->place,
                                  "tp_tape_rewind: the %s %s made after the mark is used by a program",
                                  node->op->name, tp_describe(node->dtype, &node->shape, text));
        }
    }
    const void *storage = mark.count < tape->count ? tp__node_at(tape, mark.count)->input : NULL;
    while (tape->count > mark.count) {
        tp__node *node = tp__node_at(tape, --tape->count);
        if (node->hash != 0) /* the newest of its bucket, since older ones are dropped later */
            tape->bucket[node->hash % (uint32_t)tape->buckets] = node->chain;
        if (draws(node->op))
            tape->impure--;
        release_leaf(tape, node);
    }
    if (storage != NULL)
        tp__arena_cut(&tape->arena, storage);
    tape->epoch++;
    tape->scope = NULL;
    for (const tp__scope *s = tape->scope_list; s != NULL; s = s->next)
        if (s->index == mark.scope)
            tape->scope = s;
    return TP_OK;
}

/* ---- Print ----------------------------------------------------------------------------------------- */

static void print_node(const tp_tape *tape, int32_t id, FILE *stream)
{
    const tp__node *node = tp__node_at(tape, id);
    char line[TP__MESSAGE], shape[TP_TEXT_SIZE];
    tp__text text = {line, sizeof line, 0};

    tp__text_add(&text, "%%%d = %s", (int)id, node->op->name);
    for (int32_t k = 0; k < node->n; k++)
        tp__text_add(&text, k > 0 ? ", %%%d" : " %%%d", (int)node->input[k]);
    if (node->op == &tp__scalar_op)
        tp__text_add(&text, " %.17g", ((const tp__scalar_attr *)node->attr)->value);
    tp__text_add(&text, " : %s", tp_describe(node->dtype, &node->shape, shape));
    if (node->origin >= 0)
        tp__text_add(&text, "  gradient of %%%d", (int)node->origin);
    if (node->place.scope != NULL || node->place.file != NULL) {
        tp__text_add(&text, "  # ");
        tp__text_scope(&text, node->place.scope);
        if (node->place.file != NULL)
            tp__text_add(&text, "%s:%d", node->place.file, (int)node->place.line);
    }
    fprintf(stream, "%s\n", line);
}

void tp_tape_print(const tp_tape *tape, FILE *stream)
{
    if (tape == NULL || stream == NULL)
        return;
    for (int32_t id = 0; id < tape->count; id++)
        print_node(tape, id, stream);
    if (tape->status != TP_OK)
        fprintf(stream, "error: %s\n", tape->message);
}
