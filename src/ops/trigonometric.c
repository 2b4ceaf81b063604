/* trigonometric.c -- sin cos tan asin acos atan atan2.  Kernels are in tapir/scalar_trigonometric.h. */
#include <tapir/op.h>
#include <tapir/ops.h>
#include <tapir/scalar_trigonometric.h>

#include "lists.h"
#include "operands.h"

static tp_tensor number(const tp_vjp *d, double value)
{
    return tp_scalar(d->y.tape, value);
}

/* ---- sin, cos, tan --------------------------------------------------------------------------------- */

/* A loop over the general functions, which may call libm, is no vector code.  So a block of numbers that are all within
 * the range where they do not call goes through a loop of its own: the bits are the same. */

TP_INSTRUCTION_SETS
static bool all_near_f32(int64_t n, const float *x)
{
    int32_t far = 0;
    for (int64_t i = 0; i < n; i++)
        far |= !(fabsf(x[i]) <= (float)TP_TRIGONOMETRIC_RANGE);
    return far == 0;
}

TP_INSTRUCTION_SETS
static bool all_near_f64(int64_t n, const double *x)
{
    int64_t far = 0;
    for (int64_t i = 0; i < n; i++)
        far |= !(fabs(x[i]) <= TP_TRIGONOMETRIC_RANGE);
    return far == 0;
}

TP_MAP1(sin_near, TP_SIN_NEAR(x))
TP_MAP1(sin_any, TP_SIN(x))

static void sin_f32(int64_t n, void *y, const void *const *x, const void *attr)
{
    (void)sin_near_expression; /* the op shows the general one */
    (all_near_f32(n, x[0]) ? sin_near_f32 : sin_any_f32)(n, y, x, attr);
}

static void sin_f64(int64_t n, void *y, const void *const *x, const void *attr)
{
    (all_near_f64(n, x[0]) ? sin_near_f64 : sin_any_f64)(n, y, x, attr);
}

static void sin_vjp(const tp_vjp *d)
{
    d->dx[0] = tp_mul(d->g, tp_cos(d->x[0]));
}

static const tp_op sine = {
    .name = "sin",
    .kind = TP_MAP,
    .arity = 1,
    .vjp = sin_vjp,
    .map = {sin_f32, sin_f64},
    .expression = sin_any_expression,
    .low = -7,
    .high = 7,
};

tp_tensor tp_sin(tp_tensor x)
{
    return tp_record(&sine, &x, 1, NULL);
}

TP_MAP1(cos_near, TP_COS_NEAR(x))
TP_MAP1(cos_any, TP_COS(x))

static void cos_f32(int64_t n, void *y, const void *const *x, const void *attr)
{
    (void)cos_near_expression; /* the op shows the general one */
    (all_near_f32(n, x[0]) ? cos_near_f32 : cos_any_f32)(n, y, x, attr);
}

static void cos_f64(int64_t n, void *y, const void *const *x, const void *attr)
{
    (all_near_f64(n, x[0]) ? cos_near_f64 : cos_any_f64)(n, y, x, attr);
}

static void cos_vjp(const tp_vjp *d)
{
    d->dx[0] = tp_neg(tp_mul(d->g, tp_sin(d->x[0])));
}

static const tp_op cosine = {
    .name = "cos",
    .kind = TP_MAP,
    .arity = 1,
    .vjp = cos_vjp,
    .map = {cos_f32, cos_f64},
    .expression = cos_any_expression,
    .low = -7,
    .high = 7,
};

tp_tensor tp_cos(tp_tensor x)
{
    return tp_record(&cosine, &x, 1, NULL);
}

TP_MAP1(tan_near, TP_TAN_NEAR(x))
TP_MAP1(tan_any, TP_TAN(x))

static void tan_f32(int64_t n, void *y, const void *const *x, const void *attr)
{
    (void)tan_near_expression; /* the op shows the general one */
    (all_near_f32(n, x[0]) ? tan_near_f32 : tan_any_f32)(n, y, x, attr);
}

