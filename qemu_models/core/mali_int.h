/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mali CSF GPU model: state and functions shared by the core's files.
 *
 * Everything in MaliState is plain data without pointers: it is what migrates.
 */
#ifndef MALI_INT_H
#define MALI_INT_H

#include "mali.h"
#include "regs.h"

#define MALI_NUM_AS       8
#define MALI_NUM_CSG      8
#define MALI_NUM_CS       8
#define MALI_MAX_REGS     128
#define MALI_MAX_FRAMES   8
#define MALI_MAX_SB       16 /* scoreboard entries */
#define MALI_MAX_DEFERRED 8
#define MALI_TLB_SIZE     64
#define MALI_NEVER        UINT64_MAX
/* Largest suspend buffer: what a hostile manifest may make us read and write at one request. */
#define MALI_MAX_SUSPEND (1u << 20)
/* Bytes of the event log a virtual second and in all: a hostile guest must not fill the disk. */
#define MALI_LOG_SECOND  (UINT64_C(16) << 20)
#define MALI_LOG_TOTAL   (UINT64_C(512) << 20)
#define MALI_BLOB_HEADER 64u /* bytes before the MaliState of mali_save() */

/* ---- GPU table (gpus.c): adding a GPU is adding a row ---- */
typedef struct MaliGpuRow {
    const char *name; /* "g610" */
    uint32_t gpu_id, csf_id, l2_features, core_features, tiler_features, mem_features;
    uint32_t mmu_features, thread_features;
    uint64_t gpu_features, shader_present;
    uint32_t cs_regs;     /* 96 or 128 */
    uint32_t scoreboards; /* 8 or 16 */
    uint32_t fw_version;  /* GLB control word 0, unless the image's manifest says otherwise */
    uint32_t fw_features; /* GLB control word 1, likewise */
} MaliGpuRow;

const MaliGpuRow *mali_gpu_row(const char *name); /* NULL: the default; NULL if unknown */
static inline unsigned mali_arch_major(const MaliGpuRow *row)
{
    return row->gpu_id >> 28;
}

/* ---- registers and MMU ---- */
typedef struct MaliIrqBlock {
    uint32_t rawstat, mask;
} MaliIrqBlock;

typedef struct MaliTlbEntry {
    uint64_t va, pa;     /* of the 4 KiB page */
    uint64_t checked_ns; /* contract checker: last comparison with the tables */
    uint32_t perm;
    uint8_t valid, level, pad[2];
} MaliTlbEntry;

typedef struct MaliAs {
    uint64_t transtab, memattr, lockaddr, transcfg;   /* as written */
    uint64_t act_transtab, act_memattr, act_transcfg; /* as latched by UPDATE */
    uint64_t lock_base, lock_size;                    /* size 0: not locked */
    uint64_t fault_addr;
    uint32_t fault_status;
    uint32_t tlb_next;
    uint32_t held;       /* command + 1 that waits for the end of protected mode; 0: none */
    uint8_t lock_staged; /* LOCKADDR was written, its LOCK did not come yet */
    uint8_t lock_lost;   /* a reset fell between the two */
    uint8_t pad[2];
    MaliTlbEntry tlb[MALI_TLB_SIZE];
} MaliAs;

/* ---- command streams (cs.c) ---- */
typedef struct MaliFrame {
    uint64_t pc, end;
} MaliFrame;

typedef enum MaliCsWait {
    MALI_WAIT_NONE,
    MALI_WAIT_SCOREBOARD,
    MALI_WAIT_PROGRESS,
    MALI_WAIT_SYNC,
    MALI_WAIT_PROTM,
    MALI_WAIT_FAULT,
    MALI_WAIT_OOM,
    MALI_WAIT_LOCK,      /* the access hit a locked range: tried again at unlock */
    MALI_WAIT_FAULT_ACK, /* CS_FAULT raised: stands still until the host acknowledged it */
    MALI_WAIT_COUNT,
} MaliCsWait;

/* An operation that happens later (cs_async.c). */
typedef struct MaliDeferred {
    uint64_t word, addr, data; /* the instruction and what its registers held */
    uint64_t ready;            /* virtual ns */
    uint32_t slot, pad;        /* scoreboard entry that it clears */
} MaliDeferred;

/* Tiler memory: what stands between RUN_IDVS and its execution (cs_heap.c). */
typedef enum MaliOom { MALI_OOM_NONE, MALI_OOM_ASKED, MALI_OOM_ANSWERED, MALI_OOM_COUNT } MaliOom;

