/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mali CSF GPU model: protected mode (spec 4.12).
 *
 *   PROT_REGION    the stream stands still and raises CS event PROTM_PENDING, once
 *   PROTM_ENTER    the streams whose request is acknowledged at that moment are let in;
 *                  the other groups are suspended; GLB ack; GPU_STATUS bit 7; a section
 *                  that is not in protected memory faults now, and not at the boot
 *   protected      only those streams run, as bus master PROTECTED, until ...
 *   exit           ... their regions end, they fault, or the host asks for anything
 *
 * Decisions where no public source says more:
 * - A refused PROTM_ENTER is an event with the reason and gets no acknowledgement; it is
 *   looked at again only when the host has toggled the request once more.
 * - One group at a time. With acknowledgements in several groups the one of highest
 *   priority goes in, and the host is told off.
 * - An unfinished region goes into the protected suspend buffer stream by stream; nothing
 *   but its position stays in normal memory. The group stays on its slot, the stream
 *   stands still and raises PROTM_PENDING again; the next entry reads the buffer back.
 * - The others' CSG_ACK says SUSPEND until protected mode is left. The first look at their
 *   slots afterwards brings them back if their request is still what it was.
 * - Doorbells of the host that ask for nothing new (acknowledged events, more work) wait
 *   for the exit. An exit is a fast reset of which the host sees the status bit only.
 */
#include <string.h>

#include "fwimage.h"

#define PUBLIC_PROT_VA   0x03000000u /* the section of all public images */
#define PUBLIC_PROT_SIZE 0x00040000u
/* Of a fault (spec 2.4: no public source, free choice), beside those of streams in cs_mem.c. */
#define FIRMWARE_SOURCE 0x0080u

static const char *const exit_reason[] = {
    [MALI_PROTM_STAY] = "",           [MALI_PROTM_END] = "end",
    [MALI_PROTM_FAULTED] = "fault",   [MALI_PROTM_PING] = "ping",
    [MALI_PROTM_REQUEST] = "request", [MALI_PROTM_CSG_UPDATE] = "csg-update",
};

bool mali_protm_runs(const MaliGpu *g, unsigned csg, unsigned cs)
{
    const MaliProtm *p = &g->s.protm;

    return !p->active || (p->csg == csg && (p->streams >> cs & 1));
}

MaliMaster mali_protm_master(const MaliGpu *g)
{
    return g->s.protm.active ? MALI_MASTER_PROTECTED : MALI_MASTER_NORMAL;
}

/* ---- the request ---- */

void mali_protm_pend(MaliGpu *g, unsigned csg, unsigned cs)
{
    MaliCs *s = &g->s.csg[csg].cs[cs];
    MaliEvent e;

    s->wait = MALI_WAIT_PROTM;
    mali_cs_status(g, csg, cs);
    if (mali_fault_hit(g, MALI_FAULT_PROTM_PEND_NEVER)) {
        return;
    }
    mali_ev_begin(&e, g, "protm-pend");
    mali_ev_u64(&e, "csg", csg);
    mali_ev_u64(&e, "cs", cs);
    mali_ev_end(&e);
    mali_cs_event(g, csg, cs, CS_PROTM_PENDING);
}

/* Streams of one group that wait and whose request the host has acknowledged. */
static uint32_t acknowledged(MaliGpu *g, unsigned csg)
{
    const MaliCsgIface *f = &g->s.iface.csg[csg];
    uint32_t mask = 0;

    for (unsigned j = 0; g->s.csg[csg].resident && j < MALI_NUM_CS; j++) {
        const MaliCs *s = &g->s.csg[csg].cs[j];

        if (s->started && !s->stopped && s->wait == MALI_WAIT_PROTM &&
            !(s->pending & CS_PROTM_PENDING)) {
            uint32_t req = mali_mcu_r32(g, f->cs_in[j] + CS_IN_REQ);
            uint32_t ack = mali_mcu_r32(g, f->cs_out[j] + CS_OUT_ACK);

            mask |= (req ^ ack) & CS_PROTM_PENDING ? 0 : MALI_BIT(j);
        }
    }
    return mask;
}

