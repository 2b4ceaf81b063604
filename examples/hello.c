/* hello.c -- the README's first program. */
#include <stdio.h>
#include <tapir/tapir.h>

/* A loss of your own: squared error, and ten times as much for what a prediction has above 1. */
static tp_tensor my_loss(tp_tensor prediction, tp_tensor target)
{
    tp_tensor above = tp_relu(tp_sub(prediction, tp_scalar(prediction.tape, 1)));
    return tp_add(tp_mse(prediction, target, NULL), tp_scale(tp_mean(tp_square(above)), 10));
}

int main(void)
{
    tp_tape *tape = tp_tape_create(NULL);
    tp_tensor p = tp_parameter(tape, TP_F32, TP_SHAPE(3), (float[]){0.5f, 0.75f, 1.25f});
    tp_tensor t = tp_constant(tape, TP_F32, TP_SHAPE(3), (float[]){0, 1, 1});

    tp_tensor loss = my_loss(p, t), gradient; /* recorded, not computed */
    tp_gradient(loss, &p, 1, &gradient);      /* as well */
    tp_program *program = tp_compile((tp_tensor[]){loss, gradient}, 2, NULL);
    tp_run(program);

    float g[3] = {0};
    tp_read(gradient, g, 3);
    printf("loss %g, gradient %g %g %g\n", tp_item(loss), (double)g[0], (double)g[1], (double)g[2]);
    if (tp_tape_status(tape) != TP_OK) /* errors are sticky: one check for all of the above */
        fprintf(stderr, "%s\n", tp_tape_message(tape));
    tp_program_destroy(program);
    tp_tape_destroy(tape);
    return 0;
}
