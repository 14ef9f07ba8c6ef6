/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the fuzz targets share: a machine that is booted once and put back before each
 * input, and the rules that must hold whatever a guest does. A target has fuzz_cfg (the
 * GPUs it takes turns with), fuzz_prepare() and fuzz_input().
 *
 * Rules (fuzz_rules): the state that a guest has brought about can be saved and loaded
 * again; lines are RAWSTAT & MASK; one call does a bounded amount of work. Memory errors
 * and undefined behaviour are the sanitizers'.
 */
#ifndef MALI_FUZZ_H
#define MALI_FUZZ_H

#include "../tests/env.h"

/* The input, read front to back; behind its end there are zeros. */
typedef struct In {
    const uint8_t *p, *end;
} In;

uint64_t in_take(In *in, unsigned bytes); /* little endian, at most 8 */
static inline bool in_left(const In *in)
{
    return in->p < in->end;
}

/* ---- a target ---- */
extern const char *const fuzz_gpus[]; /* rows; the input's first byte picks one */
extern const unsigned fuzz_num_gpus;
void fuzz_prepare(Env *e, const char *gpu); /* up to where all inputs start */
void fuzz_input(Env *e, In *in);

/* ---- for targets ---- */
void fuzz_boot(Env *e, const char *gpu, const FwOpts *fw); /* booted, no group yet */
void fuzz_start(Env *e, const char *gpu, unsigned nq);     /* group on slot 0, AS 1 */
void fuzz_time(Env *e, In *in);                            /* some virtual time passes */
void fuzz_doorbell(Env *e, In *in);
void fuzz_as_command(Env *e, In *in);

#endif
