/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fake machine: RAM, time, lines, event log. Page tables are in pt.c, the firmware
 * image in image.c, the host's side of the firmware interface in host.c. */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include "machine.h"
#include "probe.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "t.h"

static Machine *machines;

/* ---- callbacks ---- */
static bool ram_ok(const Machine *m, MaliMaster master, uint64_t pa, size_t len)
{
    if (pa < RAM_BASE || len > RAM_SIZE || pa - RAM_BASE > RAM_SIZE - len) {
        return false;
    }
    if (pa + len > m->bad_base && pa < m->bad_end) {
        return false;
    }
    return master == MALI_MASTER_PROTECTED || pa + len <= m->prot_base || pa >= m->prot_end;
}

static bool op_read(void *o, MaliMaster master, uint64_t pa, void *buf, size_t len)
{
    Machine *m = o;

    m->reads++;
    if (!ram_ok(m, master, pa, len)) {
        return false;
    }
    memcpy(buf, m->ram + (pa - RAM_BASE), len);
    probe_mem_read(m, pa, buf, len);
    return true;
}

static bool op_write(void *o, MaliMaster master, uint64_t pa, const void *buf, size_t len)
{
    Machine *m = o;
    uint64_t copy;

    m->last_pa = pa;
    if (!ram_ok(m, master, pa, len)) {
        return false;
    }
    if (probe_on && len <= sizeof(copy)) {
        memcpy(&copy, buf, len);
        probe_mem_write(m, pa, &copy, len);
        buf = &copy;
    }
    memcpy(m->ram + (pa - RAM_BASE), buf, len);
    return true;
}

/* What a vCPU does meanwhile. */
static void op_fence(void *o)
{
    Machine *m = o;

    if (m->at_fence) {
        m->at_fence(m);
    }
}

static uint64_t op_now(void *o)
{
    return ((Machine *)o)->now;
}
static uint64_t op_timestamp(void *o)
{
    return ((Machine *)o)->now / 16;
} /* 62.5 MHz */

static void op_irq(void *o, MaliIrq irq, bool level)
{
    Machine *m = o;

    m->rises[irq] += level && !m->line[irq];
    m->line[irq] = level;
}

static void op_timer(void *o, uint64_t when)
{
    Machine *m = o;

    m->timer = when;
    m->timer_sets++;
}

static void op_event(void *o, const char *json, size_t len)
{
    Machine *m = o;

    if (m->log_len + len + 2 > m->log_cap) {
        m->log_cap = (m->log_cap + len) * 2 + 4096;
        m->log = realloc(m->log, m->log_cap);
    }
    memcpy(m->log + m->log_len, json, len);
    m->log_len += len;
    m->log[m->log_len++] = '\n';
    m->log[m->log_len] = '\0';
}

/* ---- machine ---- */
Machine *mach_new_cfg(const MaliConfig *cfg)
{
    static const MaliOps ops = { op_read,      op_write, op_fence, op_now,
                                 op_timestamp, op_irq,   op_timer, op_event };
    Machine *m = calloc(1, sizeof(*m));
    const char *err;

    m->next = machines;
    machines = m;
    /* Not calloc: hundreds of machines are made, and only pages that are used should cost. */
    m->ram = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (m->ram == MAP_FAILED) {
        abort();
    }
    m->ram_next = RAM_BASE;
    m->timer = MALI_NEVER;
    m->now = 1000000000;
    m->next_mcu_va = FW_SHARED_VA + FW_SHARED_SIZE;
    m->gpu = mali_new(cfg, &ops, m, &err);
    if (!m->gpu) {
        t_fail(__FILE__, __LINE__, "mali_new: %s", err);
    }
    probe_device(m->gpu);
    m->mcu_root = pt_new(m);
    return m;
}

Machine *mach_new(const char *gpu)
{
    MaliConfig cfg = { .gpu = gpu };

    return mach_new_cfg(&cfg);
}

void mach_free_all(void)
{
    while (machines) {
        Machine *m = machines;

        machines = m->next;
        mali_free(m->gpu);
        munmap(m->ram, RAM_SIZE);
        free(m->log);
        free(m);
    }
}

