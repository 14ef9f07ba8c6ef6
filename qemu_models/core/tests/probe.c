/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe.h"

#include <stddef.h>
#include <string.h>

#include "../cs_int.h"
#include "../mmio.h"

/* ---- rows ---- */

typedef enum Kind {
    REGISTER,    /* all of mali_regs[] */
    INTERRUPT,   /* @at: block; @mask: bits of RAWSTAT */
    COMMAND,     /* @at: register; @mask, @value: what is written */
    INSTRUCTION, /* all of mali_ops[] */
    WORD,        /* @area, @at: offset of a word of the firmware interface */
    REQUEST,     /* @area: the input page; bits that differ from the acknowledgement */
    EVENT,       /* @area: the output page; bits of the acknowledgement that change */
    EXCEPTION,   /* of a stream: @value */
    MMU_FAULT,   /* @value to @value + 3 in AS_FAULTSTATUS */
    KINDS,
} Kind;

static const char *const kinds[KINDS] = { "register",    "interrupt", "command",
                                          "instruction", "word",      "request",
                                          "event",       "exception", "mmu-fault" };

/* The order is that of fwif.h's sections. */
typedef enum Area {
    NOWHERE,
    GLB_CTL,
    GLB_IN,
    GLB_OUT,
    CSG_CTL,
    CSG_IN,
    CSG_OUT,
    CS_CTL,
    CS_IN,
    CS_OUT,
    RING_IN,
    RING_OUT,
} Area;

typedef struct Row {
    Kind kind;
    const char *name;
    uint32_t at, mask, value;
    Area area;
    bool hit;
} Row;

#define BITS(kind, area, name)                                                                     \
    {                                                                                              \
        kind, #name, 0, name, 0, area, false                                                       \
    }
#define STATE(area, mask, name)                                                                    \
    {                                                                                              \
        REQUEST, #name, 0, mask, name, area, false                                                 \
    }
#define IRQ(block, name)                                                                           \
    {                                                                                              \
        INTERRUPT, #name, block, name, 0, NOWHERE, false                                           \
    }
#define CMD(at, mask, name)                                                                        \
    {                                                                                              \
        COMMAND, #name, at, mask, name, NOWHERE, false                                             \
    }
#define IN_HEADER(name)  { WORD, #name, name, 0, 0, NOWHERE, false },
#define EXC_HEADER(name) { EXCEPTION, #name, 0, 0xff, name, NOWHERE, false },
#define MMU_HEADER(name) { MMU_FAULT, #name, 0, 0xff, name, NOWHERE, false },

