// SPDX-License-Identifier: GPL-2.0-or-later
/* gpuctl job, churn and submit-bench: short command streams on one group. */
#include "gpuctl.h"

#include "cs.h"
#include "tee.h"

#define BO_SIZE 65536u
/* The target lies behind the code, in the same buffer unless a heap is named. */
#define TARGET_OFFSET 0x8000u
#define TARGET_VA     (GPU_VA_BASE + TARGET_OFFSET)
#define HEAP_VA	      (GPU_VA_BASE + 0x1000000u)
#define FLUSH_ENTRY   1u

/* Of a row of values. 3 * 64 - 1 instructions are far from the target in the same buffer. */
#define JOB_STEP      0x01010101u
#define JOB_MAX_WORDS 64u

enum { R_ADDRESS = 0, R_VALUE = 2, R_FLUSH_ID = 4, R_HEAP = 6 };

struct session {
	struct gpu gpu;
	uint32_t vm, group, syncobj;
	struct gpu_bo bo;
};

static void group_open(struct session *s, const struct options *o)
{
	struct gpu_group_options options;

	group_options(&s->gpu, o, &options);
	need(gpu_group_create(&s->gpu, s->vm, &options, &s->group));
}

static void session_open_groupless(struct session *s)
{
	need(gpu_open(&s->gpu));
	need(gpu_vm_create(&s->gpu, &s->vm));
	need(gpu_bo_create(&s->gpu, s->vm, GPU_VA_BASE, BO_SIZE, &s->bo));
	need(gpu_syncobj_create(&s->gpu, &s->syncobj));
}

static void session_open(struct session *s, const struct options *o)
{
	session_open_groupless(s);
	group_open(s, o);
}

static void session_close(struct session *s)
{
	need(gpu_group_destroy(&s->gpu, s->group));
	need(gpu_vm_destroy(&s->gpu, s->vm));
}

/* Values in a row, each JOB_STEP more than the one before. */
struct values {
	uint64_t va;
	uint32_t first;
	unsigned int count;
	bool protect;	     /* made and stored in a protected region */
	unsigned int run;    /* opcode of a RUN_* that comes first; 0: none */
	uint64_t tiler_heap; /* context of the one it uses; 0: none */
};

/* What comes before the store: its end is waited for. */
static unsigned int write_run(uint64_t *code, const struct values *v, uint16_t all)
{
	unsigned int n = 0;

	if (v->tiler_heap) {
		code[n++] = cs_move48(R_HEAP, v->tiler_heap);
		code[n++] = cs_heap_set(R_HEAP);
		code[n++] = cs_heap_vt_start();
	}
	if (v->run) {
		code[n++] = cs_run(v->run);
		code[n++] = cs_wait(all);
	}
	return n;
}

/* Store values: only the first is in the code. Returns the number of instructions. */
static unsigned int write_store(const struct session *s, uint64_t *code, const struct values *v)
{
	const uint16_t all = gpu_all_scoreboards(&s->gpu);
	unsigned int n = write_run(code, v, all);

	code[n++] = cs_move48(R_ADDRESS, v->va);
	code[n++] = cs_move32(R_VALUE, v->first);
	if (v->protect)
		code[n++] = cs_prot_region((uint16_t)(3 * v->count - 1));
	for (unsigned int i = 0; i < v->count; i++) {
		if (i)
			code[n++] = cs_add_imm32(R_VALUE, R_VALUE, JOB_STEP);
		code[n++] = cs_store(R_VALUE, R_ADDRESS, 1, (int16_t)(4 * i));
		code[n++] = cs_wait(all);
	}
	code[n++] = cs_move32(R_FLUSH_ID, 0);
	code[n++] = cs_flush_caches(R_FLUSH_ID, FLUSH_ENTRY);
	code[n++] = cs_wait(all);
	return n;
}

/* Whether all that was submitted ended in time; a time-out is a finding, not an error. */
static bool finished(struct session *s, uint64_t timeout_ms)
{
	const int64_t start = monotonic_ns();
	int failed = gpu_syncobj_wait(&s->gpu, s->syncobj, start + (int64_t)timeout_ms * 1000000);

	if (failed && errno != ETIME)
		need(failed);
	printf("wait=%s wait_us=%lld\n", failed ? "ETIME" : "ok",
	       (long long)(monotonic_ns() - start) / 1000);
	return !failed;
}

/* How many of the values are not what was stored. They are looked at where they are: no copies. */
static unsigned int wrong_values(const struct values *v, const volatile void *at)
{
	const volatile uint32_t *word = at;
	unsigned int wrong = 0;

	printf(" value=%#x", word[0]);
	for (unsigned int i = 0; i < v->count; i++)
		wrong += word[i] != v->first + i * JOB_STEP;
	return wrong;
}

