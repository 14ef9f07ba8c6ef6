/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mali CSF GPU model: the public interface of the pure core.
 *
 * The core knows nothing of QEMU. Whoever embeds it (the QEMU glue, the unit
 * tests, a fuzzer) hands in callbacks for guest memory, time, interrupt lines
 * and the event log, and calls in for register accesses and expired timers.
 * All calls happen under one lock of the embedder's; the core starts no thread.
 *
 * Facts about the device: docs/mali-csf.md and the sources named there.
 */
#ifndef MALI_H
#define MALI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MALI_MMIO_SIZE 0x200000u

typedef struct MaliGpu MaliGpu;

/* Interrupt lines in the order of the device-tree node's interrupt-names. */
typedef enum MaliIrq { MALI_IRQ_JOB, MALI_IRQ_MMU, MALI_IRQ_GPU, MALI_IRQ_COUNT } MaliIrq;

/* Which bus master makes a memory access (design: firewall, protected mode). */
typedef enum MaliMaster { MALI_MASTER_NORMAL, MALI_MASTER_PROTECTED } MaliMaster;

typedef struct MaliOps {
    /*
     * Guest-physical memory, RAM only; false is a bus error. Aligned accesses of
     * 4 and 8 bytes are single-copy atomic and little-endian values in @buf.
     */
    bool (*mem_read)(void *opaque, MaliMaster master, uint64_t pa, void *buf, size_t len);
    bool (*mem_write)(void *opaque, MaliMaster master, uint64_t pa, const void *buf, size_t len);
    /* Full barrier: the guest sees the writes before it ahead of what is read after it. */
    void (*fence)(void *opaque);
    /* Guest (virtual) time in ns; never goes backwards. */
    uint64_t (*now_ns)(void *opaque);
    /* Arm generic counter (what CNTVCT_EL0 reads) for TIMESTAMP. */
    uint64_t (*timestamp)(void *opaque);
    /* Level of one line; called only when it changes. */
    void (*set_irq)(void *opaque, MaliIrq irq, bool level);
    /* Call mali_timer() at virtual time @when_ns; UINT64_MAX: no deadline. Replaces the last one.
     */
    void (*set_timer)(void *opaque, uint64_t when_ns);
    /* One complete JSON object, without newline. */
    void (*event)(void *opaque, const char *json, size_t len);
} MaliOps;

typedef struct MaliConfig {
    const char *gpu; /* row of the GPU table, e.g. "g610"; NULL: "g610" */
    bool coherent;   /* COHERENCY_FEATURES.ACE_LITE, with dma-coherent in the node */
    uint32_t
        counter_hz;    /* frequency of @timestamp (CNTFRQ_EL0); 0: 62500000, that of QEMU's virt */
    uint32_t cs_ips;   /* command-stream instructions a second and stream; 0: not paced */
    uint32_t async_ns; /* virtual ns of an asynchronous operation; 0: over at once */
    uint32_t
        suspend_size; /* bytes, at most 1 MiB; 0: what the image's manifest says, else 0x3000 */
    uint32_t protm_suspend_size; /* the same; else 0x5000 (differs on purpose) */
} MaliConfig;

/* NULL with a reason in @err (static text) when the configuration names no known GPU. */
MaliGpu *mali_new(const MaliConfig *cfg, const MaliOps *ops, void *opaque, const char **err);
void mali_free(MaliGpu *gpu);
/* Power-on reset: all state but the configuration and the fault plan. */
void mali_reset(MaliGpu *gpu);

uint32_t mali_mmio_read(MaliGpu *gpu, uint32_t offset);
void mali_mmio_write(MaliGpu *gpu, uint32_t offset, uint32_t value);
/* The deadline given to set_timer has passed: runs one slice, sets the next deadline. */
void mali_timer(MaliGpu *gpu);

/*
 * Migration: the whole state as one position-independent blob.
 * mali_save() returns the size needed and writes at most @cap bytes;
 * mali_load() checks version, configuration, size and ranges: false, with the reason (static
 * text) in *why if @why is not NULL, leaves the device reset.
 * After mali_load() lines and timer are driven again through the callbacks.
 */
size_t mali_save(const MaliGpu *gpu, void *buf, size_t cap);
bool mali_load(MaliGpu *gpu, const void *buf, size_t len, const char **why);

/*
 * Fault plan (docs/faults.md): one row a fault, each with a 32-bit argument, 0 is off.
 * False if no such fault.
 */
bool mali_fault_set(MaliGpu *gpu, const char *name, uint32_t arg);
bool mali_fault_get(const MaliGpu *gpu, const char *name, uint32_t *arg);
/* How often a row has had an effect since this GPU was made; survives resets. False: no such row.
 */
bool mali_fault_strikes(const MaliGpu *gpu, const char *name, uint32_t *count);
/* Row @i of the fault table; NULL behind the last. */
const char *mali_fault_name(unsigned i);
const char *mali_fault_help(unsigned i);

/* Row @i of the GPU table; NULL behind the last. */
const char *mali_gpu_name(unsigned i);

/* Counters for oracles; names: "power-ons", "violations", "pings", "resets", "mcu-boots",
 * "mmio-reads", "mmio-writes", "instructions", "suppressed". False if no such counter. */
bool mali_counter(const MaliGpu *gpu, const char *name, uint64_t *value);
const char *mali_counter_name(unsigned i);

#endif
