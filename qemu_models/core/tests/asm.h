/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Command-stream instructions for the tests, encoded from spec 5.2. */
#ifndef MALI_TEST_ASM_H
#define MALI_TEST_ASM_H

#include "../isa.h"

#include <stdint.h>

#define I_OP(op)  ((uint64_t)(op) << 56)
#define I_DST(r)  ((uint64_t)(r) << 48)
#define I_SRC0(r) ((uint64_t)(r) << 40)
#define I_SRC1(r) ((uint64_t)(r) << 32)
#define I_IMM(v)  ((uint64_t)(uint32_t)(v))

#define NOP()               UINT64_C(0)
#define MOVE48(d, v)        (I_OP(CS_OP_MOVE48) | I_DST(d) | ((uint64_t)(v)&UINT64_C(0xffffffffffff)))
#define MOVE32(d, v)        (I_OP(CS_OP_MOVE32) | I_DST(d) | I_IMM(v))
#define WAIT(mask)          (I_OP(CS_OP_WAIT) | (uint64_t)(mask) << 16)
#define WAIT_PROGRESS_INC() (WAIT(0) | UINT64_C(1) << 32)
#define ADD_IMM32(d, s, v)  (I_OP(CS_OP_ADD_IMM32) | I_DST(d) | I_SRC0(s) | I_IMM(v))
#define ADD_IMM64(d, s, v)  (I_OP(CS_OP_ADD_IMM64) | I_DST(d) | I_SRC0(s) | I_IMM(v))
#define UMIN32(d, a, b)     (I_OP(CS_OP_UMIN32) | I_DST(d) | I_SRC0(a) | I_SRC1(b))
#define MULTI(op, base, mask, addr, off)                                                           \
    (I_OP(op) | I_DST(base) | I_SRC0(addr) | (uint64_t)(mask) << 16 | ((uint64_t)(off)&0xffff))
#define LOAD(base, mask, addr, off)  MULTI(CS_OP_LOAD_MULTIPLE, base, mask, addr, off)
#define STORE(base, mask, addr, off) MULTI(CS_OP_STORE_MULTIPLE, base, mask, addr, off)
#define BRANCH(cond, r, off)                                                                       \
    (I_OP(CS_OP_BRANCH) | (uint64_t)(cond) << 28 | I_SRC0(r) | ((uint64_t)(off)&0xffff))
#define CALL(addr, len)  (I_OP(CS_OP_CALL) | I_SRC0(addr) | I_SRC1(len))
#define JUMP(addr, len)  (I_OP(CS_OP_JUMP) | I_SRC0(addr) | I_SRC1(len))
#define FLUSH_CACHE2(id) (I_OP(CS_OP_FLUSH_CACHE2) | I_SRC0(id) | 0x233)
/* scope: CS_SCOPE_*; prop: error propagation */
#define SYNC(op, addr, data, scope, prop)                                                          \
    (I_OP(op) | I_SRC0(addr) | I_SRC1(data) | (uint64_t)(scope) << 1 | (uint64_t)(prop))
#define SYNC_WAIT(op, addr, data, cond, reject)                                                    \
    (I_OP(op) | I_SRC0(addr) | I_SRC1(data) | (uint64_t)(cond) << 28 | (uint64_t)(reject))
#define STORE_STATE(what, addr, off)                                                               \
    (I_OP(CS_OP_STORE_STATE) | I_SRC0(addr) | (uint64_t)(what) << 32 | ((uint64_t)(off)&0xffff))
#define PROT_REGION(n)        (I_OP(CS_OP_PROT_REGION) | (n))
#define PROGRESS_WAIT(q, src) (I_OP(CS_OP_PROGRESS_WAIT) | I_SRC0(src) | (q))
#define PROGRESS_STORE(src)   (I_OP(CS_OP_PROGRESS_STORE) | I_SRC0(src))
#define PROGRESS_LOAD(d)      (I_OP(CS_OP_PROGRESS_LOAD) | I_DST(d))
#define ERROR_BARRIER()       I_OP(CS_OP_ERROR_BARRIER)
#define HEAP_SET(a)           (I_OP(CS_OP_HEAP_SET) | I_SRC0(a))
#define HEAP_OP(op)           (I_OP(CS_OP_HEAP_OPERATION) | (uint64_t)(op) << 32)
#define REQ_RESOURCE(v)       (I_OP(CS_OP_REQ_RESOURCE) | (v))
#define N_INSTR(a)            (sizeof(a) / sizeof((a)[0]))

#endif
