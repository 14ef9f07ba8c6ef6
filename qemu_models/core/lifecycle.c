/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mali CSF GPU model: creation, power-on reset, migration, the timer. */
#include "fwimage.h"

#include <stdlib.h>
#include <string.h>

/* ---- creation and reset ---- */
static bool ops_complete(const MaliOps *o)
{
    return o->mem_read && o->mem_write && o->fence && o->now_ns && o->timestamp && o->set_irq &&
           o->set_timer && o->event;
}

/* The state of a device just powered on, but for what outlives a reset. */
static void state_init(MaliGpu *g)
{
    MaliState *s = &g->s;
    MaliLog log = s->log; /* goes on: a guest that reboots gets no second budget */
    uint32_t fault[MALI_MAX_FAULTS];

    memcpy(fault, s->fault, sizeof(fault));
    memset(s, 0, sizeof(*s));
    memcpy(s->fault, fault, sizeof(fault));
    s->log = log;
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
    *err = !row                 ? "unknown GPU"
           : !ops_complete(ops) ? "callback missing"
           : cfg->suspend_size > MALI_MAX_SUSPEND || cfg->protm_suspend_size > MALI_MAX_SUSPEND
               ? "suspend buffer above 1 MiB"
               : NULL;
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
    g->late_now = -1;
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
    g->late_now = -1;
    mali_fault_changed(g);
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
    mali_late_timer(g);
    mali_glb_timer(g);
    mali_engine_run(g);
    mali_timer_rearm(g);
}

/* ---- migration ---- */
/* The state is plain data with explicit padding, so it travels as it is between equal builds. */
#define BLOB_MAGIC UINT64_C(0x3445544154534c4d) /* "MLSTATE4" */

/*
 * What a state means only together with: the row by its name (two rows may have one
 * GPU_ID: g725 and g925), the configuration, the order of the rows of faults and counters.
 */
typedef struct BlobHeader {
    uint64_t magic;
    uint32_t size, gpu_id;
    char row[16];
    uint32_t tables, coherent, counter_hz, cs_ips, suspend_size, protm_suspend_size;
    uint32_t async_ns, pad;
} BlobHeader;
_Static_assert(sizeof(BlobHeader) == MALI_BLOB_HEADER, "no padding, and as the tests know it");

static uint32_t tables_crc(void)
{
    uint32_t crc = 0;

    for (unsigned i = 0; mali_fault_name(i); i++) {
        crc = mali_crc32(crc, mali_fault_name(i), strlen(mali_fault_name(i)) + 1);
    }
    for (unsigned i = 0; mali_counter_name(i); i++) {
        crc = mali_crc32(crc, mali_counter_name(i), strlen(mali_counter_name(i)) + 1);
    }
    return crc;
}

static BlobHeader header(const MaliGpu *g)
{
    BlobHeader h = {
        .magic = BLOB_MAGIC,
        .size = sizeof(MaliState),
        .gpu_id = g->row->gpu_id,
        .tables = tables_crc(),
        .coherent = g->cfg.coherent,
        .counter_hz = g->cfg.counter_hz,
        .cs_ips = g->cfg.cs_ips,
        .suspend_size = g->cfg.suspend_size,
        .protm_suspend_size = g->cfg.protm_suspend_size,
        .async_ns = g->cfg.async_ns,
    };

    for (unsigned i = 0; i < sizeof(h.row) && g->row->name[i]; i++) {
        h.row[i] = g->row->name[i];
    }
    return h;
}

size_t mali_save(const MaliGpu *g, void *buf, size_t cap)
{
    BlobHeader h = header(g);
    size_t n = cap < sizeof(h) ? cap : sizeof(h);

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
           s->iface.num_cs <= MALI_NUM_CS && s->iface.suspend_size <= MALI_MAX_SUSPEND &&
           s->iface.protm_suspend_size <= MALI_MAX_SUSPEND;
}

/* Why a state of that header is not ours, or NULL. */
static const char *foreign(const MaliGpu *g, const BlobHeader *h)
{
    const BlobHeader ours = header(g);

    if (h->magic != ours.magic || h->size != ours.size || h->tables != ours.tables) {
        return "of another version of the model";
    }
    if (h->gpu_id != ours.gpu_id || memcmp(h->row, ours.row, sizeof(ours.row)) != 0) {
        return "of another GPU";
    }
    if (h->coherent != ours.coherent) {
        return "of a GPU with another setting of coherent";
    }
    if (h->counter_hz != ours.counter_hz) {
        return "of a machine with another counter frequency";
    }
    if (h->cs_ips != ours.cs_ips) {
        return "of a GPU with another cs-ips";
    }
    if (h->async_ns != ours.async_ns) {
        return "of a GPU with another async-ns";
    }
    if (h->suspend_size != ours.suspend_size || h->protm_suspend_size != ours.protm_suspend_size) {
        return "of a GPU with other suspend sizes";
    }
    return NULL;
}

/* NULL when the state is ours now, else why not. */
static const char *adopt(MaliGpu *g, const void *buf, size_t len)
{
    const char *why;
    MaliState *s;
    BlobHeader h;

    if (len < sizeof(h)) {
        return "too short";
    }
    memcpy(&h, buf, sizeof(h));
    why = foreign(g, &h);
    if (why || len != sizeof(h) + sizeof(*s)) {
        return why ? why : "of a wrong length";
    }
    s = malloc(sizeof(*s)); /* a copy: the blob may be unaligned */
    if (!s) {
        return "too large for this host's memory";
    }
    memcpy(s, (const char *)buf + sizeof(h), sizeof(*s));
    if (state_valid(s, g->row)) {
        g->s = *s;
    } else {
        why = "damaged";
    }
    free(s);
    return why;
}

bool mali_load(MaliGpu *g, const void *buf, size_t len, const char **why)
{
    const char *reason = adopt(g, buf, len);

    if (why) {
        *why = reason;
    }
    if (reason) {
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
