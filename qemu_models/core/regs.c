/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mali CSF GPU model: the register table (spec 1.1-1.10) and the small handlers.
 *
 * What is not in the table reads 0 and ignores writes: the driver reads registers
 * of later architectures on arch 10 (GPU_FEATURES, pitfall 22).
 */
#include "mmio.h"

/* ---- registers with an effect ---- */
static uint32_t gpu_int_read(MaliGpu *g, uint32_t o)
{
    return mali_irq_read(g, MALI_IRQ_GPU, o & 0xf);
}
static uint32_t job_int_read(MaliGpu *g, uint32_t o)
{
    return mali_irq_read(g, MALI_IRQ_JOB, o & 0xf);
}
static uint32_t mmu_int_read(MaliGpu *g, uint32_t o)
{
    return mali_irq_read(g, MALI_IRQ_MMU, o & 0xf);
}

static void gpu_int_write(MaliGpu *g, uint32_t o, uint32_t v)
{
    mali_irq_write(g, MALI_IRQ_GPU, o & 0xf, v);
}
static void job_int_write(MaliGpu *g, uint32_t o, uint32_t v)
{
    mali_irq_write(g, MALI_IRQ_JOB, o & 0xf, v);
}
static void mmu_int_write(MaliGpu *g, uint32_t o, uint32_t v)
{
    mali_irq_write(g, MALI_IRQ_MMU, o & 0xf, v);
}

static uint32_t pwr_int_read(MaliGpu *g, uint32_t o)
{
    return mali_has_pwr(g) ? mali_irq_read(g, MALI_IRQ_PWR, o & 0xf) : 0;
}

static void pwr_int_write(MaliGpu *g, uint32_t o, uint32_t v)
{
    if (mali_has_pwr(g)) {
        mali_irq_write(g, MALI_IRQ_PWR, o & 0xf, v);
    }
}

static uint32_t half(uint64_t v, uint32_t offset)
{
    return (uint32_t)(v >> (offset & 4 ? 32 : 0));
}

static void cmd_write(MaliGpu *g, uint32_t o, uint32_t v)
{
    (void)o;
    mali_gpu_command(g, v);
}

static uint32_t status_read(MaliGpu *g, uint32_t o)
{
    bool stuck = mali_fault_hit(g, MALI_FAULT_PROTM_STATUS_STUCK);

    (void)o;
    return g->s.gpu_status | (stuck ? GPU_STATUS_PROTM_ACTIVE : 0);
}

static uint32_t fault_status_read(MaliGpu *g, uint32_t o)
{
    (void)o;
    return g->s.gpu_fault_status;
}

static uint32_t fault_addr_read(MaliGpu *g, uint32_t o)
{
    return half(g->s.gpu_fault_addr, o);
}

static uint32_t ts_offset_read(MaliGpu *g, uint32_t o)
{
    return half(g->s.timestamp_offset, o);
}

static void ts_offset_write(MaliGpu *g, uint32_t o, uint32_t v)
{
    uint64_t keep = o & 4 ? 0xffffffffu : ~UINT64_C(0xffffffff);

    g->s.timestamp_offset = (g->s.timestamp_offset & keep) | (uint64_t)v << (o & 4 ? 32 : 0);
}

/* No latch: the driver reads HI, LO, HI until HI is stable (panthor_device.h:670-679). */
static uint32_t cycles_read(MaliGpu *g, uint32_t o)
{
    return half(mali_cycle_count(g), o);
}

static uint32_t timestamp_read(MaliGpu *g, uint32_t o)
{
    return half(g->ops.timestamp(g->opaque) + g->s.timestamp_offset, o);
}

static uint32_t gpu_id_read(MaliGpu *g, uint32_t o)
{
    (void)o;
    return g->row->gpu_id | (mali_fault_hit(g, MALI_FAULT_GPU_ID_WRONG) ? 0xf0000000 : 0);
}

static uint32_t coherency_read(MaliGpu *g, uint32_t o)
{
    (void)o;
    return g->cfg.coherent ? GPU_COHERENCY_ACE_LITE : 0;
}

