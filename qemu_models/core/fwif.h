/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mali CSF GPU model: the firmware interface in guest memory.
 *
 * docs/mali-csf.md sections 3.4, 4.1, 4.2 and 4.11. "IN" pages are written by the
 * host, "OUT" pages by the model, "CTL" blocks by the model at boot.
 */
#ifndef MALI_FWIF_H
#define MALI_FWIF_H

/* The indentation says which bits belong to which register. */
/* clang-format off */

/* ---- shared section, the map of all public images (3.4) ---- */
#define FW_SHARED_VA                  0x04000000u
#define FW_SHARED_SIZE                0x10000u
#define FW_CSG_CTL(stride, i)         (0x1000u + (i) * (stride))    /* from the shared section's start */
#define FW_CS_CTL(stride, j)          (0x40u + (j) * (stride))      /* from the CSG control block */
#define FW_GLB_IN_VA                  0x04002000u
#define FW_GLB_OUT_VA                 0x04006000u
#define FW_CSG_IN_VA(i)               (0x04003000u + (i) * 0x80u)
#define FW_CSG_OUT_VA(i)              (0x04007000u + (i) * 0x40u)
#define FW_CS_IN_VA(i, j)             (0x04003400u + (i) * 0x400u + (j) * 0x80u)
#define FW_CS_OUT_VA(i, j)            (0x04007200u + (i) * 0x800u + (j) * 0x100u)
#define FW_CSG_STRIDE                 0xa0u
#define FW_CS_STRIDE                  0xcu

/* ---- sections of the image: flags of an IFACE entry (3.2) ---- */
#define FW_SECTION_RD                 (1u << 0)
#define FW_SECTION_WR                 (1u << 1)
#define FW_SECTION_EX                 (1u << 2)
#define FW_SECTION_PROT               (1u << 5)
#define FW_SECTION_SHARED             (1u << 30)
#define FW_SECTION_ZERO               (1u << 31)

/* ---- GLB control ---- */
#define GLB_CTL_VERSION               0x00
#define   FW_VERSION(maj, min, pat)       ((uint32_t)(maj) << 24 | (uint32_t)(min) << 16 | (uint32_t)(pat))
#define GLB_CTL_FEATURES              0x04
#define GLB_CTL_INPUT_VA              0x08
#define GLB_CTL_OUTPUT_VA             0x0c
#define GLB_CTL_GROUP_NUM             0x10
#define GLB_CTL_GROUP_STRIDE          0x14
#define GLB_CTL_PERFCNT_SIZE          0x18
#define GLB_CTL_INSTR_FEATURES        0x1c
/* ---- GLB input ---- */
#define GLB_IN_REQ                    0x00
#define GLB_IN_ACK_IRQ_MASK           0x04
#define GLB_IN_DOORBELL_REQ           0x08
#define GLB_IN_PROGRESS_TIMER         0x10
#define GLB_IN_POWEROFF_TIMER         0x14
#define GLB_IN_CORE_EN_MASK           0x18
#define GLB_IN_PERFCNT_AS             0x24
#define GLB_IN_PERFCNT_BASE           0x28
#define GLB_IN_PERFCNT_EXTRACT        0x30
#define GLB_IN_PERFCNT_CONFIG         0x40
#define GLB_IN_IDLE_TIMER             0x80
#define   GLB_TIMER_VAL(v)                ((v) & 0x7fffffffu)
#define   GLB_TIMER_SOURCE_GPU_COUNTER    (1u << 31)
/* ---- GLB output ---- */
#define GLB_OUT_ACK                   0x00
#define GLB_OUT_DOORBELL_ACK          0x08
#define GLB_OUT_HALT_STATUS           0x10
#define GLB_OUT_PERFCNT_STATUS        0x14
#define GLB_OUT_PERFCNT_INSERT        0x18
/* ---- GLB_REQ / GLB_ACK bits ---- */
#define GLB_HALT                      (1u << 0)
#define GLB_CFG_PROGRESS_TIMER        (1u << 1)
#define GLB_CFG_ALLOC_EN              (1u << 2)
#define GLB_CFG_POWEROFF_TIMER        (1u << 3)
#define GLB_PROTM_ENTER               (1u << 4)
#define GLB_PERFCNT_EN                (1u << 5)
#define GLB_PERFCNT_SAMPLE            (1u << 6)
#define GLB_COUNTER_EN                (1u << 7)
#define GLB_PING                      (1u << 8)
#define GLB_FWCFG_UPDATE              (1u << 9)
#define GLB_IDLE_EN                   (1u << 10)
#define GLB_SLEEP                     (1u << 12)     /* fw version < 4.1 */
#define GLB_STATE_SHIFT               12
#define GLB_STATE_MASK                (7u << 12)     /* fw version >= 4.1 */
#define   GLB_STATE_ACTIVE                0u
#define   GLB_STATE_HALT                  1u
#define   GLB_STATE_SLEEP                 2u
#define   GLB_STATE_SUSPEND               3u
#define GLB_PROTM_EXIT                (1u << 23)
#define GLB_PERFCNT_THRESHOLD         (1u << 24)
#define GLB_PERFCNT_OVERFLOW          (1u << 25)
#define GLB_IDLE                      (1u << 26)
#define GLB_EVT_MASK                  0x07f00000u