static uint32_t choose(MaliGpu *g, unsigned *csg)
{
    uint32_t streams = 0;

    for (unsigned i = 0; i < MALI_NUM_CSG; i++) {
        uint32_t mine = acknowledged(g, i);

        if (mine && streams) {
            mali_violation(g, "protm-groups", "groups %u and %u are acknowledged", *csg, i);
        }
        if (mine && (!streams || g->s.csg[i].prio > g->s.csg[*csg].prio)) {
            streams = mine;
            *csg = i;
        }
    }
    return streams;
}

/* ---- entry ---- */

/* Why the firmware cannot enter, or NULL. The section may get its memory after the boot. */
static const char *section_missing(MaliGpu *g)
{
    const MaliSection known = { .va = PUBLIC_PROT_VA, .size = PUBLIC_PROT_SIZE };
    const char *why = "no-section";
    MaliManifest m;

    mali_manifest_read(g, &m);
    if (!m.present) {
        return mali_section_mapped(g, &known) ? NULL : "section-unmapped";
    }
    for (uint32_t i = 0; i < m.num_sections; i++) {
        if (m.section[i].flags & FW_SECTION_PROT) {
            if (!mali_section_mapped(g, &m.section[i])) {
                return "section-unmapped";
            }
            why = NULL;
        }
    }
    return why;
}

static void log_entry(MaliGpu *g, unsigned csg, uint32_t streams, const char *refused)
{
    MaliEvent e;

    mali_ev_begin(&e, g, "protm-enter");
    mali_ev_u64(&e, "csg", csg);
    mali_ev_u64(&e, "streams", streams);
    mali_ev_bool(&e, "acked", !refused);
    if (refused) {
        mali_ev_str(&e, "reason", refused);
    }
    mali_ev_end(&e);
}

bool mali_protm_enter(MaliGpu *g)
{
    MaliProtm *p = &g->s.protm;
    unsigned csg = 0;
    uint32_t streams = choose(g, &csg);
    const char *refused = mali_fault_hit(g, MALI_FAULT_PROTM_ENTER_NEVER) ? "fault-plan"
                          : !streams                                      ? "no-stream"
                                                                          : section_missing(g);

    log_entry(g, csg, streams, refused);
    if (refused) {
        if (!streams) {
            mali_violation(g, "protm-enter", "no acknowledged stream waits for protected mode");
        }
        return false;
    }
    for (unsigned i = 0; i < MALI_NUM_CSG; i++) {
        if (i != csg && g->s.csg[i].resident) {
            mali_csg_suspend_implicitly(g, i);
        }
    }
    p->csg = csg;
    p->streams = streams;
    return true;
}

static void let_in(MaliGpu *g, unsigned csg, unsigned cs)
{
    MaliCs *s = &g->s.csg[csg].cs[cs];

    if (s->prot_saved && !mali_protm_restore(g, csg, cs)) {
        mali_violation(g, "protm-suspend-buffer", "csg %u cs %u: nothing to go on with", csg, cs);
        g->s.protm.streams &= ~MALI_BIT(cs);
        mali_cs_fatal(g, csg, cs, CS_EXC_FW_INTERNAL_ERROR, 0);
        return;
    }
    s->wait = MALI_WAIT_NONE;
    mali_cs_status(g, csg, cs);
}

void mali_protm_show(MaliGpu *g)
{
    if (g->s.protm.active) {
        g->s.gpu_status |= GPU_STATUS_PROTM_ACTIVE;
    }
}

/* ---- memory that is mapped and not protected: PROTM_FAULT, as for a stream ---- */

