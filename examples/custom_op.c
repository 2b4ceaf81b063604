/* custom_op.c -- ops of your own: one elementwise (map), one over whole arrays (call).  docs/custom-op.md explains. */
#include <tapir/op.h>
#include <tapir/scalar.h>
#include <tapir/tapir.h>

#include <stdio.h>

/* log cosh x, where cosh x itself would overflow or, near 0, lose all digits. */
TP_MAP1(log_cosh, TP_ABS(x) < (T)1 ? (T)-0.5 * TP_LOG1P(-TP_TANH(x) * TP_TANH(x))
                                   : TP_ABS(x) - (T)0.69314718055994531 + TP_LOG1P(TP_EXP((T)-2 * TP_ABS(x))))

static void log_cosh_vjp(const tp_vjp *d)
{
    d->dx[0] = tp_mul(d->g, tp_tanh(d->x[0]));
}

static const tp_op log_cosh_op = {
    .name = "log_cosh",
    .kind = TP_MAP,
    .arity = 1,
    .vjp = log_cosh_vjp,
    TP_MAP_KERNELS(log_cosh),
};

static tp_tensor log_cosh(tp_tensor x)
{
    return tp_record(&log_cosh_op, &x, 1, NULL);
}

/* Running sums of a vector, from the front or from the back: y[i] = x[0] + ... + x[i], or x[i] + ... + x[n-1]. */
typedef struct cumsum_attr {
    int64_t from_back;
} cumsum_attr;

static tp_tensor cumsum(tp_tensor x, bool from_back);

static const char *cumsum_infer(tp_inference *i)
{
    if (i->x_dtype[0] != TP_F64)
        return "the vector must be f64";
    if (i->x_shape[0].rank != 1)
        return "the operand must be a vector";
    return NULL; /* the result is as the operand */
}

static tp_status cumsum_run(const tp_call *call)
{
    const cumsum_attr *a = call->attr;
    const double *x = call->x[0].data;
    double *y = call->y.data, sum = 0;
    const int64_t n = call->y.shape.dim[0];

    for (int64_t k = 0; k < n; k++) {
        const int64_t i = a->from_back ? n - 1 - k : k;
        y[i] = sum += x[i];
    }
    return TP_OK;
}

/* x[i] is in all sums from i on: so its adjoint is the running sum from the other end, the same op again. */
static void cumsum_vjp(const tp_vjp *d)
{
    const cumsum_attr *a = d->attr;
    d->dx[0] = cumsum(d->g, !a->from_back);
}

static const tp_op cumsum_op = {
    .name = "cumsum",
    .kind = TP_CALL,
    .arity = 1,
    .attr_size = sizeof(cumsum_attr),
    .infer = cumsum_infer,
    .vjp = cumsum_vjp,
    .run = cumsum_run,
};

static tp_tensor cumsum(tp_tensor x, bool from_back)
{
    return tp_record(&cumsum_op, &x, 1, &(cumsum_attr){from_back});
}

static void report(const char *what, const tp_check_report *r)
{
    printf("%s: %s\n    %s\n", what, tp_verdict_name(r->verdict), r->message);
}

int main(void)
{
    const double samples[6] = {-3, -0.5, 0, 1e-4, 1, 800}; /* cosh 800 overflows */
    tp_tape *tape = tp_tape_create(NULL);

    tp_tensor x = tp_parameter(tape, TP_F64, TP_SHAPE(6), samples);
    tp_check_report verdict;
    tp_op_verify(&log_cosh_op, &x, 1, NULL, NULL, &verdict);
    report("log_cosh", &verdict);
    tp_op_verify(&cumsum_op, &x, 1, &(cumsum_attr){.from_back = 1}, NULL, &verdict);
    report("cumsum", &verdict);

    tp_tensor loss = tp_mean(log_cosh(tp_sub(cumsum(x, false), tp_scalar(tape, 1))));
    tp_tensor gradient;
    tp_gradient(loss, &x, 1, &gradient);
    tp_program *program = tp_compile((tp_tensor[]){loss, gradient}, 2, NULL);
    double slope[6] = {0};
    tp_run(program);
    tp_read(gradient, slope, 6);
    printf("mean log cosh of the running sums less 1: %.6f\ngradient:", tp_item(loss));
    for (int i = 0; i < 6; i++)
        printf(" %.6f", slope[i]);
    printf("\n");

    const bool fine = tp_tape_status(tape) == TP_OK;
    if (!fine)
        fprintf(stderr, "%s\n", tp_tape_message(tape));
    tp_program_destroy(program);
    tp_tape_destroy(tape);
    return fine ? 0 : 1;
}