/* ---- CSG control ---- */
#define CSG_CTL_FEATURES              0x00
#define CSG_CTL_INPUT_VA              0x04
#define CSG_CTL_OUTPUT_VA             0x08
#define CSG_CTL_SUSPEND_SIZE          0x0c
#define CSG_CTL_PROTM_SUSPEND_SIZE    0x10
#define CSG_CTL_STREAM_NUM            0x14
#define CSG_CTL_STREAM_STRIDE         0x18
/* ---- CSG input ---- */
#define CSG_IN_REQ                    0x00
#define CSG_IN_ACK_IRQ_MASK           0x04
#define CSG_IN_DOORBELL_REQ           0x08
#define CSG_IN_CS_IRQ_ACK             0x0c
#define CSG_IN_ALLOW_COMPUTE          0x20
#define CSG_IN_ALLOW_FRAGMENT         0x28
#define CSG_IN_ALLOW_OTHER            0x30
#define CSG_IN_ENDPOINT_REQ           0x34
#define   CSG_ENDPOINT_PRIORITY(v)        ((uint32_t)(v) >> 28)
#define CSG_IN_ENDPOINT_REQ2          0x38           /* 64 bits, fw version >= 4.0 */
#define CSG_IN_SUSPEND_BUF            0x40
#define CSG_IN_PROTM_SUSPEND_BUF      0x48
#define CSG_IN_CONFIG                 0x50           /* the AS number */
#define CSG_IN_ITER_TRACE_CONFIG      0x54
#define CSG_IN_SIZE                   0x58
/* ---- CSG output ---- */
#define CSG_OUT_ACK                   0x00
#define CSG_OUT_DOORBELL_ACK          0x08
#define CSG_OUT_CS_IRQ_REQ            0x0c
#define CSG_OUT_STATUS_EP_CURRENT     0x10
#define CSG_OUT_STATUS_EP_REQ         0x14
#define CSG_OUT_STATUS_STATE          0x18
#define   CSG_STATUS_STATE_IDLE           (1u << 0)
#define CSG_OUT_RESOURCE_DEP          0x1c
#define CSG_OUT_SIZE                  0x20
/* ---- CSG_REQ / CSG_ACK bits ---- */
#define CSG_STATE_MASK                7u
#define   CSG_STATE_TERMINATE             0u
#define   CSG_STATE_START                 1u
#define   CSG_STATE_SUSPEND               2u
#define   CSG_STATE_RESUME                3u
#define CSG_ENDPOINT_CONFIG           (1u << 4)
#define CSG_STATUS_UPDATE             (1u << 5)
#define CSG_SYNC_UPDATE               (1u << 28)
#define CSG_IDLE                      (1u << 29)
#define CSG_DOORBELL                  (1u << 30)
#define CSG_PROGRESS_TIMER_EVENT      (1u << 31)
#define CSG_EVT_MASK                  (CSG_SYNC_UPDATE | CSG_IDLE | CSG_PROGRESS_TIMER_EVENT)

