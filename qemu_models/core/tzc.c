/* SPDX-License-Identifier: GPL-2.0-or-later */
/* TZC-400: registers and decisions (tzc.h says what is modelled and what is not). */
#include <string.h>

#include "tzc_int.h"

#define ADDRESS_BITS 64u
#define PAGE_MASK    (TZC_PAGE - 1)

/* ---- which region decides ---- */

static bool active(const Tzc *t, unsigned n)
{
    const TzcRegion *r = &t->s.region[n];

    return (t->s.gates & r->attr & FILTER) && r->top > r->base;
}

static bool covers(const Tzc *t, unsigned n, uint64_t addr)
{
    return active(t, n) && addr >= t->s.region[n].base && addr <= t->s.region[n].top;
}

/* The region of @addr, the background if none; @overlap: there is more than one. */
unsigned tzc_region_of(const Tzc *t, uint64_t addr, bool *overlap)
{
    unsigned found = 0;

    *overlap = false;
    for (unsigned n = 1; n < TZC_REGIONS; n++) {
        if (covers(t, n, addr)) {
            *overlap = found != 0;
            found = n;
        }
    }
    return found;
}

static unsigned region_permissions(const TzcRegion *r, bool secure, unsigned nsaid)
{
    uint32_t ids = r->id_access >> (nsaid & 15);

    if (secure) {
        return (r->attr & ATTR_S_READ ? TZC_PERM_R : 0) | (r->attr & ATTR_S_WRITE ? TZC_PERM_W : 0);
    }
    return (ids & 1 ? TZC_PERM_R : 0) | (ids >> 16 & 1 ? TZC_PERM_W : 0);
}

unsigned tzc_permissions(const Tzc *t, uint64_t addr, bool secure, unsigned nsaid)
{
    bool overlap;
    unsigned n;

    if (!t->s.gates) {
        return TZC_PERM_RW;
    }
    n = tzc_region_of(t, addr, &overlap);
    return overlap ? 0 : region_permissions(&t->s.region[n], secure, nsaid);
}

unsigned tzc_active_regions(const Tzc *t)
{
    unsigned count = 0;

    for (unsigned n = 1; n < TZC_REGIONS; n++) {
        count += active(t, n);
    }
    return count;
}

/* ---- what the embedder has to map ---- */

static void insert_sorted(uint64_t *edge, unsigned *count, uint64_t value)
{
    unsigned i = *count;

    for (unsigned j = 0; j < *count; j++) {
        if (edge[j] == value) {
            return;
        }
    }
    for (; i && edge[i - 1] > value; i--) {
        edge[i] = edge[i - 1];
    }
    edge[i] = value;
    ++*count;
}

unsigned tzc_spans(const Tzc *t, uint64_t base, uint64_t last, TzcSpan out[TZC_MAX_SPANS])
{
    uint64_t edge[TZC_MAX_SPANS] = { base };
    unsigned edges = 1, count = 0;

    for (unsigned n = 1; n < TZC_REGIONS; n++) {
        const TzcRegion *r = &t->s.region[n];

        if (active(t, n) && r->base > base && r->base <= last) {
            insert_sorted(edge, &edges, r->base);
        }
        if (active(t, n) && r->top >= base && r->top < last) {
            insert_sorted(edge, &edges, r->top + 1);
        }
    }
    for (unsigned i = 0; i < edges; i++) {
        TzcSpan span = {
            .base = edge[i],
            .last = i + 1 < edges ? edge[i + 1] - 1 : last,
            .secure = tzc_permissions(t, edge[i], true, 0),
            .cpu = tzc_permissions(t, edge[i], false, TZC_NSAID_CPU),
        };

        if (span.secure != TZC_PERM_RW || span.cpu != TZC_PERM_RW) {
            out[count++] = span;
        }
    }
    return count;
}

/* ---- denials ---- */

static void drive_irq(Tzc *t)
{
    t->ops->set_irq(t->opaque, (t->s.action & ACTION_IRQ) && t->s.int_status);
}

/* The first failure stays until INT_CLEAR; what follows it is an overrun. */
static void record(Tzc *t, const TzcAccess *a, bool overlap)
{
    TzcState *s = &t->s;

    if (s->int_status & INT_STATUS) {
        s->int_status |= INT_OVERRUN;
    } else {
        s->fail_addr = a->addr;
        s->fail_control = (a->kind == TZC_WRITE ? FAIL_WRITE : 0) |
                          (a->secure ? 0 : FAIL_NONSECURE) | (a->privileged ? FAIL_PRIVILEGED : 0);
        s->fail_id = a->nsaid & 15;
    }
    s->int_status |= INT_STATUS | (overlap ? INT_OVERLAP : 0);
    drive_irq(t);
}

bool tzc_check(Tzc *t, const TzcAccess *a)
{
    unsigned needed = a->kind == TZC_WRITE ? TZC_PERM_W : TZC_PERM_R;
    unsigned region;
    bool overlap;

    if (tzc_permissions(t, a->addr, a->secure, a->nsaid) & needed) {
        return true;
    }
    region = tzc_region_of(t, a->addr, &overlap);
    t->s.denials++;
    tzc_log_denial(t, a, region);
    record(t, a, overlap);
    return false;
}