/* The same of a buffer of a heap, as a trusted application sees it. */
static unsigned int wrong_trusted(const struct values *v, const struct gpu_bo *bo)
{
	struct tee_memory normal, target;
	unsigned int wrong;
	struct tee tee;

	if (tee_open(&tee) || tee_normal(&tee, bo->size, &normal) ||
	    tee_dmabuf(&tee, bo->dmabuf, &target) || tee_copy(&tee, &target, &normal))
		result_errno(tee_step);
	wrong = wrong_values(v, normal.map);
	memset(normal.map, 0, normal.size);
	return wrong;
}

_Noreturn void cmd_job(const struct options *o)
{
	struct values v = { .first = (uint32_t)o->value,
			    .count = (unsigned int)o->words,
			    .protect = o->protect,
			    .run = (unsigned int)o->run };
	volatile uint32_t *result;
	struct gpu_bo target = { .va = TARGET_VA };
	struct session s;
	unsigned int words, wrong = 0;
	bool done, usable;

	if (!o->words || o->words > JOB_MAX_WORDS)
		result_fail("words", "ERANGE");
	session_open(&s, o);
	result = (uint32_t *)((char *)s.bo.map + TARGET_OFFSET);
	*result = ~(uint32_t)o->value;
	if (o->heap)
		need(gpu_bo_import(&s.gpu, s.vm, HEAP_VA, BO_SIZE, o->heap, &target));
	v.va = target.va;
	if (o->tiler)
		need(gpu_tiler_heap_create(&s.gpu, s.vm, &v.tiler_heap));
	words = write_store(&s, s.bo.map, &v);
	need(gpu_submit(&s.gpu, s.group, (unsigned int)o->queue, s.bo.va, words, s.syncobj));
	done = finished(&s, o->timeout_ms);
	usable = print_group_state(&s.gpu, s.group);
	printf(" target=%#llx", (unsigned long long)target.va);
	if (done && usable && o->heap && o->trusted)
		wrong = wrong_trusted(&v, &target);
	else if (!o->heap)
		wrong = wrong_values(&v, result);
	printf(" wrong=%u\n", wrong);
	if (!usable)
		result_fail("group", "dead");
	if (!done)
		result_fail("syncobj_wait", "ETIME");
	if (wrong)
		result_fail("value", "wrong");
	session_close(&s);
	result_ok();
}

/* One group after the other runs a job and is destroyed; the file stays open until stdin closes. */
_Noreturn void cmd_churn(const struct options *o)
{
	volatile uint32_t *result;
	unsigned int words;
	struct session s;

	session_open_groupless(&s);
	result = (uint32_t *)((char *)s.bo.map + TARGET_OFFSET);
	for (uint64_t i = 0; i < o->count; i++) {
		const uint32_t value = (uint32_t)(o->value + i);

		group_open(&s, o);
		words = write_store(
			&s, s.bo.map,
			&(struct values){ .va = TARGET_VA, .first = value, .count = 1 });
		need(gpu_submit(&s.gpu, s.group, (unsigned int)o->queue, s.bo.va, words,
				s.syncobj));
		need(gpu_syncobj_wait(&s.gpu, s.syncobj,
				      monotonic_ns() + (int64_t)o->timeout_ms * 1000000));
		if (*result != value) {
			printf("round=%llu value=%#x\n", (unsigned long long)i, *result);
			result_fail("value", "wrong");
		}
		need(gpu_group_destroy(&s.gpu, s.group));
	}
	printf("READY churned=%llu\n", (unsigned long long)o->count);
	hold_until_eof();
	need(gpu_vm_destroy(&s.gpu, s.vm));
	result_ok();
}

_Noreturn void cmd_bench(const struct options *o)
{
	int64_t start, submitted, end;
	struct session s;
	unsigned int words;

	if (!o->count)
		result_fail("count", "zero");
	session_open(&s, o);
	words = write_store(
		&s, s.bo.map,
		&(struct values){ .va = TARGET_VA, .first = (uint32_t)o->value, .count = 1 });
	start = monotonic_ns();
	for (uint64_t i = 0; i < o->count; i++)
		need(gpu_submit(&s.gpu, s.group, (unsigned int)o->queue, s.bo.va, words,
				i + 1 == o->count ? s.syncobj : 0));
	submitted = monotonic_ns();
	if (!finished(&s, o->timeout_ms))
		result_fail("syncobj_wait", "ETIME");
	end = monotonic_ns();
	printf("jobs=%llu submit_us=%lld total_us=%lld submits_per_s=%.0f jobs_per_s=%.0f\n",
	       (unsigned long long)o->count, (long long)(submitted - start) / 1000,
	       (long long)(end - start) / 1000,
	       (double)o->count * 1e9 / (double)(submitted - start),
	       (double)o->count * 1e9 / (double)(end - start));
	if (!print_group_state(&s.gpu, s.group)) {
		putchar('\n');
		result_fail("group", "dead");
	}
	putchar('\n');
	session_close(&s);
	result_ok();
}
