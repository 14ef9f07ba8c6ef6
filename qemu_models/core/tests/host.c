/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host's side of the firmware interface, in the order panthor writes it. */
#include "machine.h"
#include "t.h"

/* ---- power and boot ---- */
void l2_on(Machine *m)
{
    wr(m, GPU_COHERENCY_PROTOCOL, 31);
    wr64(m, GPU_PWRON + GPU_DOMAIN_L2, 1);
}

bool fw_start(Machine *m)
{
    wr(m, JOB_INT_BASE + INT_CLEAR, ~0u);
    wr(m, JOB_INT_BASE + INT_MASK, ~0u);
    wr(m, MCU_CONTROL, MCU_CONTROL_AUTO);
    if (!(rd(m, JOB_INT_BASE + INT_STAT) & JOB_INT_GLOBAL)) {
        return false;
    }
    wr(m, JOB_INT_BASE + INT_CLEAR, JOB_INT_GLOBAL);
    return true;
}

void fw_global_init(Machine *m)
{
    mcu_w64(m, FW_GLB_IN_VA + GLB_IN_CORE_EN_MASK, m->gpu->row->shader_present);
    mcu_w32(m, FW_GLB_IN_VA + GLB_IN_POWEROFF_TIMER, 611);
    mcu_w32(m, FW_GLB_IN_VA + GLB_IN_PROGRESS_TIMER, 2500);
    mcu_w32(m, FW_GLB_IN_VA + GLB_IN_IDLE_TIMER, 49); /* 0.8 ms at 62.5 MHz */
    mcu_w32(m, FW_GLB_IN_VA + GLB_IN_ACK_IRQ_MASK,
            GLB_CFG_ALLOC_EN | GLB_PING | GLB_CFG_PROGRESS_TIMER | GLB_CFG_POWEROFF_TIMER |
                GLB_IDLE_EN | GLB_IDLE);
    glb_level(m, GLB_IDLE_EN | GLB_COUNTER_EN, GLB_IDLE_EN | GLB_COUNTER_EN);
    glb_toggle(m, GLB_CFG_ALLOC_EN | GLB_CFG_POWEROFF_TIMER | GLB_CFG_PROGRESS_TIMER);
    glb_ring(m);
}

void fw_boot(Machine *m, const FwOpts *o)
{
    fw_map(m, o);
    fw_load(m, o);
    as_enable(m, 0, m->mcu_root);
    if (!fw_start(m)) {
        t_fail(__FILE__, __LINE__, "MCU does not boot: %s", ev_last(m, "mcu-boot"));
    }
    fw_global_init(m);
}

Machine *mach_boot(void)
{
    Machine *m = mach_new(NULL);

    wr(m, GPU_INT_BASE + INT_MASK, 0x00020103);
    wr(m, MMU_INT_BASE + INT_MASK, 0xffff);
    l2_on(m);
    fw_boot(m, &fw_default);
    wr(m, JOB_INT_BASE + INT_CLEAR, ~0u);
    return m;
}

/* ---- global requests ---- */
uint32_t glb_ack(Machine *m)
{
    return mcu_r32(m, FW_GLB_OUT_VA + GLB_OUT_ACK);
}

static void set_bits(Machine *m, uint64_t req_va, uint32_t mask, uint32_t val)
{
    mcu_w32(m, req_va, (mcu_r32(m, req_va) & ~mask) | (val & mask));
}

void glb_toggle(Machine *m, uint32_t bits)
{
    set_bits(m, FW_GLB_IN_VA, bits, ~glb_ack(m));
}
void glb_level(Machine *m, uint32_t mask, uint32_t val)
{
    set_bits(m, FW_GLB_IN_VA, mask, val);
}
void glb_ring(Machine *m)
{
    wr(m, DOORBELL(0), 1);
}

/* ---- groups ---- */
static void queue_new(Machine *m, TGroup *g, TQueue *q, uint32_t ring_size)
{
    uint64_t iface = mcu_bo(m, 8192);

    q->ring_size = ring_size;
    q->ring_va = grp_bo(m, g, ring_size, &q->ring_pa);
    q->in_va = iface;
    q->out_va = iface + 4096;
    q->insert = 0;
    if (m->num_ring_pages < sizeof(m->ring_pages) / sizeof(m->ring_pages[0])) {
        m->ring_pages[m->num_ring_pages++] = pt_lookup(m, m->mcu_root, iface);
    }
}

