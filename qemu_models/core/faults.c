/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mali CSF GPU model: the fault plan.
 *
 * One row a fault and one mali_fault(), mali_fault_hit() or mali_late() where it strikes.
 * Rows keep their number (it is the index in the migrated state): new ones go behind the
 * last. docs/faults.md is made from this table (rig/gpu/fault_table.py).
 */
#include "mali_int.h"

#include <string.h>

typedef enum FaultKind {
    LEVEL, /* as long as it is not 0 */
    COUNT, /* the next n; counts down */
    NTH,   /* the n-th from now; counts down */
    US,    /* so many microseconds of virtual time later */
    VALUE, /* what it says */
    MASK,  /* bits; each goes out when it has struck */
} FaultKind;

/* @wait: the wait of the driver (spec 6.12) that it is about; @how: what becomes of that. */
typedef struct FaultRow {
    const char *name, *wait, *how;
    FaultKind kind;
    const char *help;
} FaultRow;

/* clang-format off */
static const FaultRow rows[MALI_FAULT_COUNT] = {
    [MALI_FAULT_BOOT_FAIL] = { "boot-fail", "MCU boot", "wrong", NTH,
        "that boot ends in MCU_STATUS FATAL" },
    [MALI_FAULT_HALT_NEVER] = { "halt-never", "MCU halt", "never", LEVEL,
        "GLB HALT is ignored, which forces the slow path at resume" },
    [MALI_FAULT_PING_NEVER] = { "ping-never", "PING ack", "never", LEVEL,
        "GLB PING is not acknowledged, which forces a GPU reset" },
    [MALI_FAULT_FLUSH_NEVER] = { "flush-never", "cache flush irq", "never", COUNT,
        "a FLUSH_CACHES never completes, which forces a GPU reset" },
    [MALI_FAULT_CSG_ACK_NEVER] = { "csg-ack-never", "CSG request ack", "never", LEVEL,
        "CSG requests are not acknowledged" },
    [MALI_FAULT_IGNORE_SUSPEND_BUF] = { "ignore-suspend-buf", "-", "mutant", LEVEL,
        "RESUME starts from the zero state" },
    [MALI_FAULT_CORRUPT_SECTION] = { "corrupt-section", "-", "mutant", VALUE,
        "the word is written to the start of each PROT section at MCU boot" },
    [MALI_FAULT_PROTM_ENTER_NEVER] = { "protm-enter-never", "PROTM ack", "never", LEVEL,
        "GLB PROTM_ENTER is not acknowledged" },
    [MALI_FAULT_PROTM_STATUS_NEVER] = { "protm-status-never", "PROTM active", "never", LEVEL,
        "PROTM_ENTER is acknowledged, but GPU_STATUS never says that protected mode is active" },
    [MALI_FAULT_PROTM_EXIT_NEVER] = { "protm-exit-never", "PROTM exit", "never", LEVEL,
        "protected mode is left by a reset only; requests of the host stay unanswered" },
    [MALI_FAULT_PROTM_EXIT_SPURIOUS] = { "protm-exit-spurious", "PROTM exit", "wrong", COUNT,
        "a doorbell 0 in normal mode raises PROTM_EXIT" },
    [MALI_FAULT_PROTM_PEND_NEVER] = { "protm-pend-never", "PROTM pending", "never", LEVEL,
        "PROT_REGION raises no PROTM_PENDING" },
    [MALI_FAULT_PWR_DELEGATE_NEVER] = { "pwr-delegate-never", "arch 14 delegation", "never", LEVEL,
        "PWR_COMMAND DELEGATE is ignored" },
    [MALI_FAULT_RUN_NEVER] = { "run-never", "job timeout", "never", NTH,
        "that RUN_* never completes: its scoreboard entry stays busy" },
    [MALI_FAULT_TILER_OOM] = { "tiler-oom", "-", "event", NTH,
        "that tiling job runs out of heap memory" },
    [MALI_FAULT_L2_LATE] = { "l2-late", "L2 PWRTRANS/READY", "late", US,
        "L2 is ready so much after PWRON (arch 10 to 13)" },
    [MALI_FAULT_L2_WRONG] = { "l2-wrong", "L2 PWRTRANS/READY", "wrong", LEVEL,
        "L2_READY reads 2: another core than the one that is there" },
    [MALI_FAULT_L2_NEVER] = { "l2-never", "L2 PWRTRANS/READY", "never", COUNT,
        "a PWRON of L2 is ignored" },
    [MALI_FAULT_RESET_LATE] = { "reset-late", "GPU soft reset irq", "late", US,
        "RESET_COMPLETED comes so much after the reset" },
    [MALI_FAULT_RESET_WRONG] = { "reset-wrong", "GPU soft reset irq", "wrong", COUNT,
        "a reset ends with CLEAN_CACHES_COMPLETED" },
    [MALI_FAULT_RESET_NEVER] = { "reset-never", "GPU soft reset irq", "never", COUNT,
        "a reset ends without RESET_COMPLETED" },
    [MALI_FAULT_FLUSH_LATE] = { "flush-late", "cache flush irq", "late", US,
        "FLUSH_CACHES takes so long" },
    [MALI_FAULT_FLUSH_WRONG] = { "flush-wrong", "cache flush irq", "wrong", COUNT,
        "a FLUSH_CACHES ends with RESET_COMPLETED" },
    [MALI_FAULT_AS_LATE] = { "as-late", "AS_STATUS", "late", US,
        "an address-space command takes so long, AS_STATUS says ACTIVE" },
    [MALI_FAULT_AS_WRONG] = { "as-wrong", "AS_STATUS", "wrong", COUNT,
        "an address-space command is told as done, but was not executed" },
    [MALI_FAULT_AS_NEVER] = { "as-never", "AS_STATUS", "never", COUNT,
        "an address-space command stays ACTIVE until the GPU is reset" },
    [MALI_FAULT_BOOT_LATE] = { "boot-late", "MCU boot irq", "late", US,
        "the MCU boots so much after MCU_CONTROL" },
    [MALI_FAULT_BOOT_NEVER] = { "boot-never", "MCU boot irq", "never", COUNT,
        "MCU_CONTROL AUTO does nothing" },
    [MALI_FAULT_BOOT_VERSION] = { "boot-version", "MCU boot irq", "wrong", VALUE,
        "the interface version that the firmware tells (0x01000000 to 0xff...; 1: version 0, a failed boot)" },
    [MALI_FAULT_HALT_LATE] = { "halt-late", "MCU halt", "late", US,
        "GLB HALT takes so long" },
    [MALI_FAULT_HALT_WRONG] = { "halt-wrong", "MCU halt", "wrong", COUNT,
        "a HALT ends in MCU_STATUS FATAL" },
    [MALI_FAULT_STOP_LATE] = { "stop-late", "MCU stop", "late", US,
        "MCU_CONTROL DISABLE takes so long" },
    [MALI_FAULT_STOP_WRONG] = { "stop-wrong", "MCU stop", "wrong", COUNT,
        "a DISABLE ends in MCU_STATUS HALT" },
    [MALI_FAULT_STOP_NEVER] = { "stop-never", "MCU stop", "never", COUNT,
        "a DISABLE is ignored" },
    [MALI_FAULT_PING_LATE] = { "ping-late", "PING ack", "late", US,
        "PING is acknowledged so much later" },
    [MALI_FAULT_PING_WRONG] = { "ping-wrong", "PING ack", "wrong", COUNT,
        "a PING is answered by a change of FWCFG_UPDATE's acknowledgement" },
    [MALI_FAULT_CSG_ACK_LATE] = { "csg-ack-late", "CSG request ack", "late", US,
        "CSG requests are looked at so much later" },
    [MALI_FAULT_CSG_ACK_WRONG] = { "csg-ack-wrong", "CSG request ack", "wrong", COUNT,
        "a CSG request is done, but another STATE is acknowledged" },
    [MALI_FAULT_JOB_LATE] = { "job-late", "job timeout", "late", US,
        "streams start to run so much after a doorbell" },
    [MALI_FAULT_JOB_NEVER] = { "job-never", "job timeout", "never", LEVEL,
        "streams do not run" },
    [MALI_FAULT_PROTM_ENTER_LATE] = { "protm-enter-late", "PROTM ack", "late", US,
        "PROTM_ENTER is looked at so much later" },
    [MALI_FAULT_PROTM_STATUS_LATE] = { "protm-status-late", "PROTM active", "late", US,
        "GPU_STATUS says so much later that protected mode is active" },
    [MALI_FAULT_PROTM_STATUS_WRONG] = { "protm-status-wrong", "PROTM active", "wrong", COUNT,
        "GPU_STATUS goes on saying so after an exit" },
    [MALI_FAULT_PROTM_EXIT_LATE] = { "protm-exit-late", "PROTM exit", "late", US,
        "protected mode is left so much later" },
    [MALI_FAULT_PROTM_EXIT_SILENT] = { "protm-exit-silent", "PROTM exit", "wrong", COUNT,
        "an exit raises no PROTM_EXIT" },
    [MALI_FAULT_PWR_POWER_LATE] = { "pwr-power-late", "arch 14 transition", "late", US,
        "a power command takes so long" },
    [MALI_FAULT_PWR_POWER_WRONG] = { "pwr-power-wrong", "arch 14 transition", "wrong", COUNT,
        "a power command ends with NOT_ALLOWED" },
    [MALI_FAULT_PWR_POWER_NEVER] = { "pwr-power-never", "arch 14 transition", "never", COUNT,
        "a power command is ignored" },
    [MALI_FAULT_PWR_DELEGATE_LATE] = { "pwr-delegate-late", "arch 14 delegation", "late", US,
        "DELEGATE takes so long" },
    [MALI_FAULT_PWR_DELEGATE_WRONG] = { "pwr-delegate-wrong", "arch 14 delegation", "wrong", COUNT,
        "DELEGATE ends with NOT_ALLOWED" },
    [MALI_FAULT_PWR_RETRACT_LATE] = { "pwr-retract-late", "arch 14 retract", "late", US,
        "RETRACT takes so long" },
    [MALI_FAULT_PWR_RETRACT_WRONG] = { "pwr-retract-wrong", "arch 14 retract", "wrong", COUNT,
        "RETRACT ends with NOT_ALLOWED" },
    [MALI_FAULT_PWR_RETRACT_NEVER] = { "pwr-retract-never", "arch 14 retract", "never", COUNT,
        "RETRACT is ignored" },
    [MALI_FAULT_PWR_RESET_LATE] = { "pwr-reset-late", "arch 14 reset", "late", US,
        "a reset takes so long" },
    [MALI_FAULT_PWR_RESET_WRONG] = { "pwr-reset-wrong", "arch 14 reset", "wrong", COUNT,
        "a reset ends with NOT_ALLOWED" },
    [MALI_FAULT_PWR_RESET_NEVER] = { "pwr-reset-never", "arch 14 reset", "never", COUNT,
        "a reset is ignored" },
    [MALI_FAULT_CS_FAULT_AT] = { "cs-fault-at", "-", "raise", NTH,
        "CS_FAULT at that instruction of any stream" },
    [MALI_FAULT_CS_FAULT_CODE] = { "cs-fault-code", "-", "raise", VALUE,
        "the code that cs-fault-at raises; 0: 0x05 KABOOM" },
    [MALI_FAULT_CS_FATAL_AT] = { "cs-fatal-at", "-", "raise", NTH,
        "CS_FATAL instead of that instruction of any stream" },
    [MALI_FAULT_CS_FATAL_CODE] = { "cs-fatal-code", "-", "raise", VALUE,
        "the code that cs-fatal-at raises; 0: 0x49 INSTR_INVALID" },
    [MALI_FAULT_MMU_FAULT_AT] = { "mmu-fault-at", "-", "raise", NTH,
        "an MMU fault at that access of any stream" },
    [MALI_FAULT_MMU_FAULT_CODE] = { "mmu-fault-code", "-", "raise", VALUE,
        "the code that mmu-fault-at raises; 0: 0xc3 TRANSLATION_FAULT_3" },
    [MALI_FAULT_GPU_FAULT_AT] = { "gpu-fault-at", "-", "raise", NTH,
        "a bus fault at that access of any stream" },
    [MALI_FAULT_GPU_FAULT_CODE] = { "gpu-fault-code", "-", "raise", VALUE,
        "the code that gpu-fault-at raises; 0: 0x80 GPU_BUS_FAULT" },
    [MALI_FAULT_IRQ_DROP_JOB] = { "irq-drop-job", "-", "drop", MASK,
        "the next raise of each of these bits is lost (JOB_IRQ_RAWSTAT)" },
    [MALI_FAULT_IRQ_DROP_MMU] = { "irq-drop-mmu", "-", "drop", MASK,
        "the next raise of each of these bits is lost (MMU_IRQ_RAWSTAT)" },
    [MALI_FAULT_IRQ_DROP_GPU] = { "irq-drop-gpu", "-", "drop", MASK,
        "the next raise of each of these bits is lost (GPU_IRQ_RAWSTAT)" },
    [MALI_FAULT_IRQ_DROP_PWR] = { "irq-drop-pwr", "-", "drop", MASK,
        "the next raise of each of these bits is lost (PWR_IRQ_RAWSTAT)" },
    [MALI_FAULT_IRQ_DOUBLE_JOB] = { "irq-double-job", "-", "double", MASK,
        "each of these bits is raised once more when the host clears it (JOB_IRQ_RAWSTAT)" },
    [MALI_FAULT_IRQ_DOUBLE_MMU] = { "irq-double-mmu", "-", "double", MASK,
        "each of these bits is raised once more when the host clears it (MMU_IRQ_RAWSTAT)" },
    [MALI_FAULT_IRQ_DOUBLE_GPU] = { "irq-double-gpu", "-", "double", MASK,
        "each of these bits is raised once more when the host clears it (GPU_IRQ_RAWSTAT)" },
    [MALI_FAULT_IRQ_DOUBLE_PWR] = { "irq-double-pwr", "-", "double", MASK,
        "each of these bits is raised once more when the host clears it (PWR_IRQ_RAWSTAT)" },
    [MALI_FAULT_PROTM_FAULT_AT] = { "protm-fault-at", "-", "raise", NTH,
        "a bus fault at that access of a stream in protected mode" },
    [MALI_FAULT_PROTM_LEAK] = { "protm-leak", "-", "leak", VALUE,
        "stores in protected mode go to normal memory as well, so many bytes behind the code" },
    [MALI_FAULT_GPU_ID_WRONG] = { "gpu-id-wrong", "-", "wrong", LEVEL,
        "GPU_ID tells of an architecture that nobody knows (15)" },
    [MALI_FAULT_PROTM_STATUS_STUCK] = { "protm-status-stuck", "PROTM exit", "wrong", LEVEL,
        "GPU_STATUS says that protected mode is active, behind an exit and behind a reset, too" },
};
/* clang-format on */
_Static_assert(MALI_FAULT_COUNT <= MALI_MAX_FAULTS, "MaliState.fault is too small");

