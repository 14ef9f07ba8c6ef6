/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "env.h"

#define BUF 0x10000u

void env_group(Env *e, Machine *m, unsigned nq)
{
    e->m = m;
    grp_new(m, &e->g, nq, RING);
    e->code_va = grp_bo(m, &e->g, BUF, &e->code_pa);
    e->data_va = grp_bo(m, &e->g, BUF, &e->data_pa);
}

static void start(Env *e, Machine *m, unsigned nq)
{
    env_group(e, m, nq);
    grp_bind(m, &e->g, 0, 1, CSG_STATE_START);
    env_ack(e);
}

void env_new(Env *e, unsigned nq)
{
    start(e, mach_boot(), nq);
}

void env_new_ips(Env *e, unsigned nq, uint32_t ips)
{
    env_new_cfg(e, nq, &(MaliConfig){ .cs_ips = ips });
}

void env_new_cfg(Env *e, unsigned nq, const MaliConfig *cfg)
{
    Machine *m = mach_new_cfg(cfg);

    l2_on(m);
    fw_boot(m, &fw_default);
    start(e, m, nq);
}

void env_code(Env *e, const uint64_t *instr, unsigned n)
{
    memcpy(ram_ptr(e->m, e->code_pa, 8 * n), instr, 8 * n);
}

void env_job(Env *e, unsigned q, uint64_t code_va, unsigned n, uint64_t sync_va)
{
    const uint64_t job[16] = {
        MOVE32(94, rd(e->m, LATEST_FLUSH_ID)),
        FLUSH_CACHE2(94),
        MOVE48(92, code_va),
        MOVE32(94, 8 * n),
        WAIT(1),
        CALL(92, 94),
        MOVE48(92, sync_va),
        MOVE48(94, 1),
        WAIT(0xff),
        SYNC(CS_OP_SYNC_ADD64, 92, 94, CS_SCOPE_SYSTEM, 1),
        ERROR_BARRIER(),
    };

    grp_submit(e->m, &e->g, q, job, 16);
}

void env_run(Env *e, const uint64_t *instr, unsigned n)
{
    grp_submit(e->m, &e->g, 0, instr, n);
    grp_ring(e->m, &e->g);
    mach_run(e->m, 2 * MS);
}

void env_ack(Env *e)
{
    for (unsigned i = 0; i < 100 && (rd(e->m, JOB_INT_BASE + INT_RAWSTAT) & JOB_INT_CSG(e->g.slot));
         i++) {
        csg_ack_events(e->m, e->g.slot);
    }
    CHECK(!(rd(e->m, JOB_INT_BASE + INT_RAWSTAT) & JOB_INT_CSG(e->g.slot))); /* pitfall 3 */
}

uint32_t env_d32(Env *e, unsigned off)
{
    return ram_r32(e->m, e->data_pa + off);
}

uint64_t env_d64(Env *e, unsigned off)
{
    return ram_r64(e->m, e->data_pa + off);
}

uint64_t env_extract(Env *e, unsigned q)
{
    return mcu_r64(e->m, e->g.q[q].out_va + RING_OUT_EXTRACT);
}

MaliCs *env_cs(Env *e, unsigned q)
{
    return &e->m->gpu->s.csg[e->g.slot].cs[q];
}
