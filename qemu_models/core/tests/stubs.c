/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Weak stand-ins for the command-stream half of the core, so that the tests of the
 * other half link without it. The real functions win.
 */
#include "machine.h"

#define WEAK __attribute__((weak))

WEAK void mali_csg_boot(MaliGpu *g) { (void)g; }
WEAK void mali_csg_stop_all(MaliGpu *g) { (void)g; }
WEAK void mali_csg_process(MaliGpu *g, unsigned csg) { (void)g; (void)csg; }
WEAK void mali_csg_doorbell(MaliGpu *g, unsigned doorbell) { (void)g; (void)doorbell; }
WEAK void mali_csg_as_updated(MaliGpu *g, unsigned as) { (void)g; (void)as; }
WEAK bool mali_csg_valid(const MaliState *s) { (void)s; return true; }
WEAK void mali_engine_run(MaliGpu *g) { (void)g; }

WEAK void mali_timer_rearm(MaliGpu *g)
{
    if (g->timer_set != g->s.idle_deadline) {
        g->timer_set = g->s.idle_deadline;
        g->ops.set_timer(g->opaque, g->timer_set);
    }
}
