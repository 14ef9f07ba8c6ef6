/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mali CSF GPU model: the global interface of the firmware.
 *
 * Spec 4.2, 4.4, 4.5, 4.9. Toggle requests act when req != ack and are then copied;
 * levels mean their value; events invert ack only while req == ack. The request word
 * is read once an evaluation: vCPUs write it meanwhile (pitfall 4).
 */
#include "mali_int.h"

#define TIMER_UNIT         1024u      /* GLB timers count 1024 ticks: fw.h:242-243 */
#define GPU_COUNTER_HZ     800000000u /* core clock of the device tree, spec appendix A */
#define DEFAULT_COUNTER_HZ 62500000u

static uint32_t in32(MaliGpu *g, uint32_t off)
{
    return mali_mcu_r32(g, g->s.iface.glb_in + off);
}
static uint32_t out32(MaliGpu *g, uint32_t off)
{
    return mali_mcu_r32(g, g->s.iface.glb_out + off);
}
static void put32(MaliGpu *g, uint32_t off, uint32_t v)
{
    mali_mcu_w32(g, g->s.iface.glb_out + off, v);
}

static void ev_name(MaliGpu *g, const char *kind, const char *name)
{
    MaliEvent e;

    mali_ev_begin(&e, g, kind);
    mali_ev_str(&e, "name", name);
    mali_ev_end(&e);
}

/* ---- toggle requests: true when done (and so acknowledged) ---- */
static bool req_ping(MaliGpu *g)
{
    MaliEvent e;

    if (mali_fault_hit(g, MALI_FAULT_PING_NEVER) ||
        mali_late(g, MALI_LATE_PING, MALI_FAULT_PING_LATE, 0)) {
        return false;
    }
    mali_ev_begin(&e, g, "ping");
    mali_ev_u64(&e, "n", ++g->s.counter[MALI_CNT_PINGS]);
    mali_ev_end(&e);
    return true;
}

/* 1024 cycles of the GPU a unit. */
static bool req_progress_timer(MaliGpu *g)
{
    uint64_t cycles = (uint64_t)in32(g, GLB_IN_PROGRESS_TIMER) * TIMER_UNIT;

    g->s.progress_ns = cycles * 1000 / (GPU_COUNTER_HZ / 1000000);
    return true;
}

static bool req_alloc_en(MaliGpu *g)
{
    g->s.core_en = mali_mcu_r64(g, g->s.iface.glb_in + GLB_IN_CORE_EN_MASK);
    return true;
}

/* Last of all (protm_request): other requests of the same doorbell would end it at once. */
static bool req_protm_enter(MaliGpu *g)
{
    (void)g;
    return false;
}

/* PING logs for itself; the masks and timers without a function have no effect here. */
static const struct GlbRequest {
    uint32_t bit;
    const char *name;
    bool (*run)(MaliGpu *g);
} toggles[] = {
    { GLB_CFG_PROGRESS_TIMER, "cfg-progress-timer", req_progress_timer },
    { GLB_CFG_ALLOC_EN, "cfg-alloc-en", req_alloc_en },
    { GLB_CFG_POWEROFF_TIMER, "cfg-poweroff-timer", NULL },
    { GLB_PROTM_ENTER, "protm-enter", req_protm_enter },
    { GLB_PERFCNT_SAMPLE, "perfcnt-sample", NULL },
    { GLB_PING, "ping", req_ping },
    { GLB_FWCFG_UPDATE, "fwcfg-update", NULL },
};
#define LEVELS (GLB_PERFCNT_EN | GLB_COUNTER_EN | GLB_IDLE_EN)

/* Bits of @changed that are done. */
static uint32_t run_toggles(MaliGpu *g, uint32_t changed)
{
    uint32_t done = 0;

    for (unsigned i = 0; i < sizeof(toggles) / sizeof(toggles[0]); i++) {
        const struct GlbRequest *t = &toggles[i];

        if (!(changed & t->bit)) {
            continue;
        }
        if (t->bit != GLB_PING) {
            ev_name(g, "glb-req", t->name);
        }
        if (!t->run || t->run(g)) {
            done |= t->bit;
        }
    }
    return done;
}