typedef struct MaliCs {
    /* architectural state: all of it goes through the suspend buffer */
    uint64_t extract; /* ring byte counter of the next instruction of frame 0 */
    uint32_t depth;   /* frames in use above the ring (0..7) */
    MaliFrame frame[MALI_MAX_FRAMES];
    uint32_t reg[MALI_MAX_REGS];
    uint32_t sb_endpoint, sb_other, error;
    uint32_t wait; /* MaliCsWait */
    uint64_t wait_va, wait_ref;
    uint32_t wait_cond, wait_64, wait_reject;
    uint64_t progress;
    uint64_t handler_va;
    uint32_t handler_len, handler_type, resources;
    uint64_t heap_va;
    uint32_t heap_vt_start, heap_vt_end, heap_frag_end;
    uint32_t prot_left; /* instructions left in the PROT_REGION */
    uint32_t pending;   /* CS events raised but not yet signalled (bits of CS_REQ) */
    uint32_t fault, fatal;
    uint64_t fault_info, fatal_info;
    uint32_t stopped;    /* fatal: never runs again in this residency */
    uint32_t prot_saved; /* an unfinished PROT_REGION is in the protected suspend buffer */
    uint32_t sb_deferred, sb_mask_stream, sb_mask_wait; /* SET_STATE, arch >= 11 */
    uint32_t oom;                                       /* MaliOom */
    uint32_t outstanding;                               /* an entry may be busy; 0: none is */
    uint32_t num_deferred;
    uint64_t run_since; /* issue of the oldest RUN_* not over; 0: none; NEVER: the host knows */
    uint64_t sb_ready[MALI_MAX_SB]; /* virtual ns at which the entry is clear; NEVER: it hangs */
    MaliDeferred deferred[MALI_MAX_DEFERRED];
    /* binding: read from the CS inputs at START/RESUME, not saved */
    uint64_t ring_base, ring_in, ring_out;
    uint32_t ring_size, doorbell;
    uint64_t insert;
    uint32_t started;
    uint32_t queued;    /* was runnable at the last look: keeps its unused credit */
    uint64_t credit_ns; /* virtual time up to which instructions are paid for */
} MaliCs;

typedef struct MaliCsg {
    uint32_t resident; /* STATE is START or RESUME */
    uint32_t as;       /* address space of the group's VM */
    uint32_t prio;
    uint32_t idle;
    uint32_t pending;      /* CSG events raised but not yet signalled (bits of CSG_REQ) */
    uint32_t endpoints;    /* as STATUS_EP_CURRENT: what the group's jobs get (endpoint.c) */
    uint32_t cs_prio, pad; /* of the streams, four bits each: CS_CONFIG */
    uint64_t suspend_va, protm_suspend_va; /* MCU VAs, latched at START/RESUME */
    MaliCs cs[MALI_NUM_CS];
} MaliCsg;

/* Where the firmware interface lies (MCU VAs), read from the control blocks at boot. */
typedef struct MaliCsgIface {
    uint64_t in, out, cs_in[MALI_NUM_CS], cs_out[MALI_NUM_CS];
} MaliCsgIface;
typedef struct MaliIface {
    uint64_t glb_in, glb_out;
    uint32_t num_csg, num_cs;
    uint32_t suspend_size,
        protm_suspend_size; /* as told to the host: size buffers by these, not by cfg */
    uint32_t fw_version, pad;
    MaliCsgIface csg[MALI_NUM_CSG];
} MaliIface;

/* ---- protected mode (protm.c) ---- */
typedef enum MaliProtmLeave {
    MALI_PROTM_STAY,
    MALI_PROTM_END,
    MALI_PROTM_FAULTED,
    MALI_PROTM_PING, /* from here on: a request of the host */
    MALI_PROTM_REQUEST,
    MALI_PROTM_CSG_UPDATE,
} MaliProtmLeave;

typedef struct MaliProtm {
    uint32_t active;                   /* GPU_STATUS bit 7, set by the firmware */
    uint32_t csg, streams;             /* who has been let in and is not done */
    uint32_t leave;                    /* MaliProtmLeave: to be acted on outside of a stream */
    uint32_t implicit;                 /* groups suspended by the entry */
    uint32_t refused;                  /* the PROTM_ENTER that stands has been looked at */
    uint32_t csg_req[MALI_NUM_CSG];    /* at the entry: a difference is an update */
    uint64_t suspend_va[MALI_NUM_CSG]; /* of the groups in @implicit */
} MaliProtm;