/* clang-format off */
static const Row fixed[] = {
    IRQ(GPU_INT_BASE, GPU_IRQ_FAULT), IRQ(GPU_INT_BASE, GPU_IRQ_PROTM_FAULT),
    IRQ(GPU_INT_BASE, GPU_IRQ_RESET_COMPLETED), IRQ(GPU_INT_BASE, GPU_IRQ_POWER_CHANGED),
    IRQ(GPU_INT_BASE, GPU_IRQ_POWER_CHANGED_ALL), IRQ(GPU_INT_BASE, GPU_IRQ_CLEAN_CACHES_COMPLETED),
    IRQ(GPU_INT_BASE, GPU_IRQ_MCU_STATUS_CHANGED), IRQ(GPU_INT_BASE, GPU_IRQ_FLUSH_PA_RANGE_DONE),
    IRQ(JOB_INT_BASE, JOB_INT_CSG(0)), IRQ(JOB_INT_BASE, JOB_INT_GLOBAL),
    IRQ(MMU_INT_BASE, MMU_INT_FAULT(1)), IRQ(MMU_INT_BASE, MMU_INT_COMMAND(0)),
    IRQ(PWR_INT_BASE, PWR_IRQ_POWER_CHANGED), IRQ(PWR_INT_BASE, PWR_IRQ_POWER_CHANGED_ALL),
    IRQ(PWR_INT_BASE, PWR_IRQ_DELEGATION_CHANGED), IRQ(PWR_INT_BASE, PWR_IRQ_RESET_COMPLETED),
    IRQ(PWR_INT_BASE, PWR_IRQ_RETRACT_COMPLETED), IRQ(PWR_INT_BASE, PWR_IRQ_INSPECT_COMPLETED),
    IRQ(PWR_INT_BASE, PWR_IRQ_NOT_ALLOWED), IRQ(PWR_INT_BASE, PWR_IRQ_INVALID),
    CMD(GPU_CMD, 0xffff, GPU_CMD_RESET | GPU_RESET_FAST << 8),
    CMD(GPU_CMD, 0xffff, GPU_CMD_RESET | GPU_RESET_SOFT << 8),
    CMD(GPU_CMD, 0xffff, GPU_CMD_RESET | GPU_RESET_HARD << 8),
    CMD(GPU_CMD, 0xff, GPU_CMD_TIME), CMD(GPU_CMD, 0xff, GPU_CMD_FLUSH_CACHES),
    CMD(GPU_CMD, 0xff, GPU_CMD_SET_PROTECTED_MODE), CMD(GPU_CMD, 0xff, GPU_CMD_CLEAR_FAULT),
    CMD(GPU_CMD, 0xff, GPU_CMD_FLUSH_PA_RANGE),
    CMD(MCU_CONTROL, 3, MCU_CONTROL_DISABLE), CMD(MCU_CONTROL, 3, MCU_CONTROL_ENABLE),
    CMD(MCU_CONTROL, 3, MCU_CONTROL_AUTO),
    CMD(AS_COMMAND, ~0u, AS_COMMAND_UPDATE), CMD(AS_COMMAND, ~0u, AS_COMMAND_LOCK),
    CMD(AS_COMMAND, ~0u, AS_COMMAND_UNLOCK), CMD(AS_COMMAND, ~0u, AS_COMMAND_FLUSH_PT),
    CMD(AS_COMMAND, ~0u, AS_COMMAND_FLUSH_MEM),
    CMD(PWR_COMMAND, 0xff, PWR_COMMAND_POWER_UP), CMD(PWR_COMMAND, 0xff, PWR_COMMAND_POWER_DOWN),
    CMD(PWR_COMMAND, 0xff, PWR_COMMAND_DELEGATE), CMD(PWR_COMMAND, 0xff, PWR_COMMAND_RETRACT),
    CMD(PWR_COMMAND, 0xff, PWR_COMMAND_RESET_SOFT), CMD(PWR_COMMAND, 0xff, PWR_COMMAND_RESET_FAST),
    CMD(PWR_COMMAND, 0xff, PWR_COMMAND_INSPECT),
    BITS(REQUEST, GLB_IN, GLB_HALT), BITS(REQUEST, GLB_IN, GLB_CFG_PROGRESS_TIMER),
    BITS(REQUEST, GLB_IN, GLB_CFG_ALLOC_EN), BITS(REQUEST, GLB_IN, GLB_CFG_POWEROFF_TIMER),
    BITS(REQUEST, GLB_IN, GLB_PROTM_ENTER), BITS(REQUEST, GLB_IN, GLB_PERFCNT_EN),
    BITS(REQUEST, GLB_IN, GLB_PERFCNT_SAMPLE), BITS(REQUEST, GLB_IN, GLB_COUNTER_EN),
    BITS(REQUEST, GLB_IN, GLB_PING), BITS(REQUEST, GLB_IN, GLB_FWCFG_UPDATE),
    BITS(REQUEST, GLB_IN, GLB_IDLE_EN), BITS(REQUEST, GLB_IN, GLB_STATE_MASK),
    BITS(EVENT, GLB_OUT, GLB_PROTM_EXIT), BITS(EVENT, GLB_OUT, GLB_IDLE),
    STATE(CSG_IN, CSG_STATE_MASK, CSG_STATE_TERMINATE), STATE(CSG_IN, CSG_STATE_MASK, CSG_STATE_START),
    STATE(CSG_IN, CSG_STATE_MASK, CSG_STATE_SUSPEND), STATE(CSG_IN, CSG_STATE_MASK, CSG_STATE_RESUME),
    BITS(REQUEST, CSG_IN, CSG_ENDPOINT_CONFIG), BITS(REQUEST, CSG_IN, CSG_STATUS_UPDATE),
    BITS(EVENT, CSG_OUT, CSG_SYNC_UPDATE), BITS(EVENT, CSG_OUT, CSG_IDLE),
    BITS(EVENT, CSG_OUT, CSG_PROGRESS_TIMER_EVENT),
    STATE(CS_IN, CS_STATE_MASK, CS_STATE_STOP), STATE(CS_IN, CS_STATE_MASK, CS_STATE_START),
    BITS(REQUEST, CS_IN, CS_IDLE_SYNC_WAIT), BITS(REQUEST, CS_IN, CS_IDLE_PROTM_PENDING),
    BITS(REQUEST, CS_IN, CS_IDLE_EMPTY),
    BITS(EVENT, CS_OUT, CS_TILER_OOM), BITS(EVENT, CS_OUT, CS_PROTM_PENDING),
    BITS(EVENT, CS_OUT, CS_FATAL), BITS(EVENT, CS_OUT, CS_FAULT),
#include "probe_rows.h" /* made from fwif.h and regs.h */
};
/* clang-format on */

