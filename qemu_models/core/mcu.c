/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mali CSF GPU model: the microcontroller. No firmware runs; boot does what the
 * host can see of it: checks its memory, fills the control blocks, reports.
 *
 * Spec 1.5, 4.3, 4.4.
 */
#include "fwimage.h"

#define DEFAULT_SUSPEND_SIZE 0x3000u
#define DEFAULT_PROTM_SUSPEND_SIZE                                                                 \
    0x5000u /* differs: catches a driver that takes the wrong one                                  \
             */
#define DEFAULT_INSTR_FEATURES 0x71u
#define CTL                    FW_SHARED_VA

static uint32_t fill(MaliGpu *g, uint64_t va, uint32_t def)
{
    uint32_t v = mali_mcu_r32(g, va);

    if (!v) {
        mali_mcu_w32(g, va, def);
        v = def;
    }
    return v;
}

static bool in_shared(uint64_t va, uint32_t size) /* panthor_fw.c:875-889 demands the same */
{
    return !(va & 3) && va >= FW_SHARED_VA && va + size <= FW_SHARED_VA + FW_SHARED_SIZE;
}

static bool shared_mapped(MaliGpu *g)
{
    for (uint32_t off = 0; off < FW_SHARED_SIZE; off += 4096) {
        uint64_t pa;
        uint32_t perm;

        if (!mali_walk(g, 0, FW_SHARED_VA + off, &pa, &perm) || !(perm & MALI_PERM_W)) {
            return false;
        }
    }
    return true;
}

static uint32_t pick(uint32_t configured, uint32_t manifest, uint32_t def)
{
    return configured ? configured : manifest ? manifest : def;
}

static bool cs_control(MaliGpu *g, uint64_t ctl, unsigned i, unsigned j)
{
    MaliCsgIface *c = &g->s.iface.csg[i];

    mali_mcu_w32(g, ctl + CS_CTL_FEATURES, CS_FEATURES(g->row->cs_regs, g->row->scoreboards));
    c->cs_in[j] = fill(g, ctl + CS_CTL_INPUT_VA, FW_CS_IN_VA(i, j));
    c->cs_out[j] = fill(g, ctl + CS_CTL_OUTPUT_VA, FW_CS_OUT_VA(i, j));
    return in_shared(c->cs_in[j], CS_IN_SIZE) && in_shared(c->cs_out[j], CS_OUT_SIZE);
}

static bool csg_control(MaliGpu *g, uint64_t ctl, uint32_t group_stride, unsigned i)
{
    MaliIface *f = &g->s.iface;
    MaliCsgIface *c = &f->csg[i];
    uint32_t n = fill(g, ctl + CSG_CTL_STREAM_NUM, MALI_NUM_CS);
    uint32_t stride = fill(g, ctl + CSG_CTL_STREAM_STRIDE, FW_CS_STRIDE);

    c->in = fill(g, ctl + CSG_CTL_INPUT_VA, FW_CSG_IN_VA(i));
    c->out = fill(g, ctl + CSG_CTL_OUTPUT_VA, FW_CSG_OUT_VA(i));
    mali_mcu_w32(g, ctl + CSG_CTL_SUSPEND_SIZE, f->suspend_size);
    mali_mcu_w32(g, ctl + CSG_CTL_PROTM_SUSPEND_SIZE, f->protm_suspend_size);
    if (n > MALI_NUM_CS || (i && n != f->num_cs) || stride < FW_CS_STRIDE || stride & 3 ||
        (uint64_t)FW_CS_CTL(0, 0) + (uint64_t)n * stride > group_stride ||
        !in_shared(c->in, CSG_IN_SIZE) || !in_shared(c->out, CSG_OUT_SIZE)) {
        return false;
    }
    f->num_cs = n;
    for (unsigned j = 0; j < n; j++) {
        if (!cs_control(g, ctl + FW_CS_CTL(stride, j), i, j)) {
            return false;
        }
    }
    return true;
}

