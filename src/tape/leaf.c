/* leaf.c -- leaves: their memory, reading and writing values, and looking at tensors. */
#include <math.h>

#include "tape.h"

static const tp_op leaf_op[] = {
    [TP__INPUT] = {.name = "input", .kind = TP_LEAF, .flags = TP_OP_IMPURE},
    [TP__PARAMETER] = {.name = "parameter", .kind = TP_LEAF, .flags = TP_OP_IMPURE},
    [TP__CONSTANT] = {.name = "constant", .kind = TP_LEAF, .flags = TP_OP_IMPURE},
};

/* ---- Making ---------------------------------------------------------------------------------------- */

static void store(tp__leaf *leaf, tp_dtype dtype, const void *values)
{
    if (dtype == leaf->dtype) {
        memmove(leaf->data, values, (size_t)leaf->count * tp_dtype_size(dtype));
    } else { /* keep_double: f32 that lives as f64 */
        double *out = leaf->data;
        for (int64_t i = 0; i < leaf->count; i++)
            out[i] = (double)((const float *)values)[i];
    }
}

static tp__leaf *make_leaf(tp_tape *tape, tp__leaf_kind kind, tp_dtype declared, int64_t count)
{
    const tp_dtype dtype = tp_dtype_on(tape, declared);
    const size_t bytes = (size_t)count * tp_dtype_size(dtype);
    tp__leaf *leaf = tp__allocate(&tape->allocator, sizeof *leaf);
    void *data = leaf != NULL ? tp__allocate(&tape->allocator, bytes) : NULL;

    if (data == NULL) {
        tp__release(&tape->allocator, leaf, sizeof *leaf);
        return NULL;
    }
    memset(data, 0, bytes);
    *leaf = (tp__leaf){
        .data = data, .bytes = bytes, .count = count, .dtype = dtype, .declared = declared, .kind = kind};
    return leaf;
}

static tp_tensor record_leaf(tp_tape *tape, tp__leaf_kind kind, tp_dtype dtype, tp_shape shape,
                             const void *values)
{
    if (tape == NULL)
        return (tp_tensor){0};
    if (tp__is_intrusion(tape, "recorded on it"))
        return tp__invalid(tape);
    const tp__place place = tp__take_here(tape);
    const char *name = leaf_op[kind].name;
    const char *fault = tp__shape_fault(&shape);
    char text[TP_TEXT_SIZE];

    if ((unsigned)dtype >= TP_DTYPE_COUNT) {
        tp__fail(tape, TP_BAD_DTYPE, place, "%s: the dtype must be f32, f64 or i32", name);
        return tp__invalid(tape);
    }
    if (fault != NULL) {
        tp__fail(tape, TP_BAD_SHAPE, place, "%s: %s: %s", name, fault, tp_describe(dtype, &shape, text));
        return tp__invalid(tape);
    }
    for (int64_t d = shape.rank; d < TP_MAX_RANK; d++)
        shape.dim[d] = 0;
    const int64_t count = tp_shape_count(shape);
    if (kind == TP__CONSTANT && values == NULL && count > 0) {
        tp__fail(tape, TP_BAD_ARGUMENT, place, "constant: its values are NULL: %s",
                 tp_describe(dtype, &shape, text));
        return tp__invalid(tape);
    }
    tp__leaf *leaf = make_leaf(tape, kind, dtype, count);
    if (leaf == NULL) {
        tp__fail(tape, TP_OUT_OF_MEMORY, place, "%s: out of memory for %s", name,
                 tp_describe(dtype, &shape, text));
        return tp__invalid(tape);
    }
    if (values != NULL && count > 0)
        store(leaf, dtype, values);
    leaf->written = kind != TP__INPUT || count == 0;
    tp__node *node = tp__append(tape, &leaf_op[kind], leaf->dtype, &shape, NULL, 0, NULL, place);
    if (node == NULL) {
        tp__release(&tape->allocator, leaf->data, leaf->bytes);
        tp__release(&tape->allocator, leaf, sizeof *leaf);
        return tp__invalid(tape);
    }
    node->leaf = leaf;
    return tp__handle(tape, tape->count - 1);
}

tp_tensor tp_input(tp_tape *tape, tp_dtype dtype, tp_shape shape)
{
    return record_leaf(tape, TP__INPUT, dtype, shape, NULL);
}

tp_tensor tp_parameter(tp_tape *tape, tp_dtype dtype, tp_shape shape, const void *values)
{
    return record_leaf(tape, TP__PARAMETER, dtype, shape, values);
}

