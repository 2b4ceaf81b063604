/* pooling_windows.c -- where windows lie on images. */
#include "pooling.h"

static tp__windows windows_on(const tp_shape *shape, const int64_t size[2], const tp__pooling *a)
{
    return (tp__windows){.a = a,
                         .outer = shape->dim[0] * shape->dim[1],
                         .inner = shape->rank == 5 ? shape->dim[4] : 1,
                         .size = {size[0], size[1]},
                         .count = {tp__window_count(a, 0, size[0]), tp__window_count(a, 1, size[1])}};
}

tp__windows tp__windows_of(const tp_shape *images, const tp__pooling *a)
{
    return windows_on(images, &images->dim[2], a);
}

tp__windows tp__windows_back(const tp_shape *windows, const tp__pooling *a)
{
    return windows_on(windows, a->size, a);
}

tp__extent tp__window_extent(const tp__windows *w, int axis, int64_t i)
{
    const tp__pooling *a = w->a;
    const int64_t step = a->dilation[axis];
    tp__extent e = {.start = i * a->stride[axis] - a->padding[axis]};
    e.end = e.start + step * (a->window[axis] - 1) + 1;
    if (e.start < 0)
        e.start += (-e.start + step - 1) / step * step;
    if (e.end > w->size[axis])
        e.end = w->size[axis];
    return e;
}

bool tp__windows_are_apart(const tp__windows *w)
{
    const tp__pooling *a = w->a;
    bool apart = true;
    for (int axis = 0; axis < 2; axis++)
        apart = apart && a->stride[axis] > a->dilation[axis] * (a->window[axis] - 1);
    return apart;
}

bool tp__windows_are_quads(const tp__windows *w)
{
    const tp__pooling *a = w->a;
    bool quads = true;
    for (int axis = 0; axis < 2; axis++)
        quads = quads && a->window[axis] == 2 && a->stride[axis] == 2 && a->padding[axis] == 0 &&
                a->dilation[axis] == 1 && 2 * w->count[axis] <= w->size[axis];
    return quads;
}

static tp__tap find_tap(const tp__windows *w, int64_t k)
{
    const int64_t stride = w->a->stride[1], shift = k * w->a->dilation[1] - w->a->padding[1];
    tp__tap t = {.first = shift < 0 ? (-shift + stride - 1) / stride : 0};
    int64_t end = shift < w->size[1] ? (w->size[1] - shift + stride - 1) / stride : 0;
    if (end > w->count[1])
        end = w->count[1];
    t.n = end > t.first ? end - t.first : 0;
    t.start = t.first * stride + shift;
    return t;
}

bool tp__find_taps(const tp__windows *w, tp__taps *t)
{
    const tp__pooling *a = w->a;
    const int64_t step = a->dilation[1], before = a->padding[1] - (w->count[1] - 1) * a->stride[1];
    int64_t k = before > 0 ? (before + step - 1) / step : 0;   /* the last window has no earlier one inside */
    int64_t end = (w->size[1] - 1 + a->padding[1]) / step + 1; /* and the first window no later one */
    if (end > a->window[1])
        end = a->window[1];
    t->n = 0;
    if (end - k > TP__MOST_TAPS)
        return false;
    for (; k < end; k++) {
        const tp__tap tap = find_tap(w, k);
        if (tap.n > 0)
            t->tap[t->n++] = tap;
    }
    return true;
}