void mach_run(Machine *m, uint64_t ns)
{
    uint64_t end = m->now + ns;

    /* The same instant again and again is an engine that always wants more: give it the time of a
     * slice. */
    while (m->timer <= end) {
        m->now = m->timer > m->now ? m->timer : m->now;
        m->timer = MALI_NEVER;
        mali_timer(m->gpu);
        if (m->timer <= m->now) {
            m->now += 1000;
        }
    }
    m->now = m->now > end ? m->now : end;
}

uint32_t rd(Machine *m, uint32_t off)
{
    return probe_reg_read(off, mali_mmio_read(m->gpu, off));
}
void wr(Machine *m, uint32_t off, uint32_t v)
{
    if (probe_reg_write(off, v)) {
        mali_mmio_write(m->gpu, off, v);
    }
}

uint64_t rd64(Machine *m, uint32_t off)
{
    uint64_t lo = rd(m, off);

    return lo | (uint64_t)rd(m, off + 4) << 32;
}

void wr64(Machine *m, uint32_t off, uint64_t v)
{
    wr(m, off, (uint32_t)v);
    wr(m, off + 4, (uint32_t)(v >> 32));
}

/* ---- RAM ---- */
static uint64_t alloc_aligned(Machine *m, size_t len, uint64_t align)
{
    uint64_t pa = (m->ram_next + align - 1) & ~(align - 1);

    len = (len + 4095) & ~(size_t)4095;
    if (pa + len > RAM_BASE + RAM_SIZE) {
        t_fail(__FILE__, __LINE__, "fake machine out of RAM");
    }
    m->ram_next = pa + len;
    memset(ram_ptr(m, pa, len), 0, len); /* a hostile test may have been here */
    return pa;
}

uint64_t mach_alloc(Machine *m, size_t len)
{
    return alloc_aligned(m, len, 4096);
}
uint64_t mach_alloc_2m(Machine *m)
{
    return alloc_aligned(m, 2u << 20, 2u << 20);
}

void *ram_ptr(Machine *m, uint64_t pa, size_t len)
{
    if (pa < RAM_BASE || pa - RAM_BASE + len > RAM_SIZE) {
        t_fail(__FILE__, __LINE__, "0x%" PRIx64 " is not RAM", pa);
    }
    return m->ram + (pa - RAM_BASE);
}

uint32_t ram_r32(Machine *m, uint64_t pa)
{
    uint32_t v;

    memcpy(&v, ram_ptr(m, pa, 4), 4);
    return v;
}

uint64_t ram_r64(Machine *m, uint64_t pa)
{
    uint64_t v;

    memcpy(&v, ram_ptr(m, pa, 8), 8);
    return v;
}

void ram_w32(Machine *m, uint64_t pa, uint32_t v)
{
    memcpy(ram_ptr(m, pa, 4), &v, 4);
}
void ram_w64(Machine *m, uint64_t pa, uint64_t v)
{
    memcpy(ram_ptr(m, pa, 8), &v, 8);
}

/* ---- event log ---- */
void ev_clear(Machine *m)
{
    m->log_len = 0;
    if (m->log) {
        m->log[0] = '\0';
    }
}

static const char *next_event(const char *p, const char *kind, const char **line, size_t *len)
{
    char key[64];

    snprintf(key, sizeof(key), "\"ev\":\"%s\"", kind);
    const char *hit = p ? strstr(p, key) : NULL;

    if (hit) {
        const char *end = strchr(hit, '\n');

        while (hit > p && hit[-1] != '\n') {
            hit--;
        }
        *line = hit;
        *len = (size_t)(end - hit);
        return end + 1;
    }
    return NULL;
}

unsigned ev_count(Machine *m, const char *kind)
{
    const char *line, *p = m->log;
    unsigned n = 0;
    size_t len;

    while ((p = next_event(p, kind, &line, &len))) {
        n++;
    }
    return n;
}

const char *ev_get(Machine *m, const char *kind, unsigned n)
{
    static char text[8192];
    const char *line, *p = m->log;
    size_t len;

    while ((p = next_event(p, kind, &line, &len))) {
        if (n-- == 0) {
            snprintf(text, sizeof(text), "%.*s", (int)len, line);
            return text;
        }
    }
    return NULL;
}

const char *ev_last(Machine *m, const char *kind)
{
    unsigned n = ev_count(m, kind);

    return n ? ev_get(m, kind, n - 1) : NULL;
}
