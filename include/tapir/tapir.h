/* tapir/tapir.h -- all of Tapir that a program which uses it needs.  To define ops, see tapir/op.h. */
#ifndef TAPIR_TAPIR_H
#define TAPIR_TAPIR_H

#include <tapir/check.h>
#include <tapir/constraints.h>
#include <tapir/io.h>
#include <tapir/layers.h>
#include <tapir/lint.h>
#include <tapir/losses.h>
#include <tapir/modes.h>
#include <tapir/monitor.h>
#include <tapir/opaque.h>
#include <tapir/ops.h>
#include <tapir/optim.h>
#include <tapir/program.h>
#include <tapir/tape.h>
#include <tapir/terms.h>
#include <tapir/version.h>

#endif
