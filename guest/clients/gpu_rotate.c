// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * gpuctl rotate: more groups than the GPU has slots, each counting in its
 * registers in a long loop. The scheduler has to suspend and resume groups in
 * the middle of loops; a register, the call stack or the program counter that
 * does not survive, or that ends up in another group, shows in the end counts:
 *
 *   counter  group and queue add different steps, so mixed-up state shows
 *   tag      a constant that only the first job loads
 *   jobs     jobs completed, counted in a register across jobs
 */
#include "gpuctl.h"

#include "cs.h"

/* Of each queue's area: the first job's code, the other jobs' code, the counters. */
#define AREA	      0x3000u
#define LATER_OFFSET  0x1000u
#define RESULT_OFFSET 0x2000u
#define FLUSH_ENTRY   1u

enum {
	R_ADDRESS = 0,
	R_COUNTER = 2, /* counter, tag and jobs are stored together */
	R_TAG = 3,
	R_JOBS = 4,
	R_INNER = 5,
	R_OUTER = 6,
	R_FLUSH_ID = 8,
};

struct member {
	struct gpu *gpu; /* the group's own file, or the shared one */
	uint32_t vm, group, syncobj[GPU_MAX_QUEUES];
	struct gpu_bo bo;
};

static uint32_t step_of(uint64_t group, uint64_t queue)
{
	return (uint32_t)(group * GPU_MAX_QUEUES + queue + 1);
}

static uint32_t tag_of(uint64_t group, uint64_t queue)
{
	return 0xa5000000u | (uint32_t)(group << 8) | (uint32_t)queue;
}

static unsigned int put_store(uint64_t *code, unsigned int n, uint16_t all)
{
	code[n++] = cs_store(R_COUNTER, R_ADDRESS, 7, 0);
	code[n++] = cs_wait(all);
	return n;
}

/* One job's stream; `first` also sets the registers that later jobs build upon. */
static unsigned int write_count(uint64_t *code, const struct options *o, uint64_t result_va,
				uint32_t step, uint32_t tag, uint16_t all, bool first)
{
	unsigned int n = 0, outer, inner;

	if (first) {
		code[n++] = cs_move32(R_COUNTER, 0);
		code[n++] = cs_move32(R_TAG, tag);
		code[n++] = cs_move32(R_JOBS, 0);
	}
	code[n++] = cs_move48(R_ADDRESS, result_va);
	code[n++] = cs_move32(R_OUTER, (uint32_t)o->outer);
	outer = n;
	code[n++] = cs_move32(R_INNER, (uint32_t)o->inner);
	inner = n;
	code[n++] = cs_add_imm32(R_COUNTER, R_COUNTER, (int32_t)step);
	code[n++] = cs_add_imm32(R_INNER, R_INNER, -1);
	code[n] = cs_branch(CS_GT, R_INNER, (int16_t)((int)inner - (int)(n + 1)));
	n++;
	n = put_store(code, n, all);
	code[n++] = cs_add_imm32(R_OUTER, R_OUTER, -1);
	code[n] = cs_branch(CS_GT, R_OUTER, (int16_t)((int)outer - (int)(n + 1)));
	n++;
	code[n++] = cs_add_imm32(R_JOBS, R_JOBS, 1);
	n = put_store(code, n, all);
	code[n++] = cs_move32(R_FLUSH_ID, 0);
	code[n++] = cs_flush_caches(R_FLUSH_ID, FLUSH_ENTRY);
	code[n++] = cs_wait(all);
	return n;
}

static struct gpu *another_gpu(void)
{
	struct gpu *gpu = malloc(sizeof(*gpu));

	if (!gpu)
		result_errno("malloc");
	need(gpu_open(gpu));
	return gpu;
}

/*
 * Own VMs come with own files: a file may have 32 VMs only
 * (PANTHOR_MAX_VMS_PER_FILE), and separate clients are the usual case anyway.
 */
