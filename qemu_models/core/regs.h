/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mali CSF GPU model: register offsets and bits of the MMIO region.
 *
 * Names and values: docs/mali-csf.md sections 1.1-1.10 and 2.2. The offsets of
 * the firmware interface in memory are in fwif.h, the instruction set is in isa.h.
 */
#ifndef MALI_REGS_H
#define MALI_REGS_H

/* The indentation says which bits belong to which register. */
/* clang-format off */

#include "fwif.h"
#include "isa.h"

#define MALI_BIT(n) (UINT32_C(1) << (n))
#define MALI_BIT64(n) (UINT64_C(1) << (n))

/* ---- an interrupt block (1.1) ---- */
#define INT_RAWSTAT 0x0
#define INT_CLEAR   0x4
#define INT_MASK    0x8
#define INT_STAT    0xc

/* ---- GPU_CONTROL (1.2) ---- */
#define GPU_ID                        0x000
#define GPU_L2_FEATURES               0x004
#define GPU_CORE_FEATURES             0x008
#define GPU_TILER_FEATURES            0x00c
#define GPU_MEM_FEATURES              0x010
#define GPU_MMU_FEATURES              0x014
#define GPU_AS_PRESENT                0x018
#define GPU_CSF_ID                    0x01c
#define GPU_INT_BASE                  0x020
#define   GPU_IRQ_FAULT                   MALI_BIT(0)
#define   GPU_IRQ_PROTM_FAULT             MALI_BIT(1)
#define   GPU_IRQ_RESET_COMPLETED         MALI_BIT(8)
#define   GPU_IRQ_POWER_CHANGED           MALI_BIT(9)
#define   GPU_IRQ_POWER_CHANGED_ALL       MALI_BIT(10)
#define   GPU_IRQ_CLEAN_CACHES_COMPLETED  MALI_BIT(17)
#define   GPU_IRQ_DOORBELL_MIRROR         MALI_BIT(18)
#define   GPU_IRQ_MCU_STATUS_CHANGED      MALI_BIT(19)
#define   GPU_IRQ_FLUSH_PA_RANGE_DONE     MALI_BIT(20)
#define GPU_CMD                       0x030
#define   GPU_CMD_TYPE(v)                 ((v) & 0xff)
#define   GPU_CMD_PAYLOAD(v)              ((v) >> 8)
#define   GPU_CMD_NOP                     0
#define   GPU_CMD_RESET                   1
#define     GPU_RESET_FAST                    0
#define     GPU_RESET_SOFT                    1
#define     GPU_RESET_HARD                    2
#define   GPU_CMD_TIME                    3
#define   GPU_CMD_FLUSH_CACHES            4
#define   GPU_CMD_SET_PROTECTED_MODE      5
#define   GPU_CMD_FINISH_HALT             6
#define   GPU_CMD_CLEAR_FAULT             7
#define   GPU_CMD_FLUSH_PA_RANGE          8
#define GPU_STATUS                    0x034
#define   GPU_STATUS_ACTIVE               MALI_BIT(0)
#define   GPU_STATUS_PWR_ACTIVE           MALI_BIT(1)
#define   GPU_STATUS_PAGE_FAULT           MALI_BIT(4)
#define   GPU_STATUS_PROTM_ACTIVE         MALI_BIT(7)
#define   GPU_STATUS_DBG_ENABLED          MALI_BIT(8)
#define GPU_FAULT_STATUS              0x03c
#define   GPU_FAULT_ADDR_VALID            MALI_BIT(10)
#define   GPU_FAULT_JASID_VALID           MALI_BIT(11)
#define   GPU_FAULT_JASID(n)              ((uint32_t)(n) << 12)
#define GPU_FAULT_ADDR                0x040
#define GPU_L2_CONFIG                 0x048
#define GPU_PWR_KEY                   0x050
#define GPU_PWR_OVERRIDE0             0x054
#define GPU_PWR_OVERRIDE1             0x058
#define GPU_FEATURES                  0x060
#define GPU_PRFCNT_FEATURES           0x068
#define GPU_TIMESTAMP_OFFSET          0x088
#define GPU_CYCLE_COUNT               0x090
#define GPU_TIMESTAMP                 0x098
#define GPU_THREAD_MAX_THREADS        0x0a0
#define GPU_THREAD_MAX_WORKGROUP_SIZE 0x0a4
#define GPU_THREAD_MAX_BARRIER_SIZE   0x0a8
#define GPU_THREAD_FEATURES           0x0ac
#define GPU_TEXTURE_FEATURES          0x0b0    /* + 4n, n = 0..3 */
#define GPU_DOORBELL_FEATURES         0x0c0
#define GPU_COMMAND_ARG0              0x0d0    /* arch >= 12 */
#define GPU_COMMAND_ARG1              0x0d8
/* Power domains: the same ten registers for SHADER (+0), TILER (+0x10), L2 (+0x20), each 64 bits. */
#define GPU_PRESENT                   0x100
#define GPU_READY                     0x140
#define GPU_PWRON                     0x180
#define GPU_PWROFF                    0x1c0
#define GPU_PWRTRANS                  0x200
#define GPU_PWRACTIVE                 0x240
#define   GPU_DOMAIN_SHADER               0x00
#define   GPU_DOMAIN_TILER                0x10
#define   GPU_DOMAIN_L2                   0x20
#define GPU_REVID                     0x280
#define GPU_ASN_HASH                  0x2c0    /* + 4n, n = 0..2 */
#define GPU_COHERENCY_FEATURES        0x300
#define   GPU_COHERENCY_ACE_LITE          MALI_BIT(0)
#define GPU_COHERENCY_PROTOCOL        0x304
#define GPU_THREAD_TLS_ALLOC          0x310
#define GPU_SYSC_PBHA_OVERRIDE        0x320    /* 4 words, arch >= 11 */
#define GPU_SYSC_ALLOC                0x340    /* 8 words, arch >= 11 */
#define MCU_CONTROL                   0x700
#define   MCU_CONTROL_DISABLE             0
#define   MCU_CONTROL_ENABLE              1
#define   MCU_CONTROL_AUTO                2
#define MCU_STATUS                    0x704
#define   MCU_STATUS_DISABLED             0
#define   MCU_STATUS_ENABLED              1
#define   MCU_STATUS_HALT                 2
#define   MCU_STATUS_FATAL                3
#define MCU_FEATURES                  0x708
/* PWR_CONTROL, arch >= 14 (1.10): panthor_pwr_regs.h */
#define PWR_INT_BASE                  0x800
#define   PWR_IRQ_POWER_CHANGED           MALI_BIT(0)
#define   PWR_IRQ_POWER_CHANGED_ALL       MALI_BIT(1)
#define   PWR_IRQ_DELEGATION_CHANGED      MALI_BIT(2)
#define   PWR_IRQ_RESET_COMPLETED         MALI_BIT(3)
#define   PWR_IRQ_RETRACT_COMPLETED       MALI_BIT(4)
#define   PWR_IRQ_INSPECT_COMPLETED       MALI_BIT(5)
#define   PWR_IRQ_NOT_ALLOWED             MALI_BIT(30)
#define   PWR_IRQ_INVALID                 MALI_BIT(31)
#define PWR_STATUS                    0x820
#define   PWR_STATUS_ALLOW(d)             MALI_BIT64(d)
#define   PWR_STATUS_DELEGATED(d)         MALI_BIT64(16 + (d))
#define   PWR_STATUS_ALLOW_SOFT_RESET     MALI_BIT64(33)
#define   PWR_STATUS_ALLOW_FAST_RESET     MALI_BIT64(34)
#define PWR_COMMAND                   0x828
#define   PWR_COMMAND_TYPE(v)             ((v) & 0xff)
#define   PWR_COMMAND_DOMAIN(v)           ((v) >> 8 & 0xff)
#define   PWR_COMMAND_SUBDOMAIN(v)        ((v) >> 16)
#define   PWR_COMMAND_POWER_UP            0x10
#define   PWR_COMMAND_POWER_DOWN          0x11
#define   PWR_COMMAND_DELEGATE            0x20
#define   PWR_COMMAND_RETRACT             0x21
#define   PWR_COMMAND_RESET_SOFT          0x31
#define   PWR_COMMAND_RESET_FAST          0x32
#define   PWR_COMMAND_INSPECT             0xf0
#define   PWR_DOMAIN_L2                   0
#define   PWR_DOMAIN_TILER                1
#define   PWR_DOMAIN_SHADER               8
#define   PWR_DOMAIN_BASE                 14
#define   PWR_DOMAIN_STACK                15
#define   PWR_SUBDOMAIN_RTU               MALI_BIT(0) /* ray traversal unit, of SHADER */
#define PWR_CMDARG                    0x830
#define PWR_DOMAINS                   0x900    /* a block of PWR_BLOCK bytes a domain */
#define   PWR_BLOCK                       0x40
#define   PWR_PRESENT                     0x00
#define   PWR_READY                       0x08
#define   PWR_PWRTRANS                    0x10
#define   PWR_PWRACTIVE                   0x18
#define GPU_STACK_PRESENT             0xe00
#define GPU_STACK_READY               0xe10
#define GPU_STACK_PWRON               0xe20
#define GPU_STACK_PWROFF              0xe30
#define GPU_STACK_PWRTRANS            0xe40
#define GPU_CSF_CONFIG                0xf00
#define GPU_SHADER_CONFIG             0xf04
#define GPU_TILER_CONFIG              0xf08
#define GPU_L2_MMU_CONFIG             0xf0c
#define GPU_DBG                       0xfe8

