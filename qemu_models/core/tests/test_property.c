/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Save and restore at any instant: the same memory and the same event log as without.
 *
 * Two machines get the same random work and the same random host; one of them is saved
 * again and again and goes on in a device that has just been made. At the end all RAM,
 * all events with their times, and all lines are the same. The test counts where the
 * saves fell, and wants them everywhere that is special.
 */
#include <stdlib.h>

#include "env.h"

#define GROUPS  2u
#define QUEUES  3u
#define STEPS   40u
#define SEEDS   240u
#define STEP_NS (200 * UINT64_C(1000))

typedef struct World {
    Machine *m;
    TGroup g[GROUPS];
    bool busy;       /* jobs that compute for long; else jobs of all sorts */
    bool on[GROUPS]; /* on its slot, as far as the host knows */
    uint64_t data_va[GROUPS], code_va[GROUPS], code_pa[GROUPS], data_pa[GROUPS];
} World;

/* How often a save fell into what. */
static struct Seen {
    unsigned all, running, blocked, outstanding, protected_mode, request_late, parked, held;
} seen;

/* ---- the work ---- */

static uint64_t pick(const uint64_t *from, unsigned n)
{
    return from[t_rand() % n];
}
#define PICK(...)                                                                                  \
    pick((const uint64_t[]){ __VA_ARGS__ }, N_INSTR(((const uint64_t[]){ __VA_ARGS__ })))

/* r0: data, r2: its own counter, r4..: values, r20: loop counter, r90: code. */
static uint64_t body(void)
{
    unsigned q = (unsigned)(t_rand() % QUEUES), off = (unsigned)(t_rand() % 32) * 8;
    uint64_t later = (t_rand() & 1) << 16 | (t_rand() % 8) << 48;

    return PICK(ADD_IMM32(4, 4, 3), ADD_IMM64(6, 6, -5), STORE(4, 0xf, 0, off),
                LOAD(8, 0x3, 0, off), WAIT(1 << t_rand() % 8), WAIT(0xff), WAIT_PROGRESS_INC(),
                SYNC(CS_OP_SYNC_ADD64, 0, 4, CS_SCOPE_SYSTEM, 1) | later,
                SYNC(CS_OP_SYNC_SET32, 0, 6, CS_SCOPE_CSG, 0) | later,
                SYNC_WAIT(CS_OP_SYNC_WAIT64, 0, 8, CS_COND_GT, 0), PROGRESS_STORE(4),
                PROGRESS_WAIT(q, 8), STORE_STATE(CS_STORE_TIMESTAMP, 0, 512 + off) | later,
                I_OP(CS_OP_RUN_COMPUTE), I_OP(CS_OP_RUN_IDVS), FLUSH_CACHE2(10) | later,
                HEAP_OP(CS_HEAP_VT_START) | later, ERROR_BARRIER(), PROT_REGION(1 + off / 16),
                UMIN32(12, 4, 6), REQ_RESOURCE(q));
}

static void load_code(World *w, unsigned i)
{
    uint64_t code[64] = { ADD_IMM32(20, 20, -1) };

    for (unsigned k = 1; k < 63; k++) {
        code[k] = w->busy && t_rand() % 8 ? PICK(ADD_IMM32(4, 4, 3), NOP(), STORE(4, 0xf, 0, 8 * k))
                                          : body();
    }
    code[63] = BRANCH(CS_COND_GT, 20, -64);
    memcpy(ram_ptr(w->m, w->code_pa[i], sizeof(code)), code, sizeof(code));
}

static void submit(World *w, unsigned i)
{
    unsigned q = (unsigned)(t_rand() % QUEUES);
    const uint64_t job[] = {
        MOVE48(0, w->data_va[i] + 1024 * q),
        MOVE32(20, t_rand() % (w->busy ? 200 : 20)),
        MOVE48(90, w->code_va[i]),
        MOVE32(92, 512),
        CALL(90, 92),
        ERROR_BARRIER(),
    };

    if (w->g[i].q[q].insert + sizeof(job) < RING) {
        grp_submit(w->m, &w->g[i], q, job, N_INSTR(job));
    }
    if (w->on[i]) {
        grp_ring(w->m, &w->g[i]);
    }
}

