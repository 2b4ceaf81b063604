/* status.c -- names, and the one way by which every failure goes. */
#include <stdlib.h>

#include "tape.h"

const char *tp_status_name(tp_status status)
{
    switch (status) {
    case TP_OK: return "ok";
    case TP_OUT_OF_MEMORY: return "out of memory";
    case TP_BAD_ARGUMENT: return "bad argument";
    case TP_BAD_HANDLE: return "bad handle";
    case TP_BAD_SHAPE: return "bad shape";
    case TP_BAD_DTYPE: return "bad dtype";
    case TP_BAD_STATE: return "bad state";
    case TP_BAD_VALUE: return "bad value";
    case TP_NO_DERIVATIVE: return "no derivative";
    case TP_NOT_FINITE: return "not finite";
    case TP_WRONG_DERIVATIVE: return "wrong derivative";
    }
    return "unknown status";
}

tp_status tp_tape_status(const tp_tape *tape)
{
    return tape == NULL ? TP_BAD_ARGUMENT : tape->status;
}

const char *tp_tape_message(const tp_tape *tape)
{
    return tape == NULL ? "the tape is NULL: was it created, and the result checked?" : tape->message;
}

void tp_tape_clear_error(tp_tape *tape)
{
    if (tape == NULL)
        return;
    tape->status = TP_OK;
    tape->blocked = false;
    tape->message[0] = '\0';
}

void tp_abort_on_error(tp_tape *tape, tp_status status, const char *message, void *user)
{
    (void)tape, (void)user;
    fprintf(stderr, "tapir: %s: %s\n", tp_status_name(status), message);
    abort();
}

/* ---- Text ------------------------------------------------------------------------------------------ */

void tp__text_vadd(tp__text *text, const char *format, va_list args)
{
    const size_t room = text->size - text->used;
    const int length = vsnprintf(text->start + text->used, room, format, args);
    if (length > 0)
        text->used += (size_t)length < room ? (size_t)length : room - 1;
}

void tp__text_add(tp__text *text, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    tp__text_vadd(text, format, args);
    va_end(args);
}

enum { SCOPES_SHOWN = 8, SCOPE_LENGTH_SHOWN = 48 };

/* The innermost scopes, however many are open and however long their names: the message must not drown. */
void tp__text_scope(tp__text *text, const tp__scope *scope)
{
    const tp__scope *shown[SCOPES_SHOWN];
    int n = 0;

    if (scope == NULL)
        return;
    for (; scope != NULL && n < SCOPES_SHOWN; scope = scope->parent)
        shown[n++] = scope;
    if (scope != NULL)
        tp__text_add(text, ".../");
    while (n-- > 0)
        tp__text_add(text, "%.*s%s", SCOPE_LENGTH_SHOWN, shown[n]->name, n > 0 ? "/" : ": ");
}

void tp__text_place(tp__text *text, tp__place place)
{
    if (place.file != NULL)
        tp__text_add(text, " at %s:%d", place.file, (int)place.line);
}

/* ---- Kernels that use their own tape ---------------------------------------------------------------- */

bool tp__is_intrusion(tp_tape *tape, const char *what)
{
    if (tape->running == NULL)
        return false;
    tape->intrusion = what;
    return true;
}

/* ---- Failing --------------------------------------------------------------------------------------- */

tp_status tp__vfail(tp_tape *tape, tp__severity severity, tp_status status, tp__place place,
                    const char *format, va_list args)
{
    if (tp__is_intrusion(tape, "recorded or read on it"))
        return status;
    if (severity == TP__RECORDING)
        tape->blocked = true;
    if (tape->status != TP_OK)
        return status;
    tape->status = status;
    tp__text text = {tape->message, sizeof tape->message, 0};
    tp__text_scope(&text, place.scope);
    tp__text_vadd(&text, format, args);
    tp__text_place(&text, place);
    if (tape->on_error != NULL)
        tape->on_error(tape, status, tape->message, tape->on_error_user);
    return status;
}

tp_status tp__fail(tp_tape *tape, tp_status status, tp__place place, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    tp__vfail(tape, TP__RECORDING, status, place, format, args);
    va_end(args);
    return status;
}

tp_status tp__fail_using(tp_tape *tape, tp_status status, tp__place place, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    tp__vfail(tape, TP__USING, status, place, format, args);
    va_end(args);
    return status;
}

const char *tp_handle_fault(const tp_tape *tape, tp_tensor x)
{
    if (x.tape == NULL)
        return "is absent";
    if (x.tape != tape)
        return "belongs to another tape";
    if (tp__resolve(x, NULL) == NULL)
        return x.id < 0 ? "is invalid" : "is stale: the tape was rewound past it";
    return NULL;
}

tp_tensor tp_fail(tp_tensor at, tp_status status, const char *format, ...)
{
    if (at.tape == NULL)
        return at;
    /* A call on an invalid tensor is a consequence of the error before: it stays quiet. */
    if (at.id >= 0) {
        va_list args;
        va_start(args, format);
        tp__vfail(at.tape, TP__RECORDING, status != TP_OK ? status : TP_BAD_ARGUMENT, tp__place_of(at),
                  format != NULL ? format : "?", args);
        va_end(args);
    }
    return tp__invalid(at.tape);
}
