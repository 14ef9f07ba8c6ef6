/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mali CSF GPU model: what the fault plan makes late.
 *
 * Everything completes in the register write (spec 0.3) unless a row of kind US says
 * when. Then the request is put down here with its argument and made once more at its
 * time; a second request of the same sort before that replaces the first.
 */
#include "mali_int.h"

#include <string.h>

bool mali_late(MaliGpu *g, MaliLate what, MaliFault f, uint32_t arg)
{
    uint64_t us = mali_fault(g, f);

    if (!us || g->late_now == (int)what) {
        return false;
    }
    mali_fault_struck(g, f);
    g->s.late_at[what] = g->ops.now_ns(g->opaque) + us * 1000;
    g->s.late_arg[what] = arg;
    mali_timer_rearm(g);
    return true;
}

bool mali_late_pending(const MaliGpu *g, MaliLate what)
{
    return g->s.late_at[what] != 0;
}

uint64_t mali_late_deadline(const MaliGpu *g)
{
    uint64_t when = MALI_NEVER;

    for (unsigned i = 0; i < MALI_LATE_COUNT; i++) {
        if (g->s.late_at[i] && g->s.late_at[i] < when) {
            when = g->s.late_at[i];
        }
    }
    return when;
}

void mali_late_drop(MaliGpu *g)
{
    memset(g->s.late_at, 0, sizeof(g->s.late_at));
    g->s.as_stuck = 0;
}

static void again(MaliGpu *g, MaliLate what, uint32_t arg)
{
    switch (what) {
    case MALI_LATE_L2: mali_power_write(g, GPU_PWRON + GPU_DOMAIN_L2, arg); break;
    case MALI_LATE_RESET: mali_irq_raise(g, MALI_IRQ_GPU, GPU_IRQ_RESET_COMPLETED); break;
    case MALI_LATE_FLUSH: mali_flush_done(g); break;
    case MALI_LATE_BOOT:
    case MALI_LATE_STOP: mali_mcu_control(g, arg); break;
    case MALI_LATE_HALT:
    case MALI_LATE_PING:
    case MALI_LATE_PROTM_ENTER: mali_glb_doorbell(g); break;
    case MALI_LATE_JOB: mali_engine_kick(g); break;
    case MALI_LATE_PROTM_STATUS: mali_protm_show(g); break;
    case MALI_LATE_PROTM_EXIT: mali_protm_leave_late(g); break;
    case MALI_LATE_PWR: mali_pwr_write(g, PWR_COMMAND, arg); break;
    default:
        if (what >= MALI_LATE_CSG) {
            mali_csg_process(g, what - MALI_LATE_CSG);
        } else {
            mali_as_write(g, what - MALI_LATE_AS, AS_COMMAND, arg);
        }
    }
}

void mali_late_timer(MaliGpu *g)
{
    uint64_t now = g->ops.now_ns(g->opaque);

    for (unsigned i = 0; i < MALI_LATE_COUNT; i++) {
        if (g->s.late_at[i] && g->s.late_at[i] <= now) {
            g->s.late_at[i] = 0;
            g->late_now = (int)i;
            again(g, (MaliLate)i, g->s.late_arg[i]);
            g->late_now = -1;
        }
    }
}
