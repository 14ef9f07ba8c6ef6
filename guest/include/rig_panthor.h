/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The part of the DRM and panthor uAPI that the test clients use, written down
 * from its ABI: the C library's kernel headers are older than panthor.
 *
 * Field names are the kernel's, so that its documentation applies. Fields may
 * be added at the end of a struct there; sizes here are those of Linux 7.3
 * (panthor 1.9), which older and newer drivers accept.
 */
#ifndef RIG_PANTHOR_H
#define RIG_PANTHOR_H

#include <stdint.h>
#include <sys/ioctl.h>

#define RIG_SIZE(type, bytes) _Static_assert(sizeof(struct type) == (bytes), #type)
#define DRM_IOWR(nr, type)    _IOWR('d', nr, type)

/* ---- DRM core */

struct drm_version {
	int32_t version_major, version_minor, version_patchlevel;
	uint64_t name_len, name, date_len, date, desc_len, desc;
};
RIG_SIZE(drm_version, 64);
#define DRM_IOCTL_VERSION DRM_IOWR(0x00, struct drm_version)

struct drm_prime_handle {
	uint32_t handle, flags;
	int32_t fd;
};
RIG_SIZE(drm_prime_handle, 12);
struct drm_gem_close {
	uint32_t handle, pad;
};
RIG_SIZE(drm_gem_close, 8);
#define DRM_IOCTL_GEM_CLOSE	     _IOW('d', 0x09, struct drm_gem_close)
#define DRM_IOCTL_PRIME_FD_TO_HANDLE DRM_IOWR(0x2e, struct drm_prime_handle)

struct drm_syncobj_create {
	uint32_t handle, flags;
};
RIG_SIZE(drm_syncobj_create, 8);
#define DRM_IOCTL_SYNCOBJ_CREATE DRM_IOWR(0xbf, struct drm_syncobj_create)

#define DRM_SYNCOBJ_WAIT_FLAGS_WAIT_ALL 1u
struct drm_syncobj_wait {
	uint64_t handles;
	int64_t timeout_nsec; /* absolute, CLOCK_MONOTONIC */
	uint32_t count_handles, flags, first_signaled, pad;
	uint64_t deadline_nsec;
};
RIG_SIZE(drm_syncobj_wait, 40);
#define DRM_IOCTL_SYNCOBJ_WAIT DRM_IOWR(0xc3, struct drm_syncobj_wait)

/* ---- panthor */

struct drm_panthor_obj_array {
	uint32_t stride, count;
	uint64_t array;
};
RIG_SIZE(drm_panthor_obj_array, 16);

#define RIG_OBJ_ARRAY(n, ptr)                                                                      \
	{                                                                                          \
		.stride = sizeof((ptr)[0]), .count = (n), .array = (uintptr_t)(ptr)                \
	}

#define DRM_PANTHOR_SYNC_OP_SIGNAL (1u << 31)
struct drm_panthor_sync_op {
	uint32_t flags, handle;
	uint64_t timeline_value;
};
RIG_SIZE(drm_panthor_sync_op, 16);

enum {
	DRM_PANTHOR_DEV_QUERY_GPU_INFO,
	DRM_PANTHOR_DEV_QUERY_CSIF_INFO,
	DRM_PANTHOR_DEV_QUERY_TIMESTAMP_INFO,
	DRM_PANTHOR_DEV_QUERY_GROUP_PRIORITIES_INFO,
	DRM_PANTHOR_DEV_QUERY_MMU_INFO,
	/* Not in Linux 7.3, where series take the same number for different things: */
	DRM_PANTHOR_DEV_QUERY_PROTECTED_INFO, /* one u32 of features */
	DRM_PANTHOR_DEV_QUERY_PROTM_INFO = DRM_PANTHOR_DEV_QUERY_PROTECTED_INFO,
};
#define DRM_PANTHOR_PROTECTED_FEATURE_BASIC 1u
#define DRM_PANTHOR_GROUP_CREATE_PROTECTED  1u

enum {
	DRM_PANTHOR_PROTM_UNSUPPORTED,
	DRM_PANTHOR_PROTM_UNINITIALIZED,
	DRM_PANTHOR_PROTM_READY,
};
struct drm_panthor_protm_info {
	uint32_t state, pad;
	uint64_t fw_size, suspend_size;
};
RIG_SIZE(drm_panthor_protm_info, 24);

struct drm_panthor_protm_init {
	uint32_t bo_handle, flags;
};
RIG_SIZE(drm_panthor_protm_init, 8);

struct drm_panthor_gpu_info {
	uint32_t gpu_id, gpu_rev, csf_id, l2_features, tiler_features, mem_features;
	uint32_t mmu_features, thread_features, max_threads, thread_max_workgroup_size;
	uint32_t thread_max_barrier_size, coherency_features, texture_features[4];
	uint32_t as_present, selected_coherency;
	uint64_t shader_present, l2_present, tiler_present;
	uint32_t core_features, pad;
	uint64_t gpu_features;
};
RIG_SIZE(drm_panthor_gpu_info, 112);

struct drm_panthor_csif_info {
	uint32_t csg_slot_count, cs_slot_count, cs_reg_count, scoreboard_slot_count;
	uint32_t unpreserved_cs_reg_count, pad;
};
RIG_SIZE(drm_panthor_csif_info, 24);

struct drm_panthor_timestamp_info {
	uint64_t timestamp_frequency, current_timestamp, timestamp_offset;
	uint32_t flags, duration_nsec;
	uint64_t cycle_count, cpu_timestamp_sec, cpu_timestamp_nsec;
};
RIG_SIZE(drm_panthor_timestamp_info, 56);