static void tan_f64(int64_t n, void *y, const void *const *x, const void *attr)
{
    (all_near_f64(n, x[0]) ? tan_near_f64 : tan_any_f64)(n, y, x, attr);
}

static void tan_vjp(const tp_vjp *d)
{
    d->dx[0] = tp_mul(d->g, tp_add(tp_square(d->y), number(d, 1)));
}

static const tp_op tangent = {
    .name = "tan",
    .kind = TP_MAP,
    .arity = 1,
    .vjp = tan_vjp,
    .map = {tan_f32, tan_f64},
    .expression = tan_any_expression,
    .low = -1.4,
    .high = 1.4,
};

tp_tensor tp_tan(tp_tensor x)
{
    return tp_record(&tangent, &x, 1, NULL);
}

/* ---- asin, acos, atan ------------------------------------------------------------------------------ */

static tp_tensor other_leg(const tp_vjp *d)
{
    return tp_sqrt(tp__one_minus_square(d->x[0]));
}

TP_MAP1(asin, TP_ASIN(x))

static void asin_vjp(const tp_vjp *d)
{
    d->dx[0] = tp_div(d->g, other_leg(d));
}

static const tp_op arc_sine = {
    .name = "asin",
    .kind = TP_MAP,
    .arity = 1,
    .vjp = asin_vjp,
    TP_MAP_KERNELS(asin),
    .low = -0.9,
    .high = 0.9,
};

tp_tensor tp_asin(tp_tensor x)
{
    return tp_record(&arc_sine, &x, 1, NULL);
}

TP_MAP1(acos, TP_ACOS(x))

static void acos_vjp(const tp_vjp *d)
{
    d->dx[0] = tp_neg(tp_div(d->g, other_leg(d)));
}

static const tp_op arc_cosine = {
    .name = "acos",
    .kind = TP_MAP,
    .arity = 1,
    .vjp = acos_vjp,
    TP_MAP_KERNELS(acos),
    .low = -0.9,
    .high = 0.9,
};

tp_tensor tp_acos(tp_tensor x)
{
    return tp_record(&arc_cosine, &x, 1, NULL);
}

TP_MAP1(atan, TP_ATAN(x))

static void atan_vjp(const tp_vjp *d)
{
    d->dx[0] = tp_div(d->g, tp_add(tp_square(d->x[0]), number(d, 1)));
}

static const tp_op arc_tangent = {
    .name = "atan",
    .kind = TP_MAP,
    .arity = 1,
    .vjp = atan_vjp,
    TP_MAP_KERNELS(atan),
};

tp_tensor tp_atan(tp_tensor x)
{
    return tp_record(&arc_tangent, &x, 1, NULL);
}

/* ---- atan2 ----------------------------------------------------------------------------------------- */

TP_MAP2(atan2, TP_ATAN2(a, b))

/* b / r^2 and -a / r^2, each divided twice by r, whose square may overflow; and 0 where r is. */
static void atan2_vjp(const tp_vjp *d)
{
    const tp_tensor zero = number(d, 0), r = tp_hypot(d->x[0], d->x[1]), origin = tp_equal(r, zero);
    if (d->need[0])
        d->dx[0] = tp_mul(d->g, tp_where(origin, zero, tp_div(tp_div(d->x[1], r), r)));
    if (d->need[1])
        d->dx[1] = tp_neg(tp_mul(d->g, tp_where(origin, zero, tp_div(tp_div(d->x[0], r), r))));
}

static const tp_op angle = {
    .name = "atan2",
    .kind = TP_MAP,
    .arity = 2,
    .vjp = atan2_vjp,
    TP_MAP_KERNELS(atan2),
    .low = 0.3,
    .high = 2,
};

tp_tensor tp_atan2(tp_tensor a, tp_tensor b)
{
    return tp_record(&angle, (tp_tensor[]){a, b}, 2, NULL);
}

const tp_op *const tp__trigonometric_ops[] = {&sine,       &cosine,      &tangent, &arc_sine,
                                              &arc_cosine, &arc_tangent, &angle,   NULL};
