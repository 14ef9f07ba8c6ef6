// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * gpuctl protm-init and protm-misuse: in trees where user space brings the memory for
 * protected mode (DRM_IOCTL_PANTHOR_PROTM_INIT), bring it, or something that is wrong.
 *
 * protm-misuse does what must be refused, bit by bit, and prints "name=ERRNO" for each,
 * or "name=0" for what was taken. Which errno is right is for the host to say, who knows
 * whether protected mode was ready.
 */
#include "gpuctl.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/syscall.h>

#define PAGE	  4096u
#define NO_HANDLE 0x7ffffffeu

void print_protm_info(const struct drm_panthor_protm_info *info)
{
	printf("protm_state=%u fw_size=%llu suspend_size=%llu\n", info->state,
	       (unsigned long long)info->fw_size, (unsigned long long)info->suspend_size);
}

static void need_info(struct gpu *gpu, struct drm_panthor_protm_info *info)
{
	if (!gpu_protm_info(gpu, info))
		result_fail("protm_info", "ENOTTY");
}

_Noreturn void cmd_protm_init(const struct options *o)
{
	struct drm_panthor_protm_info info;
	struct gpu_bo bo;
	struct gpu gpu;

	if (!o->heap)
		result_fail("heap", "EINVAL");
	need(gpu_open(&gpu));
	need_info(&gpu, &info);
	need(gpu_heap_bo(&gpu, o->size ? o->size : info.fw_size, o->heap, &bo));
	need(gpu_protm_init(&gpu, bo.handle, 0));
	need_info(&gpu, &info);
	print_protm_info(&info);
	need(gpu_heap_bo_close(&gpu, &bo));
	result_ok();
}

static void told(const char *name, int failed)
{
	printf("%s=%s ", name, failed ? errno_name(errno) : "0");
	fflush(stdout);
}

/* The same call by somebody who is root and lacks nothing but CAP_SYS_MODULE. */
static void without_capability(struct gpu *gpu, uint32_t handle)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct had[2], less[2];

	gpu_step = "capability";
	need((int)syscall(SYS_capget, &header, had));
	memcpy(less, had, sizeof(less));
	less[0].effective &= ~(1u << CAP_SYS_MODULE);
	need((int)syscall(SYS_capset, &header, less));
	told("capability", gpu_protm_init(gpu, handle, 0));
	need((int)syscall(SYS_capset, &header, had));
}

static void misuse_init(struct gpu *gpu, uint32_t vm, const char *heap, uint64_t size)
{
	struct gpu_bo good, small, own;

	need(gpu_heap_bo(gpu, size, heap, &good));
	need(gpu_heap_bo(gpu, size - PAGE, heap, &small));
	need(gpu_bo_create(gpu, vm, GPU_VA_BASE, size, &own));
	without_capability(gpu, good.handle);
	told("flags", gpu_protm_init(gpu, good.handle, 1));
	told("handle", gpu_protm_init(gpu, NO_HANDLE, 0));
	told("own", gpu_protm_init(gpu, own.handle, 0));
	told("small", gpu_protm_init(gpu, small.handle, 0));
	need(gpu_heap_bo_close(gpu, &small));
	need(gpu_heap_bo_close(gpu, &good));
}

static bool try_group(struct gpu *gpu, uint32_t vm, const char *name, uint32_t handle,
		      uint32_t *group)
{
	const struct gpu_group_options options = {
		.queues = 1, .priority = 1, .ring_size = 65536, .flags = handle
	};

	const bool made = !gpu_group_create(gpu, vm, &options, group);

	told(name, !made);
	return made;
}

/* A handle means nothing in another file, whatever it means in ours. */
static void group_of_other_file(uint32_t handle)
{
	struct gpu other;
	uint32_t vm, group;

	need(gpu_open(&other));
	need(gpu_vm_create(&other, &vm));
	try_group(&other, vm, "group_other_file", handle, &group);
	close(other.fd);
}

static void misuse_group(struct gpu *gpu, uint32_t vm, const char *heap, uint64_t size)
{
	struct gpu_bo good, small, own;
	uint32_t group;
	bool made;

	need(gpu_heap_bo(gpu, size, heap, &good));
	need(gpu_heap_bo(gpu, size - PAGE, heap, &small));
	need(gpu_bo_create(gpu, vm, GPU_VA_BASE + 0x1000000u, size, &own));
	try_group(gpu, vm, "group_handle", NO_HANDLE, &group);
	try_group(gpu, vm, "group_own", own.handle, &group);
	try_group(gpu, vm, "group_small", small.handle, &group);
	group_of_other_file(good.handle);
	made = try_group(gpu, vm, "group_good", good.handle, &group);
	try_group(gpu, vm, "group_again", good.handle, &(uint32_t){ 0 });
	if (made)
		need(gpu_group_destroy(gpu, group));
	need(gpu_heap_bo_close(gpu, &small));
	need(gpu_heap_bo_close(gpu, &good));
}

_Noreturn void cmd_protm_misuse(const struct options *o)
{
	struct drm_panthor_protm_info info;
	struct gpu gpu;
	uint32_t vm;

	if (!o->heap)
		result_fail("heap", "EINVAL");
	need(gpu_open(&gpu));
	need_info(&gpu, &info);
	need(gpu_vm_create(&gpu, &vm));
	misuse_init(&gpu, vm, o->heap, info.fw_size);
	misuse_group(&gpu, vm, o->heap, info.suspend_size);
	putchar('\n');
	need_info(&gpu, &info);
	print_protm_info(&info);
	result_ok();
}