/* ---- CS control ---- */
#define CS_CTL_FEATURES               0x00
#define   CS_FEATURES(regs, sbs)          (((regs) - 1u) | (sbs) << 8 | 7u << 16) /* + all three iterators */
#define CS_CTL_INPUT_VA               0x04
#define CS_CTL_OUTPUT_VA              0x08
/* ---- CS input ---- */
#define CS_IN_REQ                     0x00
#define CS_IN_CONFIG                  0x04
#define   CS_CONFIG_PRIORITY(v)           ((v) & 0xf)
#define   CS_CONFIG_DOORBELL(v)           (((v) >> 8) & 0xff)
#define CS_IN_ACK_IRQ_MASK            0x0c
#define CS_IN_RINGBUF_BASE            0x10           /* VA of the group's VM */
#define CS_IN_RINGBUF_SIZE            0x18
#define CS_IN_HEAP_START              0x20
#define CS_IN_HEAP_END                0x28
#define CS_IN_RINGBUF_INPUT           0x30           /* MCU VA */
#define CS_IN_RINGBUF_OUTPUT          0x38           /* MCU VA */
#define CS_IN_INSTR_CONFIG            0x40
#define CS_IN_INSTRBUF_SIZE           0x44
#define CS_IN_INSTRBUF_BASE           0x48
#define CS_IN_INSTRBUF_OFFSET_PTR     0x50
#define CS_IN_SIZE                    0x58
/* ---- CS output ---- */
#define CS_OUT_ACK                    0x00
#define CS_OUT_STATUS_CMD_PTR         0x40
#define CS_OUT_STATUS_WAIT            0x48
#define   CS_STATUS_WAIT_SB_MASK          0xffffu
#define   CS_STATUS_WAIT_SB_SRC_WAIT      (8u << 16)
#define   CS_STATUS_WAIT_SYNC_COND_LE     (0u << 24)
#define   CS_STATUS_WAIT_SYNC_COND_GT     (1u << 24)
#define   CS_STATUS_WAIT_PROGRESS         (1u << 28)
#define   CS_STATUS_WAIT_PROTM            (1u << 29)
#define   CS_STATUS_WAIT_SYNC_64B         (1u << 30)
#define   CS_STATUS_WAIT_SYNC             (1u << 31)
#define CS_OUT_STATUS_REQ_RESOURCE    0x4c
#define CS_OUT_STATUS_WAIT_SYNC_PTR   0x50
#define CS_OUT_STATUS_WAIT_SYNC_VALUE 0x58
#define CS_OUT_STATUS_SCOREBOARDS     0x5c
#define CS_OUT_STATUS_BLOCKED_REASON  0x60
#define   CS_BLOCKED_NONE                 0u
#define   CS_BLOCKED_SB_WAIT              1u
#define   CS_BLOCKED_PROGRESS_WAIT        2u
#define   CS_BLOCKED_SYNC_WAIT            3u
#define   CS_BLOCKED_DEFERRED             4u
#define   CS_BLOCKED_RESOURCE             5u
#define   CS_BLOCKED_FLUSH                6u
#define CS_OUT_STATUS_WAIT_SYNC_VALUE_HI 0x64
#define CS_OUT_FAULT                  0x80           /* [7:0] type, [31:8] data */
#define CS_OUT_FATAL                  0x84
#define CS_OUT_FAULT_INFO             0x88
#define CS_OUT_FATAL_INFO             0x90
#define CS_OUT_HEAP_VT_START          0xc0
#define CS_OUT_HEAP_VT_END            0xc4
#define CS_OUT_HEAP_FRAG_END          0xcc
#define CS_OUT_HEAP_ADDRESS           0xd0
#define CS_OUT_SIZE                   0xd8
/* ---- CS_REQ / CS_ACK bits ---- */
#define CS_STATE_MASK                 7u
#define   CS_STATE_STOP                   0u
#define   CS_STATE_START                  1u
#define CS_EXTRACT_EVENT              (1u << 4)
#define CS_IDLE_SYNC_WAIT             (1u << 8)
#define CS_IDLE_PROTM_PENDING         (1u << 9)
#define CS_IDLE_EMPTY                 (1u << 10)
#define CS_IDLE_RESOURCE_REQ          (1u << 11)
#define CS_TILER_OOM                  (1u << 26)
#define CS_PROTM_PENDING              (1u << 27)
#define CS_FATAL                      (1u << 30)
#define CS_FAULT                      (1u << 31)
#define CS_EVT_MASK                   (CS_TILER_OOM | CS_PROTM_PENDING | CS_FATAL | CS_FAULT)

/* ---- ring buffer pages ---- */
#define RING_IN_INSERT                0x00           /* 64 bits */
#define RING_IN_EXTRACT_INIT          0x08           /* 64 bits */
#define RING_OUT_EXTRACT              0x00           /* 64 bits */
#define RING_OUT_ACTIVE               0x08

/* ---- CS_FAULT and CS_FATAL types (4.11; panthor_device.h:428-478) ---- */
#define CS_EXC_KABOOM                 0x05
#define CS_EXC_RES_TERM               0x0f
#define CS_EXC_CONFIG_FAULT           0x40
#define CS_EXC_UNRECOVERABLE          0x41
#define CS_EXC_ENDPOINT_FAULT         0x44
#define CS_EXC_BUS_FAULT              0x48
#define CS_EXC_INSTR_INVALID          0x49
#define CS_EXC_CALL_STACK_OVERFLOW    0x4a
#define CS_EXC_INHERIT_FAULT          0x4b
#define CS_EXC_INVALID_PC             0x50
#define CS_EXC_INVALID_ENC            0x51
#define CS_EXC_BARRIER_FAULT          0x55
#define CS_EXC_DATA_INVALID_FAULT     0x58
#define CS_EXC_TILE_RANGE_FAULT       0x59
#define CS_EXC_ADDR_RANGE_FAULT       0x5a
#define CS_EXC_IMPRECISE_FAULT        0x5b
#define CS_EXC_OOM                    0x60
#define CS_EXC_FW_INTERNAL_ERROR      0x68
#define CS_EXC_RES_EVICTION_TIMEOUT   0x69

#endif