/* ---- JOB_CONTROL, MMU_CONTROL, user pages, doorbells (1.3) ---- */
#define JOB_INT_BASE                  0x1000
#define   JOB_INT_CSG(n)                  MALI_BIT(n)
#define   JOB_INT_GLOBAL                  MALI_BIT(31)
#define MMU_INT_BASE                  0x2000
#define   MMU_INT_FAULT(as)               MALI_BIT(as)
#define   MMU_INT_COMMAND(as)             MALI_BIT(16 + (as))
#define LATEST_FLUSH_ID               0x10000
#define LATEST_FLUSH_ID_MASK          0xffffffu
#define DOORBELL_BASE                 0x80000
#define DOORBELL_STRIDE               0x10000
#define DOORBELL(i)                   (DOORBELL_BASE + (i) * DOORBELL_STRIDE)
#define NUM_DOORBELLS                 24       /* what fits into the 2 MiB region */

/* ---- one address space (1.7) ---- */
#define AS_BASE                       0x2400
#define AS_STRIDE                     0x40
#define AS_REG(as, r)                 (AS_BASE + (as) * AS_STRIDE + (r))
#define AS_TRANSTAB                   0x00
#define AS_MEMATTR                    0x08
#define AS_LOCKADDR                   0x10
#define AS_COMMAND                    0x18
#define   AS_COMMAND_NOP                  0
#define   AS_COMMAND_UPDATE               1
#define   AS_COMMAND_LOCK                 2
#define   AS_COMMAND_UNLOCK               3
#define   AS_COMMAND_FLUSH_PT             4
#define   AS_COMMAND_FLUSH_MEM            5
#define AS_FAULTSTATUS                0x1c
#define   AS_FAULTSTATUS_ACCESS(a)        ((uint32_t)(a) << 8)
#define   AS_FAULTSTATUS_SOURCE(s)        ((uint32_t)(s) << 16)
#define AS_FAULTADDRESS               0x20
#define AS_STATUS                     0x28
#define   AS_STATUS_ACTIVE                MALI_BIT(0)
#define AS_TRANSCFG                   0x30
#define   AS_TRANSCFG_MODE(v)             ((v) & 0xf)
#define   AS_TRANSCFG_UNMAPPED            1
#define   AS_TRANSCFG_IDENTITY            2
#define   AS_TRANSCFG_AARCH64_4K          6
#define   AS_TRANSCFG_AARCH64_64K         8
#define   AS_TRANSCFG_INA_BITS(v)         (((v) >> 6) & 0x1f)
#define   AS_TRANSCFG_DISABLE_AF_FAULT    MALI_BIT64(34)
#define AS_FAULTEXTRA                 0x38

/* ---- exception codes: AS FAULTSTATUS, GPU_FAULT_STATUS (2.2, 1.2) ---- */
#define EXC_GPU_BUS_FAULT             0x80
#define EXC_TRANSLATION_FAULT         0xc0     /* + level */
#define EXC_PERM_FAULT                0xc8     /* + level */
#define EXC_ACCESS_FLAG               0xd8     /* + level */
#define EXC_ADDR_SIZE_FAULT_IN        0xe0
#define EXC_ADDR_SIZE_FAULT_OUT       0xe4     /* + level */
#define EXC_MEM_ATTR_FAULT            0xe8     /* + level */

#endif
