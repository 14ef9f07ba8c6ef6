/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mali CSF GPU model: the fault plan.
 *
 * One row a fault and one mali_fault() where it strikes. Rows keep their number
 * (it is the index in the migrated state): new ones go behind the last.
 */
#include "mali_int.h"

#include <string.h>

typedef struct FaultRow {
    const char *name, *help;
} FaultRow;

/* clang-format off */
static const FaultRow rows[MALI_FAULT_COUNT] = {
    [MALI_FAULT_BOOT_FAIL] = { "boot-fail",
        "n: the n-th MCU boot from now ends in MCU_STATUS FATAL; counts down" },
    [MALI_FAULT_HALT_NEVER] = { "halt-never",
        "1: GLB HALT is ignored, which forces the slow path at resume" },
    [MALI_FAULT_PING_NEVER] = { "ping-never",
        "1: GLB PING is not acknowledged, which forces a GPU reset" },
    [MALI_FAULT_FLUSH_NEVER] = { "flush-never",
        "n: the next n GPU_CMD FLUSH_CACHES never complete, which forces a GPU reset; counts down" },
    [MALI_FAULT_CSG_ACK_NEVER] = { "csg-ack-never",
        "1: CSG requests are not acknowledged" },
    [MALI_FAULT_IGNORE_SUSPEND_BUF] = { "ignore-suspend-buf",
        "1: device mutant: RESUME starts from the zero state" },
    [MALI_FAULT_CORRUPT_SECTION] = { "corrupt-section",
        "w: device mutant: word w is written to the start of each PROT section at MCU boot" },
    [MALI_FAULT_PROTM_ENTER_NEVER] = { "protm-enter-never",
        "1: GLB PROTM_ENTER is not acknowledged" },
    [MALI_FAULT_PROTM_STATUS_NEVER] = { "protm-status-never",
        "1: PROTM_ENTER is acknowledged, but GPU_STATUS never says that protected mode is active" },
    [MALI_FAULT_PROTM_EXIT_NEVER] = { "protm-exit-never",
        "1: protected mode is left by a reset only; requests of the host stay unanswered" },
    [MALI_FAULT_PROTM_EXIT_SPURIOUS] = { "protm-exit-spurious",
        "n: the next n doorbells 0 in normal mode raise PROTM_EXIT; counts down" },
    [MALI_FAULT_PROTM_PEND_NEVER] = { "protm-pend-never",
        "1: PROT_REGION raises no PROTM_PENDING" },
    [MALI_FAULT_PWR_DELEGATE_NEVER] = { "pwr-delegate-never",
        "1: arch 14: PWR_COMMAND DELEGATE is ignored" },
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

bool mali_fault_set(MaliGpu *g, const char *name, uint32_t arg)
{
    int i = find(name);

    if (i < 0) {
        return false;
    }
    g->s.fault[i] = arg;
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