#define MAX_ROWS 600u
static Row rows[MAX_ROWS];
static unsigned num_rows;
static int knocked = -1;
bool probe_on;

static void add(Row r)
{
    if (num_rows < MAX_ROWS) {
        rows[num_rows++] = r;
    }
}

static Area area_of(const char *name)
{
    static const char *const prefix[] = { "",        "GLB_CTL", "GLB_IN",  "GLB_OUT",
                                          "CSG_CTL", "CSG_IN",  "CSG_OUT", "CS_CTL",
                                          "CS_IN",   "CS_OUT",  "RING_IN", "RING_OUT" };

    for (unsigned i = 1; i < sizeof(prefix) / sizeof(prefix[0]); i++) {
        if (!strncmp(name, prefix[i], strlen(prefix[i])) && name[strlen(prefix[i])] == '_') {
            return (Area)i;
        }
    }
    return NOWHERE;
}

static bool same_name_follows(const MaliReg *r)
{
    return r->name[0] == 'D' && strcmp(r->name, "DOORBELL0") && strcmp(r->name, "DOORBELL1");
}

/* Where to look: the probe sees millions of accesses. */
#define AREAS  (RING_OUT + 1)
#define WORDS  64u
#define MAX_AT 40u
static uint16_t at_word[AREAS][WORDS][MAX_AT], num_at[AREAS][WORDS];
static uint16_t of_register[256], others[MAX_ROWS], num_others;

static void index_word(Area area, uint32_t off, unsigned row)
{
    uint16_t *n = &num_at[area][off / 4 % WORDS];

    if (*n < MAX_AT) {
        at_word[area][off / 4 % WORDS][(*n)++] = (uint16_t)row;
    }
}

static void index_row(unsigned row)
{
    const Row *r = &rows[row];

    switch (r->kind) {
    case REGISTER: of_register[r->at] = (uint16_t)row; break;
    case INSTRUCTION: break;
    case EXCEPTION:
        index_word(CS_OUT, CS_OUT_FAULT, row);
        index_word(CS_OUT, CS_OUT_FATAL, row);
        break;
    case WORD:
    case REQUEST:
    case EVENT: index_word(r->area, r->at, row); break;
    default: others[num_others++] = (uint16_t)row; break;
    }
}

unsigned probe_rows(void)
{
    if (num_rows) {
        return num_rows;
    }
    for (unsigned i = 0; i < mali_num_regs; i++) {
        if (!same_name_follows(&mali_regs[i])) { /* one doorbell stands for those of all groups */
            add((Row){ REGISTER, mali_regs[i].name, i, 0, 0, NOWHERE, false });
        }
    }
    for (unsigned i = 0; i < mali_num_ops; i++) {
        add((Row){ INSTRUCTION, mali_ops[i].name, i, 0, 0, NOWHERE, false });
    }
    for (unsigned i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++) {
        Row r = fixed[i];

        r.area = r.kind == WORD ? area_of(r.name) : r.area;
        add(r);
    }
    for (unsigned i = 0; i < num_rows; i++) {
        index_row(i);
    }
    return num_rows;
}

const char *probe_kind(unsigned row)
{
    return kinds[rows[row].kind];
}
const char *probe_name(unsigned row)
{
    return rows[row].name;
}
bool probe_hit(unsigned row)
{
    return rows[row].hit;
}
void probe_knock(int row)
{
    knocked = row;
}

void probe_clear(void)
{
    for (unsigned i = 0; i < probe_rows(); i++) {
        rows[i].hit = false;
    }
}

/* Row @i goes by: true if it does not work. */
static bool pass(unsigned i)
{
    rows[i].hit = true;
    return knocked == (int)i;
}

/* ---- instructions ---- */

static MaliOp wrapped[256];

