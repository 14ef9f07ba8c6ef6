// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * gpuctl regroup: groups made and destroyed one after the other, without a job, until
 * stdin closes or one cannot be made: whatever becomes of the GPU meanwhile.
 *
 * gpuctl sizes: the query of protected mode with buffers of all sizes.
 *
 * What is too small for the first version of the struct is refused, what is larger
 * than the kernel's is filled with zeros, and what lies behind is left alone
 * (panthor_drv.c, panthor_set_uobj()).
 */
#include "gpuctl.h"

#define KNOWN	  4u /* struct drm_panthor_protected_info: one word of flags */
#define UNTOUCHED 0xee
#define ROOM	  32u

#define REGROUP_MS 10 /* between two groups: the device logs what each one costs */

static bool size_is_right(struct gpu *gpu, uint32_t size)
{
	unsigned char data[ROOM];
	bool right = true;
	int failed, why;

	memset(data, UNTOUCHED, sizeof(data));
	failed = gpu_query(gpu, DRM_PANTHOR_DEV_QUERY_PROTECTED_INFO, data, size);
	why = failed ? errno : 0;
	for (uint32_t i = 0; i < ROOM; i++) {
		if (size < KNOWN || i >= size)
			right &= data[i] == UNTOUCHED;
		else if (i >= KNOWN)
			right &= !data[i];
	}
	right &= size < KNOWN ? why == EINVAL : !why;
	printf("size=%u errno=%s right=%d\n", size, why ? errno_name(why) : "0", right);
	return right;
}

_Noreturn void cmd_sizes(void)
{
	struct drm_panthor_dev_query ask = { .type = DRM_PANTHOR_DEV_QUERY_PROTECTED_INFO };
	bool right = true;
	struct gpu gpu;

	need(gpu_open(&gpu));
	if (ioctl(gpu.fd, DRM_IOCTL_PANTHOR_DEV_QUERY, &ask) || ask.size != KNOWN)
		result_fail("size", "wrong");
	for (uint32_t size = 1; size < ROOM; size++)
		right &= size_is_right(&gpu, size);
	if (!right)
		result_fail("sizes", "wrong");
	result_ok();
}

_Noreturn void cmd_regroup(const struct options *o)
{
	struct gpu_group_options options;
	uint64_t made = 0;
	struct gpu gpu;
	uint32_t vm, group;

	need(gpu_open(&gpu));
	group_options(&gpu, o, &options);
	need(gpu_vm_create(&gpu, &vm));
	puts("READY");
	for (; !eof_within(REGROUP_MS); made++) {
		need(gpu_group_create(&gpu, vm, &options, &group));
		need(gpu_group_destroy(&gpu, group));
	}
	need(gpu_vm_destroy(&gpu, vm));
	printf("made=%llu\n", (unsigned long long)made);
	result_ok();
}
