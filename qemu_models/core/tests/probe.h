/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which parts of the interface do the tests touch, and would they notice if one were broken?
 *
 * The probe sits between the core and the fake machine: it sees all registers, all words of
 * the firmware interface and all instructions go by. A row is one of them. With a row knocked
 * out it does not work (reads are inverted, writes, requests and events get lost, an
 * instruction does nothing), and a test that has touched it and still passes asserts nothing
 * about it. `run --table` prints the rows: kind, name, tests that touch it, the test that
 * notices ("-": none).
 */
#ifndef MALI_TEST_PROBE_H
#define MALI_TEST_PROBE_H

#include "machine.h"

extern bool probe_on; /* off: the tests run as they are */

unsigned probe_rows(void);
const char *probe_kind(unsigned row);
const char *probe_name(unsigned row);
void probe_clear(void);       /* before a test */
bool probe_hit(unsigned row); /* after it */
void probe_knock(int row);    /* -1: nothing */

/* ---- called by the fake machine ---- */
void probe_device(MaliGpu *g); /* a new one */
void probe_mem_read(Machine *m, uint64_t pa, void *buf, size_t len);
/* What gets to the memory instead of @buf (a copy, changed or not). */
void probe_mem_write(Machine *m, uint64_t pa, void *buf, size_t len);
uint32_t probe_reg_read(uint32_t off, uint32_t v);
bool probe_reg_write(uint32_t off, uint32_t v); /* false: it gets lost */

#endif
