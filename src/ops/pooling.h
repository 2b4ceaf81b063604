/* pooling.h -- what the recording of pooling and its kernels share.
 *
 * The kernels see their arrays as [outer, height, width, inner].  Of images [n,channels,height,width] `inner` is 1; of images
 * whose channels are in blocks, [n,channels/b,height,width,b], it is b.
 */
#ifndef TAPIR_SRC_OPS_POOLING_H
#define TAPIR_SRC_OPS_POOLING_H

#include <tapir/op.h>

/* The attributes of all ops.  Pairs are along height and width. */
typedef struct tp__pooling {
    int64_t window[2], stride[2], padding[2], dilation[2];
    int64_t ceil_mode;
    int64_t only_true; /* avg_pool2d: divides by the elements that are no padding */
    int64_t size[2];   /* of the images, for the ops that yield them; else 0 */
} tp__pooling;

/* ---- Shapes ------------------------------------------------------------------------------------------- */

/* How many windows there are along an axis of this length. */
int64_t tp__window_count(const tp__pooling *a, int axis, int64_t length);

/* Channels in blocks are for the ops alone: x, or an error and an invalid handle where images have a fifth axis. */
tp_tensor tp__plain_images(tp_tensor x, const char *name);

/* ---- Geometry (pooling_windows.c) ------------------------------------------------------------------------- */

/* Elements or windows start .. end - 1. */
typedef struct tp__extent {
    int64_t start, end;
} tp__extent;

typedef struct tp__windows {
    const tp__pooling *a;
    int64_t outer, inner, size[2]; /* of the images */
    int64_t count[2];              /* windows along each axis */
} tp__windows;

tp__windows tp__windows_of(const tp_shape *images, const tp__pooling *a);

/* The same, of the shape of the windows; the images' size is in the attributes. */
tp__windows tp__windows_back(const tp_shape *windows, const tp__pooling *a);

/* The elements of window i inside the image along an axis: start, start + dilation, ... below end. */
tp__extent tp__window_extent(const tp__windows *w, int axis, int64_t i);

/* Can no element be in two windows? */
bool tp__windows_are_apart(const tp__windows *w);

/* Are they all of 2 x 2 elements, inside the image, side by side? */
bool tp__windows_are_quads(const tp__windows *w);

/* Of a row of windows, those whose element number k of a row is inside the image: n windows from `first` on, the first of
 * which has it in column `start`.  Kernels take a row of windows element by element: so neighbours are computed at once. */
typedef struct tp__tap {
    int64_t first, n, start;
} tp__tap;

enum { TP__MOST_TAPS = 64 };
typedef struct tp__taps {
    int64_t n;
    tp__tap tap[TP__MOST_TAPS];
} tp__taps;

/* False when there are more, so that windows are better taken one by one. */
bool tp__find_taps(const tp__windows *w, tp__taps *t);

/* ---- Kernels ------------------------------------------------------------------------------------------------- */

/* Maxima (pooling_maxima.c). */
size_t tp__position_scratch(const tp_shape *x_shape, int n, const void *attr);
size_t tp__put_scratch(const tp_shape *x_shape, int n, const void *attr);
tp_status tp__position_run(const tp_call *call);
tp_status tp__pick_run(const tp_call *call);
tp_status tp__put_run(const tp_call *call);

/* Means (pooling_means.c). */
size_t tp__mean_scratch(const tp_shape *x_shape, int n, const void *attr);
size_t tp__share_scratch(const tp_shape *x_shape, int n, const void *attr);
tp_status tp__mean_run(const tp_call *call);
tp_status tp__share_run(const tp_call *call);

/* Where a block of a constant length begins that covers element j of n >= length: the last block overlaps the one before rather than
 * being shorter, where it does not matter that something is computed twice. */
static inline int64_t tp__block_start(int64_t n, int64_t length, int64_t j)
{
    return j + length <= n ? j : n - length;
}

/* What is written for one dtype and one block is made for each by inlining it with these as constants. */
#if defined(__GNUC__)
#define TP__INLINED static inline __attribute__((always_inline))
#else
#define TP__INLINED static inline
#endif

#endif
