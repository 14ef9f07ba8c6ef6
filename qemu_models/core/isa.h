/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mali CSF GPU model: command-stream opcodes (bits 63:56) and conditions.
 *
 * docs/mali-csf.md sections 5.2 and 5.3; the names are those of Mesa's v10.xml.
 */
#ifndef MALI_ISA_H
#define MALI_ISA_H

/* The indentation says which bits belong to which register. */
/* clang-format off */

#define CS_OP_NOP                     0
#define CS_OP_MOVE48                  1
#define CS_OP_MOVE32                  2
#define CS_OP_WAIT                    3
#define CS_OP_RUN_COMPUTE             4
#define CS_OP_RUN_TILING              5      /* arch 10, 11 */
#define CS_OP_RUN_IDVS                6      /* arch 10, 11 */
#define CS_OP_RUN_FRAGMENT            7
#define CS_OP_RUN_FULLSCREEN          8
#define CS_OP_FINISH_TILING           9
#define CS_OP_FINISH_FRAGMENT         11
#define CS_OP_RUN_IDVS2               12     /* arch >= 12 */
#define CS_OP_ADD_IMM32               16     /* arch >= 13: ARITH_IMM32, sub-opcode [39:32] */
#define CS_OP_ADD_IMM64               17
#define CS_OP_UMIN32                  18     /* arch >= 13: ARITH_REG32, sub-opcode [31:24] */
#define CS_OP_LOGIC_OP32              19     /* arch >= 11 */
#define CS_OP_LOAD_MULTIPLE           20
#define CS_OP_STORE_MULTIPLE          21
#define CS_OP_BRANCH                  22
#define CS_OP_SET_SB_ENTRY            23
#define CS_OP_PROGRESS_WAIT           24
#define CS_OP_SET_EXCEPTION_HANDLER   25
#define CS_OP_NEXT_SB_ENTRY           26     /* arch >= 11 */
#define CS_OP_SET_STATE               27     /* arch >= 11 */
#define CS_OP_SET_STATE_IMM32         28     /* arch >= 11 */
#define CS_OP_SHARED_SB_INC           30     /* arch >= 11 */
#define CS_OP_SHARED_SB_DEC           31     /* arch >= 11 */
#define CS_OP_CALL                    32
#define CS_OP_JUMP                    33
#define CS_OP_REQ_RESOURCE            34
#define CS_OP_FLUSH_CACHE2            36
#define CS_OP_SYNC_ADD32              37
#define CS_OP_SYNC_SET32              38
#define CS_OP_SYNC_WAIT32             39
#define CS_OP_STORE_STATE             40
#define CS_OP_PROT_REGION             41
#define CS_OP_PROGRESS_STORE          42
#define CS_OP_PROGRESS_LOAD           43
#define CS_OP_RUN_COMPUTE_INDIRECT    44
#define CS_OP_ERROR_BARRIER           47
#define CS_OP_HEAP_SET                48
#define CS_OP_HEAP_OPERATION          49
#define CS_OP_TRACE_POINT             50
#define CS_OP_SYNC_ADD64              51
#define CS_OP_SYNC_SET64              52
#define CS_OP_SYNC_WAIT64             53
#define CS_OP_ARITH_REG64             57     /* arch >= 13 */

/* BRANCH and SYNC_WAIT conditions */
#define CS_COND_LE                    0
#define CS_COND_GT                    1
#define CS_COND_EQ                    2
#define CS_COND_NE                    3
#define CS_COND_LT                    4
#define CS_COND_GE                    5
#define CS_COND_ALWAYS                6

/* STORE_STATE [33:32] */
#define CS_STORE_TIMESTAMP            0
#define CS_STORE_CYCLES               1
#define CS_STORE_DISJOINT             2
#define CS_STORE_ERROR                3

/* HEAP_OPERATION [33:32] */
#define CS_HEAP_VT_START              0
#define CS_HEAP_VT_END                1
#define CS_HEAP_FRAG_END              3

/* SYNC_ADD/SYNC_SET [2:1] */
#define CS_SCOPE_SYSTEM               0
#define CS_SCOPE_CSG                  2

#endif