static void world_new(World *w, bool busy)
{
    const MaliConfig cfg = { .cs_ips = busy ? 1000000 : 3000000,
                             .async_ns = (uint32_t)(t_rand() % 5000) };
    const FwOpts fw = { .suspend_size = 0x3000, .protm_suspend_size = 0x5000, .map_prot = true };
    Machine *m = mach_new_cfg(&cfg);

    memset(w, 0, sizeof(*w));
    w->m = m;
    w->busy = busy;
    l2_on(m);
    fw_boot(m, &fw);
    for (unsigned i = 0; i < GROUPS; i++) {
        grp_new(m, &w->g[i], QUEUES, RING);
        w->code_va[i] = grp_bo(m, &w->g[i], 4096, &w->code_pa[i]);
        w->data_va[i] = grp_bo(m, &w->g[i], 4096, &w->data_pa[i]);
        load_code(w, i);
        grp_bind(m, &w->g[i], i, i + 1, CSG_STATE_START);
        w->on[i] = true;
    }
}

/* ---- the host ---- */

static void leave_or_return(World *w, unsigned i)
{
    if (w->on[i]) {
        grp_state(w->m, &w->g[i], CSG_STATE_SUSPEND);
    } else if ((csg_ack(w->m, w->g[i].slot) & CSG_STATE_MASK) == CSG_STATE_SUSPEND) {
        unsigned slot = i + 2 * (unsigned)(t_rand() % 3);

        grp_bind(w->m, &w->g[i], slot, i + 1 + 2 * (unsigned)(t_rand() % 3), CSG_STATE_RESUME);
    } else {
        return; /* its suspend is late */
    }
    w->on[i] = !w->on[i];
}

static void protected_mode(World *w, unsigned i)
{
    for (unsigned j = 0; j < QUEUES; j++) {
        uint64_t in = FW_CS_IN_VA(w->g[i].slot, j) + CS_IN_REQ;
        uint32_t ack = cs_out(w->m, w->g[i].slot, j, CS_OUT_ACK);

        mcu_w32(w->m, in, (mcu_r32(w->m, in) & ~CS_PROTM_PENDING) | (ack & CS_PROTM_PENDING));
    }
    glb_toggle(w->m, GLB_PROTM_ENTER);
    glb_ring(w->m);
}

static void act(World *w)
{
    static const char *const faults[] = { "csg-ack-late", "run-never",  "tiler-oom",
                                          "cs-fault-at",  "flush-late", "protm-exit-late" };
    unsigned i = (unsigned)(t_rand() % GROUPS);

    switch (t_rand() % 12) {
    case 0: leave_or_return(w, i); break;
    case 1:
    case 2: protected_mode(w, i); break;
    case 3:
        glb_toggle(w->m, GLB_PING);
        glb_ring(w->m);
        break;
    case 4: csg_toggle(w->m, w->g[i].slot, CSG_STATUS_UPDATE | CSG_ENDPOINT_CONFIG); break;
    case 5: as_lock(w->m, i + 1, w->data_va[i], 15); break;
    case 6: as_cmd(w->m, i + 1, AS_COMMAND_FLUSH_PT); break;
    case 7: mali_fault_set(w->m->gpu, faults[t_rand() % 6], 1 + (uint32_t)(t_rand() % 300)); break;
    case 8: csg_ack_events(w->m, w->g[i].slot); break;
    case 9: wr(w->m, GPU_CMD, GPU_CMD_FLUSH_CACHES | 0x23300); break;
    default: submit(w, i); break;
    }
}

/* ---- the saves ---- */

static void look(const World *w)
{
    const MaliState *s = &w->m->gpu->s;
    bool running = false, blocked = false, outstanding = false, parked = false, held = false;

    for (unsigned i = 0; i < MALI_NUM_CSG; i++) {
        for (unsigned j = 0; s->csg[i].resident && j < MALI_NUM_CS; j++) {
            const MaliCs *c = &s->csg[i].cs[j];

            running |= mali_cs_runnable(c) && c->depth;
            blocked |= c->wait == MALI_WAIT_SYNC || c->wait == MALI_WAIT_SCOREBOARD;
            outstanding |= c->num_deferred != 0;
            parked |= c->prot_saved;
        }
        held |= i < MALI_NUM_AS && s->as[i].held;
    }
    seen.all++;
    seen.running += running;
    seen.blocked += blocked;
    seen.outstanding += outstanding;
    seen.parked += parked;
    seen.held += held;
    seen.protected_mode += s->protm.active;
    for (unsigned i = 0; i < MALI_NUM_CSG; i++) {
        seen.request_late += s->late_at[MALI_LATE_CSG + i] != 0;
    }
}

