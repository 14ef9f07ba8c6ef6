/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The MCU's address space and the firmware image in it: spec 3.4 and the manifest. */
#include "../fwimage.h"
#include "machine.h"
#include "t.h"

/* ---- MCU VM ---- */
static void *mcu_ptr(Machine *m, uint64_t va, size_t len)
{
    uint64_t pa = pt_lookup(m, m->mcu_root, va);

    if (!pa) {
        t_fail(__FILE__, __LINE__, "MCU VA 0x%" PRIx64 " is not mapped", va);
    }
    return ram_ptr(m, pa, len);
}

uint32_t mcu_r32(Machine *m, uint64_t va)
{
    uint32_t v;

    memcpy(&v, mcu_ptr(m, va, 4), 4);
    return v;
}

uint64_t mcu_r64(Machine *m, uint64_t va)
{
    uint64_t v;

    memcpy(&v, mcu_ptr(m, va, 8), 8);
    return v;
}

void mcu_w32(Machine *m, uint64_t va, uint32_t v)
{
    memcpy(mcu_ptr(m, va, 4), &v, 4);
}
void mcu_w64(Machine *m, uint64_t va, uint64_t v)
{
    memcpy(mcu_ptr(m, va, 8), &v, 8);
}

void mcu_copy(Machine *m, uint64_t va, const void *data, size_t len)
{
    memcpy(mcu_ptr(m, va, len), data, len); /* sections are physically contiguous here */
}

uint64_t mcu_bo(Machine *m, size_t len)
{
    uint64_t va = m->next_mcu_va;

    len = (len + 4095) & ~(size_t)4095;
    m->next_mcu_va += len + 4096; /* a hole behind each: overruns fault */
    pt_map(m, m->mcu_root, va, mach_alloc(m, len), len, PT_NX);
    return va;
}

/* ---- firmware image: spec 3.4 and the manifest ---- */
const FwOpts fw_default = { .suspend_size = 0x3000, .protm_suspend_size = 0x5000 };
#define TEXT_SIZE     0x2000u
#define DATA_SIZE     0x4000u
#define PROT_SIZE     0x4000u
#define DATA_VOLATILE 0x100u /* offset and size of the volatile range in "data" */

void fw_map(Machine *m, const FwOpts *o)
{
    m->shared_pa = mach_alloc(m, FW_SHARED_SIZE);
    pt_map(m, m->mcu_root, FW_SHARED_VA, m->shared_pa, FW_SHARED_SIZE, PT_NX);
    pt_map(m, m->mcu_root, FW_TEXT_VA, mach_alloc(m, TEXT_SIZE), TEXT_SIZE, PT_RO);
    pt_map(m, m->mcu_root, FW_DATA_VA, mach_alloc(m, DATA_SIZE), DATA_SIZE, PT_NX);
    if (o->map_prot) {
        pt_map(m, m->mcu_root, FW_PROT_VA, mach_alloc(m, PROT_SIZE), PROT_SIZE, PT_NX);
    }
}

static void put_record(Machine *m, unsigned i, const char *name, const uint32_t *words)
{
    uint64_t at = FW_TEXT_VA + 0x28 + i * 48;
    char text[16] = "";

    memcpy(text, name, strlen(name));
    mcu_copy(m, at, text, sizeof(text));
    for (unsigned k = 0; k < 7; k++) {
        mcu_w32(m, at + 16 + 4 * k, words[k]);
    }
}

static void put_manifest(Machine *m, const FwOpts *o, uint32_t data_crc)
{
    const uint32_t shared[] = { FW_SHARED_VA, FW_SHARED_SIZE, 0xc000001b, 0, 0, 0, 0 };
    const uint32_t text[] = { FW_TEXT_VA, TEXT_SIZE, 0x0000000d, 0, 0, 0, 0 };
    const uint32_t data[] = { FW_DATA_VA, DATA_SIZE,     0x8000000b,   DATA_SIZE,
                              data_crc,   DATA_VOLATILE, DATA_VOLATILE };
    const uint32_t prot[] = { FW_PROT_VA, PROT_SIZE, 0x0000002b, 0, 0, 0, 0 };
    const uint32_t head[] = { 1,
                              o->version ? o->version : FW_VERSION(1, 5, 0),
                              0,
                              0x71,
                              o->suspend_size,
                              o->protm_suspend_size,
                              4,
                              0 };

    mcu_copy(m, FW_TEXT_VA, "MALIHLE", 8);
    mcu_copy(m, FW_TEXT_VA + 8, head, sizeof(head));
    put_record(m, 0, "shared", shared);
    put_record(m, 1, "text", text);
    put_record(m, 2, "data", data);
    put_record(m, 3, "prot_data", prot);
}

static uint32_t put_data(Machine *m)
{
    uint8_t *p = mcu_ptr(m, FW_DATA_VA, DATA_SIZE);
    uint32_t crc;

    for (uint32_t i = 0; i < DATA_SIZE; i++) {
        p[i] = i < 64 ? (uint8_t)i : 0;
    }
    crc = mali_crc32(0, p, DATA_VOLATILE);
    return mali_crc32(crc, p + 2 * DATA_VOLATILE, DATA_SIZE - 2 * DATA_VOLATILE);
}

static void put_control(Machine *m)
{
    mcu_w32(m, FW_SHARED_VA + GLB_CTL_INPUT_VA, FW_GLB_IN_VA);
    mcu_w32(m, FW_SHARED_VA + GLB_CTL_OUTPUT_VA, FW_GLB_OUT_VA);
    mcu_w32(m, FW_SHARED_VA + GLB_CTL_GROUP_NUM, 8);
    mcu_w32(m, FW_SHARED_VA + GLB_CTL_GROUP_STRIDE, FW_CSG_STRIDE);
    mcu_w32(m, FW_SHARED_VA + GLB_CTL_INSTR_FEATURES, 0x71);
    for (unsigned i = 0; i < 8; i++) {
        uint64_t ctl = FW_SHARED_VA + FW_CSG_CTL(FW_CSG_STRIDE, i);

        mcu_w32(m, ctl + CSG_CTL_INPUT_VA, FW_CSG_IN_VA(i));
        mcu_w32(m, ctl + CSG_CTL_OUTPUT_VA, FW_CSG_OUT_VA(i));
        mcu_w32(m, ctl + CSG_CTL_STREAM_NUM, 8);
        mcu_w32(m, ctl + CSG_CTL_STREAM_STRIDE, FW_CS_STRIDE);
        for (unsigned j = 0; j < 8; j++) {
            mcu_w32(m, ctl + FW_CS_CTL(FW_CS_STRIDE, j) + CS_CTL_INPUT_VA, FW_CS_IN_VA(i, j));
            mcu_w32(m, ctl + FW_CS_CTL(FW_CS_STRIDE, j) + CS_CTL_OUTPUT_VA, FW_CS_OUT_VA(i, j));
        }
    }
}

void fw_load(Machine *m, const FwOpts *o)
{
    memset(mcu_ptr(m, FW_SHARED_VA, FW_SHARED_SIZE), 0, FW_SHARED_SIZE);
    if (!o->zero_vas) {
        put_control(m);
    }
    if (!o->no_manifest) {
        put_manifest(m, o, put_data(m));
    }
}