static unsigned row_of(unsigned code, unsigned arch)
{
    unsigned i = 0;

    while (i < num_rows &&
           !(rows[i].kind == INSTRUCTION && mali_ops[rows[i].at].code == code &&
             arch >= mali_ops[rows[i].at].min_arch && arch <= mali_ops[rows[i].at].max_arch)) {
        i++;
    }
    return i;
}

static MaliStep through(MaliCtx *x)
{
    static uint16_t known[256][16];
    unsigned code = x->w >> 56, arch = mali_arch_major(x->g->row), i = known[code][arch];
    const MaliOp *op;

    if (!i) {
        i = row_of(code, arch);
        known[code][arch] = (uint16_t)i;
    }
    op = i < num_rows ? &mali_ops[rows[i].at] : NULL;
    if (!op) {
        return mali_cs_invalid(x);
    }
    if (!pass(i)) {
        return op->fn(x);
    }
    /* Those that do nothing are broken by doing something. */
    return op->fn == mali_ops[0].fn ? mali_cs_invalid(x) : MALI_STEP_OK;
}

void probe_device(MaliGpu *g)
{
    if (!probe_on) {
        return;
    }
    probe_rows();
    mali_cs_ops(g);
    for (unsigned i = 0; i < 256; i++) {
        if (g->op[i]) {
            wrapped[i] = *g->op[i];
            wrapped[i].fn = through;
            g->op[i] = &wrapped[i];
        }
    }
}

/* ---- registers ---- */

static bool in_block(const Row *r, uint32_t off)
{
    return off == r->at + INT_RAWSTAT || off == r->at + INT_STAT;
}

static bool as_register(uint32_t off, uint32_t reg)
{
    return off >= AS_BASE && off < AS_REG(MALI_NUM_AS, 0) && (off & (AS_STRIDE - 1)) == reg;
}

static bool fault_row(const Row *r, uint32_t off, uint32_t v)
{
    uint32_t code = v & 0xff;
    bool status = as_register(off, AS_FAULTSTATUS) || off == GPU_FAULT_STATUS;

    return status && code >= r->value && code <= r->value + 3 &&
           (code == r->value || r->value >= EXC_TRANSLATION_FAULT);
}

static bool register_passes(uint32_t off)
{
    const MaliReg *reg = mali_reg_find(off);
    unsigned row = reg ? of_register[reg - mali_regs] : 0;

    return reg && (row || reg == mali_regs) && pass(row);
}

uint32_t probe_reg_read(uint32_t off, uint32_t v)
{
    uint32_t out = v;

    if (!probe_on) {
        return v;
    }
    probe_rows();
    out = register_passes(off) ? ~v : out;
    for (unsigned k = 0; k < num_others; k++) {
        const Row *r = &rows[others[k]];

        if (r->kind == INTERRUPT && in_block(r, off) && (v & r->mask)) {
            out = pass(others[k]) ? out & ~r->mask : out;
        } else if (r->kind == MMU_FAULT && fault_row(r, off, v)) {
            out = pass(others[k]) ? out ^ 0x20 : out;
        }
    }
    return out;
}

static bool command_row(const Row *r, uint32_t off, uint32_t v)
{
    bool there = r->at == AS_COMMAND ? as_register(off, AS_COMMAND) : off == r->at;

    return there && (v & r->mask) == r->value;
}

bool probe_reg_write(uint32_t off, uint32_t v)
{
    bool lost;

    if (!probe_on) {
        return true;
    }
    probe_rows();
    lost = register_passes(off);
    for (unsigned k = 0; k < num_others; k++) {
        const Row *r = &rows[others[k]];

        lost |= r->kind == COMMAND && command_row(r, off, v) && pass(others[k]);
    }
    return !lost;
}

/* ---- words of the firmware interface ---- */

typedef struct Place {
    Area area;
    uint32_t off;
    uint64_t partner; /* of a request its acknowledgement, by address */
} Place;