/* Reads the control blocks; what is 0 in the file is filled (spec 0.2), the version not yet. */
static bool glb_control(MaliGpu *g, const MaliManifest *m)
{
    MaliIface *f = &g->s.iface;
    uint32_t stride = fill(g, CTL + GLB_CTL_GROUP_STRIDE, FW_CSG_STRIDE);
    uint32_t n = fill(g, CTL + GLB_CTL_GROUP_NUM, MALI_NUM_CSG);

    *f = (MaliIface){ .fw_version = pick(0, m->version, g->row->fw_version) };
    f->suspend_size = pick(g->cfg.suspend_size, m->suspend_size, DEFAULT_SUSPEND_SIZE);
    f->protm_suspend_size =
        pick(g->cfg.protm_suspend_size, m->protm_suspend_size, DEFAULT_PROTM_SUSPEND_SIZE);
    f->glb_in = fill(g, CTL + GLB_CTL_INPUT_VA, FW_GLB_IN_VA);
    f->glb_out = fill(g, CTL + GLB_CTL_OUTPUT_VA, FW_GLB_OUT_VA);
    mali_mcu_w32(g, CTL + GLB_CTL_FEATURES, pick(0, m->features, g->row->fw_features));
    fill(g, CTL + GLB_CTL_INSTR_FEATURES, pick(0, m->instr_features, DEFAULT_INSTR_FEATURES));
    if (f->suspend_size > MALI_MAX_SUSPEND || f->protm_suspend_size > MALI_MAX_SUSPEND) {
        return false;
    }
    if (n > MALI_NUM_CSG || stride & 3 || !in_shared(f->glb_in, GLB_IN_IDLE_TIMER + 4) ||
        !in_shared(f->glb_out, GLB_OUT_PERFCNT_INSERT + 4) ||
        FW_CSG_CTL((uint64_t)stride, n) > FW_SHARED_SIZE) {
        return false;
    }
    f->num_csg = n;
    for (unsigned i = 0; i < n; i++) {
        if (!csg_control(g, CTL + FW_CSG_CTL(stride, i), stride, i)) {
            return false;
        }
    }
    return true;
}

/* NULL, or why the MCU cannot run. */
static const char *boot(MaliGpu *g, MaliManifest *m, bool *full)
{
    if (mali_fault_hit(g, MALI_FAULT_BOOT_FAIL)) {
        return "fault-plan";
    }
    if (!(g->s.l2_ready & 1)) {
        return "l2-off";
    }
    if (AS_TRANSCFG_MODE(g->s.as[0].act_transcfg) != AS_TRANSCFG_AARCH64_4K) {
        return "as0-off";
    }
    if (!shared_mapped(g)) {
        return "shared-unmapped";
    }
    *full = mali_mcu_r32(g, CTL + GLB_CTL_VERSION) == 0;
    mali_manifest_read(g, m);
    if (!glb_control(g, m)) {
        return "control-block";
    }
    return NULL;
}

static void boot_log(MaliGpu *g, const char *reason, bool full)
{
    MaliEvent e;

    mali_ev_begin(&e, g, "mcu-boot");
    mali_ev_bool(&e, "ok", !reason);
    if (reason) {
        mali_ev_str(&e, "reason", reason);
    }
    mali_ev_u64(&e, "boot", g->s.counter[MALI_CNT_MCU_BOOTS]);
    mali_ev_bool(&e, "full", full);
    mali_ev_u64(&e, "version", g->s.iface.fw_version);
    mali_ev_u64(&e, "protm_suspend_size", g->s.iface.protm_suspend_size);
    mali_ev_u64(&e, "suspend_size", g->s.iface.suspend_size);
    mali_ev_end(&e);
}

static void sections(MaliGpu *g, const MaliManifest *m)
{
    if (mali_fault_hit(g, MALI_FAULT_CORRUPT_SECTION)) {
        mali_sections_corrupt(g, m, mali_fault(g, MALI_FAULT_CORRUPT_SECTION));
    }
    if (m->present) {
        mali_sections_log(g, m);
    } else {
        mali_sections_scan(g);
    }
}

/* boot-version: 1 stands for 0, which to the host is a failed boot. */
static uint32_t told_version(MaliGpu *g)
{
    uint32_t v = mali_fault(g, MALI_FAULT_BOOT_VERSION);

    if (!mali_fault_hit(g, MALI_FAULT_BOOT_VERSION)) {
        return g->s.iface.fw_version;
    }
    return v == 1 ? 0 : v;
}