/* As the firmware does it: what is there is written back. */
static bool touch(MaliGpu *g, uint64_t pa)
{
    uint32_t word;

    return g->ops.mem_read(g->opaque, MALI_MASTER_PROTECTED, pa, &word, sizeof(word)) &&
           g->ops.mem_write(g->opaque, MALI_MASTER_PROTECTED, pa, &word, sizeof(word));
}

/* Leaf by leaf; true, and a fault of the GPU, at the first one that the firewall does not give. */
static bool faults_in(MaliGpu *g, uint64_t va, uint64_t size)
{
    for (uint64_t end = va + size; va < end;) {
        MaliLeaf l;

        if (mali_walk_leaf(g, 0, va, &l) != MALI_XL_OK) {
            return false; /* another thing is wrong, and told by others */
        }
        if ((l.perm & MALI_PERM_W) && !touch(g, l.pa)) {
            mali_gpu_fault(g, EXC_GPU_BUS_FAULT, 0, l.pa, MALI_ACC_WRITE, FIRMWARE_SOURCE);
            mali_protm_bus_error(g, g->s.protm.csg, 0, va, l.pa, MALI_ACC_WRITE);
            return true;
        }
        va = (va | (mali_leaf_size(&l) - 1)) + 1;
    }
    return false;
}

static bool section_faults(MaliGpu *g)
{
    MaliManifest m;

    mali_manifest_read(g, &m);
    if (!m.present) {
        return faults_in(g, PUBLIC_PROT_VA, PUBLIC_PROT_SIZE);
    }
    for (uint32_t i = 0; i < m.num_sections; i++) {
        const MaliSection *s = &m.section[i];

        if ((s->flags & FW_SECTION_PROT) && faults_in(g, s->va, s->size)) {
            return true;
        }
    }
    return false;
}

void mali_protm_begin(MaliGpu *g)
{
    MaliProtm *p = &g->s.protm;

    if (mali_fault_hit(g, MALI_FAULT_PROTM_STATUS_NEVER)) {
        p->streams = 0;
        return;
    }
    for (unsigned i = 0; i < MALI_NUM_CSG; i++) {
        p->csg_req[i] =
            i < g->s.iface.num_csg ? mali_mcu_r32(g, g->s.iface.csg[i].in + CSG_IN_REQ) : 0;
    }
    p->active = 1;
    p->leave = MALI_PROTM_STAY;
    if (!mali_late(g, MALI_LATE_PROTM_STATUS, MALI_FAULT_PROTM_STATUS_LATE, 0)) {
        mali_protm_show(g);
    }
    g->fetch.valid = false;
    if (section_faults(g)) {
        p->streams = 0; /* they stand where they are: only a reset helps */
    }
    for (unsigned j = 0; j < MALI_NUM_CS; j++) {
        if (p->streams >> j & 1) {
            let_in(g, p->csg, j);
        }
    }
    if (!p->streams) {
        p->leave = MALI_PROTM_FAULTED;
    }
    mali_csg_idle_update(g, p->csg);
    mali_protm_settle(g);
    mali_engine_kick(g);
}

/* ---- while it lasts ---- */

bool mali_protm_region(MaliGpu *g, unsigned csg, unsigned cs, uint32_t size)
{
    if (!g->s.protm.active) {
        return false;
    }
    g->s.csg[csg].cs[cs].prot_left = size;
    return true;
}

/* After each instruction in protected mode; @done: it counts as executed. */
bool mali_protm_step(MaliGpu *g, unsigned csg, unsigned cs, uint32_t left, bool done)
{
    MaliCs *s = &g->s.csg[csg].cs[cs];
    MaliProtm *p = &g->s.protm;

    if (done && left) {
        s->prot_left = left - 1;
    }
    if (s->stopped || s->wait == MALI_WAIT_FAULT || s->wait == MALI_WAIT_FAULT_ACK) {
        p->leave = MALI_PROTM_FAULTED;
        return false;
    }
    if (!done || s->prot_left) {
        return true;
    }
    p->streams &= ~MALI_BIT(cs);
    if (!p->streams && p->leave == MALI_PROTM_STAY) {
        p->leave = MALI_PROTM_END;
    }
    return false;
}

