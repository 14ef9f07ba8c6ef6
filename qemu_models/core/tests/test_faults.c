/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fault plan: each wait of the driver late, wrong or never; codes at will; interrupts. */
#include "env.h"

#define US   UINT64_C(1000)
#define LATE 300u /* us */

static Env e;

static void plan(const char *name, uint32_t arg)
{
    CHECK(mali_fault_set(e.m->gpu, name, arg));
}

static uint32_t left(const char *name)
{
    uint32_t v = ~0u;

    CHECK(mali_fault_get(e.m->gpu, name, &v));
    return v;
}

static void machine(const char *gpu)
{
    e.m = mach_new(gpu);
    fw_map(e.m, &fw_default);
    fw_load(e.m, &fw_default);
    wr(e.m, GPU_INT_BASE + INT_MASK, ~0u);
}

static uint32_t gpu_raw(void)
{
    return rd(e.m, GPU_INT_BASE + INT_RAWSTAT);
}

static bool job(void)
{
    const uint64_t one[] = { MOVE48(90, e.data_va), MOVE32(2, 9), STORE(2, 1, 90, 0) };

    ram_w32(e.m, e.data_pa, 0);
    env_run(&e, one, N_INSTR(one));
    return env_d32(&e, 0) == 9;
}

static uint32_t strikes(const char *name)
{
    uint32_t n = ~0u;

    CHECK(mali_fault_strikes(e.m->gpu, name, &n));
    return n;
}

/* ---- the plan itself ---- */

TEST(every_fault_is_named_and_described)
{
    unsigned n = 0;

    env_new(&e, 1);
    for (; mali_fault_name(n); n++) {
        CHECK(strlen(mali_fault_help(n)) > 10);
        CHECK_EQ(left(mali_fault_name(n)), 0);
        for (unsigned k = 0; k < n; k++) {
            CHECK(strcmp(mali_fault_name(k), mali_fault_name(n)));
        }
    }
    CHECK(n > 70);
    CHECK(!mali_fault_help(n));
    CHECK(!mali_fault_set(e.m->gpu, "nonsense", 1));
}

/* One row of each kind: effects count, a plan that nothing has met does not. */
TEST(strikes_are_effects_of_a_row)
{
    uint32_t n;

    env_new(&e, 1);
    plan("flush-never", 3);
    plan("job-never", 1);
    plan("irq-drop-gpu", GPU_IRQ_FAULT | GPU_IRQ_CLEAN_CACHES_COMPLETED);
    plan("cs-fault-at", 1000);
    plan("as-late", 7);
    for (unsigned i = 0; mali_fault_name(i); i++) {
        CHECK_EQ(strikes(mali_fault_name(i)), 0);
    }
    wr(e.m, GPU_CMD, GPU_CMD_FLUSH_CACHES);
    wr(e.m, GPU_CMD, GPU_CMD_FLUSH_CACHES);
    CHECK_EQ(strikes("flush-never"), 2);
    CHECK_EQ(strikes("irq-drop-gpu"), 0);
    plan("flush-never", 0);
    wr(e.m, GPU_CMD, GPU_CMD_FLUSH_CACHES);
    CHECK_EQ(strikes("flush-never"), 2);
    CHECK_EQ(strikes("irq-drop-gpu"), 1);
    CHECK_EQ(left("irq-drop-gpu"), GPU_IRQ_FAULT);
    CHECK(!job());
    CHECK(strikes("job-never") > 0);
    CHECK_EQ(strikes("cs-fault-at"), 0);
    plan("cs-fault-at", 1);
    plan("job-never", 0);
    mach_run(e.m, 1000 * US);
    CHECK_EQ(strikes("cs-fault-at"), 1);
    CHECK_EQ(strikes("cs-fault-code"), 0);
    CHECK(!mali_fault_strikes(e.m->gpu, "nonsense", &n));
}

/* ---- L2 ---- */

