/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mali CSF GPU model: the manifest of our firmware image, and its sections.
 *
 * The generated image (rig/artifacts/csffw.py) starts the section at FW_MANIFEST_VA
 * with a table of all sections. It lies in guest memory: every field is checked and
 * all work is bounded before it is used.
 */
#include "fwimage.h"

#include <string.h>

#define MANIFEST_VA      0x00800000u
#define MANIFEST_MAGIC   "MALIHLE" /* with its NUL: 8 bytes */
#define MANIFEST_VERSION 1u
/* Of all sections together: contents bound the checksums, sizes the walks (one a page). */
#define MAX_CONTENT (16u << 20)
#define MAX_MAPPED  (128u << 20)

typedef struct Header {
    char magic[8];
    uint32_t manifest_version, version, features, instr_features;
    uint32_t suspend_size, protm_suspend_size, num_sections, reserved;
} Header;
typedef struct Record {
    char name[16];
    uint32_t va, size, flags, data_size, crc32, volatile_offset, volatile_size, pad;
} Record;
_Static_assert(sizeof(Header) == 0x28 && sizeof(Record) == 48, "manifest layout");

/*
 * All sections are checked at every resume, so it has to be fast: four bytes a step
 * (slicing). t[k][b] is the checksum of byte b followed by k zero bytes.
 */
static void crc_tables(uint32_t t[4][256])
{
    for (uint32_t b = 0; b < 256; b++) {
        uint32_t v = b;

        for (unsigned bit = 0; bit < 8; bit++) {
            v = v >> 1 ^ (v & 1 ? 0xedb88320u : 0);
        }
        t[0][b] = v;
    }
    for (uint32_t b = 0; b < 256; b++) {
        for (unsigned k = 1; k < 4; k++) {
            t[k][b] = t[k - 1][b] >> 8 ^ t[0][t[k - 1][b] & 255];
        }
    }
}

uint32_t mali_crc32(uint32_t crc, const void *buf, size_t len)
{
    static uint32_t t[4][256]; /* the same for all instances */
    const uint8_t *p = buf;

    if (!t[0][1]) {
        crc_tables(t);
    }
    crc = ~crc;
    for (; len >= 4; len -= 4, p += 4) {
        uint32_t w;

        memcpy(&w, p, sizeof(w));
        w ^= crc;
        crc = t[3][w & 255] ^ t[2][w >> 8 & 255] ^ t[1][w >> 16 & 255] ^ t[0][w >> 24];
    }
    while (len--) {
        crc = crc >> 8 ^ t[0][(crc ^ *p++) & 255];
    }
    return ~crc;
}

typedef struct Totals {
    uint64_t content, mapped;
} Totals;

static bool record_ok(const Record *r, Totals *total)
{
    total->content += r->data_size;
    total->mapped += r->size;
    return r->size && !(r->va & 4095) && !(r->size & 4095) &&
           (uint64_t)r->va + r->size <= UINT64_C(1) << 32 && r->data_size <= r->size &&
           (uint64_t)r->volatile_offset + r->volatile_size <= r->size &&
           total->content <= MAX_CONTENT && total->mapped <= MAX_MAPPED;
}

static bool read_records(MaliGpu *g, MaliManifest *m, uint32_t n)
{
    Totals total = { 0, 0 };

    if (n > FW_MAX_SECTIONS) {
        return false;
    }
    for (uint32_t i = 0; i < n; i++) {
        MaliSection *s = &m->section[i];
        Record r;

        if (!mali_mcu_read(g, MANIFEST_VA + sizeof(Header) + i * sizeof(r), &r, sizeof(r)) ||
            !record_ok(&r, &total)) {
            return false;
        }
        memcpy(s->name, r.name, sizeof(r.name)); /* name[16] stays NUL */
        s->va = r.va;
        s->size = r.size;
        s->flags = r.flags;
        s->data_size = r.data_size;
        s->crc32 = r.crc32;
        s->volatile_offset = r.volatile_offset;
        s->volatile_size = r.volatile_size;
    }
    m->num_sections = n;
    return true;
}

void mali_manifest_read(MaliGpu *g, MaliManifest *m)
{
    Header h;

    memset(m, 0, sizeof(*m));
    if (!mali_mcu_read(g, MANIFEST_VA, &h, sizeof(h)) ||
        memcmp(h.magic, MANIFEST_MAGIC, sizeof(h.magic)) != 0) {
        return;
    }
    if (h.manifest_version != MANIFEST_VERSION || !read_records(g, m, h.num_sections)) {
        mali_violation(g, "manifest", "version %u with %u sections is not valid",
                       h.manifest_version, h.num_sections);
        memset(m, 0, sizeof(*m));
        return;
    }
    m->present = true;
    m->version = h.version;
    m->features = h.features;
    m->instr_features = h.instr_features;
    m->suspend_size = h.suspend_size;
    m->protm_suspend_size = h.protm_suspend_size;
}

