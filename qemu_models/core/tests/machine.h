/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A fake machine round the core for the tests: RAM, time, lines, event log, and
 * the host's side of the device (page tables, firmware image, GLB and CSG requests)
 * as panthor does it. mach_free_all() runs after each test.
 */
#ifndef MALI_TEST_MACHINE_H
#define MALI_TEST_MACHINE_H

#include "../mali_int.h"

#define RAM_BASE 0x40000000ull
#define RAM_SIZE (32u << 20)

/* pt_map flags */
#define PT_RO 1u
#define PT_NX 2u

typedef struct Machine {
    MaliGpu *gpu;
    uint8_t *ram;
    uint64_t ram_next;            /* bump allocator: mach_alloc() */
    uint64_t prot_base, prot_end; /* firewalled range of RAM: normal master fails */
    uint64_t bad_base, bad_end;   /* any access fails */
    uint64_t now, timer;          /* virtual ns; deadline asked for */
    unsigned timer_sets;
    bool line[MALI_IRQ_COUNT];
    unsigned rises[MALI_IRQ_COUNT];
    char *log; /* events, one a line */
    size_t log_len, log_cap;
    uint64_t mcu_root;                  /* MCU VM */
    uint64_t next_mcu_va;               /* allocator for kernel BOs in the MCU VM */
    uint64_t last_pa;                   /* of the last write */
    uint64_t reads;                     /* of memory */
    uint64_t shared_pa, ring_pages[64]; /* for the probe */
    unsigned num_ring_pages;
    void (*at_fence)(struct Machine *m);
    struct Machine *next;
} Machine;

/* ---- machine ---- */
Machine *mach_new(const char *gpu); /* NULL: default row; not booted */
Machine *mach_new_cfg(const MaliConfig *cfg);
Machine *mach_boot(void); /* default image, booted, global init done */
void mach_free_all(void);
void mach_run(Machine *m, uint64_t ns); /* time passes; expired timers run */

uint32_t rd(Machine *m, uint32_t off);
uint64_t rd64(Machine *m, uint32_t off);
void wr(Machine *m, uint32_t off, uint32_t v);
void wr64(Machine *m, uint32_t off, uint64_t v);

/* ---- RAM, physical ---- */
uint64_t mach_alloc(Machine *m, size_t len); /* zeroed, 4 KiB aligned */
uint64_t mach_alloc_2m(Machine *m);          /* 2 MiB aligned */
void *ram_ptr(Machine *m, uint64_t pa, size_t len);
uint32_t ram_r32(Machine *m, uint64_t pa);
uint64_t ram_r64(Machine *m, uint64_t pa);
void ram_w32(Machine *m, uint64_t pa, uint32_t v);
void ram_w64(Machine *m, uint64_t pa, uint64_t v);

/* ---- event log ---- */
void ev_clear(Machine *m);
unsigned ev_count(Machine *m, const char *kind);
/* n-th (from 0) event of this kind as a static string, NULL if there is none. */
const char *ev_get(Machine *m, const char *kind, unsigned n);
const char *ev_last(Machine *m, const char *kind);

/* ---- GPU page tables ---- */
uint64_t pt_new(Machine *m); /* root */
void pt_map(Machine *m, uint64_t root, uint64_t va, uint64_t pa, uint64_t len, unsigned flags);
void pt_map_2m(Machine *m, uint64_t root, uint64_t va, uint64_t pa, unsigned flags);
void pt_unmap(Machine *m, uint64_t root, uint64_t va, uint64_t len);
uint64_t pt_lookup(Machine *m, uint64_t root, uint64_t va); /* PA, 0: not mapped */
uint64_t pt_entry(Machine *m, uint64_t root, uint64_t va,
                  unsigned level); /* PA of the descriptor; makes tables */

void as_cmd(Machine *m, unsigned as, uint32_t cmd);
void as_lock(Machine *m, unsigned as, uint64_t base, unsigned log2_size);
void as_enable(Machine *m, unsigned as, uint64_t root); /* mmu.c:608-621 */
void as_disable(Machine *m, unsigned as);               /* mmu.c:624-658 */