tp_tensor tp_constant(tp_tape *tape, tp_dtype dtype, tp_shape shape, const void *values)
{
    return record_leaf(tape, TP__CONSTANT, dtype, shape, values);
}

/* ---- Writing --------------------------------------------------------------------------------------- */

/* The node, or NULL after storing why not.  An invalid handle is an error here: silence would lose data. */
static tp__node *node_for(tp_tensor tensor, const char *what)
{
    if (tensor.tape == NULL)
        return NULL;
    tp__node *node = tp__resolve(tensor, NULL);
    if (node == NULL)
        tp__fail_using(tensor.tape, TP_BAD_HANDLE, tp__place_of(tensor), "%s: the tensor is %s", what,
                       tensor.id < 0 ? "invalid" : "stale: the tape was rewound past it");
    return node;
}

static tp_status fail_at(tp_tensor tensor, tp_status status, const tp__node *node, const char *what,
                         const char *reason)
{
    char text[TP_TEXT_SIZE];
    return tp__fail_using(tensor.tape, status, tp__place_of(tensor), "%s: %s %s: %s", what, node->op->name,
                          tp_describe(node->leaf ? node->leaf->declared : node->dtype, &node->shape, text),
                          reason);
}

static tp__leaf *changeable_leaf(tp_tensor tensor, tp_dtype dtype, const char *what, const tp__node **out,
                                 tp_status *status)
{
    *out = NULL;
    *status = TP_BAD_STATE;
    if (tensor.tape != NULL && tp__is_intrusion(tensor.tape, "wrote to a leaf"))
        return NULL;
    const tp__node *node = node_for(tensor, what);
    *out = node;
    *status = TP_BAD_HANDLE;
    if (node == NULL)
        return NULL;
    *status = TP_OK;
    if (node->leaf == NULL || node->leaf->kind == TP__CONSTANT)
        *status = fail_at(tensor, TP_BAD_ARGUMENT, node, what, "only inputs and parameters can be written");
    else if (dtype != node->leaf->dtype && dtype != node->leaf->declared)
        *status = fail_at(tensor, TP_BAD_DTYPE, node, what, "the data's dtype differs from the leaf's");
    return *status == TP_OK ? node->leaf : NULL;
}

tp_status tp_write_as(tp_tensor tensor, tp_dtype dtype, const void *data, int64_t count)
{
    const tp__node *node;
    tp_status status;
    tp__leaf *leaf = changeable_leaf(tensor, dtype, "tp_write", &node, &status);

    if (leaf == NULL)
        return status;
    if (count != leaf->count) {
        char text[TP_TEXT_SIZE];
        return tp__fail_using(tensor.tape, TP_BAD_SHAPE, tp__place_of(tensor),
                              "tp_write: %s %s has %lld elements, but %lld were given", node->op->name,
                              tp_describe(leaf->declared, &node->shape, text), (long long)leaf->count,
                              (long long)count);
    }
    if (data == NULL && count > 0)
        return fail_at(tensor, TP_BAD_ARGUMENT, node, "tp_write", "the data is NULL");
    if (count > 0)
        store(leaf, dtype, data);
    leaf->written = true;
    return TP_OK;
}

void *tp_leaf_data(tp_tensor tensor, tp_dtype dtype)
{
    const tp__node *node;
    tp_status status;
    tp__leaf *leaf = changeable_leaf(tensor, dtype, "tp_leaf_data", &node, &status);

    if (leaf == NULL)
        return NULL;
    if (dtype != leaf->dtype) {
        fail_at(tensor, TP_BAD_DTYPE, node, "tp_leaf_data", "the data's dtype differs from the leaf's");
        return NULL;
    }
    leaf->written = true;
    return leaf->data;
}

/* ---- Reading --------------------------------------------------------------------------------------- */

/* The values of an output of the program that ran last among those that have it. */
static const void *computed(const tp_tape *tape, tp_tensor tensor)
{
    const void *found = NULL;
    uint64_t newest = 0;
    for (const tp_program *p = tape->programs; p != NULL; p = p->next) {
        if (!p->has_values || p->stamp < newest)
            continue;
        for (int32_t k = 0; k < p->outputs; k++) {
            if (p->output[k].id == tensor.id && p->output[k].epoch == tensor.epoch) {
                found = tp__output_data(p, k);
                newest = p->stamp;
            }
        }
    }
    return found;
}