void mali_protm_bus_error(MaliGpu *g, unsigned csg, unsigned cs, uint64_t va, uint64_t pa,
                          MaliAccess acc)
{
    MaliEvent e;

    mali_ev_begin(&e, g, "protm-fault");
    mali_ev_u64(&e, "csg", csg);
    mali_ev_u64(&e, "cs", cs);
    mali_ev_u64(&e, "va", va);
    mali_ev_u64(&e, "addr", pa);
    mali_ev_bool(&e, "write", acc == MALI_ACC_WRITE);
    mali_ev_end(&e);
}

/* ---- exit ---- */

static void log_exit(MaliGpu *g, const char *why, uint32_t unfinished)
{
    MaliEvent e;

    mali_ev_begin(&e, g, "protm-exit");
    mali_ev_str(&e, "why", why);
    mali_ev_u64(&e, "csg", g->s.protm.csg);
    mali_ev_u64(&e, "unfinished", unfinished);
    mali_ev_end(&e);
}

static uint32_t unfinished_streams(const MaliGpu *g)
{
    const MaliCsg *c = &g->s.csg[g->s.protm.csg];
    uint32_t mask = 0;

    for (unsigned j = 0; j < MALI_NUM_CS; j++) {
        bool in = g->s.protm.streams >> j & 1;

        if (in && c->cs[j].started && !c->cs[j].stopped) {
            mask |= MALI_BIT(j);
        }
    }
    return mask;
}

/*
 * Still in protected mode. A stream that has been let in but has not got as far as its
 * PROT_REGION has nothing to hide: it asks again.
 */
static void park(MaliGpu *g, unsigned csg, uint32_t streams)
{
    uint32_t save = 0;

    for (unsigned j = 0; j < MALI_NUM_CS; j++) {
        save |= (streams >> j & 1) && g->s.csg[csg].cs[j].prot_left ? MALI_BIT(j) : 0;
    }
    if (save && !mali_protm_save(g, csg, save) &&
        !faults_in(g, g->s.csg[csg].protm_suspend_va, g->s.iface.protm_suspend_size)) {
        mali_violation(g, "protm-suspend-buffer", "csg %u: 0x%x bytes at 0x%llx cannot be written",
                       csg, g->s.iface.protm_suspend_size,
                       (unsigned long long)g->s.csg[csg].protm_suspend_va);
    }
}

static void leave(MaliGpu *g, const char *why, uint32_t unfinished)
{
    MaliProtm *p = &g->s.protm;

    log_exit(g, why, unfinished);
    p->active = 0;
    p->streams = 0;
    p->leave = MALI_PROTM_STAY;
    if (!mali_fault_hit(g, MALI_FAULT_PROTM_STATUS_WRONG)) {
        g->s.gpu_status &= ~GPU_STATUS_PROTM_ACTIVE;
    }
    g->fetch.valid = false;
}

/* What the doorbells of the time in protected mode were about. */
static void look_at_rings(MaliGpu *g)
{
    for (unsigned i = 0; i < MALI_NUM_CSG; i++) {
        for (unsigned j = 0; g->s.csg[i].resident && j < MALI_NUM_CS; j++) {
            if (g->s.csg[i].cs[j].started && !g->s.csg[i].cs[j].stopped) {
                mali_cs_read_insert(g, i, j);
            }
        }
        mali_csg_idle_update(g, i);
    }
}

static void exit_now(MaliGpu *g, const char *why)
{
    unsigned csg = g->s.protm.csg;
    uint32_t left = unfinished_streams(g);

    park(g, csg, left);
    leave(g, why, left);
    mali_log_reset(g, "fast");
    mali_as_resume(g);
    for (unsigned j = 0; j < MALI_NUM_CS; j++) {
        if ((left >> j & 1) && !g->s.csg[csg].cs[j].stopped) {
            mali_protm_pend(g, csg, j);
        }
    }
    look_at_rings(g);
    if (!mali_fault_hit(g, MALI_FAULT_PROTM_EXIT_SILENT)) {
        mali_glb_event(g, GLB_PROTM_EXIT);
    }
    mali_engine_kick(g);
}

