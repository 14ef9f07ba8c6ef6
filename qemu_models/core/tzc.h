/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Address space controller after Arm's CoreLink TZC-400: registers, decisions, event log.
 *
 * Pure like the GPU's core: whoever embeds it hands in callbacks, maps what tzc_spans()
 * says and asks tzc_check() about every access that is not plainly allowed. Facts: the
 * registers are those that OP-TEE's and TF-A's drivers of the part use (tzc400.h there).
 *
 * Deviations, each a decision:
 * - A closed gate lets everything pass instead of stalling it: nobody on QEMU's virt
 *   programs the part before OP-TEE runs, and until then there must be memory.
 * - One filter unit; the accesses of all masters pass through it.
 * - The AXI id in FAIL_ID is the master's non-secure access id: virt has no other.
 * - SPECULATION_CTRL is stored only: TCG does not speculate.
 */
#ifndef MALI_TZC_H
#define MALI_TZC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TZC_MMIO_SIZE 0x1000u
#define TZC_MMIO_IDS  0xfd0u /* from here on identification */
#define TZC_REGIONS   9u     /* region 0 is the background */
#define TZC_PAGE      UINT64_C(0x1000)
#define TZC_MAX_SPANS (2 * TZC_REGIONS)

/* Non-secure access ids of this board's masters. */
enum { TZC_NSAID_CPU = 0, TZC_NSAID_GPU = 8, TZC_NSAID_GPU_PROTECTED = 9 };

enum { TZC_PERM_R = 1, TZC_PERM_W = 2, TZC_PERM_RW = 3 };

typedef struct TzcRegion {
    uint64_t base, top; /* first and last byte */
    uint32_t attr;      /* as in REGION_ATTRIBUTES: secure write, secure read, filter enables */
    uint32_t id_access; /* as in REGION_ID_ACCESS: bit n reads, bit 16 + n writes */
} TzcRegion;

/* Plain data: it is what migrates. */
typedef struct TzcState {
    uint32_t action, gates, speculation, int_status, fail_control, fail_id;
    uint64_t fail_addr;
    TzcRegion region[TZC_REGIONS];
    uint64_t denials;       /* ever; outlives a reset, as the log does */
    uint64_t seq;           /* of the event log */
    uint64_t window_ns;     /* rate limit: start of the current window, */
    uint32_t window_events; /* denials logged in it */
    uint32_t unlogged;      /* denials since the last one that was logged */
} TzcState;

typedef struct TzcOps {
    uint64_t (*now_ns)(void *opaque);          /* guest (virtual) time */
    void (*set_irq)(void *opaque, bool level); /* may be called without a change */
    void (*changed)(void *opaque);             /* tzc_spans() has another answer now */
    void (*event)(void *opaque, const char *json, size_t len); /* one object, no newline */
} TzcOps;

typedef struct Tzc {
    TzcState s;
    const TzcOps *ops;
    void *opaque;
} Tzc;

typedef enum TzcKind { TZC_READ, TZC_WRITE, TZC_EXEC } TzcKind;

typedef struct TzcAccess {
    const char *master; /* for the log: cpu, gpu, gpu-protected, other */
    int cpu;            /* its number; -1: no CPU's access */
    uint64_t addr;
    uint32_t size; /* bytes, within one page */
    TzcKind kind;
    bool secure, privileged;
    unsigned nsaid; /* of a non-secure access */
} TzcAccess;

/* Part of the address space where somebody may not do everything. */
typedef struct TzcSpan {
    uint64_t base, last;
    unsigned secure, cpu; /* TZC_PERM_*: of secure accesses, of those with the CPU's NSAID */
} TzcSpan;

void tzc_init(Tzc *t, const TzcOps *ops, void *opaque);
/* Power-on reset; counter and log go on. */
void tzc_reset(Tzc *t);
/* After @s was restored: drives line and views again. */
void tzc_loaded(Tzc *t);

uint32_t tzc_mmio_read(Tzc *t, uint32_t offset);
void tzc_mmio_write(Tzc *t, uint32_t offset, uint32_t value);

/* What somebody may do at @addr; @nsaid counts for non-secure accesses only. */
unsigned tzc_permissions(const Tzc *t, uint64_t addr, bool secure, unsigned nsaid);
/* Whether the access passes; if not, it is recorded, logged and may raise the interrupt. */
bool tzc_check(Tzc *t, const TzcAccess *a);
/* Whether a denied access is a bus error for its master; else it reads 0 and writes nothing. */
bool tzc_denial_is_error(const Tzc *t);
/* The restricted parts of [@base, @last], in order; their number. Within RAM pages only. */
unsigned tzc_spans(const Tzc *t, uint64_t base, uint64_t last, TzcSpan out[TZC_MAX_SPANS]);

/*
 * For boards without a secure world: what its firmware would program. tzc_protect()
 * closes a range to all but secure accesses and the GPU's protected master; NULL or the
 * reason why not (static text).
 */
const char *tzc_protect(Tzc *t, uint64_t base, uint64_t size);
const char *tzc_unprotect(Tzc *t, uint64_t base, uint64_t size);
unsigned tzc_active_regions(const Tzc *t); /* without the background */

#endif
