/* cases.c -- Tapir beside the same loss and gradient written by hand in C, and beside the pass over memory that bounds
 * both.  Usage: cases [filter] [--csv] [--busy] [--profile] [--plan] [--data DIR]
 *
 * One row per case, times in nanoseconds per run (of "record": per recorded node):
 *
 *     tapir    one tp_run: forward and gradient
 *     hand     the same, fused by hand and vectorised; for the MLPs the bare matrix products; for convolutions and
 *              training steps the bare convolutions (bench/cases/bare.h; the heading names the library); for the GMM the objective alone
 *     bound    g = p - y over as much memory
 *     memory, footprint    MiB (--csv: bytes) that the leaves and the program take, and the leaves and the outputs alone (of the
 *              training steps: and what must live at once, bench/cases/steps.c)
 *
 * The three run in turn (hand, Tapir, hand, bound), medians after a warm-up.  No case is timed before its results agree
 * with the hand-written ones.
 *
 *     filter       a part of case/n/threads, such as huber/1000000/2
 *     --data DIR   holds the GMM instances (bench/cases/gmm.c), which are left out without them
 *     --busy       for a machine that has other things to do: the fastest samples, and processor time for one thread
 *     --profile    run Tapir alone, each row for a second
 *     --plan       show the plans of the programs
 */
#include "cases/bare.h"
#include "cases/harness.h"

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    suite s = {0};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--csv") == 0)
            s.csv = true;
        else if (strcmp(argv[i], "--busy") == 0)
            s.busy = true;
        else if (strcmp(argv[i], "--profile") == 0)
            s.profile = true;
        else if (strcmp(argv[i], "--plan") == 0)
            s.plan = true;
        else if (strcmp(argv[i], "--data") == 0 && i + 1 < argc)
            s.data = argv[++i];
        else if (argv[i][0] != '-' && s.filter == NULL)
            s.filter = argv[i];
        else {
            fprintf(stderr, "usage: cases [filter] [--csv] [--busy] [--profile] [--plan] [--data DIR]\n");
            return 2;
        }
    }
    if (!s.profile && !s.plan)
        bench_heading(&s, bare_library());
    bench_elementwise(&s);
    bench_cross_entropy(&s);
    bench_norm(&s);
    bench_opaque(&s);
    bench_products(&s);
    bench_convolution(&s);
    bench_steps(&s);
    bench_indexing(&s);
    bench_mlp(&s);
    bench_modes(&s);
    bench_optim(&s);
    bench_record(&s);
    bench_gmm(&s);
    bench_ordering(&s);
    bench_constraints(&s);
    bench_ctc(&s);
    return s.failures > 0;
}
