/* SPDX-License-Identifier: GPL-2.0-or-later */
/* TZC-400: reset, the event log, and the stand-in for the firmware that programs it. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tzc_int.h"

/* A probe of every page of a pool is one window's worth; a loop cannot fill the disk. */
#define LOG_WINDOW_NS UINT64_C(1000000000)
#define LOG_MAX       256u
/* Everybody but the protected master's writes: protected data must not get out. */
#define BACKGROUND_IDS (~(1u << (16 + TZC_NSAID_GPU_PROTECTED)))

static void emit(Tzc *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void emit(Tzc *t, const char *fmt, ...)
{
    char line[512];
    va_list ap;
    int head = snprintf(line, sizeof(line), "{\"seq\":%" PRIu64 ",\"vns\":%" PRIu64 ",", t->s.seq++,
                        t->ops->now_ns(t->opaque));
    int body;

    va_start(ap, fmt);
    body = vsnprintf(line + head, sizeof(line) - (size_t)head, fmt, ap);
    va_end(ap);
    t->ops->event(t->opaque, line, (size_t)(head + body));
}

static bool may_log(Tzc *t)
{
    TzcState *s = &t->s;
    uint64_t now = t->ops->now_ns(t->opaque);

    if (now - s->window_ns >= LOG_WINDOW_NS) {
        s->window_ns = now;
        s->window_events = 0;
    }
    return s->window_events < LOG_MAX;
}

void tzc_log_denial(Tzc *t, const TzcAccess *a, unsigned region)
{
    static const char *const kind[] = { "read", "write", "exec" };
    char cpu[24] = "";

    if (!may_log(t)) {
        t->s.unlogged++;
        return;
    }
    if (a->cpu >= 0) {
        snprintf(cpu, sizeof(cpu), "\"cpu\":%d,", a->cpu);
    }
    emit(t,
         "\"ev\":\"denial\",\"addr\":%" PRIu64 ",\"size\":%" PRIu32 ",\"access\":\"%s\","
         "\"master\":\"%s\",%s\"secure\":%s,\"nsaid\":%u,\"region\":%u,\"unlogged\":%" PRIu32 "}",
         a->addr, a->size, kind[a->kind], a->master, cpu, a->secure ? "true" : "false",
         a->nsaid & 15, region, t->s.unlogged);
    t->s.window_events++;
    t->s.unlogged = 0;
}

void tzc_log_region(Tzc *t, unsigned n, bool on)
{
    const TzcRegion *r = &t->s.region[n];

    emit(t,
         "\"ev\":\"region\",\"region\":%u,\"on\":%s,\"base\":%" PRIu64 ",\"top\":%" PRIu64
         ",\"secure_perm\":\"%s%s\",\"id_access\":%" PRIu32 "}",
         n, on ? "true" : "false", r->base, r->top, r->attr & ATTR_S_READ ? "r" : "",
         r->attr & ATTR_S_WRITE ? "w" : "", r->id_access);
}

static void power_on_values(TzcState *s)
{
    s->action = s->gates = s->speculation = 0;
    s->int_status = s->fail_control = s->fail_id = 0;
    s->fail_addr = 0;
    for (unsigned n = 0; n < TZC_REGIONS; n++) {
        s->region[n] = (TzcRegion){ .top = TZC_PAGE - 1 };
    }
    s->region[0].top = UINT64_MAX;
    s->region[0].attr = ATTR_S_READ | ATTR_S_WRITE | FILTER;
}

void tzc_init(Tzc *t, const TzcOps *ops, void *opaque)
{
    *t = (Tzc){ .ops = ops, .opaque = opaque };
    power_on_values(&t->s);
}

void tzc_loaded(Tzc *t)
{
    t->ops->set_irq(t->opaque, (t->s.action & ACTION_IRQ) && t->s.int_status);
    t->ops->changed(t->opaque);
}

void tzc_reset(Tzc *t)
{
    bool was = t->s.gates;

    power_on_values(&t->s);
    if (was) {
        tzc_log_region(t, 0, false);
    }
    tzc_loaded(t);
}

/* ---- the firmware's part ---- */

static void program(Tzc *t, unsigned n, const TzcRegion *r)
{
    uint32_t at = REG_REGION + n * RGN_STRIDE;

    tzc_mmio_write(t, at + RGN_ATTRIBUTES, 0); /* off while it moves */
    tzc_mmio_write(t, at + RGN_BASE_LOW, (uint32_t)r->base);
    tzc_mmio_write(t, at + RGN_BASE_HIGH, (uint32_t)(r->base >> 32));
    tzc_mmio_write(t, at + RGN_TOP_LOW, (uint32_t)r->top);
    tzc_mmio_write(t, at + RGN_TOP_HIGH, (uint32_t)(r->top >> 32));
    tzc_mmio_write(t, at + RGN_ID_ACCESS, r->id_access);
    tzc_mmio_write(t, at + RGN_ATTRIBUTES, r->attr);
}

static void open_gate(Tzc *t)
{
    tzc_mmio_write(t, REG_REGION + RGN_ID_ACCESS, BACKGROUND_IDS);
    tzc_mmio_write(t, REG_ACTION, ACTION_ERROR | ACTION_IRQ);
    tzc_mmio_write(t, REG_GATE_KEEPER, FILTER);
}

static bool sound(uint64_t base, uint64_t size)
{
    return size && !((base | size) % TZC_PAGE) && base + size - 1 >= base;
}

const char *tzc_protect(Tzc *t, uint64_t base, uint64_t size)
{
    const uint32_t ids = 0x10001u << TZC_NSAID_GPU_PROTECTED;
    const TzcRegion r = { base, base + size - 1, ATTR_S_READ | ATTR_S_WRITE | FILTER, ids };
    unsigned slot = 0;

    if (!sound(base, size)) {
        return "a range is whole pages of 4 KiB";
    }
    for (unsigned n = 1; n < TZC_REGIONS; n++) {
        const TzcRegion *o = &t->s.region[n];

        if (!(o->attr & FILTER)) {
            slot = slot ? slot : n;
        } else if (o->base <= r.top && base <= o->top) {
            return "the range overlaps a protected one";
        }
    }
    if (!slot) {
        return "all regions are in use";
    }
    program(t, slot, &r);
    open_gate(t);
    return NULL;
}

const char *tzc_unprotect(Tzc *t, uint64_t base, uint64_t size)
{
    for (unsigned n = 1; n < TZC_REGIONS; n++) {
        const TzcRegion *o = &t->s.region[n];

        if ((o->attr & FILTER) && o->base == base && o->top == base + size - 1) {
            tzc_mmio_write(t, REG_REGION + n * RGN_STRIDE + RGN_ATTRIBUTES, 0);
            return NULL;
        }
    }
    return "no such range is protected";
}