/* Goes on in a device that has just been made. */
static void move(World *w)
{
    Machine *m = w->m;
    size_t len = mali_save(m->gpu, NULL, 0);
    void *blob = malloc(len);
    const char *why = NULL;
    MaliConfig cfg = m->gpu->cfg;
    MaliOps ops = m->gpu->ops;
    uint64_t timer = m->timer;
    bool ok;

    look(w);
    mali_save(m->gpu, blob, len);
    mali_free(m->gpu);
    m->gpu = mali_new(&cfg, &ops, m, &why);
    m->timer = MALI_NEVER;
    ok = mali_load(m->gpu, blob, len, &why);
    free(blob);
    if (!ok) {
        t_fail(__FILE__, __LINE__, "a state of ours is refused: %s", why);
    }
    timer = timer < m->now ? m->now : timer; /* it is due either way */
    CHECK_EQ(m->timer, timer);               /* what is derived comes from what is saved */
}

static void pass_time(World *w, uint64_t seed, bool moving)
{
    if (moving) {
        t_seed(~seed);
        for (unsigned n = (unsigned)(t_rand() % 3); n; n--) {
            uint64_t part = t_rand() % (t_rand() & 1 ? 20000 : STEP_NS / 4);

            mach_run(w->m, part);
            move(w);
        }
        mach_run(w->m, w->m->now % STEP_NS ? STEP_NS - w->m->now % STEP_NS : STEP_NS);
    } else {
        mach_run(w->m, STEP_NS - w->m->now % STEP_NS);
    }
}

static void live(World *w, uint64_t seed, bool moving)
{
    t_seed(seed);
    world_new(w, seed & 1);
    ev_clear(w->m);
    for (unsigned i = 0; i < STEPS; i++) {
        t_seed(seed * 1000 + i);
        act(w);
        if (moving && t_rand() % 3 == 0) {
            move(w); /* just after a request */
        }
        pass_time(w, seed * 1000 + i, moving);
    }
}

static void compare_logs(const char *a, const char *b, uint64_t seed)
{
    size_t i = 0, line = 0;

    while (a[i] && a[i] == b[i]) {
        i++;
        line = a[i - 1] == '\n' ? i : line;
    }
    if (a[i] != b[i]) {
        t_fail(__FILE__, __LINE__, "seed %u: %.160s, but with saves %.160s", (unsigned)seed,
               a + line, b + line);
    }
}

TEST(saves_at_random_points_change_nothing)
{
    memset(&seen, 0, sizeof(seen));
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        static World a, b;

        live(&a, seed, false);
        live(&b, seed, true);
        CHECK_EQ(a.m->now, b.m->now);
        compare_logs(a.m->log ? a.m->log : "", b.m->log ? b.m->log : "", seed);
        CHECK(!memcmp(a.m->line, b.m->line, sizeof(a.m->line)));
        CHECK_EQ(a.m->ram_next, b.m->ram_next);
        CHECK(!memcmp(a.m->ram, b.m->ram, a.m->ram_next - RAM_BASE));
        mach_free_all();
    }
    printf("# %u saves: %u in a job, %u at a wait, %u with something deferred, %u in protected "
           "mode, %u with a region parked, %u before a late request, %u with an AS command held\n",
           seen.all, seen.running, seen.blocked, seen.outstanding, seen.protected_mode, seen.parked,
           seen.request_late, seen.held);
    CHECK(seen.all > 1000);
    CHECK(seen.running > 100);
    CHECK(seen.blocked > 50);
    CHECK(seen.outstanding > 20);
    CHECK(seen.protected_mode > 20);
    CHECK(seen.parked > 5);
    CHECK(seen.request_late > 5);
    CHECK(seen.held > 1);
}