/* True if all pages are mapped; *perm is what all of them allow. */
static bool section_mapped(MaliGpu *g, const MaliSection *s, uint32_t *perm)
{
    *perm = MALI_PERM_R | MALI_PERM_W | MALI_PERM_X;
    for (uint64_t off = 0; off < s->size;) {
        MaliLeaf l;
        uint64_t size, va = s->va + off;

        if (mali_walk_leaf(g, 0, va, &l) != MALI_XL_OK) {
            *perm = 0;
            return false;
        }
        *perm &= l.perm;
        size = mali_leaf_size(&l);
        off += size - (va & (size - 1));
    }
    return true;
}

bool mali_section_mapped(MaliGpu *g, const MaliSection *s)
{
    uint32_t perm;

    return section_mapped(g, s, &perm);
}

/* Checksum over the content without its volatile range; false: not readable. */
static bool section_crc(MaliGpu *g, const MaliSection *s, uint32_t *crc)
{
    uint8_t buf[4096];

    *crc = 0;
    for (uint32_t off = 0; off < s->data_size;) {
        uint32_t end = s->data_size;
        uint32_t n;

        if (s->volatile_size && off - s->volatile_offset < s->volatile_size) {
            off = s->volatile_offset + s->volatile_size;
            continue;
        }
        if (s->volatile_size && off < s->volatile_offset && s->volatile_offset < end) {
            end = s->volatile_offset;
        }
        n = end - off < sizeof(buf) ? end - off : (uint32_t)sizeof(buf);
        if (!mali_mcu_read(g, (uint64_t)s->va + off, buf, n)) {
            return false;
        }
        *crc = mali_crc32(*crc, buf, n);
        off += n;
    }
    return true;
}

/* Protected memory is never read in normal mode. */
static const char *section_content(MaliGpu *g, const MaliSection *s)
{
    uint32_t crc;

    if (s->flags & FW_SECTION_PROT || !s->data_size) {
        return "unchecked";
    }
    return section_crc(g, s, &crc) && crc == s->crc32 ? "ok" : "bad";
}

static uint32_t wanted_perm(uint32_t flags) /* panthor_fw.c:640-665 */
{
    return MALI_PERM_R | (flags & FW_SECTION_WR ? MALI_PERM_W : 0) |
           (flags & FW_SECTION_EX ? MALI_PERM_X : 0);
}

void mali_ev_perm(MaliEvent *e, uint32_t perm)
{
    char text[4] = "";
    unsigned n = 0;

    for (unsigned i = 0; i < 3; i++) {
        if (perm & MALI_BIT(i)) {
            text[n++] = "rwx"[i];
        }
    }
    text[n] = '\0';
    mali_ev_str(e, "perm", text);
}

static void section_log(MaliGpu *g, const MaliSection *s)
{
    uint32_t perm;
    bool mapped = section_mapped(g, s, &perm), prot = s->flags & FW_SECTION_PROT;
    const char *content = section_content(g, s);
    MaliEvent e;

    mali_ev_begin(&e, g, "section");
    mali_ev_str(&e, "name", s->name);
    mali_ev_u64(&e, "va", s->va);
    mali_ev_u64(&e, "size", s->size);
    mali_ev_u64(&e, "flags", s->flags);
    mali_ev_bool(&e, "prot", prot);
    mali_ev_bool(&e, "mapped", mapped);
    mali_ev_perm(&e, perm);
    mali_ev_extents(&e, "extents", 0, s->va, s->size);
    mali_ev_str(&e, "content", content);
    mali_ev_end(&e);
    if (!mapped && !prot) {
        mali_violation(g, "section-unmapped", "%s", s->name);
    } else if (mapped && perm != wanted_perm(s->flags)) {
        mali_violation(g, "section-perm", "%s: 0x%x, the image wants 0x%x", s->name, perm,
                       wanted_perm(s->flags));
    }
    if (!strcmp(content, "bad")) {
        mali_violation(g, "section-content", "%s", s->name);
    }
}

void mali_sections_log(MaliGpu *g, const MaliManifest *m)
{
    for (uint32_t i = 0; i < m->num_sections; i++) {
        section_log(g, &m->section[i]);
    }
}

void mali_sections_corrupt(MaliGpu *g, const MaliManifest *m, uint32_t word)
{
    for (uint32_t i = 0; i < m->num_sections; i++) {
        uint64_t pa;

        if (m->section[i].flags & FW_SECTION_PROT && mali_walk(g, 0, m->section[i].va, &pa, NULL)) {
            g->ops.mem_write(g->opaque, MALI_MASTER_PROTECTED, pa, &word, sizeof(word));
        }
    }
}
