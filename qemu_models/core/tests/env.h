/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A booted machine with one group of some queues, a code and a data buffer: for csg, cs and
 * suspend. */
#ifndef MALI_TEST_ENV_H
#define MALI_TEST_ENV_H

#include "asm.h"
#include "machine.h"
#include "t.h"

#define MS   UINT64_C(1000000)
#define SEC  (1000 * MS)
#define RING 0x1000u

typedef struct Env {
    Machine *m;
    TGroup g;
    uint64_t end;                                /* of the fuzzers: no time after that */
    uint64_t code_va, code_pa, data_va, data_pa; /* 64 KiB each */
} Env;

/* The group is not on a slot yet. */
void env_group(Env *e, Machine *m, unsigned nq);
/* Booted, group started in slot 0 with AS 1, idle event acknowledged. */
void env_new(Env *e, unsigned nq);
/* The same with another configuration, with a pace. */
void env_new_cfg(Env *e, unsigned nq, const MaliConfig *cfg);
void env_new_ips(Env *e, unsigned nq, uint32_t ips);
void env_code(Env *e, const uint64_t *instr, unsigned n);
/* What panthor emits for one job that calls the code buffer's first @n instructions
 * (sched.c:3217-3297). */
void env_job(Env *e, unsigned q, uint64_t code_va, unsigned n, uint64_t sync_va);
/* Instructions straight into the ring, doorbell, some time. */
void env_run(Env *e, const uint64_t *instr, unsigned n);
/* Acknowledges events until none is left: what the irq thread does. */
void env_ack(Env *e);
uint32_t env_d32(Env *e, unsigned off);
uint64_t env_d64(Env *e, unsigned off);
uint64_t env_extract(Env *e, unsigned q);
MaliCs *env_cs(Env *e, unsigned q);

#endif
