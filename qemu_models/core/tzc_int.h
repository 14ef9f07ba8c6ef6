/* SPDX-License-Identifier: GPL-2.0-or-later */
/* TZC-400: register map and what its files share. */
#ifndef MALI_TZC_INT_H
#define MALI_TZC_INT_H

#include "tzc.h"

#define REG_BUILD_CONFIG   0x000u
#define REG_ACTION         0x004u
#define REG_GATE_KEEPER    0x008u
#define REG_SPECULATION    0x00cu
#define REG_INT_STATUS     0x010u
#define REG_INT_CLEAR      0x014u
#define REG_FAIL_ADDR_LOW  0x020u /* of filter 0, the only one */
#define REG_FAIL_ADDR_HIGH 0x024u
#define REG_FAIL_CONTROL   0x028u
#define REG_FAIL_ID        0x02cu
#define REG_REGION         0x100u
#define REG_ID             TZC_MMIO_IDS

#define RGN_STRIDE     0x20u
#define RGN_BASE_LOW   0x00u
#define RGN_BASE_HIGH  0x04u
#define RGN_TOP_LOW    0x08u
#define RGN_TOP_HIGH   0x0cu
#define RGN_ATTRIBUTES 0x10u
#define RGN_ID_ACCESS  0x14u

#define FILTER          1u /* filter enable, gate: of filter 0 */
#define ATTR_S_READ     (1u << 30)
#define ATTR_S_WRITE    (1u << 31)
#define ACTION_ERROR    1u
#define ACTION_IRQ      2u
#define INT_STATUS      (1u << 0)
#define INT_OVERRUN     (1u << 8)
#define INT_OVERLAP     (1u << 16)
#define FAIL_PRIVILEGED (1u << 20)
#define FAIL_NONSECURE  (1u << 21)
#define FAIL_WRITE      (1u << 24)

/* tzc.c */
unsigned tzc_region_of(const Tzc *t, uint64_t addr, bool *overlap);

/* tzc_life.c */
void tzc_log_denial(Tzc *t, const TzcAccess *a, unsigned region);
void tzc_log_region(Tzc *t, unsigned n, bool on);

#endif