TEST(l2_late_wrong_never)
{
    machine(NULL);
    plan("l2-late", LATE);
    l2_on(e.m);
    CHECK_EQ(rd(e.m, GPU_READY + GPU_DOMAIN_L2), 0);
    mach_run(e.m, (LATE - 1) * US);
    CHECK_EQ(rd(e.m, GPU_READY + GPU_DOMAIN_L2), 0);
    mach_run(e.m, 2 * US);
    CHECK_EQ(rd(e.m, GPU_READY + GPU_DOMAIN_L2), 1);
    plan("gpu-id-wrong", 1);
    CHECK_EQ(rd(e.m, GPU_ID) >> 28, 15);
    plan("gpu-id-wrong", 0);
    CHECK(rd(e.m, GPU_ID) >> 28 < 15);
    plan("l2-wrong", 1);
    CHECK_EQ(rd(e.m, GPU_READY + GPU_DOMAIN_L2), 2);
    CHECK_EQ(rd(e.m, GPU_READY + GPU_DOMAIN_L2 + 4), 0);
    plan("l2-wrong", 0);
    plan("l2-late", 0);
    plan("l2-never", 1);
    wr(e.m, GPU_PWROFF + GPU_DOMAIN_L2, 1);
    l2_on(e.m);
    CHECK_EQ(rd(e.m, GPU_READY + GPU_DOMAIN_L2), 0);
    l2_on(e.m);
    CHECK_EQ(rd(e.m, GPU_READY + GPU_DOMAIN_L2), 1);
}

/* ---- reset, flush, address spaces ---- */

static void reset(void)
{
    wr(e.m, GPU_INT_BASE + INT_CLEAR, ~0u);
    wr(e.m, GPU_CMD, GPU_CMD_RESET | GPU_RESET_SOFT << 8);
}

TEST(reset_late_wrong_never)
{
    machine(NULL);
    plan("reset-late", LATE);
    reset();
    CHECK_EQ(gpu_raw(), 0);
    mach_run(e.m, LATE * US);
    CHECK_EQ(gpu_raw(), GPU_IRQ_RESET_COMPLETED);
    plan("reset-late", 0);
    plan("reset-wrong", 1);
    reset();
    CHECK_EQ(gpu_raw(), GPU_IRQ_CLEAN_CACHES_COMPLETED);
    plan("reset-never", 1);
    reset();
    CHECK_EQ(gpu_raw(), 0);
    reset();
    CHECK_EQ(gpu_raw(), GPU_IRQ_RESET_COMPLETED);
}

static void flush(void)
{
    wr(e.m, GPU_INT_BASE + INT_CLEAR, ~0u);
    wr(e.m, GPU_CMD, GPU_CMD_FLUSH_CACHES | 0x23300);
}

TEST(flush_late_wrong_never)
{
    uint32_t id;

    machine(NULL);
    id = rd(e.m, LATEST_FLUSH_ID);
    plan("flush-late", LATE);
    flush();
    CHECK_EQ(gpu_raw(), 0);
    CHECK_EQ(rd(e.m, LATEST_FLUSH_ID), id);
    mach_run(e.m, LATE * US);
    CHECK_EQ(gpu_raw(), GPU_IRQ_CLEAN_CACHES_COMPLETED);
    CHECK_EQ(rd(e.m, LATEST_FLUSH_ID), id + 1);
    plan("flush-late", 0);
    plan("flush-wrong", 1);
    flush();
    CHECK_EQ(gpu_raw(), GPU_IRQ_RESET_COMPLETED);
    plan("flush-never", 2);
    flush();
    flush();
    CHECK_EQ(gpu_raw(), 0);
    flush();
    CHECK_EQ(gpu_raw(), GPU_IRQ_CLEAN_CACHES_COMPLETED);
}

/* A reset forgets what was still to come. */
TEST(reset_drops_what_is_late)
{
    machine(NULL);
    plan("flush-late", LATE);
    flush();
    reset();
    mach_run(e.m, MS);
    CHECK_EQ(gpu_raw(), GPU_IRQ_RESET_COMPLETED);
}

