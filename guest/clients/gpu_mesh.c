// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * gpuctl mesh: groups whose queues wait for one another, in an order that a seed gives.
 *
 * In each round every queue of a group takes one turn. A turn waits until the turns before
 * it are over (SYNC_WAIT on the group's progress word), loads the group's token, adds to it
 * in a loop, stores it, keeps a record of it, and lets the next one go on. The last record is
 * right only when no turn was lost, repeated, or taken too early, and when no register was
 * lost on the way: each queue counts its turns in a register, which only its first job sets.
 *
 * With hold=1 each round waits for a line on stdin, so that the host may do things to an idle
 * GPU: "PHASE n" tells that n rounds are over.
 */
#include "gpuctl.h"

#include "cs.h"

#define CODE_SIZE   0x200u /* of one queue's job */
#define CODE_ROOM   0x4000u
#define TOKEN	    CODE_ROOM
#define PROGRESS    (TOKEN + 0x40)
#define RECORDS	    (TOKEN + 0x1000u)
#define RECORD_SIZE 8u /* token, turns of the queue */
#define BO_SIZE	    0x10000u
#define MAX_TURNS   ((BO_SIZE - RECORDS) / RECORD_SIZE)
#define FLUSH_ENTRY 1u
#define PRIORITIES  3u /* realtime would starve the others */

enum {
	R_PROGRESS = 0,
	R_TOKEN_VA = 2,
	R_RECORD = 4,
	R_TOKEN = 6, /* token and turns are stored together */
	R_TURNS = 7,
	R_INNER = 8,
	R_AFTER = 9,
	R_ONE = 10,
	R_FLUSH_ID = 12,
};

struct mesh_group {
	struct gpu *gpu; /* of two groups that share a VM: there are more slots than VMs on them */
	uint32_t vm, group, syncobj[GPU_MAX_QUEUES];
	struct gpu_bo bo;
	uint32_t *tokens; /* what each turn must leave */
};

/* xorshift: the same seed makes the same run on every machine */
static uint32_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (uint32_t)(*state >> 32);
}

static void shuffle(uint64_t *state, unsigned int *order, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		order[i] = i;
	for (unsigned int i = n; i > 1; i--) {
		unsigned int k = next_random(state) % i, other = order[k];

		order[k] = order[i - 1];
		order[i - 1] = other;
	}
}

static uint32_t step_of(uint64_t group, unsigned int queue)
{
	return (uint32_t)(group * GPU_MAX_QUEUES + queue + 1);
}

/* One turn; `turn` counts those of the group. Returns the number of instructions. */
static unsigned int write_turn(uint64_t *code, const struct mesh_group *m, const struct options *o,
			       uint32_t step, uint64_t turn, bool first)
{
	const uint16_t all = gpu_all_scoreboards(m->gpu);
	unsigned int n = 0, loop;

	if (first)
		code[n++] = cs_move32(R_TURNS, 0);
	code[n++] = cs_move48(R_PROGRESS, m->bo.va + PROGRESS);
	code[n++] = cs_move48(R_TOKEN_VA, m->bo.va + TOKEN);
	code[n++] = cs_move48(R_RECORD, m->bo.va + RECORDS + turn * RECORD_SIZE);
	code[n++] = cs_move32(R_ONE, 1);
	if (turn) {
		code[n++] = cs_move32(R_AFTER, (uint32_t)(turn - 1));
		code[n++] = cs_sync_wait32_gt(R_PROGRESS, R_AFTER);
	}
	code[n++] = cs_load(R_TOKEN, R_TOKEN_VA, 1, 0);
	code[n++] = cs_wait(all);
	code[n++] = cs_add_imm32(R_TURNS, R_TURNS, 1);
	code[n++] = cs_move32(R_INNER, (uint32_t)o->inner);
	loop = n;
	code[n++] = cs_add_imm32(R_TOKEN, R_TOKEN, (int32_t)step);
	code[n++] = cs_add_imm32(R_INNER, R_INNER, -1);
	code[n] = cs_branch(CS_GT, R_INNER, (int16_t)((int)loop - (int)(n + 1)));
	n++;
	code[n++] = cs_store(R_TOKEN, R_TOKEN_VA, 1, 0);
	code[n++] = cs_store(R_TOKEN, R_RECORD, 3, 0);
	code[n++] = cs_wait(all);
	code[n++] = cs_sync_add32(R_PROGRESS, R_ONE);
	code[n++] = cs_move32(R_FLUSH_ID, 0);
	code[n++] = cs_flush_caches(R_FLUSH_ID, FLUSH_ENTRY);
	code[n++] = cs_wait(all);
	return n;
}

