/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mali CSF GPU model: creation, power-on reset, migration, the timer. */
#include "mali_int.h"

#include <stdlib.h>
#include <string.h>

/* ---- creation and reset ---- */
static bool ops_complete(const MaliOps *o)
{
    return o->mem_read && o->mem_write && o->now_ns && o->timestamp && o->set_irq && o->set_timer &&
           o->event;
}

/* The state of a device just powered on, but for what outlives a reset. */
static void state_init(MaliGpu *g)
{
    MaliState *s = &g->s;
    uint64_t seq = s->seq; /* of the event log, which goes on */
    uint32_t fault[MALI_MAX_FAULTS];

    memcpy(fault, s->fault, sizeof(fault));
    memset(s, 0, sizeof(*s));
    memcpy(s->fault, fault, sizeof(fault));
    s->seq = seq;
    s->flush_id = 1; /* 0 must never be seen: spec 1.8 */
    s->idle_deadline = MALI_NEVER;
    s->poll_deadline = MALI_NEVER;
}

MaliGpu *mali_new(const MaliConfig *cfg, const MaliOps *ops, void *opaque, const char **err)
{
    static const MaliConfig defaults;
    const MaliGpuRow *row;
    MaliGpu *g;

    cfg = cfg ? cfg : &defaults;
    row = mali_gpu_row(cfg->gpu);
    *err = !row ? "unknown GPU" : !ops_complete(ops) ? "callback missing" : NULL;
    if (*err) {
        return NULL;
    }
    g = calloc(1, sizeof(*g));
    if (!g) {
        *err = "out of memory";
        return NULL;
    }
    g->row = row;
    g->cfg = *cfg;
    g->cfg.gpu = row->name; /* the caller's string may go away */
    g->ops = *ops;
    g->opaque = opaque;
    g->timer_set = MALI_NEVER;
    state_init(g);
    return g;
}

void mali_free(MaliGpu *g)
{
    free(g);
}

/* Lines and timer follow a state that has been replaced as a whole. */
static void drive_outputs(MaliGpu *g)
{
    g->fetch.valid = false;
    g->timer_set = MALI_NEVER;
    g->ops.set_timer(g->opaque, MALI_NEVER);
    mali_irq_update(g);
    mali_timer_rearm(g);
}

void mali_reset(MaliGpu *g)
{
    uint8_t line[MALI_IRQ_COUNT];

    memcpy(line, g->s.line, sizeof(line));
    state_init(g);
    memcpy(g->s.line, line, sizeof(line)); /* what the embedder believes, until driven */
    drive_outputs(g);
}

/* ---- timer ---- */
void mali_timer(MaliGpu *g)
{
    g->timer_set = MALI_NEVER; /* the embedder's deadline is used up */
    mali_glb_timer(g);
    mali_engine_run(g);
    mali_timer_rearm(g);
}

/* ---- migration ---- */
/* The state is plain data with explicit padding, so it travels as it is between equal builds. */
#define BLOB_MAGIC UINT64_C(0x3345544154534c4d) /* "MLSTATE3" */

/* The row by its name: two rows may have one GPU_ID (g725 and g925). */
typedef struct BlobHeader {
    uint64_t magic;
    uint32_t size, gpu_id;
    char row[16];
} BlobHeader;

size_t mali_save(const MaliGpu *g, void *buf, size_t cap)
{
    BlobHeader h = { .magic = BLOB_MAGIC, .size = sizeof(MaliState), .gpu_id = g->row->gpu_id };
    size_t n = cap < sizeof(h) ? cap : sizeof(h);

    for (unsigned i = 0; i < sizeof(h.row) && g->row->name[i]; i++) {
        h.row[i] = g->row->name[i];
    }
    if (n) { /* @buf may be NULL when only the size is asked for */
        memcpy(buf, &h, n);
        cap -= n;
        memcpy((char *)buf + n, &g->s, cap < sizeof(g->s) ? cap : sizeof(g->s));
    }
    return sizeof(h) + sizeof(g->s);
}

static bool irqs_valid(const MaliState *s)
{
    for (unsigned i = 0; i < MALI_IRQ_COUNT; i++) {
        if (s->line[i] > 1) {
            return false;
        }
    }
    return true;
}

static bool tlb_valid(const MaliState *s)
{
    for (unsigned i = 0; i < MALI_NUM_AS; i++) {
        for (unsigned j = 0; j < MALI_TLB_SIZE; j++) {
            if (s->as[i].tlb[j].level > 3 || s->as[i].tlb[j].valid > 1) {
                return false;
            }
        }
    }
    return true;
}

/* What the code takes for granted; everything else is as harmless as a guest's writes. */
static bool state_valid(const MaliState *s, const MaliGpuRow *row)
{
    return irqs_valid(s) && tlb_valid(s) && mali_csg_valid(s) && mali_protm_valid(s) &&
           s->mcu_status <= MCU_STATUS_FATAL && s->mcu_control <= 3 && s->l2_ready <= 1 &&
           s->tiler_ready <= 1 && !(s->pwr_delegated & ~MALI_PWR_DELEGABLE) &&
           !(s->shader_ready & ~row->shader_present) && s->flush_id &&
           !(s->flush_id & ~LATEST_FLUSH_ID_MASK) && s->iface.num_csg <= MALI_NUM_CSG &&
           s->iface.num_cs <= MALI_NUM_CS;
}

static bool adopt(MaliGpu *g, const void *buf, size_t len)
{
    MaliState *s;
    BlobHeader h;
    bool ok;

    if (len != sizeof(h) + sizeof(*s)) {
        return false;
    }
    memcpy(&h, buf, sizeof(h));
    if (h.magic != BLOB_MAGIC || h.size != sizeof(*s) || h.gpu_id != g->row->gpu_id ||
        strncmp(h.row, g->row->name, sizeof(h.row))) {
        return false;
    }
    s = malloc(sizeof(*s)); /* a copy: the blob may be unaligned */
    if (!s) {
        return false;
    }
    memcpy(s, (const char *)buf + sizeof(h), sizeof(*s));
    ok = state_valid(s, g->row);
    if (ok) {
        g->s = *s;
    }
    free(s);
    return ok;
}

bool mali_load(MaliGpu *g, const void *buf, size_t len)
{
    if (!adopt(g, buf, len)) {
        mali_reset(g);
        return false;
    }
    /* The embedder's lines are those of another device: drive all of them. */
    for (unsigned i = 0; i < MALI_IRQ_COUNT; i++) {
        g->ops.set_irq(g->opaque, (MaliIrq)i, g->s.line[i]);
    }
    drive_outputs(g);
    return true;
}
