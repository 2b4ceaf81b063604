/* onednn_calls.c -- what is called for every primitive of oneDNN; compiled where it was found. */
#include "onednn_calls.h"

#include <string.h>

dnnl_status_t tp__onednn_open(tp__onednn_engine *e)
{
    *e = (tp__onednn_engine){0};
    const dnnl_status_t status = dnnl_engine_create(&e->engine, dnnl_cpu, 0);
    return status != dnnl_success ? status
                                  : dnnl_stream_create(&e->stream, e->engine, dnnl_stream_default_flags);
}

void tp__onednn_close(tp__onednn_engine *e)
{
    if (e->stream != NULL)
        dnnl_stream_destroy(e->stream);
    if (e->engine != NULL)
        dnnl_engine_destroy(e->engine);
}

bool tp__onednn_is_reference(const_dnnl_primitive_desc_t description)
{
    const char *name = "";
    dnnl_primitive_desc_query(description, dnnl_query_impl_info_str, 0, (void *)&name);
    return strncmp(name, "ref", 3) == 0;
}

dnnl_status_t tp__onednn_execute(const tp__onednn_engine *e, const_dnnl_primitive_desc_t description,
                                 const tp__onednn_argument *argument, int n)
{
    enum { MOST = 4 };
    dnnl_exec_arg_t with[MOST] = {{0}};
    dnnl_primitive_t primitive = NULL;
    dnnl_status_t status = dnnl_primitive_create(&primitive, description);
    int made = 0;

    for (; made < n && status == dnnl_success; made++) {
        with[made].arg = argument[made].name;
        status = dnnl_memory_create(&with[made].memory, argument[made].how, e->engine, argument[made].data);
    }
    if (status == dnnl_success)
        status = dnnl_primitive_execute(primitive, e->stream, n, with);
    if (status == dnnl_success)
        status = dnnl_stream_wait(e->stream);
    for (int k = 0; k < made; k++)
        if (with[k].memory != NULL)
            dnnl_memory_destroy(with[k].memory);
    if (primitive != NULL)
        dnnl_primitive_destroy(primitive);
    return status;
}
