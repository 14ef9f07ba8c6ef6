/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mali CSF GPU model: what the firmware image says about itself and where it lies. */
#ifndef MALI_FWIMAGE_H
#define MALI_FWIMAGE_H

#include "mali_int.h"

#define FW_MAX_SECTIONS 32

typedef struct MaliSection {
    char name[17];
    uint32_t va, size, flags;  /* FW_SECTION_* */
    uint32_t data_size, crc32; /* 0: the content is not checked */
    uint32_t volatile_offset, volatile_size;
} MaliSection;

/* All zero without a manifest, as in a real firmware image. */
typedef struct MaliManifest {
    bool present;
    uint32_t version, features, instr_features, suspend_size, protm_suspend_size;
    uint32_t num_sections;
    MaliSection section[FW_MAX_SECTIONS];
} MaliManifest;

void mali_manifest_read(MaliGpu *g, MaliManifest *m);
bool mali_section_mapped(MaliGpu *g, const MaliSection *s); /* all of it, in AS0 */
/* Events of a boot: `section` for each section (and a violation for a bad one). */
void mali_sections_log(MaliGpu *g, const MaliManifest *m);
void mali_sections_scan(MaliGpu *g); /* without a manifest: what the page tables say */
void mali_ev_perm(MaliEvent *e, uint32_t perm);
/* Fault plan row corrupt-section. */
void mali_sections_corrupt(MaliGpu *g, const MaliManifest *m, uint32_t word);
uint32_t mali_crc32(uint32_t crc, const void *buf, size_t len); /* zlib's; starts with 0 */

#endif