struct drm_panthor_group_priorities_info {
	uint8_t allowed_mask, pad[3];
};
RIG_SIZE(drm_panthor_group_priorities_info, 4);

struct drm_panthor_dev_query {
	uint32_t type, size;
	uint64_t pointer;
};
RIG_SIZE(drm_panthor_dev_query, 16);

struct drm_panthor_vm_create {
	uint32_t flags, id;
	uint64_t user_va_range;
};
RIG_SIZE(drm_panthor_vm_create, 16);

struct drm_panthor_vm_destroy {
	uint32_t id, pad;
};
RIG_SIZE(drm_panthor_vm_destroy, 8);

/* op flags: type in [31:28] */
#define DRM_PANTHOR_VM_BIND_OP_MAP_NOEXEC (1u << 1)
#define DRM_PANTHOR_VM_BIND_OP_MAP_SPARSE (1u << 3)
#define DRM_PANTHOR_VM_BIND_OP_TYPE_UNMAP (1u << 28)
struct drm_panthor_vm_bind_op {
	uint32_t flags, bo_handle;
	uint64_t bo_offset, va, size;
	struct drm_panthor_obj_array syncs;
};
RIG_SIZE(drm_panthor_vm_bind_op, 48);

struct drm_panthor_vm_bind {
	uint32_t vm_id, flags;
	struct drm_panthor_obj_array ops;
};
RIG_SIZE(drm_panthor_vm_bind, 24);

struct drm_panthor_bo_create {
	uint64_t size;
	uint32_t flags, exclusive_vm_id, handle, pad;
};
RIG_SIZE(drm_panthor_bo_create, 24);

struct drm_panthor_bo_mmap_offset {
	uint32_t handle, pad;
	uint64_t offset;
};
RIG_SIZE(drm_panthor_bo_mmap_offset, 16);

struct drm_panthor_queue_create {
	uint8_t priority, pad[3];
	uint32_t ringbuf_size;
};
RIG_SIZE(drm_panthor_queue_create, 8);

struct drm_panthor_group_create {
	struct drm_panthor_obj_array queues;
	uint8_t max_compute_cores, max_fragment_cores, max_tiler_cores, priority;
	/* A padding field in Linux 7.3; flags in trees with group flags; in trees with PROTM_INIT
	 * the handle of the protected suspend buffer. */
	uint32_t flags;
	uint64_t compute_core_mask, fragment_core_mask, tiler_core_mask;
	uint32_t vm_id, group_handle;
};
RIG_SIZE(drm_panthor_group_create, 56);

struct drm_panthor_group_destroy {
	uint32_t group_handle, pad;
};
RIG_SIZE(drm_panthor_group_destroy, 8);

struct drm_panthor_queue_submit {
	uint32_t queue_index, stream_size;
	uint64_t stream_addr;
	uint32_t latest_flush, pad;
	struct drm_panthor_obj_array syncs;
};
RIG_SIZE(drm_panthor_queue_submit, 40);

struct drm_panthor_group_submit {
	uint32_t group_handle, pad;
	struct drm_panthor_obj_array queue_submits;
};
RIG_SIZE(drm_panthor_group_submit, 24);

enum {
	DRM_PANTHOR_GROUP_STATE_TIMEDOUT = 1,
	DRM_PANTHOR_GROUP_STATE_FATAL_FAULT = 2,
	DRM_PANTHOR_GROUP_STATE_INNOCENT = 4,
};
struct drm_panthor_group_get_state {
	uint32_t group_handle, state, fatal_queues, pad;
};
RIG_SIZE(drm_panthor_group_get_state, 16);

struct drm_panthor_tiler_heap_create {
	uint32_t vm_id, initial_chunk_count, chunk_size, max_chunks, target_in_flight, handle;
	uint64_t tiler_heap_ctx_gpu_va, first_heap_chunk_gpu_va;
};
RIG_SIZE(drm_panthor_tiler_heap_create, 40);

/* Numbers of enum drm_panthor_ioctl_id, above DRM_COMMAND_BASE (0x40). */
#define RIG_PANTHOR(nr, type)		    DRM_IOWR(0x40 + (nr), struct drm_panthor_##type)
#define DRM_IOCTL_PANTHOR_DEV_QUERY	    RIG_PANTHOR(0, dev_query)
#define DRM_IOCTL_PANTHOR_VM_CREATE	    RIG_PANTHOR(1, vm_create)
#define DRM_IOCTL_PANTHOR_VM_DESTROY	    RIG_PANTHOR(2, vm_destroy)
#define DRM_IOCTL_PANTHOR_VM_BIND	    RIG_PANTHOR(3, vm_bind)
#define DRM_IOCTL_PANTHOR_BO_CREATE	    RIG_PANTHOR(5, bo_create)
#define DRM_IOCTL_PANTHOR_BO_MMAP_OFFSET    RIG_PANTHOR(6, bo_mmap_offset)
#define DRM_IOCTL_PANTHOR_GROUP_CREATE	    RIG_PANTHOR(7, group_create)
#define DRM_IOCTL_PANTHOR_GROUP_DESTROY	    RIG_PANTHOR(8, group_destroy)
#define DRM_IOCTL_PANTHOR_GROUP_SUBMIT	    RIG_PANTHOR(9, group_submit)
#define DRM_IOCTL_PANTHOR_GROUP_GET_STATE   RIG_PANTHOR(10, group_get_state)
#define DRM_IOCTL_PANTHOR_TILER_HEAP_CREATE RIG_PANTHOR(11, tiler_heap_create)
/* Of no released kernel: the first number that is free in Linux 7.3. Only written to. */
#define DRM_IOCTL_PANTHOR_PROTM_INIT _IOW('d', 0x40 + 17, struct drm_panthor_protm_init)

#endif