TEST(address_space_command_late_wrong_never)
{
    env_new(&e, 1);
    plan("as-late", LATE);
    as_disable(e.m, 1);
    CHECK_EQ(rd(e.m, AS_REG(1, AS_STATUS)), AS_STATUS_ACTIVE);
    CHECK_EQ(rd(e.m, AS_REG(2, AS_STATUS)), 0);
    CHECK(e.m->gpu->s.as[1].act_transtab);
    mach_run(e.m, LATE * US);
    CHECK_EQ(rd(e.m, AS_REG(1, AS_STATUS)), 0);
    CHECK(!e.m->gpu->s.as[1].act_transtab);
    plan("as-late", 0);
    plan("as-wrong", 1);
    as_enable(e.m, 1, e.g.root);
    CHECK_EQ(rd(e.m, AS_REG(1, AS_STATUS)), 0);
    CHECK(!e.m->gpu->s.as[1].act_transtab);
    as_enable(e.m, 1, e.g.root);
    CHECK(e.m->gpu->s.as[1].act_transtab == e.g.root);
    plan("as-never", 1);
    as_disable(e.m, 1);
    CHECK_EQ(left("as-never"), 0);
    CHECK_EQ(rd(e.m, AS_REG(1, AS_STATUS)), AS_STATUS_ACTIVE);
    as_disable(e.m, 1);
    mach_run(e.m, SEC);
    CHECK_EQ(rd(e.m, AS_REG(1, AS_STATUS)), AS_STATUS_ACTIVE);
    reset();
    CHECK_EQ(rd(e.m, AS_REG(1, AS_STATUS)), 0);
}

/* ---- MCU ---- */

static void ready_to_boot(void)
{
    machine(NULL);
    l2_on(e.m);
    as_enable(e.m, 0, e.m->mcu_root);
}

TEST(boot_late_wrong_never)
{
    ready_to_boot();
    plan("boot-late", LATE);
    CHECK(!fw_start(e.m));
    CHECK_EQ(rd(e.m, MCU_STATUS), MCU_STATUS_DISABLED);
    mach_run(e.m, LATE * US);
    CHECK_EQ(rd(e.m, MCU_STATUS), MCU_STATUS_ENABLED);
    CHECK(rd(e.m, JOB_INT_BASE + INT_RAWSTAT) & JOB_INT_GLOBAL);
    plan("boot-late", 0);
    plan("boot-never", 1);
    wr(e.m, MCU_CONTROL, MCU_CONTROL_DISABLE);
    CHECK(!fw_start(e.m));
    CHECK_EQ(rd(e.m, MCU_STATUS), MCU_STATUS_DISABLED);
    plan("boot-version", 1);
    CHECK(fw_start(e.m));
    CHECK_EQ(mcu_r32(e.m, FW_SHARED_VA + GLB_CTL_VERSION), 0);
    wr(e.m, MCU_CONTROL, MCU_CONTROL_DISABLE);
    plan("boot-version", FW_VERSION(9, 8, 7));
    CHECK(fw_start(e.m));
    CHECK_EQ(mcu_r32(e.m, FW_SHARED_VA + GLB_CTL_VERSION), FW_VERSION(9, 8, 7));
    wr(e.m, MCU_CONTROL, MCU_CONTROL_DISABLE);
    plan("boot-fail", 1);
    CHECK(!fw_start(e.m));
    CHECK_EQ(rd(e.m, MCU_STATUS), MCU_STATUS_FATAL);
}

TEST(late_boot_is_called_off_by_a_disable)
{
    ready_to_boot();
    plan("boot-late", LATE);
    CHECK(!fw_start(e.m));
    wr(e.m, MCU_CONTROL, MCU_CONTROL_DISABLE);
    mach_run(e.m, MS);
    CHECK_EQ(rd(e.m, MCU_STATUS), MCU_STATUS_DISABLED);
}

static void halt(void)
{
    glb_level(e.m, GLB_HALT, GLB_HALT);
    glb_ring(e.m);
}

TEST(halt_late_wrong_never)
{
    e.m = mach_boot();
    plan("halt-never", 1);
    halt();
    CHECK_EQ(rd(e.m, MCU_STATUS), MCU_STATUS_ENABLED);
    plan("halt-never", 0);
    plan("halt-late", LATE);
    halt();
    CHECK_EQ(rd(e.m, MCU_STATUS), MCU_STATUS_ENABLED);
    mach_run(e.m, LATE * US);
    CHECK_EQ(rd(e.m, MCU_STATUS), MCU_STATUS_HALT);
    e.m = mach_boot();
    plan("halt-wrong", 1);
    halt();
    CHECK_EQ(rd(e.m, MCU_STATUS), MCU_STATUS_FATAL);
}

