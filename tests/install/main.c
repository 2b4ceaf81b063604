/* A program outside Tapir's tree, built against an installed Tapir: d mean((x - y)^2) / dx = 2 (x - y) / n. */
#include <tapir/tapir.h>

#include <math.h>
#include <stdio.h>

int main(void)
{
    const double x_values[4] = {1, 2, 3, 4}, y_values[4] = {1, 0, 5, 3};
    tp_tape *tape = tp_tape_create(NULL);
    tp_tensor x = tp_parameter(tape, TP_F64, TP_SHAPE(4), x_values);
    tp_tensor y = tp_constant(tape, TP_F64, TP_SHAPE(4), y_values);
    tp_tensor loss = tp_mse(x, y, NULL);
    tp_tensor gradient;
    tp_gradient(loss, &x, 1, &gradient);

    tp_program *program = tp_compile((tp_tensor[]){loss, gradient}, 2, NULL);
    double value = 0, slope[4] = {0};
    tp_run(program);
    tp_read(loss, &value, 1);
    tp_read(gradient, slope, 4);

    int wrong = tp_tape_status(tape) != TP_OK;
    if (wrong)
        fprintf(stderr, "%s\n", tp_tape_message(tape));
    wrong += !(fabs(value - 2.25) <= 1e-12);
    for (int i = 0; i < 4; i++)
        wrong += !(fabs(slope[i] - (x_values[i] - y_values[i]) / 2) <= 1e-12);
    tp_program_destroy(program);
    tp_tape_destroy(tape);

    printf("tapir %s: loss %g, gradient %g %g %g %g: %s\n", TP_VERSION, value, slope[0], slope[1], slope[2],
           slope[3], wrong ? "WRONG" : "right");
    return wrong != 0;
}
