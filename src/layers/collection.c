/* collection.c -- named parameters and running statistics. */
#include "collection.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tapir/op.h>

#include "initial.h"

typedef struct entry {
    char name[TP__NAME_MAX];
    tp_tensor leaf;
    tp_tensor value; /* of a statistic: what updates will assign; absent: nothing */
} entry;

struct tp_collection {
    tp_tape *tape;
    tp_allocator allocator;
    tp_dtype dtype;
    uint64_t seed;
    bool evaluate;
    tp_tensor training; /* the switch, or absent */
    entry *entry;
    tp_tensor *parameter; /* the leaves that are trained, side by side */
    tp_named *named;      /* of every entry: its name and its leaf */
    int n, parameters, capacity;
};

/* ---- Life ------------------------------------------------------------------------------------------------ */

tp_collection *tp_collection_create(tp_tape *tape, const tp_collection_options *options)
{
    static const tp_collection_options defaults = {0};
    const tp_collection_options *o = options != NULL ? options : &defaults;
    tp_allocator a = o->allocator;

    if (tape == NULL || (a.allocate == NULL) != (a.release == NULL))
        return NULL;
    if (a.allocate == NULL)
        a = tp_library_allocator();
    tp_collection *c = a.allocate(sizeof *c, 64, a.user);
    if (c == NULL)
        return NULL;
    *c = (tp_collection){.tape = tape,
                         .allocator = a,
                         .dtype = o->f64 ? TP_F64 : TP_F32,
                         .seed = o->seed,
                         .evaluate = o->evaluate};
    if (o->switchable) {
        const float one = 1;
        c->training = tp_parameter(tape, TP_F32, TP_SHAPE_0D, &one);
    }
    return c;
}

static void release(const tp_collection *c, void *memory, size_t size)
{
    if (memory != NULL)
        c->allocator.release(memory, size, c->allocator.user);
}

static void release_arrays(const tp_collection *c)
{
    release(c, c->entry, (size_t)c->capacity * sizeof *c->entry);
    release(c, c->parameter, (size_t)c->capacity * sizeof *c->parameter);
    release(c, c->named, (size_t)c->capacity * sizeof *c->named);
}

void tp_collection_destroy(tp_collection *c)
{
    if (c == NULL)
        return;
    const tp_allocator a = c->allocator;
    release_arrays(c);
    a.release(c, sizeof *c, a.user);
}

tp_collection *tp_collection_locate(tp_collection *c, const char *file, int line)
{
    if (c != NULL)
        tp_locate_tape(c->tape, file, line);
    return c;
}

/* ---- Adding ---------------------------------------------------------------------------------------------- */

static void *allocate(const tp_collection *c, size_t size)
{
    return c->allocator.allocate(size, 64, c->allocator.user);
}

/* Room for one more; false when there is none. */
static bool grow(tp_collection *c)
{
    if (c->n < c->capacity)
        return true;
    tp_collection larger = *c;
    larger.capacity = c->capacity == 0 ? 16 : 2 * c->capacity;
    larger.entry = allocate(c, (size_t)larger.capacity * sizeof *c->entry);
    larger.parameter = allocate(c, (size_t)larger.capacity * sizeof *c->parameter);
    larger.named = allocate(c, (size_t)larger.capacity * sizeof *c->named);
    if (larger.entry == NULL || larger.parameter == NULL || larger.named == NULL) {
        release_arrays(&larger);
        return false;
    }
    for (int k = 0; k < c->n; k++) {
        larger.entry[k] = c->entry[k];
        larger.named[k] = (tp_named){larger.entry[k].name, larger.entry[k].leaf};
    }
    for (int k = 0; k < c->parameters; k++)
        larger.parameter[k] = c->parameter[k];
    release_arrays(c);
    *c = larger;
    return true;
}

/* Stands for the place where an error is stored. */
static tp_tensor here(const tp_collection *c)
{
    return tp_scalar(c->tape, 0);
}

/* False after storing the error. */
static bool name_it(const tp_collection *c, const char *name, const char *part, char full[TP__NAME_MAX])
{
    if (name == NULL || name[0] == '\0') {
        tp_fail(here(c), TP_BAD_ARGUMENT, "a layer or a parameter needs a name");
        return false;
    }
    if (strlen(name) + 1 + (part != NULL ? strlen(part) : 0) >= TP__NAME_MAX) {
        tp_fail(here(c), TP_BAD_ARGUMENT, "the name '%.40s...' is too long", name);
        return false;
    }
    snprintf(full, TP__NAME_MAX, "%s%s%s", name, part != NULL ? "." : "", part != NULL ? part : "");
    if (tp_collection_find(c, full).tape != NULL) {
        tp_fail(here(c), TP_BAD_ARGUMENT, "the collection has a parameter named '%s' already", full);
        return false;
    }
    return true;
}