TEST(stop_late_wrong_never)
{
    e.m = mach_boot();
    plan("stop-late", LATE);
    wr(e.m, MCU_CONTROL, MCU_CONTROL_DISABLE);
    CHECK_EQ(rd(e.m, MCU_STATUS), MCU_STATUS_ENABLED);
    mach_run(e.m, LATE * US);
    CHECK_EQ(rd(e.m, MCU_STATUS), MCU_STATUS_DISABLED);
    e.m = mach_boot();
    plan("stop-never", 1);
    wr(e.m, MCU_CONTROL, MCU_CONTROL_DISABLE);
    CHECK_EQ(rd(e.m, MCU_STATUS), MCU_STATUS_ENABLED);
    plan("stop-wrong", 1);
    wr(e.m, MCU_CONTROL, MCU_CONTROL_DISABLE);
    CHECK_EQ(rd(e.m, MCU_STATUS), MCU_STATUS_HALT);
}

static bool ping(void)
{
    glb_toggle(e.m, GLB_PING);
    glb_ring(e.m);
    return !((mcu_r32(e.m, FW_GLB_IN_VA) ^ glb_ack(e.m)) & GLB_PING);
}

TEST(ping_late_wrong_never)
{
    uint32_t ack;

    e.m = mach_boot();
    plan("ping-late", LATE);
    CHECK(!ping());
    mach_run(e.m, LATE * US);
    CHECK(!((mcu_r32(e.m, FW_GLB_IN_VA) ^ glb_ack(e.m)) & GLB_PING));
    plan("ping-late", 0);
    plan("ping-wrong", 1);
    ack = glb_ack(e.m);
    CHECK(!ping());
    CHECK_EQ(glb_ack(e.m) ^ ack, GLB_FWCFG_UPDATE);
    plan("ping-never", 1);
    CHECK(!ping());
    plan("ping-never", 0);
    CHECK(ping());
}

/* ---- groups and jobs ---- */

TEST(csg_ack_late_wrong_never)
{
    env_new(&e, 1);
    plan("csg-ack-late", LATE);
    grp_state(e.m, &e.g, CSG_STATE_SUSPEND);
    CHECK_EQ(csg_ack(e.m, 0) & CSG_STATE_MASK, CSG_STATE_START);
    mach_run(e.m, LATE * US);
    CHECK_EQ(csg_ack(e.m, 0) & CSG_STATE_MASK, CSG_STATE_SUSPEND);
    plan("csg-ack-late", 0);
    plan("csg-ack-wrong", 1);
    grp_bind(e.m, &e.g, 0, 1, CSG_STATE_RESUME);
    CHECK_EQ(csg_ack(e.m, 0) & CSG_STATE_MASK, CSG_STATE_TERMINATE);
    CHECK(e.m->gpu->s.csg[0].resident);
    mali_csg_process(e.m->gpu, 0); /* what it sees once more is its own lie */
    CHECK_EQ(e.m->gpu->s.counter[MALI_CNT_VIOLATIONS], 0);
    plan("csg-ack-never", 1);
    grp_state(e.m, &e.g, CSG_STATE_SUSPEND);
    mach_run(e.m, SEC);
    CHECK(e.m->gpu->s.csg[0].resident);
}

TEST(job_late_never)
{
    env_new(&e, 1);
    plan("job-late", 5000);
    CHECK(!job()); /* 2 ms */
    mach_run(e.m, 4 * MS);
    CHECK_EQ(env_d32(&e, 0), 9);
    plan("job-late", 0);
    plan("job-never", 1);
    CHECK(!job());
    mach_run(e.m, 100 * SEC);
    CHECK_EQ(env_d32(&e, 0), 0);
    plan("job-never", 0); /* as by QMP while it runs */
    mach_run(e.m, MS);
    CHECK_EQ(env_d32(&e, 0), 9);
}

/* ---- codes at will ---- */

