/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Command-stream encoder for Mali CSF GPUs, arch 10 and later (where the later
 * ones did not change an instruction): docs/mali-csf.md section 5.2.
 *
 * 64-bit little-endian words: opcode [63:56], destination or base register
 * [55:48], first source or address register [47:40], second source [39:32],
 * immediates below. The kernel uses the last 4 registers around a job.
 */
#ifndef RIG_CS_H
#define RIG_CS_H

#include <stdint.h>

enum cs_cond { CS_LE, CS_GT, CS_EQ, CS_NE, CS_LT, CS_GE, CS_ALWAYS };

/* FLUSH_CACHE2 modes */
enum { CS_FLUSH_CLEAN_INV = 3, CS_FLUSH_INV = 2 };

static inline uint64_t cs_op(unsigned int opcode)
{
	return (uint64_t)opcode << 56;
}

static inline uint64_t cs_dst(unsigned int reg)
{
	return (uint64_t)reg << 48;
}

static inline uint64_t cs_src(unsigned int reg)
{
	return (uint64_t)reg << 40;
}

static inline uint64_t cs_nop(void)
{
	return 0;
}

/* r[dst], r[dst+1] = 48-bit immediate */
static inline uint64_t cs_move48(unsigned int dst, uint64_t imm)
{
	return cs_op(1) | cs_dst(dst) | (imm & 0xffffffffffff);
}

static inline uint64_t cs_move32(unsigned int dst, uint32_t imm)
{
	return cs_op(2) | cs_dst(dst) | imm;
}

/* Wait until the scoreboard entries in `mask` are free. */
static inline uint64_t cs_wait(uint16_t mask)
{
	return cs_op(3) | (uint64_t)mask << 16;
}

static inline uint64_t cs_add_imm32(unsigned int dst, unsigned int src, int32_t imm)
{
	return cs_op(16) | cs_dst(dst) | cs_src(src) | (uint32_t)imm;
}

/* For each set bit i of `mask`: mem32[r64[address] + offset + 4 i] = r[base + i] */
static inline uint64_t cs_store(unsigned int base, unsigned int address, uint16_t mask,
				int16_t offset)
{
	return cs_op(21) | cs_dst(base) | cs_src(address) | (uint64_t)mask << 16 | (uint16_t)offset;
}

/* For each set bit i of `mask`: r[base + i] = mem32[r64[address] + offset + 4 i] */
static inline uint64_t cs_load(unsigned int base, unsigned int address, uint16_t mask,
			       int16_t offset)
{
	return cs_op(20) | cs_dst(base) | cs_src(address) | (uint64_t)mask << 16 | (uint16_t)offset;
}

/* When r[value] (signed) is `cond` 0: continue `offset` instructions after the next one. */
static inline uint64_t cs_branch(enum cs_cond cond, unsigned int value, int16_t offset)
{
	return cs_op(22) | cs_src(value) | (uint64_t)cond << 28 | (uint16_t)offset;
}

/* Clean and invalidate L2 and LSC, invalidate the rest; signals `entry`. r[id]: flush id, 0 = now
 */
static inline uint64_t cs_flush_caches(unsigned int id, unsigned int entry)
{
	return cs_op(36) | (uint64_t)entry << 48 | cs_src(id) | CS_FLUSH_INV << 8 |
	       CS_FLUSH_CLEAN_INV << 4 | CS_FLUSH_CLEAN_INV;
}

/* A RUN_* by its opcode, with nothing set: the model runs no shader, it only takes its time. */
static inline uint64_t cs_run(unsigned int opcode)
{
	return cs_op(opcode);
}

/* The tiler heap whose context is at r64[address]. */
static inline uint64_t cs_heap_set(unsigned int address)
{
	return cs_op(48) | cs_src(address);
}

/* Tell the heap that vertices and tiling of one more render pass have begun. */
static inline uint64_t cs_heap_vt_start(void)
{
	return cs_op(49);
}

/* The next `count` instructions run in protected mode. */
static inline uint64_t cs_prot_region(uint16_t count)
{
	return cs_op(41) | count;
}

/* mem32[r64[address]] += r[value]; tells waiters of the whole system */
static inline uint64_t cs_sync_add32(unsigned int address, unsigned int value)
{
	return cs_op(37) | cs_src(address) | (uint64_t)value << 32;
}

/* Wait until mem32[r64[address]] is greater than r[value]. */
static inline uint64_t cs_sync_wait32_gt(unsigned int address, unsigned int value)
{
	return cs_op(39) | cs_src(address) | (uint64_t)value << 32 | (uint64_t)CS_GT << 28;
}

#endif
