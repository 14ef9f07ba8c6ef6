// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * gpuctl unmap: a VM_BIND that takes a hole out of a mapping, while the VM is on the GPU.
 *
 * A buffer of 4 MiB lies at an address that huge pages can map. A job writes a word at each of
 * a few places in it; at a line on stdin the hole is unmapped, and a second job writes other
 * words beside the hole. With heap=NAME the buffer comes from that dma-heap and the host has to
 * look at what is in it; with sparse=1 there is none, and what is written is lost. In both cases
 * nothing is read back here.
 */
#include "gpuctl.h"

#include "cs.h"

#define CODE_SIZE   65536u
#define TARGET_VA   (GPU_VA_BASE + 0x3000000u)
#define TARGET_SIZE 0x400000u
#define HOLE	    0x100000u
#define HOLE_SIZE   0x10000u
#define FLUSH_ENTRY 1u
#define SECOND	    0x10000u /* what the second job's words are more by */

_Static_assert(TARGET_VA % 0x200000u == 0, "a huge page can map it");

enum { R_ADDRESS = 0, R_VALUE = 2, R_FLUSH_ID = 4 };

/* Both sides of the hole, of its huge page and of the next one. */
static const uint32_t places[] = {
	0, HOLE - 4, HOLE + HOLE_SIZE, 0x1ffffc, 0x200000, TARGET_SIZE - 4,
};
#define PLACES (sizeof(places) / sizeof(places[0]))

struct unmap {
	struct gpu gpu;
	uint32_t vm, group, syncobj;
	struct gpu_bo code, target;
};

static void map_target(struct unmap *u, const struct options *o)
{
	if (o->sparse)
		need(gpu_vm_map_sparse(&u->gpu, u->vm, TARGET_VA, TARGET_SIZE));
	else if (o->heap)
		need(gpu_bo_import(&u->gpu, u->vm, TARGET_VA, TARGET_SIZE, o->heap, &u->target));
	else
		need(gpu_bo_create(&u->gpu, u->vm, TARGET_VA, TARGET_SIZE, &u->target));
}

/* A job that writes `first` and the numbers behind it, one at each place. */
static void write_places(struct unmap *u, const struct options *o, uint32_t first)
{
	const uint16_t all = gpu_all_scoreboards(&u->gpu);
	uint64_t *code = u->code.map;
	unsigned int n = 0;

	for (unsigned int i = 0; i < PLACES; i++) {
		code[n++] = cs_move48(R_ADDRESS, TARGET_VA + places[i]);
		code[n++] = cs_move32(R_VALUE, first + i);
		code[n++] = cs_store(R_VALUE, R_ADDRESS, 1, 0);
		code[n++] = cs_wait(all);
	}
	code[n++] = cs_move32(R_FLUSH_ID, 0);
	code[n++] = cs_flush_caches(R_FLUSH_ID, FLUSH_ENTRY);
	code[n++] = cs_wait(all);
	need(gpu_submit(&u->gpu, u->group, 0, u->code.va, n, u->syncobj));
	need(gpu_syncobj_wait(&u->gpu, u->syncobj,
			      monotonic_ns() + (int64_t)o->timeout_ms * 1000000));
}

static unsigned int wrong_places(const struct unmap *u, uint32_t first)
{
	unsigned int wrong = 0;

	for (unsigned int i = 0; u->target.map && i < PLACES; i++) {
		const uint32_t seen = *(volatile uint32_t *)((char *)u->target.map + places[i]);

		wrong += seen != first + i;
	}
	return wrong;
}

_Noreturn void cmd_unmap(const struct options *o)
{
	const uint32_t first = (uint32_t)o->value;
	struct gpu_group_options options;
	struct unmap u = { 0 };
	unsigned int wrong;

	need(gpu_open(&u.gpu));
	group_options(&u.gpu, o, &options);
	need(gpu_vm_create(&u.gpu, &u.vm));
	need(gpu_bo_create(&u.gpu, u.vm, GPU_VA_BASE, CODE_SIZE, &u.code));
	map_target(&u, o);
	need(gpu_syncobj_create(&u.gpu, &u.syncobj));
	need(gpu_group_create(&u.gpu, u.vm, &options, &u.group));
	write_places(&u, o, first);
	wrong = wrong_places(&u, first);
	puts("READY written=1");
	getchar();
	need(gpu_vm_unmap(&u.gpu, u.vm, TARGET_VA + HOLE, HOLE_SIZE));
	write_places(&u, o, first + SECOND);
	wrong += wrong_places(&u, first + SECOND);
	printf("wrong=%u ", wrong);
	if (!print_group_state(&u.gpu, u.group)) {
		putchar('\n');
		result_fail("group", "dead");
	}
	puts("\nREADY unmapped=1");
	hold_until_eof();
	if (wrong)
		result_fail("places", "wrong");
	need(gpu_group_destroy(&u.gpu, u.group));
	need(gpu_vm_destroy(&u.gpu, u.vm));
	result_ok();
}