TEST(fault_at_the_nth_instruction)
{
    env_new(&e, 1);
    plan("cs-fault-at", 2);
    CHECK(!job());
    CHECK_EQ(cs_out(e.m, 0, 0, CS_OUT_FAULT), CS_EXC_KABOOM);
    CHECK_EQ(env_extract(&e, 0), 16);
    env_ack(&e);
    mach_run(e.m, MS);
    CHECK_EQ(env_extract(&e, 0), 24);
    plan("cs-fault-code", CS_EXC_RES_EVICTION_TIMEOUT);
    plan("cs-fault-at", 1);
    CHECK(!job());
    CHECK_EQ(cs_out(e.m, 0, 0, CS_OUT_FAULT), CS_EXC_RES_EVICTION_TIMEOUT);
}

/* The frame is left as by any other last instruction: the state can be saved. */
TEST(fault_at_the_last_instruction_of_a_frame)
{
    const uint64_t nop = NOP();
    const uint64_t call[] = { MOVE48(90, e.code_va), MOVE32(92, 8), CALL(90, 92) };
    size_t len;
    void *blob;

    env_new(&e, 1);
    env_code(&e, &nop, 1);
    plan("cs-fault-at", 4);
    env_run(&e, (const uint64_t[]){ MOVE48(90, e.code_va), call[1], call[2] }, 3);
    CHECK_EQ(cs_out(e.m, 0, 0, CS_OUT_FAULT), CS_EXC_KABOOM);
    CHECK_EQ(env_cs(&e, 0)->depth, 0);
    len = mali_save(e.m->gpu, NULL, 0);
    blob = ram_ptr(e.m, RAM_BASE + RAM_SIZE / 2, len);
    mali_save(e.m->gpu, blob, len);
    CHECK(mali_load(e.m->gpu, blob, len, NULL));
}

TEST(fatal_at_the_nth_instruction)
{
    env_new(&e, 2);
    plan("cs-fatal-at", 3);
    CHECK(!job());
    CHECK_EQ(cs_out(e.m, 0, 0, CS_OUT_FATAL), CS_EXC_INSTR_INVALID);
    CHECK_EQ(env_extract(&e, 0), 16);
    env_new(&e, 1);
    plan("cs-fatal-code", CS_EXC_UNRECOVERABLE);
    plan("cs-fatal-at", 1);
    CHECK(!job());
    CHECK_EQ(cs_out(e.m, 0, 0, CS_OUT_FATAL), CS_EXC_UNRECOVERABLE);
}

TEST(mmu_fault_at_the_nth_access)
{
    env_new(&e, 1);
    plan("mmu-fault-at", 2);
    CHECK(job());
    CHECK(!job());
    CHECK_EQ(rd(e.m, AS_REG(1, AS_FAULTSTATUS)) & 0xff, EXC_TRANSLATION_FAULT + 3);
    CHECK(rd(e.m, MMU_INT_BASE + INT_RAWSTAT) & MMU_INT_FAULT(1));
    env_new(&e, 1);
    plan("mmu-fault-code", EXC_ACCESS_FLAG + 2);
    plan("mmu-fault-at", 1);
    CHECK(!job());
    CHECK_EQ(rd(e.m, AS_REG(1, AS_FAULTSTATUS)) & 0xff, EXC_ACCESS_FLAG + 2);
}

TEST(mmu_fault_at_a_load)
{
    const uint64_t load[] = { MOVE48(90, e.data_va), LOAD(2, 1, 90, 0) };

    env_new(&e, 1);
    plan("mmu-fault-at", 1);
    env_run(&e, (const uint64_t[]){ MOVE48(90, e.data_va), load[1] }, 2);
    CHECK_EQ(rd(e.m, AS_REG(1, AS_FAULTSTATUS)) >> 8 & 3, MALI_ACC_READ);
}

TEST(gpu_fault_at_the_nth_access)
{
    env_new(&e, 1);
    plan("gpu-fault-at", 1);
    CHECK(!job());
    CHECK_EQ(rd(e.m, GPU_FAULT_STATUS) & 0xff, EXC_GPU_BUS_FAULT);
    CHECK_EQ(cs_out(e.m, 0, 0, CS_OUT_FATAL), CS_EXC_BUS_FAULT);
    env_new(&e, 1);
    plan("gpu-fault-code", 0x8a);
    plan("gpu-fault-at", 1);
    CHECK(!job());
    CHECK_EQ(rd(e.m, GPU_FAULT_STATUS) & 0xff, 0x8a);
}