static uint32_t mcu_control_read(MaliGpu *g, uint32_t o)
{
    (void)o;
    return g->s.mcu_control;
}

static void mcu_control_write(MaliGpu *g, uint32_t o, uint32_t v)
{
    (void)o;
    mali_mcu_control(g, v);
}

static uint32_t mcu_status_read(MaliGpu *g, uint32_t o)
{
    (void)o;
    return g->s.mcu_status;
}

/* Eight of the sixteen register blocks have an address space behind them. */
static uint32_t as_read(MaliGpu *g, uint32_t o)
{
    unsigned as = (o - AS_BASE) / AS_STRIDE;

    return as < MALI_NUM_AS ? mali_as_read(g, as, o & (AS_STRIDE - 1)) : 0;
}

static void as_write(MaliGpu *g, uint32_t o, uint32_t v)
{
    unsigned as = (o - AS_BASE) / AS_STRIDE;

    if (as < MALI_NUM_AS) {
        mali_as_write(g, as, o & (AS_STRIDE - 1), v);
    } else {
        mali_violation(g, "as-absent", "write to AS %u register 0x%x", as, o & (AS_STRIDE - 1));
    }
}

static uint32_t flush_id_read(MaliGpu *g, uint32_t o)
{
    (void)o;
    return g->s.flush_id;
}

static void doorbell_write(MaliGpu *g, uint32_t o, uint32_t v)
{
    unsigned i = (o - DOORBELL_BASE) / DOORBELL_STRIDE;

    (void)v; /* any value rings; hosts write 1 */
    if (i == 0) {
        mali_glb_doorbell(g);
    } else {
        mali_csg_doorbell(g, i);
    }
}

/* ---- the table ---- */
#define CONST(off, v)                                                                              \
    {                                                                                              \
        off, off, #off, REG_CONST, v, NULL, NULL                                                   \
    }
#define ROW32(off, f)                                                                              \
    {                                                                                              \
        off, off, #off, REG_ROW32, offsetof(MaliGpuRow, f), NULL, NULL                             \
    }
#define ROW64(off, f)                                                                              \
    {                                                                                              \
        off, (off) + 4, #off, REG_ROW64, offsetof(MaliGpuRow, f), NULL, NULL                       \
    }
#define STORE(off, words, i)                                                                       \
    {                                                                                              \
        off, (off) + 4 * ((words)-1), #off, REG_STORE, i, NULL, NULL                               \
    }
#define CALL(off, words, r, w)                                                                     \
    {                                                                                              \
        off, (off) + 4 * ((words)-1), #off, REG_CALL, 0, r, w                                      \
    }
#define DOOR(i)                                                                                    \
    {                                                                                              \
        DOORBELL(i), DOORBELL(i), "DOORBELL" #i, REG_CALL, 0, NULL, doorbell_write                 \
    }