static int find(const char *name)
{
    for (int i = 0; i < MALI_FAULT_COUNT; i++) {
        if (rows[i].name && !strcmp(rows[i].name, name)) {
            return i;
        }
    }
    return -1;
}

bool mali_fault_hit(MaliGpu *g, MaliFault f)
{
    uint32_t *v = &g->s.fault[f];
    bool hit = *v;

    if (hit && rows[f].kind == COUNT) {
        --*v;
    } else if (hit && rows[f].kind == NTH) {
        hit = --*v == 0;
    }
    if (hit) {
        mali_fault_struck(g, f);
    }
    return hit;
}

/* Never in the saved state: what a restored guest is asked about is what happens from there on. */
void mali_fault_struck(MaliGpu *g, MaliFault f)
{
    g->struck[f] += g->struck[f] != UINT32_MAX;
}

bool mali_fault_strikes(const MaliGpu *g, const char *name, uint32_t *count)
{
    int i = find(name);

    if (i < 0) {
        return false;
    }
    *count = g->struck[i];
    return true;
}

void mali_fault_changed(MaliGpu *g)
{
    g->inject = mali_fault(g, MALI_FAULT_CS_FAULT_AT) || mali_fault(g, MALI_FAULT_CS_FATAL_AT) ||
                mali_fault(g, MALI_FAULT_MMU_FAULT_AT) || mali_fault(g, MALI_FAULT_GPU_FAULT_AT) ||
                mali_fault(g, MALI_FAULT_PROTM_FAULT_AT);
}

bool mali_fault_set(MaliGpu *g, const char *name, uint32_t arg)
{
    int i = find(name);

    if (i < 0) {
        return false;
    }
    g->s.fault[i] = arg;
    mali_fault_changed(g);
    mali_engine_kick(g); /* it may be what keeps streams from running */
    return true;
}

bool mali_fault_get(const MaliGpu *g, const char *name, uint32_t *arg)
{
    int i = find(name);

    if (i < 0) {
        return false;
    }
    *arg = g->s.fault[i];
    return true;
}

const char *mali_fault_name(unsigned i)
{
    return i < MALI_FAULT_COUNT ? rows[i].name : NULL;
}

const char *mali_fault_help(unsigned i)
{
    return i < MALI_FAULT_COUNT ? rows[i].help : NULL;
}