void grp_new(Machine *m, TGroup *g, unsigned nq, uint32_t ring_size)
{
    uint64_t ctl = FW_SHARED_VA + FW_CSG_CTL(FW_CSG_STRIDE, 0);

    memset(g, 0, sizeof(*g));
    g->nq = nq;
    g->root = pt_new(m);
    g->next_va = 0x1000000;
    g->suspend_size = mcu_r32(m, ctl + CSG_CTL_SUSPEND_SIZE);
    g->protm_size = mcu_r32(m, ctl + CSG_CTL_PROTM_SUSPEND_SIZE);
    g->suspend_va = mcu_bo(m, g->suspend_size);
    g->protm_va = mcu_bo(m, g->protm_size);
    for (unsigned i = 0; i < nq; i++) {
        queue_new(m, g, &g->q[i], ring_size);
    }
}

uint64_t grp_bo(Machine *m, TGroup *g, size_t len, uint64_t *pa)
{
    uint64_t va = g->next_va;

    len = (len + 4095) & ~(size_t)4095;
    *pa = mach_alloc(m, len);
    pt_map(m, g->root, va, *pa, len, 0);
    g->next_va += len + 4096;
    return va;
}

static void queue_bind(Machine *m, TGroup *g, unsigned j)
{
    uint64_t in = FW_CS_IN_VA(g->slot, j);
    TQueue *q = &g->q[j];

    mcu_w64(m, q->in_va + RING_IN_EXTRACT_INIT, mcu_r64(m, q->out_va + RING_OUT_EXTRACT));
    mcu_w64(m, in + CS_IN_RINGBUF_BASE, q->ring_va);
    mcu_w32(m, in + CS_IN_RINGBUF_SIZE, q->ring_size);
    mcu_w64(m, in + CS_IN_RINGBUF_INPUT, q->in_va);
    mcu_w64(m, in + CS_IN_RINGBUF_OUTPUT, q->out_va);
    mcu_w32(m, in + CS_IN_CONFIG, (g->slot + 1) << 8 | 1);
    mcu_w32(m, in + CS_IN_ACK_IRQ_MASK, ~0u);
    set_bits(m, in + CS_IN_REQ, CS_IDLE_SYNC_WAIT | CS_IDLE_EMPTY | CS_STATE_MASK,
             CS_IDLE_SYNC_WAIT | CS_IDLE_EMPTY | CS_STATE_START);
}

void grp_bind(Machine *m, TGroup *g, unsigned slot, unsigned as, uint32_t state)
{
    uint64_t in = FW_CSG_IN_VA(slot), cores = m->gpu->row->shader_present;
    unsigned n = (unsigned)__builtin_popcountll(cores);

    g->slot = slot;
    g->as = as;
    as_enable(m, as, g->root);
    for (unsigned j = 0; j < g->nq; j++) {
        queue_bind(m, g, j);
    }
    mcu_w64(m, in + CSG_IN_ALLOW_COMPUTE, cores);
    mcu_w64(m, in + CSG_IN_ALLOW_FRAGMENT, cores);
    mcu_w32(m, in + CSG_IN_ALLOW_OTHER, 1);
    mcu_w32(m, in + CSG_IN_ENDPOINT_REQ, 2u << 28 | 1 << 16 | n << 8 | n);
    if (!mcu_r64(m, in + CSG_IN_ENDPOINT_REQ2)) { /* looked at from interface 4.0 on */
        mcu_w64(m, in + CSG_IN_ENDPOINT_REQ2, 2u << 28 | 1 << 16 | n << 8 | n);
    }
    mcu_w32(m, in + CSG_IN_CONFIG, as);
    mcu_w64(m, in + CSG_IN_SUSPEND_BUF, g->suspend_va);
    mcu_w64(m, in + CSG_IN_PROTM_SUSPEND_BUF, g->protm_va);
    mcu_w32(m, in + CSG_IN_ACK_IRQ_MASK, ~0u);
    set_bits(m, in + CSG_IN_DOORBELL_REQ, (1u << g->nq) - 1,
             ~mcu_r32(m, FW_CSG_OUT_VA(slot) + CSG_OUT_DOORBELL_ACK));
    set_bits(m, in + CSG_IN_REQ, CSG_STATE_MASK, state);
    csg_toggle(m, slot, CSG_ENDPOINT_CONFIG);
}

