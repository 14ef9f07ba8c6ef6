/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mali CSF GPU model: the GPU table. Adding a GPU is adding a row.
 *
 * Sources: spec 1.2 and 5.3 and the list at the end of chapter 10. The G610 row is
 * that of the RK3588 as public logs show it. For the others GPU_ID decides which
 * driver paths and which firmware directory are used; feature words without a
 * public source (U) repeat the next documented GPU's. shader_present belongs to the
 * row because the driver names a GPU by core count and ray tracing
 * (panthor_hw.c:114-171).
 */
#include "mali_int.h"

#include <string.h>

#define COMMON                                                                                     \
    .csf_id = 0x040a0412, .tiler_features = 0x00000809, .mem_features = 0x00000301,                \
    .mmu_features = 0x00002830 /* VA 48, PA 40 bits */
#define ARCH10                                                                                     \
    COMMON, .l2_features = 0x07120306, .thread_features = 0x04010000, .cs_regs = 96,               \
            .scoreboards = 8, .fw_version = FW_VERSION(1, 5, 0)
#define ARCH11                                                                                     \
    COMMON, .l2_features = 0x07120306, .thread_features = 0x04010000, .cs_regs = 96,               \
            .scoreboards = 16, .gpu_features = 0xf, .fw_version = FW_VERSION(1, 5, 0) /* (U) */
#define ARCH12                                                                                     \
    COMMON, .l2_features = 0x08130306, .thread_features = 0x10010000, .core_features = 1,          \
            .cs_regs = 128, .scoreboards = 16, .gpu_features = 0xf,                                \
            .fw_version = FW_VERSION(3, 13, 0), .fw_features = 0x10 /* 13.8's, public log */
#define ARCH13 ARCH12
/* Ray traversal, so that the driver names the unit in power commands; the version is the
 * first with a STATE field in GLB_REQ (panthor_fw.c:326-331). Both (U). */
#define ARCH14                                                                                     \
    COMMON, .l2_features = 0x08130306, .thread_features = 0x10010000, .core_features = 1,          \
            .cs_regs = 128, .scoreboards = 16, .gpu_features = 0x2f,                               \
            .fw_version = FW_VERSION(4, 1, 0), .fw_features = 0x10

/* clang-format off */
/* Core counts are (U) but for g610 and g925, and such that the driver gives the row's name. */
static const MaliGpuRow rows[] = {
    { .name = "g610", .gpu_id = 0xa8670005, .shader_present = 0x50005, ARCH10 },
    { .name = "g710", .gpu_id = 0xa8020000, .shader_present = 0x770077, ARCH10 },
    { .name = "g510", .gpu_id = 0xaa030000, .shader_present = 0x50005, ARCH10 },
    { .name = "g310", .gpu_id = 0xac740000, .shader_present = 0x1, ARCH10 },
    { .name = "g715", .gpu_id = 0xb8520000, .shader_present = 0x170017, ARCH11 },  /* 8 cores */
    { .name = "g715i", .gpu_id = 0xb8520000, .shader_present = 0x570057, ARCH11 }, /* Immortalis */
    { .name = "g615", .gpu_id = 0xb8530000, .shader_present = 0x50005, ARCH11 },
    { .name = "g720", .gpu_id = 0xc8100000, .shader_present = 0x330033, ARCH12 },  /* 8 cores */
    { .name = "g720i", .gpu_id = 0xc8100000, .shader_present = 0x770077, ARCH12 }, /* Immortalis */
    { .name = "g620", .gpu_id = 0xc8110000, .shader_present = 0x50005, ARCH12 },
    { .name = "g725", .gpu_id = 0xd8300000, .shader_present = 0x330033, ARCH13 },  /* 8 cores */
    { .name = "g925", .gpu_id = 0xd8300000, .shader_present = 0xee0077, ARCH13 },  /* public log */
    { .name = "g625", .gpu_id = 0xd8110000, .shader_present = 0x50005, ARCH13 },
    { .name = "g1-ultra", .gpu_id = 0xe8000000, .shader_present = 0xfff0fff, ARCH14 },
    { .name = "g1-premium", .gpu_id = 0xe8010000, .shader_present = 0x770077, ARCH14 },
    { .name = "g1-pro", .gpu_id = 0xe8030000, .shader_present = 0x50005, ARCH14 },
};
/* clang-format on */

const MaliGpuRow *mali_gpu_row(const char *name)
{
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (!strcmp(rows[i].name, name ? name : "g610")) {
            return &rows[i];
        }
    }
    return NULL;
}

const char *mali_gpu_name(unsigned i)
{
    return i < sizeof(rows) / sizeof(rows[0]) ? rows[i].name : NULL;
}