tp_tensor tp__collection_add(tp_collection *c, const char *name, const char *part, tp_shape shape,
                             tp_initial initial, bool is_statistic)
{
    char full[TP__NAME_MAX];
    if (c == NULL)
        return (tp_tensor){0};
    const tp_tensor failed = {.tape = c->tape, .id = -1};

    if (!name_it(c, name, part, full))
        return failed;
    for (int64_t d = 0; d < shape.rank && d < TP_MAX_RANK; d++)
        if (shape.dim[d] < 1)
            return tp_fail(here(c), TP_BAD_SHAPE, "the sizes of '%s' must be at least 1, but one is %lld",
                           full, (long long)shape.dim[d]);
    if (!grow(c))
        return tp_fail(here(c), TP_OUT_OF_MEMORY, "out of memory for the name '%s'", full);
    const tp_tensor leaf = tp_parameter(c->tape, c->dtype, shape, NULL);
    if (!tp_is_valid(leaf) || !tp__fill_initial(leaf, initial, c->seed, (uint64_t)c->n))
        return failed;
    entry *e = &c->entry[c->n];
    *e = (entry){.leaf = leaf};
    memcpy(e->name, full, sizeof full);
    c->named[c->n++] = (tp_named){e->name, leaf};
    if (!is_statistic)
        c->parameter[c->parameters++] = leaf;
    return leaf;
}

tp_tensor tp_make_parameter(tp_collection *c, const char *name, tp_shape shape, tp_initial initial)
{
    return tp__collection_add(c, name, NULL, shape, initial, false);
}

/* ---- Looking ---------------------------------------------------------------------------------------------- */

tp_tensor tp_collection_switch(const tp_collection *c)
{
    return c != NULL ? c->training : (tp_tensor){0};
}

void tp_collection_evaluate(tp_collection *c, bool evaluate)
{
    if (c != NULL)
        c->evaluate = evaluate;
}

int tp_collection_parameters(const tp_collection *c, const tp_tensor **parameter)
{
    if (parameter != NULL)
        *parameter = c != NULL ? c->parameter : NULL;
    return c != NULL ? c->parameters : 0;
}

int tp_collection_named(const tp_collection *c, const tp_named **named)
{
    if (named != NULL)
        *named = c != NULL ? c->named : NULL;
    return c != NULL ? c->n : 0;
}

tp_tensor tp_collection_find(const tp_collection *c, const char *name)
{
    for (int k = 0; c != NULL && name != NULL && k < c->n; k++)
        if (strcmp(c->entry[k].name, name) == 0)
            return c->entry[k].leaf;
    return (tp_tensor){0};
}

/* ---- Running statistics ------------------------------------------------------------------------------------- */

tp_tensor tp__collection_training(const tp_collection *c, bool *evaluate)
{
    *evaluate = c->evaluate;
    return c->training;
}

static entry *entry_of(const tp_collection *c, tp_tensor leaf)
{
    for (int k = 0; k < c->n; k++)
        if (c->entry[k].leaf.id == leaf.id)
            return &c->entry[k];
    return NULL;
}

tp_tensor tp__collection_value(const tp_collection *c, tp_tensor leaf)
{
    const entry *e = entry_of(c, leaf);
    return e != NULL && e->value.tape != NULL ? e->value : leaf;
}

void tp__collection_move(tp_collection *c, tp_tensor leaf, tp_tensor value)
{
    entry *e = entry_of(c, leaf);
    if (e != NULL)
        e->value = value;
}

/* Chained, so that there is no limit to them. */
tp_tensor tp_collection_updates(tp_collection *c)
{
    if (c == NULL)
        return (tp_tensor){0};
    tp_tensor all = {0};
    for (int k = 0; k < c->n; k++) {
        entry *e = &c->entry[k];
        if (e->value.tape == NULL)
            continue;
        const tp_tensor one = tp_assign(e->leaf, e->value);
        all = all.tape == NULL ? one : tp_group((tp_tensor[]){all, one}, 2);
        e->value = (tp_tensor){0};
    }
    return all;
}