/* Something has ended it: an index of exit_reason, so that it can wait. */
static bool exit_late(MaliGpu *g, MaliProtmLeave why)
{
    return mali_late(g, MALI_LATE_PROTM_EXIT, MALI_FAULT_PROTM_EXIT_LATE, why);
}

static bool stuck(MaliGpu *g)
{
    return mali_fault_hit(g, MALI_FAULT_PROTM_EXIT_NEVER);
}

void mali_protm_settle(MaliGpu *g)
{
    MaliProtm *p = &g->s.protm;
    uint32_t why = p->leave;

    if (!p->active || why == MALI_PROTM_STAY) {
        return;
    }
    if (stuck(g)) {
        p->leave = MALI_PROTM_STAY;
        return;
    }
    if (exit_late(g, (MaliProtmLeave)why)) {
        return;
    }
    exit_now(g, exit_reason[why]);
    mali_glb_fan_out(g);
}

static bool csg_update(MaliGpu *g)
{
    for (unsigned i = 0; i < g->s.iface.num_csg; i++) {
        uint32_t req = mali_mcu_r32(g, g->s.iface.csg[i].in + CSG_IN_REQ);

        if ((req ^ g->s.protm.csg_req[i]) & ~CSG_EVT_MASK) {
            return true;
        }
    }
    return false;
}

bool mali_protm_doorbell(MaliGpu *g, uint32_t changed)
{
    MaliProtmLeave why = changed & GLB_PING ? MALI_PROTM_PING
                         : changed          ? MALI_PROTM_REQUEST
                         : csg_update(g)    ? MALI_PROTM_CSG_UPDATE
                                            : MALI_PROTM_STAY;

    if (!g->s.protm.active) {
        return true;
    }
    if (!why || stuck(g) || exit_late(g, why)) {
        return false;
    }
    exit_now(g, exit_reason[why]);
    return true;
}

/* The time of protm-exit-late is over: the doorbell or the region's end that waits for it. */
void mali_protm_leave_late(MaliGpu *g)
{
    if (g->s.protm.active && g->s.protm.leave != MALI_PROTM_STAY) {
        mali_protm_settle(g);
    } else if (g->s.protm.active) {
        mali_glb_doorbell(g);
    }
}

void mali_protm_spurious(MaliGpu *g)
{
    if (!g->s.protm.active && mali_fault_hit(g, MALI_FAULT_PROTM_EXIT_SPURIOUS)) {
        log_exit(g, "spurious", 0);
        mali_glb_event(g, GLB_PROTM_EXIT);
    }
}

/* Reset and MCU stop: the firmware has no say in it. */
void mali_protm_drop(MaliGpu *g, const char *why)
{
    if (g->s.protm.active) {
        leave(g, why, unfinished_streams(g));
    }
    g->s.gpu_status &= ~GPU_STATUS_PROTM_ACTIVE;
    g->s.protm.implicit = 0;
    g->s.protm.refused = 0;
    mali_as_resume(g);
}

bool mali_protm_valid(const MaliState *s)
{
    const MaliProtm *p = &s->protm;

    if (p->active > 1 || p->csg >= MALI_NUM_CSG || p->streams >= MALI_BIT(MALI_NUM_CS) ||
        p->leave > MALI_PROTM_FAULTED || p->implicit >= MALI_BIT(MALI_NUM_CSG) || p->refused > 1) {
        return false;
    }
    for (unsigned i = 0; i < MALI_NUM_AS; i++) {
        if (s->as[i].held > AS_COMMAND_FLUSH_MEM + 1) {
            return false;
        }
    }
    return true;
}
