/* test_golden_sequence.c -- every golden case of the family losses_sequence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "golden_losses.h"

static tp_ctc_options options(const golden_run *r)
{
    const golden_case *c = golden_case_of(r);
    const tp_reduction reduction = golden_reduction(r);
    return (tp_ctc_options){.reduction = reduction,
                            .blank = golden_integer(c, "blank"),
                            .zero_infinity = golden_switch(c, "zero_infinity"),
                            .by_length = reduction == TP_MEAN};
}

typedef tp_tensor recorder(tp_tensor scores, tp_tensor targets, tp_tensor input_lengths,
                           tp_tensor target_lengths, const tp_ctc_options *o);

static tp_tensor record(golden_run *r, const char *scores, recorder *loss)
{
    const tp_ctc_options o = options(r);
    const tp_tensor x = golden_operand(r, scores), targets = golden_operand(r, "targets"),
                    input_lengths = golden_operand(r, "input_lengths"),
                    target_lengths = golden_operand(r, "target_lengths");
    return loss(x, targets, input_lengths, target_lengths, &o);
}

static tp_tensor ctc(golden_run *r)
{
    return record(r, "logits", tp_ctc);
}

static tp_tensor ctc_log_probs(golden_run *r)
{
    return record(r, "log_probs", tp_ctc_log_probs);
}

static const golden_loss losses[] = {
    {.op = "ctc", .record = ctc, .cases = 37},
    {.op = "ctc_log_probs", .record = ctc_log_probs, .cases = 15},
};

static void every_case(void **state)
{
    (void)state;
    golden_run_losses("losses_sequence.txt", losses, sizeof losses / sizeof *losses, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_case)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
