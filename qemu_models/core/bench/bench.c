/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rates of the core without QEMU: `bench` prints one "name value" a line, per second of CPU.
 * Its own CPU time counts, so a busy machine does not matter much.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#include "../tests/env.h"

#define LOOPS 200u /* of 10 ms of virtual time */
#define PAGES 64u  /* the size of the TLB */

/* The machine's helpers want a test to fail; here nothing may. */
void t_fail(const char *file, int line, const char *fmt, ...)
{
    va_list ap;

    fprintf(stderr, "%s:%d: ", file, line);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    exit(EXIT_FAILURE);
}

void t_register(TCase *c)
{
    (void)c;
}

static double cpu_s(void)
{
    return (double)clock() / CLOCKS_PER_SEC;
}

static void instructions(void)
{
    const uint64_t code[] = { ADD_IMM32(4, 4, 1), ADD_IMM32(5, 5, 2), MOVE32(6, 7),
                              BRANCH(CS_COND_ALWAYS, 0, -4) };
    double begin;
    uint64_t before;
    Env e;

    env_new(&e, 1);
    env_code(&e, code, N_INSTR(code));
    env_run(&e, (const uint64_t[]){ MOVE48(90, e.code_va), MOVE32(92, 32), CALL(90, 92) }, 3);
    before = e.m->gpu->s.counter[MALI_CNT_INSTRUCTIONS];
    begin = cpu_s();
    for (unsigned i = 0; i < LOOPS; i++) {
        mach_run(e.m, 10 * MS);
    }
    printf("instructions %.0f\n",
           (double)(e.m->gpu->s.counter[MALI_CNT_INSTRUCTIONS] - before) / (cpu_s() - begin));
}

static void walks(const char *name, bool tlb)
{
    const unsigned rounds = 20000;
    uint64_t va, pa, sum = 0;
    uint32_t fault;
    double begin;
    Env e;

    env_new(&e, 1);
    va = 0x40000000;
    for (unsigned i = 0; i < PAGES; i++) {
        pt_map(e.m, e.g.root, va + i * 4096, e.data_pa, 4096, 0);
    }
    begin = cpu_s();
    for (unsigned i = 0; i < rounds; i++) {
        for (unsigned k = 0; k < PAGES; k++) {
            if (tlb) {
                sum += mali_translate(e.m->gpu, 1, va + k * 4096, MALI_ACC_READ, &pa, NULL, &fault);
            } else {
                sum += !mali_walk(e.m->gpu, 1, va + k * 4096, &pa, NULL);
            }
        }
    }
    if (sum) {
        t_fail(__FILE__, __LINE__, "%u walks failed", (unsigned)sum);
    }
    printf("%s %.0f\n", name, (double)rounds * PAGES / (cpu_s() - begin));
}

/* A busy group leaves its slot through its suspend buffer and comes back on another one. */
static void suspends(void)
{
    const uint64_t code[] = { ADD_IMM32(4, 4, 1), BRANCH(CS_COND_ALWAYS, 0, -2) };
    const unsigned rounds = 2000;
    double begin;
    Env e;

    env_new(&e, 1);
    env_code(&e, code, N_INSTR(code));
    env_run(&e, (const uint64_t[]){ MOVE48(90, e.code_va), MOVE32(92, 16), CALL(90, 92) }, 3);
    begin = cpu_s();
    for (unsigned i = 0; i < rounds; i++) {
        grp_state(e.m, &e.g, CSG_STATE_SUSPEND);
        grp_bind(e.m, &e.g, i & 1 ? 0 : 4, 1, CSG_STATE_RESUME);
    }
    printf("suspend+resume %.0f\n", (double)rounds / (cpu_s() - begin));
    if (ev_count(e.m, "csg-suspend") < rounds || ev_count(e.m, "csg-resume") < rounds) {
        t_fail(__FILE__, __LINE__, "a group was not suspended or resumed each time");
    }
}

int main(void)
{
    instructions();
    suspends();
    walks("walks-with-tlb", true);
    walks("walks-without-tlb", false);
    mach_free_all();
    return EXIT_SUCCESS;
}
