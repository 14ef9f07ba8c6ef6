/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mali CSF GPU model: counters for oracles. */
#include "mali_int.h"

#include <string.h>

static const char *const names[MALI_CNT_COUNT] = {
    [MALI_CNT_POWER_ONS] = "power-ons", /* L2 off -> on */
    [MALI_CNT_VIOLATIONS] = "violations",
    [MALI_CNT_PINGS] = "pings",         /* acknowledged ones */
    [MALI_CNT_RESETS] = "resets",       /* GPU_CMD RESET of any kind */
    [MALI_CNT_MCU_BOOTS] = "mcu-boots", /* tried ones: failed boots count */
    [MALI_CNT_MMIO_READS] = "mmio-reads",
    [MALI_CNT_MMIO_WRITES] = "mmio-writes",
    [MALI_CNT_INSTRUCTIONS] = "instructions",
    [MALI_CNT_SUPPRESSED] = "suppressed", /* events that did not fit the log's budget */
};
_Static_assert(MALI_CNT_COUNT <= MALI_MAX_COUNTERS, "MaliState.counter is too small");

const char *mali_counter_name(unsigned i)
{
    return i < MALI_CNT_COUNT ? names[i] : NULL;
}

bool mali_counter(const MaliGpu *g, const char *name, uint64_t *value)
{
    for (unsigned i = 0; i < MALI_CNT_COUNT; i++) {
        if (names[i] && !strcmp(names[i], name)) {
            *value = g->s.counter[i];
            return true;
        }
    }
    return false;
}
