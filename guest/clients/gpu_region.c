// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * gpuctl region: a job with protected regions.
 *
 * Each region adds 1 to a register; behind the last one the sum is stored in
 * normal mode. With hold=1 the first region waits for a word that this program
 * writes when its stdin is closed, so the host decides how long the GPU wants to
 * be in protected mode. With tail=N it counts down from N behind the last region,
 * still in normal mode and before the sum is stored. With bad=1 the last region writes to an
 * address where nothing is mapped.
 */
#include "gpuctl.h"

#include "cs.h"

#define BO_SIZE	    65536u
#define GATE_OFFSET 0x8000u
#define SUM_OFFSET  0xc000u
#define BAD_VA	    (GPU_VA_BASE + 0x8000000u)
#define FLUSH_ENTRY 1u
#define MAX_REGIONS 100u

enum {
	R_SUM_VA = 0,
	R_GATE_VA = 2,
	R_BAD_VA = 4,
	R_SUM = 6,
	R_ZERO = 7,
	R_FLUSH_ID = 8,
	R_TAIL = 9
};

static unsigned int write_regions(const struct options *o, uint64_t *code, uint16_t all)
{
	unsigned int n = 0;

	code[n++] = cs_move48(R_SUM_VA, GPU_VA_BASE + SUM_OFFSET);
	code[n++] = cs_move48(R_GATE_VA, GPU_VA_BASE + GATE_OFFSET);
	code[n++] = cs_move48(R_BAD_VA, BAD_VA);
	code[n++] = cs_move32(R_SUM, (uint32_t)o->value);
	code[n++] = cs_move32(R_ZERO, 0);
	for (uint64_t i = 0; i < o->regions; i++) {
		const bool hold = o->hold && !i, bad = o->bad && i + 1 == o->regions;

		code[n++] = cs_prot_region((uint16_t)(1 + hold + bad));
		if (hold)
			code[n++] = cs_sync_wait32_gt(R_GATE_VA, R_ZERO);
		if (bad)
			code[n++] = cs_store(R_SUM, R_BAD_VA, 1, 0);
		code[n++] = cs_add_imm32(R_SUM, R_SUM, 1);
	}
	code[n++] = cs_move32(R_TAIL, (uint32_t)o->tail);
	code[n++] = cs_add_imm32(R_TAIL, R_TAIL, -1);
	code[n++] = cs_branch(CS_GT, R_TAIL, -2);
	code[n++] = cs_store(R_SUM, R_SUM_VA, 1, 0);
	code[n++] = cs_wait(all);
	code[n++] = cs_move32(R_FLUSH_ID, 0);
	code[n++] = cs_flush_caches(R_FLUSH_ID, FLUSH_ENTRY);
	code[n++] = cs_wait(all);
	return n;
}

_Noreturn void cmd_region(const struct options *o)
{
	const uint32_t wanted = (uint32_t)(o->value + o->regions);
	struct gpu_group_options options;
	uint32_t vm, group, syncobj;
	volatile uint32_t *gate, *sum;
	struct gpu_bo bo;
	unsigned int words;
	struct gpu gpu;
	int late;

	if (o->regions > MAX_REGIONS || o->tail > INT32_MAX)
		result_fail("regions", "ERANGE");
	need(gpu_open(&gpu));
	group_options(&gpu, o, &options);
	need(gpu_vm_create(&gpu, &vm));
	need(gpu_bo_create(&gpu, vm, GPU_VA_BASE, BO_SIZE, &bo));
	need(gpu_syncobj_create(&gpu, &syncobj));
	need(gpu_group_create(&gpu, vm, &options, &group));
	gate = (uint32_t *)((char *)bo.map + GATE_OFFSET);
	sum = (uint32_t *)((char *)bo.map + SUM_OFFSET);
	*gate = 0;
	*sum = ~wanted;
	words = write_regions(o, bo.map, gpu_all_scoreboards(&gpu));
	need(gpu_submit(&gpu, group, (unsigned int)o->queue, bo.va, words, syncobj));
	if (o->hold) {
		puts("READY submitted=1");
		hold_until_eof();
		*gate = 1;
		__sync_synchronize();
	}
	late = gpu_syncobj_wait(&gpu, syncobj, monotonic_ns() + (int64_t)o->timeout_ms * 1000000);
	if (late && errno != ETIME)
		need(late);
	printf("sum=%#x wanted=%#x ", *sum, wanted);
	if (!print_group_state(&gpu, group)) {
		putchar('\n');
		result_fail("group", "dead");
	}
	putchar('\n');
	if (late)
		result_fail("syncobj_wait", "ETIME");
	if (*sum != wanted)
		result_fail("sum", "wrong");
	need(gpu_group_destroy(&gpu, group));
	need(gpu_vm_destroy(&gpu, vm));
	result_ok();
}