/* ---- levels ---- */
static uint64_t timer_ns(const MaliGpu *g, uint32_t timer)
{
    uint64_t ticks = (uint64_t)GLB_TIMER_VAL(timer) * TIMER_UNIT;
    uint64_t hz = g->cfg.counter_hz ? g->cfg.counter_hz : DEFAULT_COUNTER_HZ;

    if (timer & GLB_TIMER_SOURCE_GPU_COUNTER) {
        hz = GPU_COUNTER_HZ;
    }
    return ticks / hz * 1000000000 + ticks % hz * 1000000000 / hz;
}

/* idle_timer_ns is 0 while IDLE_EN is off. */
static void latch_levels(MaliGpu *g, uint32_t req, uint32_t changed)
{
    if (changed & GLB_COUNTER_EN) {
        mali_cycles_enable(g, MALI_CYCLES_BY_GLB, req & GLB_COUNTER_EN);
    }
    if (changed & GLB_IDLE_EN) {
        uint64_t ns = timer_ns(g, in32(g, GLB_IN_IDLE_TIMER));

        g->s.idle_timer_ns = !(req & GLB_IDLE_EN) ? 0 : ns ? ns : 1;
    }
}

/* ---- events ---- */
static const char *event_name(uint32_t bit)
{
    switch (bit) {
    case GLB_PROTM_EXIT: return "protm-exit";
    case GLB_PERFCNT_THRESHOLD: return "perfcnt-threshold";
    case GLB_PERFCNT_OVERFLOW: return "perfcnt-overflow";
    case GLB_IDLE: return "idle";
    default: return "inactive";
    }
}

static void write_ack(MaliGpu *g, uint32_t old, uint32_t ack)
{
    if (ack == old) {
        return;
    }
    put32(g, GLB_OUT_ACK, ack);
    if ((ack ^ old) & in32(g, GLB_IN_ACK_IRQ_MASK)) {
        mali_irq_raise(g, MALI_IRQ_JOB, JOB_INT_GLOBAL);
    }
}

/* Events wait while the host has not acknowledged the last one; looked at at each doorbell 0. */
static void flush_events(MaliGpu *g)
{
    uint32_t req = in32(g, GLB_IN_REQ), ack = out32(g, GLB_OUT_ACK);
    uint32_t now = g->s.glb_pending & ~(req ^ ack);

    g->s.glb_pending &= ~now;
    for (uint32_t left = now; left; left &= left - 1) {
        ev_name(g, "glb-event", event_name(left & -left));
    }
    write_ack(g, ack, ack ^ now);
}

void mali_glb_event(MaliGpu *g, uint32_t bit)
{
    if (g->s.mcu_status != MCU_STATUS_ENABLED) {
        return;
    }
    g->s.glb_pending |= bit & GLB_EVT_MASK;
    flush_events(g);
}

/* ---- idle (4.9) ---- */
static bool any_busy(const MaliGpu *g)
{
    for (unsigned i = 0; i < MALI_NUM_CSG; i++) {
        if (g->s.csg[i].resident && !g->s.csg[i].idle) {
            return true;
        }
    }
    return false;
}

/*
 * glb_idle: this idle period has been reported, or no group has run since boot. The
 * event belongs to a transition: one after each boot would make panthor's tick
 * resume a GPU that has nothing to do.
 */
void mali_glb_idle_check(MaliGpu *g)
{
    uint64_t deadline = g->s.idle_deadline;

    if (any_busy(g)) {
        g->s.glb_idle = 0;
        deadline = MALI_NEVER;
    } else if (g->s.mcu_status != MCU_STATUS_ENABLED || !g->s.idle_timer_ns || g->s.glb_idle) {
        deadline = MALI_NEVER;
    } else if (deadline == MALI_NEVER) {
        deadline = g->ops.now_ns(g->opaque) + g->s.idle_timer_ns;
    }
    if (deadline != g->s.idle_deadline) {
        g->s.idle_deadline = deadline;
        mali_timer_rearm(g);
    }
}

void mali_glb_timer(MaliGpu *g)
{
    if (g->s.idle_deadline > g->ops.now_ns(g->opaque)) {
        return;
    }
    g->s.idle_deadline = MALI_NEVER;
    g->s.glb_idle = 1;
    mali_glb_event(g, GLB_IDLE);
}

/* ---- boot, doorbell ---- */
static bool has_state_field(const MaliGpu *g) /* panthor_fw.c:326-331 */
{
    return g->s.iface.fw_version >= FW_VERSION(4, 1, 0);
}

static uint32_t state_mask(const MaliGpu *g)
{
    return has_state_field(g) ? GLB_STATE_MASK : GLB_HALT | GLB_SLEEP;
}