static void mcu_boot(MaliGpu *g)
{
    MaliManifest m;
    bool full = false;
    const char *reason;

    g->s.iface = (MaliIface){ 0 };
    g->s.counter[MALI_CNT_MCU_BOOTS]++;
    reason = boot(g, &m, &full);
    if (reason) {
        g->s.iface = (MaliIface){ 0 };
        g->s.mcu_status = MCU_STATUS_FATAL;
        boot_log(g, reason, full);
        mali_irq_raise(g, MALI_IRQ_GPU, GPU_IRQ_MCU_STATUS_CHANGED);
        return;
    }
    sections(g, &m);
    boot_log(g, NULL, full);
    g->s.mcu_status = MCU_STATUS_ENABLED;
    mali_pwr_mcu(g, true);
    mali_csg_boot(g);
    mali_glb_boot(g);
    /* Last: a version of 0 means to the host that boot has failed (panthor_fw.c:1025). */
    mali_mcu_w32(g, CTL + GLB_CTL_VERSION, told_version(g));
    mali_irq_raise(g, MALI_IRQ_JOB, JOB_INT_GLOBAL);
    mali_timer_rearm(g);
}

static void quiesce(MaliGpu *g, uint32_t status)
{
    mali_protm_drop(g, "mcu-stop");
    mali_csg_stop_all(g);
    g->s.mcu_status = status;
    mali_cycles_enable(g, MALI_CYCLES_BY_GLB, false);
    g->s.glb_pending = 0;
    g->s.glb_idle = 0;
    g->s.idle_timer_ns = 0;
    g->s.progress_ns = 0;
    g->s.idle_deadline = MALI_NEVER;
    mali_timer_rearm(g);
}

static void ev_plain(MaliGpu *g, const char *kind)
{
    MaliEvent e;

    mali_ev_begin(&e, g, kind);
    mali_ev_end(&e);
}

void mali_mcu_stop(MaliGpu *g)
{
    if (g->s.mcu_status == MCU_STATUS_DISABLED) {
        return;
    }
    ev_plain(g, "mcu-stop");
    quiesce(g, MCU_STATUS_DISABLED);
}

void mali_mcu_halt(MaliGpu *g)
{
    for (unsigned i = 0; i < MALI_NUM_CSG; i++) {
        if (g->s.csg[i].resident) {
            mali_violation(g, "halt-resident", "GLB HALT while group %u is on its slot", i);
        }
    }
    ev_plain(g, "mcu-halt");
    mali_pwr_mcu(g, false);
    quiesce(g, mali_fault_hit(g, MALI_FAULT_HALT_WRONG) ? MCU_STATUS_FATAL : MCU_STATUS_HALT);
}

static void disable(MaliGpu *g, uint32_t val)
{
    if (g->s.mcu_status == MCU_STATUS_DISABLED || mali_fault_hit(g, MALI_FAULT_STOP_NEVER) ||
        mali_late(g, MALI_LATE_STOP, MALI_FAULT_STOP_LATE, val)) {
        return;
    }
    mali_mcu_stop(g);
    if (mali_fault_hit(g, MALI_FAULT_STOP_WRONG)) {
        g->s.mcu_status = MCU_STATUS_HALT;
    }
}

/* A halted or failed MCU must be disabled before it boots again (spec 1.5; power.c for the
 * exception). */
void mali_mcu_control(MaliGpu *g, uint32_t val)
{
    g->s.mcu_control = val & 3;
    if (g->s.mcu_control == MCU_CONTROL_DISABLE) {
        g->s.late_at[MALI_LATE_BOOT] = 0;
        disable(g, val);
    } else if (g->s.mcu_status == MCU_STATUS_DISABLED) {
        if (!mali_fault_hit(g, MALI_FAULT_BOOT_NEVER) &&
            !mali_late(g, MALI_LATE_BOOT, MALI_FAULT_BOOT_LATE, val)) {
            mcu_boot(g);
        }
    }
}