static void mesh_open(struct mesh_group *m, const struct mesh_group *sharer,
		      const struct options *o, uint64_t *random)
{
	struct gpu_group_options options;

	m->tokens = calloc(o->jobs * o->queues, sizeof(uint32_t));
	m->gpu = sharer ? sharer->gpu : malloc(sizeof(*m->gpu));
	if (!m->tokens || !m->gpu)
		result_errno("malloc");
	if (sharer) {
		m->vm = sharer->vm;
	} else {
		need(gpu_open(m->gpu));
		need(gpu_vm_create(m->gpu, &m->vm));
	}
	group_options(m->gpu, o, &options);
	options.priority = next_random(random) % PRIORITIES;
	need(gpu_bo_create(m->gpu, m->vm, GPU_VA_BASE + (sharer ? BO_SIZE : 0), BO_SIZE, &m->bo));
	need(gpu_group_create(m->gpu, m->vm, &options, &m->group));
	for (uint64_t q = 0; q < o->queues; q++)
		need(gpu_syncobj_create(m->gpu, &m->syncobj[q]));
}

static void mesh_submit(struct mesh_group *m, const struct options *o, uint64_t index,
			uint64_t round, uint64_t *random)
{
	unsigned int order[GPU_MAX_QUEUES];

	shuffle(random, order, (unsigned int)o->queues);
	for (unsigned int i = 0; i < o->queues; i++) {
		const unsigned int q = order[i];
		const uint64_t turn = round * o->queues + i;
		const uint32_t step = step_of(index, q);
		uint64_t *code = (uint64_t *)((char *)m->bo.map + q * CODE_SIZE);
		unsigned int words = write_turn(code, m, o, step, turn, !round);

		m->tokens[turn] = (turn ? m->tokens[turn - 1] : 0) + step * (uint32_t)o->inner;
		need(gpu_submit(m->gpu, m->group, q, m->bo.va + q * CODE_SIZE, words,
				m->syncobj[q]));
	}
}

/* All turns up to this round. Prints the first wrong one; true when there is none. */
static bool mesh_right(struct mesh_group *m, const struct options *o, uint64_t index,
		       uint64_t round)
{
	const volatile uint32_t *records = (uint32_t *)((char *)m->bo.map + RECORDS);

	for (uint64_t turn = 0; turn < (round + 1) * o->queues; turn++) {
		const uint32_t turns = (uint32_t)(turn / o->queues + 1);

		if (records[2 * turn] == m->tokens[turn] && records[2 * turn + 1] == turns)
			continue;
		printf("group=%llu turn=%llu token=%#x expected=%#x turns=%u expected=%u ",
		       (unsigned long long)index, (unsigned long long)turn, records[2 * turn],
		       m->tokens[turn], records[2 * turn + 1], turns);
		print_group_state(m->gpu, m->group);
		putchar('\n');
		return false;
	}
	return true;
}

static bool mesh_round(struct mesh_group *groups, const struct options *o, uint64_t round,
		       uint64_t *random)
{
	const int64_t deadline = monotonic_ns() + (int64_t)o->timeout_ms * 1000000;
	bool right = true;

	for (uint64_t i = 0; i < o->groups; i++)
		mesh_submit(&groups[i], o, i, round, random);
	for (uint64_t i = 0; i < o->groups; i++)
		for (uint64_t q = 0; q < o->queues; q++)
			need(gpu_syncobj_wait(groups[i].gpu, groups[i].syncobj[q], deadline));
	for (uint64_t i = 0; i < o->groups; i++)
		right &= mesh_right(&groups[i], o, i, round);
	return right;
}

/* A line of the host, or the end of what it says. */
static void wait_for_host(void)
{
	char one = 0;

	fflush(stdout);
	while (read(STDIN_FILENO, &one, 1) == 1 && one != '\n')
		;
}

_Noreturn void cmd_mesh(const struct options *o)
{
	struct mesh_group *groups = calloc(o->groups + 1, sizeof(*groups));
	uint64_t random = o->seed * 2 + 1; /* xorshift does not leave 0 */

	if (!groups)
		result_errno("calloc");
	if (!o->groups || !o->jobs || o->jobs * o->queues > MAX_TURNS)
		result_fail("options", "ERANGE");
	for (uint64_t i = 0; i < o->groups; i++)
		mesh_open(&groups[i], i % 2 ? &groups[i - 1] : NULL, o, &random);
	for (uint64_t round = 0; round < o->jobs; round++) {
		printf("PHASE %llu\n", (unsigned long long)round);
		if (o->hold)
			wait_for_host();
		if (!mesh_round(groups, o, round, &random))
			result_fail("records", "wrong");
	}
	for (uint64_t i = 0; i < o->groups; i++)
		need(gpu_group_destroy(groups[i].gpu, groups[i].group));
	for (uint64_t i = 0; i < o->groups; i += 2)
		need(gpu_vm_destroy(groups[i].gpu, groups[i].vm));
	result_ok();
}