void mali_glb_boot(MaliGpu *g)
{
    uint32_t req = in32(g, GLB_IN_REQ);

    g->s.glb_pending = 0;
    g->s.glb_idle = 1;
    g->s.core_en = g->row->shader_present;
    g->s.idle_deadline = MALI_NEVER;
    put32(g, GLB_OUT_HALT_STATUS, 0);
    put32(g, GLB_OUT_DOORBELL_ACK, in32(g, GLB_IN_DOORBELL_REQ));
    put32(g, GLB_OUT_ACK, req & ~state_mask(g)); /* it runs, whatever is asked for */
    latch_levels(g, req, LEVELS);
}

void mali_glb_fan_out(MaliGpu *g)
{
    uint32_t req = in32(g, GLB_IN_DOORBELL_REQ);
    uint32_t rung = req ^ out32(g, GLB_OUT_DOORBELL_ACK);

    if (rung >> g->s.iface.num_csg) {
        mali_violation(g, "glb-doorbell", "doorbell_req 0x%x: %u groups", rung, g->s.iface.num_csg);
    }
    for (unsigned i = 0; i < g->s.iface.num_csg; i++) {
        if (rung & MALI_BIT(i)) {
            mali_csg_process(g, i);
        }
    }
    put32(g, GLB_OUT_DOORBELL_ACK, req);
}

/* HALT is never acknowledged in ack, the state field of 4.1 is (spec 4.4). */
static void halt(MaliGpu *g, uint32_t req)
{
    uint32_t ack = out32(g, GLB_OUT_ACK);

    if (mali_fault_hit(g, MALI_FAULT_HALT_NEVER) ||
        mali_late(g, MALI_LATE_HALT, MALI_FAULT_HALT_LATE, 0)) {
        return;
    }
    mali_mcu_halt(g);
    put32(g, GLB_OUT_HALT_STATUS, 0);
    if (has_state_field(g)) {
        write_ack(g, ack, (ack & ~GLB_STATE_MASK) | (req & GLB_STATE_MASK));
    }
}

/* One look at a toggled PROTM_ENTER; one that has been refused stays so until it is taken back. */
static void protm_request(MaliGpu *g, uint32_t req)
{
    uint32_t ack = out32(g, GLB_OUT_ACK);

    if (g->s.protm.refused || !((req ^ ack) & GLB_PROTM_ENTER) ||
        mali_late(g, MALI_LATE_PROTM_ENTER, MALI_FAULT_PROTM_ENTER_LATE, 0)) {
        return;
    }
    if (!mali_protm_enter(g)) {
        g->s.protm.refused = 1;
        return;
    }
    write_ack(g, ack, ack ^ GLB_PROTM_ENTER);
    mali_protm_begin(g);
}

void mali_glb_doorbell(MaliGpu *g)
{
    uint32_t req, ack, changed, done;

    if (g->s.mcu_status != MCU_STATUS_ENABLED) {
        return;
    }
    req = in32(g, GLB_IN_REQ);
    ack = out32(g, GLB_OUT_ACK);
    changed = req ^ ack;
    if (!(changed & GLB_PROTM_ENTER)) {
        g->s.protm.refused = 0;
    } else if (g->s.protm.refused) {
        changed &= ~GLB_PROTM_ENTER;
    }
    if (!mali_protm_doorbell(g, changed & ~GLB_EVT_MASK)) {
        flush_events(g);
        return;
    }
    mali_protm_spurious(g);
    ack = out32(g, GLB_OUT_ACK); /* there may be an event in it now */
    latch_levels(g, req, changed & LEVELS);
    done = run_toggles(g, changed) | LEVELS;
    if (has_state_field(g) && !(req & GLB_STATE_MASK)) {
        done |= GLB_STATE_MASK;
    }
    if ((done & GLB_PING) && mali_fault_hit(g, MALI_FAULT_PING_WRONG)) {
        done &= ~GLB_PING;
        req ^= GLB_FWCFG_UPDATE;
        done |= GLB_FWCFG_UPDATE;
    }
    write_ack(g, ack, (ack & ~done) | (req & done));
    mali_glb_fan_out(g);
    flush_events(g);
    mali_glb_idle_check(g);
    if (req & state_mask(g)) {
        halt(g, req);
    } else {
        protm_request(g, req);
    }
}