/* Where the fault plan can make something late (late.c). */
typedef enum MaliLate {
    MALI_LATE_L2,
    MALI_LATE_RESET,
    MALI_LATE_FLUSH,
    MALI_LATE_BOOT,
    MALI_LATE_HALT,
    MALI_LATE_STOP,
    MALI_LATE_PING,
    MALI_LATE_JOB,
    MALI_LATE_PROTM_ENTER,
    MALI_LATE_PROTM_STATUS,
    MALI_LATE_PROTM_EXIT,
    MALI_LATE_PWR,
    MALI_LATE_AS,                               /* one each */
    MALI_LATE_CSG = MALI_LATE_AS + MALI_NUM_AS, /* one each */
    MALI_LATE_COUNT = MALI_LATE_CSG + MALI_NUM_CSG,
} MaliLate;

#define MALI_MAX_FAULTS   128
#define MALI_MAX_COUNTERS 32

/* ---- event log (event.c): bytes written in virtual second @second and in all ---- */
typedef struct MaliLog {
    uint64_t seq, second, used, total;
    uint32_t closed, pad;
} MaliLog;

typedef struct MaliState {
    MaliIrqBlock gpu_irq, job_irq, mmu_irq, pwr_irq;
    uint8_t line[MALI_IRQ_COUNT], pad0[5];
    uint32_t gpu_status, gpu_fault_status, mcu_control, mcu_status;
    uint64_t gpu_fault_addr;
    uint64_t l2_ready, tiler_ready, shader_ready;
    uint64_t pwr_arg, pwr_delegated; /* arch 14: PWR_CMDARG; mask of domains, by number */
    uint32_t flush_id, cycles_on;
    uint64_t cycles_base_ns, cycles_sum_ns;
    uint64_t timestamp_offset;
    uint32_t scratch[64]; /* stored and read back, no effect (regs.c says which) */
    MaliAs as[MALI_NUM_AS];
    MaliIface iface;
    uint32_t glb_pending, glb_idle;
    uint64_t idle_deadline, poll_deadline; /* GLB IDLE; SYNC_WAIT re-poll */
    uint64_t idle_timer_ns;
    uint64_t core_en;     /* shader cores that the host has enabled: GLB_CFG_ALLOC_EN */
    uint64_t progress_ns; /* GLB progress timer; 0: off */
    MaliCsg csg[MALI_NUM_CSG];
    MaliProtm protm;
    uint32_t engine_next, pad1; /* round robin */
    uint64_t rest_until;        /* virtual time: no slice before, the vCPUs' turn */
    MaliLog log;
    uint64_t late_at[MALI_LATE_COUNT]; /* 0: nothing is late */
    uint32_t late_arg[MALI_LATE_COUNT];
    uint32_t as_stuck, irq_again[4], pad2; /* fault plan: as-never; irq-double */
    uint32_t fault[MALI_MAX_FAULTS];
    uint64_t counter[MALI_MAX_COUNTERS];
} MaliState;

struct MaliGpu {
    const MaliGpuRow *row;
    MaliConfig cfg;
    MaliOps ops;
    void *opaque;
    uint64_t timer_set; /* last deadline given to the embedder */
    /* Derived, valid within one slice only: page and 64-byte line of the last instruction fetch. */
    struct {
        uint64_t va, pa, line_va, line[8];
        unsigned as;
        bool valid, line_valid;
    } fetch;
    /* The turn that is running: the stream's clock is base + stall + the price of n. */
    struct {
        uint64_t base, now, stall;
        unsigned n, max;
    } run;
    bool hold_events;                 /* events only get pending: a request is being worked on */
    bool log_marker;                  /* the event being written is about the log itself */
    bool inject;                      /* a code is to be raised at some instruction or access */
    int late_now;                     /* MaliLate that is let through; -1: none */
    uint32_t struck[MALI_MAX_FAULTS]; /* fault plan: effects of each row in this process */
    bool sync_dirty;                  /* a sync object or progress counter changed in this slice */
    const struct MaliOp *op[256];     /* opcode table of this GPU's architecture */
    MaliState s;
};