const MaliReg mali_regs[] = {
    CALL(GPU_ID, 1, gpu_id_read, NULL),
    ROW32(GPU_L2_FEATURES, l2_features),
    ROW32(GPU_CORE_FEATURES, core_features),
    ROW32(GPU_TILER_FEATURES, tiler_features),
    ROW32(GPU_MEM_FEATURES, mem_features),
    ROW32(GPU_MMU_FEATURES, mmu_features),
    CONST(GPU_AS_PRESENT, (1u << MALI_NUM_AS) - 1),
    ROW32(GPU_CSF_ID, csf_id),
    CALL(GPU_INT_BASE, 4, gpu_int_read, gpu_int_write),
    CALL(GPU_CMD, 1, NULL, cmd_write),
    CALL(GPU_STATUS, 1, status_read, NULL),
    CALL(GPU_FAULT_STATUS, 1, fault_status_read, NULL),
    CALL(GPU_FAULT_ADDR, 2, fault_addr_read, NULL),
    STORE(GPU_L2_CONFIG, 1, 0),
    STORE(GPU_PWR_KEY, 3, 1), /* and the two overrides */
    ROW64(GPU_FEATURES, gpu_features),
    CONST(GPU_PRFCNT_FEATURES, 0),
    CALL(GPU_TIMESTAMP_OFFSET, 2, ts_offset_read, ts_offset_write),
    CALL(GPU_CYCLE_COUNT, 2, cycles_read, NULL),
    CALL(GPU_TIMESTAMP, 2, timestamp_read, NULL),
    CONST(GPU_THREAD_MAX_THREADS, 0x800),
    CONST(GPU_THREAD_MAX_WORKGROUP_SIZE, 0x400),
    CONST(GPU_THREAD_MAX_BARRIER_SIZE, 0x400),
    ROW32(GPU_THREAD_FEATURES, thread_features),
    CONST(GPU_TEXTURE_FEATURES, 0xc1ffff9e), /* words 1 to 3 are 0 */
    CONST(GPU_DOORBELL_FEATURES, 0),
    STORE(GPU_COMMAND_ARG0, 4, 4), /* and ARG1 */
    CALL(GPU_PRESENT, 16, mali_power_read, NULL),
    CALL(GPU_READY, 16, mali_power_read, NULL),
    CALL(GPU_PWRON, 16, NULL, mali_power_write),
    CALL(GPU_PWROFF, 16, NULL, mali_power_write),
    CALL(GPU_PWRTRANS, 16, mali_power_read, NULL),
    CALL(GPU_PWRACTIVE, 16, mali_power_read, NULL),
    CONST(GPU_REVID, 0),
    STORE(GPU_ASN_HASH, 3, 8),
    CALL(GPU_COHERENCY_FEATURES, 1, coherency_read, NULL),
    STORE(GPU_COHERENCY_PROTOCOL, 1, 11),
    CONST(GPU_THREAD_TLS_ALLOC, 0),
    STORE(GPU_SYSC_PBHA_OVERRIDE, 4, 12),
    STORE(GPU_SYSC_ALLOC, 8, 16),
    CALL(MCU_CONTROL, 1, mcu_control_read, mcu_control_write),
    CALL(MCU_STATUS, 1, mcu_status_read, NULL),
    CONST(MCU_FEATURES, 0),
    CALL(PWR_INT_BASE, 4, pwr_int_read, pwr_int_write),
    { PWR_STATUS, PWR_CMDARG + 4, "PWR", REG_CALL, 0, mali_pwr_read, mali_pwr_write },
    { PWR_DOMAINS, PWR_DOMAINS + 0x2dc, "PWR_DOMAINS", REG_CALL, 0, mali_pwr_read, NULL },
    CONST(GPU_STACK_PRESENT, 0), /* kbase only: no stacks, so nothing to power */
    CONST(GPU_STACK_READY, 0),
    STORE(GPU_STACK_PWRON, 2, 24),
    STORE(GPU_STACK_PWROFF, 2, 26),
    STORE(GPU_CSF_CONFIG, 4, 28), /* and SHADER, TILER, L2_MMU */
    STORE(GPU_DBG, 1, 32),
    CALL(JOB_INT_BASE, 4, job_int_read, job_int_write),
    CALL(MMU_INT_BASE, 4, mmu_int_read, mmu_int_write),
    { AS_BASE, AS_REG(16, 0) - 4, "AS", REG_CALL, 0, as_read, as_write },
    CALL(LATEST_FLUSH_ID, 1, flush_id_read, NULL),
    DOOR(0),
    DOOR(1),
    DOOR(2),
    DOOR(3),
    DOOR(4),
    DOOR(5),
    DOOR(6),
    DOOR(7),
    DOOR(8),
    DOOR(9),
    DOOR(10),
    DOOR(11),
    DOOR(12),
    DOOR(13),
    DOOR(14),
    DOOR(15),
    DOOR(16),
    DOOR(17),
    DOOR(18),
    DOOR(19),
    DOOR(20),
    DOOR(21),
    DOOR(22),
    DOOR(23),
};
const unsigned mali_num_regs = sizeof(mali_regs) / sizeof(mali_regs[0]);
_Static_assert(MALI_NUM_AS <= 16 && NUM_DOORBELLS == 24, "register table");