bool tzc_denial_is_error(const Tzc *t)
{
    return t->s.action & ACTION_ERROR;
}

/* ---- registers ---- */

static uint32_t id_read(uint32_t offset)
{
    /* peripheral ids 4..7, 0..3 and the component id, a byte a register */
    static const uint8_t id[] = { 0x04, 0, 0, 0, 0x60, 0xb4, 0x1b, 0, 0x0d, 0xf0, 0x05, 0xb1 };

    return id[(offset - REG_ID) / 4];
}

static uint32_t region_read(const TzcRegion *r, uint32_t field)
{
    switch (field) {
    case RGN_BASE_LOW: return (uint32_t)r->base;
    case RGN_BASE_HIGH: return (uint32_t)(r->base >> 32);
    case RGN_TOP_LOW: return (uint32_t)r->top;
    case RGN_TOP_HIGH: return (uint32_t)(r->top >> 32);
    case RGN_ATTRIBUTES: return r->attr;
    case RGN_ID_ACCESS: return r->id_access;
    default: return 0;
    }
}

uint32_t tzc_mmio_read(Tzc *t, uint32_t offset)
{
    const TzcState *s = &t->s;

    if (offset >= REG_REGION && offset < REG_REGION + RGN_STRIDE * TZC_REGIONS) {
        return region_read(&s->region[(offset - REG_REGION) / RGN_STRIDE], offset % RGN_STRIDE);
    }
    if (offset >= REG_ID && offset < TZC_MMIO_SIZE) {
        return id_read(offset);
    }
    switch (offset) {
    case REG_BUILD_CONFIG: return (ADDRESS_BITS - 1) << 8 | (TZC_REGIONS - 1);
    case REG_ACTION: return s->action;
    case REG_GATE_KEEPER: return s->gates << 16 | s->gates; /* is open, was asked to open */
    case REG_SPECULATION: return s->speculation;
    case REG_INT_STATUS: return s->int_status;
    case REG_FAIL_ADDR_LOW: return (uint32_t)s->fail_addr;
    case REG_FAIL_ADDR_HIGH: return (uint32_t)(s->fail_addr >> 32);
    case REG_FAIL_CONTROL: return s->fail_control;
    case REG_FAIL_ID: return s->fail_id;
    default: return 0;
    }
}

static void set_low(uint64_t *word, uint32_t value)
{
    *word = (*word & ~UINT64_C(0xffffffff)) | value;
}

static void set_high(uint64_t *word, uint32_t value)
{
    *word = (*word & UINT64_C(0xffffffff)) | (uint64_t)value << 32;
}

/* The background's range and filters are wired. */
static void region_write(Tzc *t, unsigned n, uint32_t field, uint32_t value)
{
    TzcRegion *r = &t->s.region[n], old = *r;
    bool was = active(t, n);

    switch (field) {
    case RGN_ATTRIBUTES:
        r->attr = value & (ATTR_S_READ | ATTR_S_WRITE | FILTER);
        r->attr |= n ? 0 : FILTER;
        break;
    case RGN_ID_ACCESS: r->id_access = value; break;
    case RGN_BASE_LOW: set_low(&r->base, n ? value & ~(uint32_t)PAGE_MASK : 0); break;
    case RGN_BASE_HIGH: set_high(&r->base, n ? value : 0); break;
    case RGN_TOP_LOW: set_low(&r->top, n ? value | PAGE_MASK : UINT32_MAX); break;
    case RGN_TOP_HIGH: set_high(&r->top, n ? value : UINT32_MAX); break;
    default: return;
    }
    if (was != active(t, n) || (was && memcmp(&old, r, sizeof(old)))) {
        tzc_log_region(t, n, active(t, n));
        t->ops->changed(t->opaque);
    }
}

static void gates_write(Tzc *t, uint32_t value)
{
    uint32_t old = t->s.gates;

    t->s.gates = value & FILTER;
    if (t->s.gates != old) {
        tzc_log_region(t, 0, t->s.gates);
        t->ops->changed(t->opaque);
    }
}

void tzc_mmio_write(Tzc *t, uint32_t offset, uint32_t value)
{
    if (offset >= REG_REGION && offset < REG_REGION + RGN_STRIDE * TZC_REGIONS) {
        region_write(t, (offset - REG_REGION) / RGN_STRIDE, offset % RGN_STRIDE, value);
        return;
    }
    switch (offset) {
    case REG_ACTION: t->s.action = value & (ACTION_ERROR | ACTION_IRQ); break;
    case REG_GATE_KEEPER: gates_write(t, value); break;
    case REG_SPECULATION: t->s.speculation = value & 3; break;
    case REG_INT_CLEAR: t->s.int_status = value & FILTER ? 0 : t->s.int_status; break;
    default: return;
    }
    drive_irq(t);
}