/* ---- irq.c ---- */
#define MALI_IRQ_PWR ((MaliIrq)MALI_IRQ_COUNT) /* a block of its own on the line of the GPU's */
void mali_irq_update(MaliGpu *g);              /* RAWSTAT & MASK -> lines */
void mali_irq_raise(MaliGpu *g, MaliIrq irq, uint32_t bits);
uint32_t mali_irq_read(MaliGpu *g, MaliIrq irq, uint32_t reg); /* INT_RAWSTAT.. */
void mali_irq_write(MaliGpu *g, MaliIrq irq, uint32_t reg, uint32_t val);

/* ---- event.c: mali_event(g, "ping", "n=%u", n) style helpers building one JSON object ---- */
typedef struct MaliEvent {
    MaliGpu *g;
    size_t len;
    bool overflow, array;
    bool dropped; /* the log's budget is used up */
    char buf[4096];
} MaliEvent;
void mali_ev_begin(MaliEvent *e, MaliGpu *g, const char *kind); /* seq, vns, ev */
void mali_ev_u64(MaliEvent *e, const char *key, uint64_t v);    /* decimal number */
void mali_ev_bool(MaliEvent *e, const char *key, bool v);
void mali_ev_str(MaliEvent *e, const char *key, const char *v); /* escapes */
void mali_ev_arr_begin(MaliEvent *e, const char *key);
void mali_ev_arr_pair(MaliEvent *e, uint64_t a, uint64_t b); /* [a,b] */
void mali_ev_arr_end(MaliEvent *e);
void mali_ev_end(MaliEvent *e); /* sends it */
/* A broken contract: counts, and logs {"ev":"violation","rule":rule,"detail":...}. */
/* What panthor is known to do against the contract: its lines are in rig/gpu/event_table.py. */
void mali_known_issue(MaliGpu *g, const char *issue, unsigned as);
void mali_violation(MaliGpu *g, const char *rule, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- counters and faults (counters.c, faults.c) ---- */
typedef enum MaliCounter {
    MALI_CNT_POWER_ONS,
    MALI_CNT_VIOLATIONS,
    MALI_CNT_PINGS,
    MALI_CNT_RESETS,
    MALI_CNT_MCU_BOOTS,
    MALI_CNT_MMIO_READS,
    MALI_CNT_MMIO_WRITES,
    MALI_CNT_INSTRUCTIONS,
    MALI_CNT_SUPPRESSED,
    MALI_CNT_COUNT,
} MaliCounter;
typedef enum MaliFault { /* one row each in faults.c */
                         MALI_FAULT_BOOT_FAIL,
                         MALI_FAULT_HALT_NEVER,
                         MALI_FAULT_PING_NEVER,
                         MALI_FAULT_FLUSH_NEVER,
                         MALI_FAULT_CSG_ACK_NEVER,
                         MALI_FAULT_IGNORE_SUSPEND_BUF,
                         MALI_FAULT_CORRUPT_SECTION,
                         MALI_FAULT_PROTM_ENTER_NEVER,
                         MALI_FAULT_PROTM_STATUS_NEVER,
                         MALI_FAULT_PROTM_EXIT_NEVER,
                         MALI_FAULT_PROTM_EXIT_SPURIOUS,
                         MALI_FAULT_PROTM_PEND_NEVER,
                         MALI_FAULT_PWR_DELEGATE_NEVER,
                         MALI_FAULT_RUN_NEVER,
                         MALI_FAULT_TILER_OOM,
                         MALI_FAULT_L2_LATE,
                         MALI_FAULT_L2_WRONG,
                         MALI_FAULT_L2_NEVER,
                         MALI_FAULT_RESET_LATE,
                         MALI_FAULT_RESET_WRONG,
                         MALI_FAULT_RESET_NEVER,
                         MALI_FAULT_FLUSH_LATE,
                         MALI_FAULT_FLUSH_WRONG,
                         MALI_FAULT_AS_LATE,
                         MALI_FAULT_AS_WRONG,
                         MALI_FAULT_AS_NEVER,
                         MALI_FAULT_BOOT_LATE,
                         MALI_FAULT_BOOT_NEVER,
                         MALI_FAULT_BOOT_VERSION,
                         MALI_FAULT_HALT_LATE,
                         MALI_FAULT_HALT_WRONG,
                         MALI_FAULT_STOP_LATE,
                         MALI_FAULT_STOP_WRONG,
                         MALI_FAULT_STOP_NEVER,
                         MALI_FAULT_PING_LATE,
                         MALI_FAULT_PING_WRONG,
                         MALI_FAULT_CSG_ACK_LATE,
                         MALI_FAULT_CSG_ACK_WRONG,
                         MALI_FAULT_JOB_LATE,
                         MALI_FAULT_JOB_NEVER,
                         MALI_FAULT_PROTM_ENTER_LATE,
                         MALI_FAULT_PROTM_STATUS_LATE,
                         MALI_FAULT_PROTM_STATUS_WRONG,
                         MALI_FAULT_PROTM_EXIT_LATE,
                         MALI_FAULT_PROTM_EXIT_SILENT,
                         MALI_FAULT_PWR_POWER_LATE,
                         MALI_FAULT_PWR_POWER_WRONG,
                         MALI_FAULT_PWR_POWER_NEVER,
                         MALI_FAULT_PWR_DELEGATE_LATE,
                         MALI_FAULT_PWR_DELEGATE_WRONG,
                         MALI_FAULT_PWR_RETRACT_LATE,
                         MALI_FAULT_PWR_RETRACT_WRONG,
                         MALI_FAULT_PWR_RETRACT_NEVER,
                         MALI_FAULT_PWR_RESET_LATE,
                         MALI_FAULT_PWR_RESET_WRONG,
                         MALI_FAULT_PWR_RESET_NEVER,
                         MALI_FAULT_CS_FAULT_AT,
                         MALI_FAULT_CS_FAULT_CODE,
                         MALI_FAULT_CS_FATAL_AT,
                         MALI_FAULT_CS_FATAL_CODE,
                         MALI_FAULT_MMU_FAULT_AT,
                         MALI_FAULT_MMU_FAULT_CODE,
                         MALI_FAULT_GPU_FAULT_AT,
                         MALI_FAULT_GPU_FAULT_CODE,
                         MALI_FAULT_IRQ_DROP_JOB,
                         MALI_FAULT_IRQ_DROP_MMU,
                         MALI_FAULT_IRQ_DROP_GPU,
                         MALI_FAULT_IRQ_DROP_PWR,
                         MALI_FAULT_IRQ_DOUBLE_JOB,
                         MALI_FAULT_IRQ_DOUBLE_MMU,
                         MALI_FAULT_IRQ_DOUBLE_GPU,
                         MALI_FAULT_IRQ_DOUBLE_PWR,
                         MALI_FAULT_PROTM_FAULT_AT,
                         MALI_FAULT_PROTM_LEAK,
                         MALI_FAULT_GPU_ID_WRONG,
                         MALI_FAULT_PROTM_STATUS_STUCK,
                         MALI_FAULT_COUNT,
} MaliFault;
static inline void mali_fence(MaliGpu *g)
{
    g->ops.fence(g->opaque);
}
static inline const MaliCsgIface *mali_csg_iface(const MaliGpu *g, unsigned csg)
{
    return &g->s.iface.csg[csg];
}
static inline uint32_t mali_fault(const MaliGpu *g, MaliFault f)
{
    return g->s.fault[f];
}

/* Whether row @f strikes now, by its kind; counts down. */
bool mali_fault_hit(MaliGpu *g, MaliFault f);
/* The row has had an effect: for rows that are no mali_fault_hit(). */
void mali_fault_struck(MaliGpu *g, MaliFault f);

/* ---- late.c: what the fault plan makes late ---- */
/*
 * True: not now, row @f makes it late; it will be called again with @arg at its time,
 * and is let through then.
 */
bool mali_late(MaliGpu *g, MaliLate what, MaliFault f, uint32_t arg);
void mali_fault_changed(MaliGpu *g); /* derived: whether something is to be injected */
bool mali_late_pending(const MaliGpu *g, MaliLate what);
void mali_late_timer(MaliGpu *g);              /* what is due now */
uint64_t mali_late_deadline(const MaliGpu *g); /* the next of them */
void mali_late_drop(MaliGpu *g);               /* reset: nothing comes any more */

/* ---- mmu.c ---- */
typedef enum MaliAccess {
    MALI_ACC_ATOMIC,
    MALI_ACC_EXEC,
    MALI_ACC_READ,
    MALI_ACC_WRITE
} MaliAccess;
typedef enum MaliXlate {
    MALI_XL_OK,
    MALI_XL_FAULT,  /* translation failed; *fault has the exception code (0xC0..) */
    MALI_XL_LOCKED, /* in the locked range: the access stalls */
    MALI_XL_BUS,    /* bus error behind the translation */
} MaliXlate;
#define MALI_PERM_R 1u
#define MALI_PERM_W 2u
#define MALI_PERM_X 4u
/* One page: VA -> PA of that byte; perm may be NULL. No side effect but TLB fill. */
MaliXlate mali_translate(MaliGpu *g, unsigned as, uint64_t va, MaliAccess acc, uint64_t *pa,
                         uint32_t *perm, uint32_t *fault);
/* A walk of the tables alone; l->fault is set unless the result is MALI_XL_OK. */
typedef struct MaliLeaf {
    uint64_t pa;
    uint32_t perm, level, fault;
} MaliLeaf;
MaliXlate mali_walk_leaf(MaliGpu *g, unsigned as, uint64_t va, MaliLeaf *l);
uint64_t mali_leaf_size(const MaliLeaf *l);
/* Same without lock check, TLB and permission check: for the event log's walks. */
bool mali_walk(MaliGpu *g, unsigned as, uint64_t va, uint64_t *pa, uint32_t *perm);
/* Accesses through an AS; any length, split at pages; engine accesses honour locks. */
MaliXlate mali_va_read(MaliGpu *g, unsigned as, MaliMaster m, uint64_t va, void *buf, size_t len,
                       uint32_t *fault, uint64_t *fault_va);
MaliXlate mali_va_write(MaliGpu *g, unsigned as, MaliMaster m, uint64_t va, const void *buf,
                        size_t len, uint32_t *fault, uint64_t *fault_va);
/* The MCU's own accesses in AS0: locks are ignored (spec pitfall 9); false: not mapped or bus
 * error. */
bool mali_mcu_read(MaliGpu *g, uint64_t va, void *buf, size_t len);
bool mali_mcu_read_as(MaliGpu *g, MaliMaster m, uint64_t va, void *buf, size_t len);
bool mali_mcu_write_as(MaliGpu *g, MaliMaster m, uint64_t va, const void *buf, size_t len);
bool mali_mcu_write(MaliGpu *g, uint64_t va, const void *buf, size_t len);
uint32_t mali_mcu_r32(MaliGpu *g, uint64_t va); /* 0 when not readable */
uint64_t mali_mcu_r64(MaliGpu *g, uint64_t va);
void mali_mcu_w32(MaliGpu *g, uint64_t va, uint32_t v);
void mali_mcu_w64(MaliGpu *g, uint64_t va, uint64_t v);
/* Record an MMU fault of an engine access and raise the line. */
void mali_mmu_fault(MaliGpu *g, unsigned as, uint64_t va, MaliAccess acc, uint32_t code,
                    uint32_t source);
void mali_as_write(MaliGpu *g, unsigned as, uint32_t reg, uint32_t val);
uint32_t mali_as_read(MaliGpu *g, unsigned as, uint32_t reg);
void mali_as_resume(MaliGpu *g); /* commands held back by protected mode */
/* A bus error of an engine access (MALI_XL_BUS): GPU_FAULT_STATUS, latched until CLEAR_FAULT, and
 * the line: GPU_FAULT, in protected mode PROTM_FAULT. */
void mali_gpu_fault(MaliGpu *g, uint32_t code, unsigned as, uint64_t addr, MaliAccess acc,
                    uint32_t source);
void mali_mmu_reset(MaliGpu *g);
/* Physical extents of [va, va+len) in AS0 as pairs into an open event array. */
void mali_ev_extents(MaliEvent *e, const char *key, unsigned as, uint64_t va, uint64_t len);

/* ---- power.c ---- */
void mali_gpu_command(MaliGpu *g, uint32_t cmd);
void mali_power_write(MaliGpu *g, uint32_t offset, uint32_t val);
void mali_flush_id_next(MaliGpu *g);
void mali_flush_done(MaliGpu *g); /* FLUSH_CACHES has completed */
uint64_t mali_cycle_count(MaliGpu *g);
#define MALI_CYCLES_BY_GLB 1u /* COUNTER_EN of the firmware interface */
#define MALI_CYCLES_BY_CMD 2u /* GPU_CMD TIME */
void mali_cycles_enable(MaliGpu *g, uint32_t source, bool on); /* counts while any source is on */
void mali_log_reset(MaliGpu *g, const char *kind);
uint32_t mali_power_read(MaliGpu *g, uint32_t offset);
void mali_power_set(MaliGpu *g, const char *domain, uint64_t *ready, uint64_t val);
void mali_l2_set(MaliGpu *g, uint64_t val);
void mali_gpu_reset(MaliGpu *g, uint32_t kind); /* GPU_RESET_*; tells nobody */

/* ---- pwr.c: PWR_CONTROL ---- */
#define MALI_PWR_DELEGABLE (MALI_BIT64(PWR_DOMAIN_TILER) | MALI_BIT64(PWR_DOMAIN_SHADER))
bool mali_has_pwr(const MaliGpu *g);
uint32_t mali_pwr_read(MaliGpu *g, uint32_t offset);
void mali_pwr_write(MaliGpu *g, uint32_t offset, uint32_t val);
void mali_pwr_mcu(MaliGpu *g, bool on); /* the MCU powers what is delegated to it, or lets go */

/* ---- mcu.c ---- */
void mali_mcu_control(MaliGpu *g, uint32_t val);
void mali_mcu_stop(MaliGpu *g);
void mali_mcu_halt(MaliGpu *g);

/* ---- lifecycle.c: mali_timer() = mali_glb_timer(), mali_engine_run(), mali_timer_rearm() ---- */

/* ---- glb.c ---- */
void mali_glb_boot(MaliGpu *g); /* ack := req, levels latched */
void mali_glb_doorbell(MaliGpu *g);
void mali_glb_event(MaliGpu *g, uint32_t bit);
void mali_glb_fan_out(MaliGpu *g);    /* looks at the groups whose doorbell_req is toggled */
void mali_glb_timer(MaliGpu *g);      /* raises IDLE if its deadline has passed */
void mali_glb_idle_check(MaliGpu *g); /* all groups idle? arms or cancels the idle deadline */

/* ---- csg.c ---- */
void mali_csg_boot(MaliGpu *g);     /* at MCU boot: nothing resident, ack := req, words cleared */
void mali_csg_stop_all(MaliGpu *g); /* MCU stop, reset */
void mali_csg_process(MaliGpu *g, unsigned csg); /* GLB doorbell_req bit of this group toggled */
void mali_csg_doorbell(MaliGpu *g, unsigned doorbell);      /* DOORBELL(i), i >= 1 */
void mali_csg_suspend_implicitly(MaliGpu *g, unsigned csg); /* by entering protected mode */
void mali_csg_event(MaliGpu *g, unsigned csg, uint32_t bits);
void mali_cs_event(MaliGpu *g, unsigned csg, unsigned cs, uint32_t bits);
void mali_csg_as_updated(MaliGpu *g,
                         unsigned as);   /* AS UPDATE/UNLOCK: wake or kill stalled streams */
bool mali_csg_valid(const MaliState *s); /* ranges of the csg part of a loaded state */
/* Streams on their slot: stream.c */
typedef enum MaliCsFrom {
    MALI_CS_FRESH,
    MALI_CS_RESTORED, /* RESUME */
    MALI_CS_BACK,     /* from an implicit suspend: the host has not programmed the slot again */
} MaliCsFrom;
void mali_cs_start(MaliGpu *g, unsigned csg, unsigned cs, uint32_t req, MaliCsFrom from);
void mali_cs_stop(MaliGpu *g, unsigned csg, unsigned cs);
void mali_cs_kick(MaliGpu *g, unsigned csg, unsigned cs); /* CS doorbell */
void mali_cs_read_insert(MaliGpu *g, unsigned csg, unsigned cs);
void mali_cs_read_config(MaliGpu *g, unsigned csg, unsigned cs); /* doorbell and priority */
/* Endpoints and priority of a group: endpoint.c */
uint32_t mali_endpoint_latch(MaliGpu *g, unsigned csg); /* what the host asks for */
/* CSG_ENDPOINT_CONFIG; @changed: of a group that was on its slot before. */
void mali_endpoint_config(MaliGpu *g, unsigned csg, bool changed);
void mali_ev_endpoints(MaliEvent *e, const MaliGpu *g, unsigned csg);
/* Status words and idle rule: status.c */
void mali_cs_extract(MaliGpu *g, unsigned csg, unsigned cs); /* ring output page: EXTRACT */
void mali_cs_status(MaliGpu *g, unsigned csg, unsigned cs);  /* EXTRACT and the CS output words */
void mali_csg_idle_update(MaliGpu *g, unsigned csg);         /* IDLE event at the transition */
void mali_csg_flush_events(MaliGpu *g, unsigned csg); /* signals what is pending and may be */
/* Suspend-buffer format: suspend.c */
typedef struct MaliBlob {
    uint32_t bytes, crc; /* size of the blob; zlib's crc32() from its byte 16 on */
    uint32_t streams;    /* mask of the streams in it */
} MaliBlob;
bool mali_csg_save(MaliGpu *g, unsigned csg, MaliBlob *info);
bool mali_csg_restore(MaliGpu *g, unsigned csg, MaliBlob *info);

/* Streams in the protected suspend buffer, only while in protected mode: suspend.c */
bool mali_protm_save(MaliGpu *g, unsigned csg, uint32_t streams);
bool mali_protm_restore(MaliGpu *g, unsigned csg, unsigned cs);

/* ---- protm.c ---- */
MaliMaster mali_protm_master(const MaliGpu *g);                    /* of the streams' accesses */
bool mali_protm_runs(const MaliGpu *g, unsigned csg, unsigned cs); /* false: stands still */
void mali_protm_pend(MaliGpu *g, unsigned csg, unsigned cs); /* waits for the host from now on */
/* GLB PROTM_ENTER: false, with the reason logged, if there is nothing to acknowledge. */
bool mali_protm_enter(MaliGpu *g);
void mali_protm_begin(MaliGpu *g); /* the acknowledgement is written: now it holds */
/* PROT_REGION in protected mode; false outside. */
bool mali_protm_region(MaliGpu *g, unsigned csg, unsigned cs, uint32_t size);
/* False when the stream must not go on. */
bool mali_protm_step(MaliGpu *g, unsigned csg, unsigned cs, uint32_t left, bool done);
/* Logs it; the record and the line are mali_gpu_fault()'s. */
void mali_protm_bus_error(MaliGpu *g, unsigned csg, unsigned cs, uint64_t va, uint64_t pa,
                          MaliAccess acc);
void mali_protm_show(MaliGpu *g);       /* GPU_STATUS says so from now on */
void mali_protm_leave_late(MaliGpu *g); /* what protm-exit-late has kept back */
void mali_protm_settle(MaliGpu *g);     /* leaves if a stream has given a reason to */
/* Doorbell 0 with these request bits changed: true if it may be looked at now. */
bool mali_protm_doorbell(MaliGpu *g, uint32_t changed);
void mali_protm_spurious(MaliGpu *g); /* fault plan */
void mali_protm_drop(MaliGpu *g, const char *why);
bool mali_protm_valid(const MaliState *s);

/* ---- engine (engine.c): who runs when ---- */
void mali_engine_kick(MaliGpu *g); /* something may be runnable: sets the timer */
void mali_engine_run(MaliGpu *g);  /* one slice */
/* Waits of all resident streams are looked at again; the number of streams looked at. */
unsigned mali_engine_poll(MaliGpu *g);
void mali_timer_rearm(MaliGpu *g); /* earliest deadline of engine, idle, poll -> set_timer */

/* ---- cs.c ---- */
typedef enum MaliStep { MALI_STEP_OK, MALI_STEP_BLOCKED, MALI_STEP_STOPPED } MaliStep;
/* Executes one instruction of a started, unblocked stream. */
MaliStep mali_cs_step(MaliGpu *g, unsigned csg, unsigned cs);
/* Re-evaluates the wait condition; true when the stream can run again. */
bool mali_cs_unblock(MaliGpu *g, unsigned csg, unsigned cs);
bool mali_cs_runnable(const MaliCs *cs);
/* Up to @max instructions; the number executed. */
unsigned mali_cs_run(MaliGpu *g, unsigned csg, unsigned cs, unsigned max);
uint32_t mali_cs_busy(const MaliCs *s, uint64_t now); /* scoreboard entries: cs_async.c */
uint64_t mali_cs_next_ready(const MaliCs *s, uint64_t now);
/* What is due at @now happens; true if the stream's state has changed by it. */
bool mali_cs_complete(MaliGpu *g, unsigned csg, unsigned cs, uint64_t now);
uint64_t mali_cs_progress_deadline(const MaliGpu *g, const MaliCs *s);
void mali_csg_progress_check(MaliGpu *g, unsigned csg, uint64_t now);
void mali_cs_heap_answer(MaliGpu *g, unsigned csg, unsigned cs); /* cs_heap.c */
void mali_cs_reset(MaliCs *cs); /* state of a fresh stream; the binding stays */
void mali_cs_fatal(MaliGpu *g, unsigned csg, unsigned cs, uint32_t type, uint64_t info);
void mali_cs_fault(MaliGpu *g, unsigned csg, unsigned cs, uint32_t type, uint64_t info);
uint64_t mali_cs_pc(const MaliCs *cs); /* VA of the next instruction */

#endif