/* Returns TP_OK with *values, or stores the error. */
static tp_status find_values(tp_tensor tensor, tp_dtype dtype, const char *what, const tp__node **node,
                             const void **values)
{
    *values = NULL;
    *node = node_for(tensor, what);
    if (*node == NULL)
        return TP_BAD_HANDLE;
    if (dtype != (*node)->dtype)
        return fail_at(tensor, TP_BAD_DTYPE, *node, what, "values of another dtype were asked for");
    if ((*node)->leaf != NULL && !(*node)->leaf->written)
        return fail_at(tensor, TP_BAD_STATE, *node, what, "this input was not written yet");
    *values = (*node)->leaf != NULL ? (*node)->leaf->data : computed(tensor.tape, tensor);
    if (*values == NULL)
        return fail_at(tensor, TP_BAD_STATE, *node, what,
                       "not computed: it must be an output of a program that has run");
    return TP_OK;
}

const void *tp_values(tp_tensor tensor, tp_dtype dtype)
{
    const tp__node *node;
    const void *values;
    find_values(tensor, dtype, "tp_values", &node, &values);
    return values;
}

tp_status tp_read_as(tp_tensor tensor, tp_dtype dtype, void *data, int64_t count)
{
    const tp__node *node;
    const void *values;
    const tp_status status = find_values(tensor, dtype, "tp_read", &node, &values);

    if (status != TP_OK)
        return status;
    if (count != tp_shape_count(node->shape))
        return fail_at(tensor, TP_BAD_SHAPE, node, "tp_read",
                       "the count differs from the number of elements");
    if (data == NULL && count > 0)
        return fail_at(tensor, TP_BAD_ARGUMENT, node, "tp_read", "the destination is NULL");
    if (count > 0)
        memmove(data, values, (size_t)count * tp_dtype_size(dtype));
    return TP_OK;
}

double tp_item(tp_tensor tensor)
{
    const tp__node *node = node_for(tensor, "tp_item");
    const void *values;
    double value;

    if (node == NULL)
        return NAN;
    if (tp_shape_count(node->shape) != 1) {
        fail_at(tensor, TP_BAD_SHAPE, node, "tp_item", "it must have one element");
        return NAN;
    }
    if (tp_is_scalar_constant(tensor, &value))
        return value;
    if (find_values(tensor, node->dtype, "tp_item", &node, &values) != TP_OK)
        return NAN;
    if (node->dtype == TP_F32)
        return (double)*(const float *)values;
    return node->dtype == TP_I32 ? (double)*(const int32_t *)values : *(const double *)values;
}

/* ---- Looking --------------------------------------------------------------------------------------- */

bool tp_is_valid(tp_tensor tensor)
{
    return tp__resolve(tensor, NULL) != NULL;
}

bool tp_is_writable(tp_tensor tensor)
{
    const tp__node *node = tp__resolve(tensor, NULL);
    return node != NULL && node->leaf != NULL && node->leaf->kind != TP__CONSTANT;
}

tp_dtype tp_dtype_on(const tp_tape *tape, tp_dtype dtype)
{
    return tape != NULL && tape->keep_double && dtype == TP_F32 ? TP_F64 : dtype;
}

tp_shape tp_shape_of(tp_tensor tensor)
{
    const tp__node *node = tp__resolve(tensor, NULL);
    return node != NULL ? node->shape : (tp_shape){0};
}

tp_dtype tp_dtype_of(tp_tensor tensor)
{
    const tp__node *node = tp__resolve(tensor, NULL);
    return node != NULL ? node->dtype : TP_WEAK;
}

int64_t tp_count_of(tp_tensor tensor)
{
    const tp__node *node = tp__resolve(tensor, NULL);
    return node != NULL ? tp_shape_count(node->shape) : 0;
}

const tp_op *tp_op_of(tp_tensor tensor)
{
    const tp__node *node = tp__resolve(tensor, NULL);
    return node != NULL ? node->op : NULL;
}

tp_tensor tp_operand_of(tp_tensor tensor, int k)
{
    const tp__node *node = tp__resolve(tensor, NULL);
    if (node == NULL || k < 0 || k >= node->n)
        return (tp_tensor){0};
    return tp_locate(tp__handle(tensor.tape, node->input[k]), tensor.file, tensor.line);
}

const void *tp_attr_of(tp_tensor tensor)
{
    const tp__node *node = tp__resolve(tensor, NULL);
    return node != NULL ? node->attr : NULL;
}