void grp_state(Machine *m, TGroup *g, uint32_t state)
{
    set_bits(m, FW_CSG_IN_VA(g->slot) + CSG_IN_REQ, CSG_STATE_MASK, state);
    csg_kick(m, g->slot);
    if (state == CSG_STATE_SUSPEND || state == CSG_STATE_TERMINATE) {
        for (unsigned j = 0; j < g->nq; j++) { /* panthor_sched.c:1397-1410 */
            set_bits(m, FW_CS_IN_VA(g->slot, j) + CS_IN_REQ, CS_STATE_MASK, CS_STATE_STOP);
        }
    }
}

void grp_submit(Machine *m, TGroup *g, unsigned i, const uint64_t *instr, unsigned n)
{
    TQueue *q = &g->q[i];

    for (unsigned k = 0; k < n; k++, q->insert += 8) {
        ram_w64(m, q->ring_pa + (q->insert & (q->ring_size - 1)), instr[k]);
    }
    mcu_w64(m, q->in_va + RING_IN_INSERT, q->insert);
}

void grp_ring(Machine *m, TGroup *g)
{
    wr(m, DOORBELL(g->slot + 1), 1);
}

uint32_t csg_ack(Machine *m, unsigned slot)
{
    return mcu_r32(m, FW_CSG_OUT_VA(slot) + CSG_OUT_ACK);
}
uint32_t csg_req(Machine *m, unsigned slot)
{
    return mcu_r32(m, FW_CSG_IN_VA(slot) + CSG_IN_REQ);
}

void csg_kick(Machine *m, unsigned slot)
{
    set_bits(m, FW_GLB_IN_VA + GLB_IN_DOORBELL_REQ, 1u << slot,
             ~mcu_r32(m, FW_GLB_OUT_VA + GLB_OUT_DOORBELL_ACK));
    glb_ring(m);
}

void csg_toggle(Machine *m, unsigned slot, uint32_t bits)
{
    set_bits(m, FW_CSG_IN_VA(slot) + CSG_IN_REQ, bits, ~csg_ack(m, slot));
    csg_kick(m, slot);
}

void csg_ack_events(Machine *m, unsigned slot)
{
    uint64_t in = FW_CSG_IN_VA(slot), out = FW_CSG_OUT_VA(slot);
    uint32_t irq = mcu_r32(m, out + CSG_OUT_CS_IRQ_REQ) ^ mcu_r32(m, in + CSG_IN_CS_IRQ_ACK);

    wr(m, JOB_INT_BASE + INT_CLEAR, JOB_INT_CSG(slot));
    mcu_w32(m, in + CSG_IN_CS_IRQ_ACK, mcu_r32(m, out + CSG_OUT_CS_IRQ_REQ));
    set_bits(m, in + CSG_IN_REQ, CSG_EVT_MASK, csg_ack(m, slot));
    for (unsigned j = 0; j < MALI_NUM_CS; j++) {
        if (irq >> j & 1) {
            set_bits(m, FW_CS_IN_VA(slot, j) + CS_IN_REQ, CS_FATAL | CS_FAULT,
                     cs_out(m, slot, j, CS_OUT_ACK));
        }
    }
    set_bits(m, in + CSG_IN_DOORBELL_REQ, irq, ~mcu_r32(m, out + CSG_OUT_DOORBELL_ACK));
    csg_kick(m, slot);
}

uint32_t cs_out(Machine *m, unsigned slot, unsigned cs, uint32_t off)
{
    return mcu_r32(m, FW_CS_OUT_VA(slot, cs) + off);
}

uint64_t cs_out64(Machine *m, unsigned slot, unsigned cs, uint32_t off)
{
    return mcu_r64(m, FW_CS_OUT_VA(slot, cs) + off);
}