/* ---- interrupts ---- */

TEST(interrupt_is_dropped_once)
{
    machine(NULL);
    plan("irq-drop-gpu", GPU_IRQ_CLEAN_CACHES_COMPLETED);
    flush();
    CHECK_EQ(gpu_raw(), 0);
    CHECK(!e.m->line[MALI_IRQ_GPU]);
    CHECK_EQ(left("irq-drop-gpu"), 0);
    flush();
    CHECK_EQ(gpu_raw(), GPU_IRQ_CLEAN_CACHES_COMPLETED);
    ready_to_boot();
    plan("irq-drop-job", JOB_INT_GLOBAL);
    CHECK(!fw_start(e.m));
    CHECK_EQ(rd(e.m, MCU_STATUS), MCU_STATUS_ENABLED);
    plan("irq-drop-mmu", MMU_INT_COMMAND(3) | MMU_INT_FAULT(3));
    as_cmd(e.m, 3, AS_COMMAND_NOP);
    CHECK(!(rd(e.m, MMU_INT_BASE + INT_RAWSTAT) & MMU_INT_COMMAND(3)));
    CHECK_EQ(left("irq-drop-mmu"), MMU_INT_FAULT(3));
}

TEST(interrupt_comes_twice)
{
    e.m = mach_boot();
    plan("irq-double-job", JOB_INT_GLOBAL);
    CHECK(ping());
    CHECK(e.m->line[MALI_IRQ_JOB]);
    wr(e.m, JOB_INT_BASE + INT_CLEAR, JOB_INT_GLOBAL);
    CHECK(e.m->line[MALI_IRQ_JOB]);
    wr(e.m, JOB_INT_BASE + INT_CLEAR, JOB_INT_GLOBAL);
    CHECK(!e.m->line[MALI_IRQ_JOB]);
    plan("irq-double-gpu", GPU_IRQ_CLEAN_CACHES_COMPLETED);
    flush();
    wr(e.m, GPU_INT_BASE + INT_CLEAR, ~0u);
    CHECK_EQ(gpu_raw(), GPU_IRQ_CLEAN_CACHES_COMPLETED);
    plan("irq-double-mmu", MMU_INT_COMMAND(3));
    as_cmd(e.m, 3, AS_COMMAND_NOP);
    wr(e.m, MMU_INT_BASE + INT_CLEAR, MMU_INT_COMMAND(3));
    CHECK(rd(e.m, MMU_INT_BASE + INT_RAWSTAT) & MMU_INT_COMMAND(3));
}

/* ---- arch 14 ---- */

static uint32_t pwr(uint32_t cmd)
{
    wr(e.m, PWR_INT_BASE + INT_CLEAR, ~0u);
    wr(e.m, PWR_COMMAND, cmd);
    return rd(e.m, PWR_INT_BASE + INT_RAWSTAT);
}

#define UP      PWR_COMMAND_POWER_UP
#define GIVE    (PWR_DOMAIN_TILER << 8 | PWR_COMMAND_DELEGATE)
#define TAKE    (PWR_DOMAIN_TILER << 8 | PWR_COMMAND_RETRACT)
#define CHANGED (PWR_IRQ_POWER_CHANGED | PWR_IRQ_POWER_CHANGED_ALL)

static void each_pwr_fault(const char *what, uint32_t cmd, uint32_t undo, uint32_t done)
{
    char name[32];

    snprintf(name, sizeof(name), "pwr-%s-wrong", what);
    plan(name, 1);
    CHECK_EQ(pwr(cmd), PWR_IRQ_NOT_ALLOWED);
    snprintf(name, sizeof(name), "pwr-%s-never", what);
    plan(name, 1);
    CHECK_EQ(pwr(cmd), 0);
    plan(name, 0);
    snprintf(name, sizeof(name), "pwr-%s-late", what);
    plan(name, LATE);
    CHECK_EQ(pwr(cmd), 0);
    mach_run(e.m, LATE * US);
    CHECK_EQ(rd(e.m, PWR_INT_BASE + INT_RAWSTAT), done);
    plan(name, 0);
    if (undo) {
        pwr(undo);
    }
}

