/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The frame of all fuzz targets: see fuzz.h. */
#include "fuzz.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#define MAX_READS 2000000u  /* of memory in one input; a slice has some 20,000 */
#define MAX_TIME  (20 * MS) /* virtual, of one input */
#define MAX_GPUS  8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A machine as it is before each input. */
typedef struct Start {
    Env env;
    Machine machine;
    MaliGpu gpu;
    uint8_t *ram;
    size_t ram_len;
} Start;

static Start starts[MAX_GPUS];
static jmp_buf leave;

/* ---- what tests/t.c gives the tests ---- */

/* The host's helpers give up where the input has broken what they stand on: no finding. */
void t_fail(const char *file, int line, const char *fmt, ...)
{
    (void)file;
    (void)line;
    (void)fmt;
    longjmp(leave, 1);
}

void t_register(TCase *c)
{
    (void)c;
}

/* ---- input ---- */

uint64_t in_take(In *in, unsigned bytes)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < bytes && in_left(in); i++) {
        v |= (uint64_t)*in->p++ << (8 * i);
    }
    return v;
}

/* ---- rules ---- */

static void demand(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "fuzz: %s\n", what);
        abort();
    }
}

static bool loads_again(Machine *m)
{
    size_t len = mali_save(m->gpu, NULL, 0);
    void *blob = malloc(len);
    bool ok;

    mali_save(m->gpu, blob, len);
    ok = mali_load(m->gpu, blob, len, NULL);
    free(blob);
    return ok;
}

static void rules(Machine *m)
{
    const MaliIrqBlock *block[] = { &m->gpu->s.job_irq, &m->gpu->s.mmu_irq, &m->gpu->s.gpu_irq };
    const MaliIrqBlock *pwr = &m->gpu->s.pwr_irq;

    for (unsigned i = 0; i < MALI_IRQ_COUNT; i++) {
        bool level = (block[i]->rawstat & block[i]->mask) ||
                     (i == MALI_IRQ_GPU && (pwr->rawstat & pwr->mask));

        demand(m->line[i] == level, "a line is not what its registers say");
    }
    demand(m->reads < MAX_READS, "unbounded work");
    demand(loads_again(m), "a state of ours does not load");
    for (const char *p = m->log; p && *p; p++) {
        demand((*p >= 0x20 && *p < 0x7f) || *p == '\n', "a byte of the guest's in the log");
    }
}

/* ---- one input ---- */

static void make_start(Start *s, const char *gpu)
{
    Machine *m;

    fuzz_prepare(&s->env, gpu);
    m = s->env.m;
    /* RAM that nobody allocated does not exist: nothing to put back there. */
    m->bad_base = m->ram_next;
    m->bad_end = RAM_BASE + RAM_SIZE;
    s->machine = *m;
    s->gpu = *m->gpu;
    s->ram_len = m->ram_next - RAM_BASE;
    s->ram = malloc(s->ram_len);
    memcpy(s->ram, m->ram, s->ram_len);
}

static void put_back(Start *s, Env *e)
{
    Machine *m = s->env.m;
    char *log = m->log;
    size_t cap = m->log_cap;

    *e = s->env;
    *m->gpu = s->gpu;
    memcpy(m->ram, s->ram, s->ram_len);
    *m = s->machine;
    m->log = log;
    m->log_cap = cap;
    m->reads = 0;
    ev_clear(m);
}

static void run(Start *s, In *in)
{
    static Env e;

    put_back(s, &e);
    e.end = e.m->now + MAX_TIME;
    if (!setjmp(leave)) {
        fuzz_input(&e, in);
        mach_run(e.m, 5 * MS);
    }
    rules(e.m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    In in = { data, data + size };
    unsigned gpu = (unsigned)in_take(&in, 1) % fuzz_num_gpus;

    if (!starts[gpu].ram) {
        if (setjmp(leave)) {
            demand(false, "the machine does not start");
        }
        make_start(&starts[gpu], fuzz_gpus[gpu]);
    }
    run(&starts[gpu], &in);
    return 0;
}

/* ---- for targets ---- */

void fuzz_boot(Env *e, const char *gpu, const FwOpts *fw)
{
    /* Paced, so that a loop costs what its virtual time does. */
    const MaliConfig cfg = { .gpu = gpu, .cs_ips = 4000000, .async_ns = 700 };
    Machine *m = mach_new_cfg(&cfg);

    e->m = m;
    if (mali_has_pwr(m->gpu)) {
        wr(m, PWR_CMDARG, 1);
        wr(m, PWR_COMMAND, PWR_COMMAND_POWER_UP);
    } else {
        l2_on(m);
    }
    fw_boot(m, fw);
}

void fuzz_start(Env *e, const char *gpu, unsigned nq)
{
    const FwOpts fw = { .suspend_size = 0x3000, .protm_suspend_size = 0x5000, .map_prot = true };

    fuzz_boot(e, gpu, &fw);
    env_group(e, e->m, nq);
    grp_bind(e->m, &e->g, 0, 1, CSG_STATE_START);
    env_ack(e);
}

void fuzz_time(Env *e, In *in)
{
    uint64_t ns = in_take(in, 1) * 20000;

    if (e->m->now + ns < e->end) {
        mach_run(e->m, ns);
    }
}

void fuzz_doorbell(Env *e, In *in)
{
    wr(e->m, DOORBELL(in_take(in, 1) % 4), 1);
}

void fuzz_as_command(Env *e, In *in)
{
    unsigned as = in_take(in, 1) % 3;

    if (in_take(in, 1) & 1) {
        wr64(e->m, AS_REG(as, AS_LOCKADDR), in_take(in, 8));
    }
    as_cmd(e->m, as, (uint32_t)in_take(in, 1) % 7);
}