/* ---- MCU VM and firmware image ---- */
uint32_t mcu_r32(Machine *m, uint64_t va);
uint64_t mcu_r64(Machine *m, uint64_t va);
void mcu_w32(Machine *m, uint64_t va, uint32_t v);
void mcu_w64(Machine *m, uint64_t va, uint64_t v);
void mcu_copy(Machine *m, uint64_t va, const void *data, size_t len);
uint64_t mcu_bo(Machine *m, size_t len); /* new BO mapped in the MCU VM: its VA */

typedef struct FwOpts {
    bool no_manifest;
    bool map_prot;                             /* what a patched driver does */
    bool zero_vas;                             /* control block of the file without addresses */
    uint32_t version;                          /* 0: manifest says 1.5.0 */
    uint32_t suspend_size, protm_suspend_size; /* of the manifest */
} FwOpts;
extern const FwOpts fw_default;
#define FW_TEXT_VA 0x00800000u
#define FW_DATA_VA 0x02000000u
#define FW_PROT_VA 0x03000000u
void fw_map(Machine *m, const FwOpts *o);  /* allocates and maps the sections */
void fw_load(Machine *m, const FwOpts *o); /* (re)writes their contents: slow boot */
void l2_on(Machine *m);
bool fw_start(Machine *m);       /* JOB CLEAR/MASK, MCU_CONTROL=AUTO; true if booted */
void fw_global_init(Machine *m); /* fw.c:1061-1096 */
/* All of these: from L2 on to a global interface that is set up; a failed boot fails the test. */
void fw_boot(Machine *m, const FwOpts *o);

/* ---- host side of requests; shared section at the addresses of fwif.h ---- */
uint32_t glb_ack(Machine *m);
void glb_toggle(Machine *m, uint32_t bits); /* req := req with bits != ack */
void glb_level(Machine *m, uint32_t mask, uint32_t val);
void glb_ring(Machine *m); /* doorbell 0 */

/* One queue and group of the host, as panthor sets them up. */
typedef struct TQueue {
    uint64_t ring_va, ring_pa; /* group VM */
    uint32_t ring_size;
    uint64_t in_va, out_va; /* MCU VM */
    uint64_t insert;
} TQueue;
typedef struct TGroup {
    unsigned as, slot, nq;
    uint64_t root;                 /* page tables of the group's VM */
    uint64_t suspend_va, protm_va; /* MCU VM */
    uint32_t suspend_size, protm_size;
    TQueue q[MALI_NUM_CS];
    uint64_t next_va;
} TGroup;
/* A VM with @nq queues of @ring_size bytes; not on a slot. */
void grp_new(Machine *m, TGroup *g, unsigned nq, uint32_t ring_size);
uint64_t grp_bo(Machine *m, TGroup *g, size_t len, uint64_t *pa); /* VA of a new RWX buffer */
/* Binds AS @as, programs CS and CSG inputs and sends START or RESUME (sched.c:1184-1472). */
void grp_bind(Machine *m, TGroup *g, unsigned slot, unsigned as, uint32_t state);
void grp_state(Machine *m, TGroup *g, uint32_t state); /* SUSPEND, TERMINATE */
void grp_submit(Machine *m, TGroup *g, unsigned q, const uint64_t *instr,
                unsigned n);          /* ring, insert; no doorbell */
void grp_ring(Machine *m, TGroup *g); /* doorbell slot + 1 */
uint32_t csg_ack(Machine *m, unsigned slot);
uint32_t csg_req(Machine *m, unsigned slot);
void csg_toggle(Machine *m, unsigned slot, uint32_t bits); /* and GLB doorbell_req, doorbell 0 */
void csg_kick(Machine *m, unsigned slot); /* GLB doorbell_req toggled, doorbell 0 */
void csg_ack_events(Machine *m,
                    unsigned slot); /* JOB CLEAR, events acknowledged, kick (sched.c:1781-1839) */
uint32_t cs_out(Machine *m, unsigned slot, unsigned cs, uint32_t off);
uint64_t cs_out64(Machine *m, unsigned slot, unsigned cs, uint32_t off);

#endif