TEST(pwr_late_wrong_never)
{
    machine("g1-ultra");
    wr(e.m, PWR_CMDARG, 1);
    each_pwr_fault("power", UP, 0, CHANGED);
    each_pwr_fault("delegate", GIVE, 0, PWR_IRQ_DELEGATION_CHANGED);
    each_pwr_fault("retract", TAKE, 0, PWR_IRQ_RETRACT_COMPLETED | PWR_IRQ_DELEGATION_CHANGED);
    each_pwr_fault("reset", PWR_COMMAND_RESET_SOFT, 0, PWR_IRQ_RESET_COMPLETED);
    plan("irq-drop-pwr", PWR_IRQ_RESET_COMPLETED);
    CHECK_EQ(pwr(PWR_COMMAND_RESET_SOFT), 0);
    plan("irq-double-pwr", PWR_IRQ_RESET_COMPLETED);
    CHECK_EQ(pwr(PWR_COMMAND_RESET_SOFT), PWR_IRQ_RESET_COMPLETED);
    wr(e.m, PWR_INT_BASE + INT_CLEAR, ~0u);
    CHECK_EQ(rd(e.m, PWR_INT_BASE + INT_RAWSTAT), PWR_IRQ_RESET_COMPLETED);
}

/* ---- protected mode ---- */

static void pend(void)
{
    const uint64_t prog[] = { PROT_REGION(200), BRANCH(CS_COND_ALWAYS, 0, -1) };
    const FwOpts fw = { .suspend_size = 0x3000, .protm_suspend_size = 0x5000, .map_prot = true };
    Machine *m = mach_new_cfg(&(MaliConfig){ .cs_ips = 100000 });

    l2_on(m);
    fw_boot(m, &fw);
    env_group(&e, m, 1);
    grp_bind(m, &e.g, 0, 1, CSG_STATE_START);
    env_ack(&e);
    env_run(&e, prog, N_INSTR(prog));
    mcu_w32(m, FW_CS_IN_VA(0, 0), mcu_r32(m, FW_CS_IN_VA(0, 0)) ^ CS_PROTM_PENDING);
}

static void enter(void)
{
    glb_toggle(e.m, GLB_PROTM_ENTER);
    glb_ring(e.m);
}

static bool entered(void)
{
    return !((mcu_r32(e.m, FW_GLB_IN_VA) ^ glb_ack(e.m)) & GLB_PROTM_ENTER);
}

static bool active(void)
{
    return rd(e.m, GPU_STATUS) & GPU_STATUS_PROTM_ACTIVE;
}

TEST(protected_mode_late)
{
    pend();
    plan("protm-enter-late", LATE);
    plan("protm-status-late", LATE);
    plan("protm-exit-late", LATE);
    enter();
    CHECK(!entered());
    mach_run(e.m, LATE * US);
    CHECK(entered());
    CHECK(!active());
    mach_run(e.m, LATE * US);
    CHECK(active());
    ping();
    CHECK(active());
    CHECK_EQ(ev_count(e.m, "protm-exit"), 0);
    mach_run(e.m, LATE * US);
    CHECK(!active());
    CHECK_HAS(ev_last(e.m, "protm-exit"), "\"why\":\"ping\"");
    CHECK((mcu_r32(e.m, FW_GLB_IN_VA) ^ glb_ack(e.m)) & GLB_PROTM_EXIT);
}

TEST(end_of_region_is_told_late)
{
    pend();
    plan("protm-exit-late", LATE);
    enter();
    mach_run(e.m, 2 * MS + 100 * US);
    CHECK(active());
    mach_run(e.m, LATE * US);
    CHECK(!active());
    CHECK_HAS(ev_last(e.m, "protm-exit"), "\"why\":\"end\"");
}

TEST(protected_mode_wrong)
{
    pend();
    plan("protm-status-wrong", 1);
    plan("protm-exit-silent", 1);
    enter();
    CHECK(active());
    ping();
    CHECK_EQ(ev_count(e.m, "protm-exit"), 1);
    CHECK(active());
    CHECK(!((mcu_r32(e.m, FW_GLB_IN_VA) ^ glb_ack(e.m)) & GLB_PROTM_EXIT));
    reset();
    CHECK(!active());
}