static void member_open(struct member *m, const struct member *first, const struct options *o,
			uint64_t index)
{
	const uint64_t size = o->queues * AREA;
	struct gpu_group_options options;
	uint64_t va = GPU_VA_BASE;

	if (o->shared_vm && m != first) {
		m->gpu = first->gpu;
		m->vm = first->vm;
		va += index * size;
	} else {
		m->gpu = another_gpu();
		need(gpu_vm_create(m->gpu, &m->vm));
	}
	group_options(m->gpu, o, &options);
	need(gpu_bo_create(m->gpu, m->vm, va, size, &m->bo));
	need(gpu_group_create(m->gpu, m->vm, &options, &m->group));
	for (uint64_t q = 0; q < o->queues; q++)
		need(gpu_syncobj_create(m->gpu, &m->syncobj[q]));
}

static void member_submit(struct member *m, const struct options *o, uint64_t index)
{
	const uint16_t all = gpu_all_scoreboards(m->gpu);

	for (uint64_t q = 0; q < o->queues; q++) {
		char *area = (char *)m->bo.map + q * AREA;
		const uint64_t va = m->bo.va + q * AREA;
		const uint32_t step = step_of(index, q), tag = tag_of(index, q);
		unsigned int first =
			write_count((uint64_t *)area, o, va + RESULT_OFFSET, step, tag, all, true);
		unsigned int later = write_count((uint64_t *)(area + LATER_OFFSET), o,
						 va + RESULT_OFFSET, step, tag, all, false);

		memset(area + RESULT_OFFSET, 0xff, 16);
		for (uint64_t job = 0; job < o->jobs; job++)
			need(gpu_submit(m->gpu, m->group, (unsigned int)q,
					job ? va + LATER_OFFSET : va, job ? later : first,
					m->syncobj[q]));
	}
}

/* Prints one line a queue; true when all counts are right. */
static bool member_check(struct member *m, const struct options *o, uint64_t index,
			 int64_t deadline)
{
	bool good = true;

	for (uint64_t q = 0; q < o->queues; q++) {
		int failed = gpu_syncobj_wait(m->gpu, m->syncobj[q], deadline);
		const int why = failed ? errno : 0;
		const volatile uint32_t *seen =
			(uint32_t *)((char *)m->bo.map + q * AREA + RESULT_OFFSET);
		const uint32_t want = (uint32_t)(step_of(index, q) * o->inner * o->outer * o->jobs);
		bool right = !failed && seen[0] == want && seen[1] == tag_of(index, q) &&
			     seen[2] == (uint32_t)o->jobs;

		if (failed && why != ETIME)
			need(failed);
		printf("group=%llu queue=%llu wait=%s counter=%u expected=%u tag=%#x jobs=%u ",
		       (unsigned long long)index, (unsigned long long)q, why ? "ETIME" : "ok",
		       seen[0], want, seen[1], seen[2]);
		right &= print_group_state(m->gpu, m->group);
		printf(" right=%d\n", right);
		good &= right;
	}
	return good;
}

static void members_close(struct member *members, const struct options *o)
{
	for (uint64_t i = 0; i < o->groups; i++)
		need(gpu_group_destroy(members[i].gpu, members[i].group));
	for (uint64_t i = 0; i < (o->shared_vm ? 1 : o->groups); i++)
		need(gpu_vm_destroy(members[i].gpu, members[i].vm));
}

_Noreturn void cmd_rotate(const struct options *o)
{
	struct member *members = calloc(o->groups + 1, sizeof(*members));
	int64_t start, deadline;
	uint64_t right = 0;

	if (!members)
		result_errno("calloc");
	if (!o->groups || !o->jobs)
		result_fail("options", "zero");
	for (uint64_t i = 0; i < o->groups; i++)
		member_open(&members[i], members, o, i);
	start = monotonic_ns();
	deadline = start + (int64_t)o->timeout_ms * 1000000;
	for (uint64_t i = 0; i < o->groups; i++)
		member_submit(&members[i], o, i);
	for (uint64_t i = 0; i < o->groups; i++)
		right += member_check(&members[i], o, i, deadline);
	printf("groups=%llu slots=%u right=%llu total_us=%lld\n", (unsigned long long)o->groups,
	       members[0].gpu->csif.csg_slot_count, (unsigned long long)right,
	       (long long)(monotonic_ns() - start) / 1000);
	if (right != o->groups)
		result_fail("counts", "wrong");
	members_close(members, o);
	result_ok();
}