static Place in_shared(uint32_t off)
{
    uint32_t rel;

    if (off < 0x1000) {
        return (Place){ GLB_CTL, off, 0 };
    }
    if (off < 0x2000) {
        rel = (off - 0x1000) % FW_CSG_STRIDE;
        return rel < 0x40 ? (Place){ CSG_CTL, rel, 0 }
                          : (Place){ CS_CTL, (rel - 0x40) % FW_CS_STRIDE, 0 };
    }
    if (off < 0x3000) {
        return (Place){ GLB_IN, off - 0x2000, FW_GLB_OUT_VA };
    }
    if (off < 0x3400) {
        return (Place){ CSG_IN, (off - 0x3000) % 0x80, FW_CSG_OUT_VA((off - 0x3000) / 0x80) };
    }
    if (off < 0x6000) {
        rel = off - 0x3400;
        return (Place){ CS_IN, rel % 0x80, FW_CS_OUT_VA(rel / 0x400, rel % 0x400 / 0x80) };
    }
    if (off < 0x7000) {
        return (Place){ GLB_OUT, off - 0x6000, 0 };
    }
    if (off < 0x7200) {
        return (Place){ CSG_OUT, (off - 0x7000) % 0x40, 0 };
    }
    return (Place){ CS_OUT, (off - 0x7200) % 0x100, 0 };
}

static Place place(const Machine *m, uint64_t pa)
{
    uint64_t rel = pa - m->shared_pa;

    if (m->shared_pa && rel < FW_SHARED_SIZE) {
        return in_shared((uint32_t)rel);
    }
    for (unsigned i = 0; i < m->num_ring_pages; i++) {
        rel = pa - m->ring_pages[i];
        if (rel < 8192) {
            return (Place){ rel < 4096 ? RING_IN : RING_OUT, rel % 4096, 0 };
        }
    }
    return (Place){ NOWHERE, 0, 0 };
}

static uint32_t raw(Machine *m, uint64_t shared_va)
{
    return ram_r32(m, m->shared_pa + (shared_va - FW_SHARED_VA));
}

/* A row of STATE() is a value of its field, all others are any change of their bits. */
static bool wanted(const Row *r, uint32_t req)
{
    bool field = r->mask == CSG_STATE_MASK; /* and CS_STATE_MASK */

    return !field || (req & r->mask) == r->value;
}

static uint32_t request(Machine *m, const Row *r, unsigned i, const Place *p, uint32_t v)
{
    uint32_t ack = raw(m, p->partner);

    if (((v ^ ack) & r->mask) && wanted(r, v) && pass(i)) {
        v = (v & ~r->mask) | (ack & r->mask);
    }
    return v;
}

/* The rows of the word at `pa`, and where that is; none while nobody probes. */
static unsigned rows_at(Machine *m, uint64_t pa, size_t len, Place *p, const uint16_t **at)
{
    if (!probe_on || (len != 4 && len != 8)) {
        return 0;
    }
    *p = place(m, pa);
    probe_rows();
    if (p->area == NOWHERE || p->off >= 4 * WORDS) {
        return 0;
    }
    *at = at_word[p->area][p->off / 4];
    return num_at[p->area][p->off / 4];
}

void probe_mem_read(Machine *m, uint64_t pa, void *buf, size_t len)
{
    const uint16_t *at;
    Place p;
    uint32_t v;

    for (unsigned k = 0, n = rows_at(m, pa, len, &p, &at); k < n; k++) {
        unsigned i = at[k];
        const Row *r = &rows[i];

        memcpy(&v, buf, 4);
        if (r->kind == WORD && pass(i)) {
            memset(buf, 0xa5, len);
        } else if (r->kind == REQUEST && p.partner) {
            v = request(m, r, i, &p, v);
            memcpy(buf, &v, 4);
        }
    }
}

static void exception(const Row *r, unsigned i, const Place *p, uint32_t *v)
{
    bool word = p->area == CS_OUT && (p->off == CS_OUT_FAULT || p->off == CS_OUT_FATAL);

    if (r->kind == EXCEPTION && word && (*v & 0xff) == r->value && pass(i)) {
        *v ^= 0x80;
    }
}

void probe_mem_write(Machine *m, uint64_t pa, void *buf, size_t len)
{
    const uint16_t *at;
    Place p;
    uint32_t v, old;

    for (unsigned k = 0, n = rows_at(m, pa, len, &p, &at); k < n; k++) {
        unsigned i = at[k];
        const Row *r = &rows[i];

        memcpy(&v, buf, 4);
        old = ram_r32(m, pa);
        exception(r, i, &p, &v);
        if (r->kind == EVENT && r->area == p.area && p.off == 0 && ((v ^ old) & r->mask)) {
            v = pass(i) ? (v & ~r->mask) | (old & r->mask) : v;
        }
        memcpy(buf, &v, 4);
        if (r->kind == WORD && r->area == p.area && r->at == p.off && pass(i)) {
            memcpy(buf, ram_ptr(m, pa, len), len);
        }
    }
}
