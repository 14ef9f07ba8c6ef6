// SPDX-License-Identifier: GPL-2.0-or-later
#include "gpu.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <time.h>

const char *gpu_step = "none";

#define RENDER_NODES 16

static int gpu_ioctl(int fd, unsigned long request, void *arg, const char *step)
{
	int ret;

	gpu_step = step;
	do
		ret = ioctl(fd, request, arg);
	while (ret && errno == EINTR);
	return ret;
}

int64_t monotonic_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

uint16_t gpu_all_scoreboards(const struct gpu *gpu)
{
	return (uint16_t)((1u << gpu->csif.scoreboard_slot_count) - 1);
}

static bool is_panthor(struct gpu *gpu)
{
	char name[32] = "";

	gpu->version =
		(struct drm_version){ .name_len = sizeof(name) - 1, .name = (uintptr_t)name };
	return !gpu_ioctl(gpu->fd, DRM_IOCTL_VERSION, &gpu->version, "version") &&
	       !strcmp(name, "panthor");
}

int gpu_query(struct gpu *gpu, uint32_t type, void *data, uint32_t size)
{
	struct drm_panthor_dev_query q = { .type = type, .size = size, .pointer = (uintptr_t)data };

	return gpu_ioctl(gpu->fd, DRM_IOCTL_PANTHOR_DEV_QUERY, &q, "dev_query");
}

int gpu_find(struct gpu *gpu)
{
	char path[32];

	*gpu = (struct gpu){ .fd = -1 };
	for (int minor = 128; minor < 128 + RENDER_NODES; minor++) {
		snprintf(path, sizeof(path), "/dev/dri/renderD%d", minor);
		gpu->fd = open(path, O_RDWR | O_CLOEXEC);
		if (gpu->fd < 0)
			continue;
		if (is_panthor(gpu))
			return gpu_query(gpu, DRM_PANTHOR_DEV_QUERY_GPU_INFO, &gpu->info,
					 sizeof(gpu->info));
		close(gpu->fd);
	}
	gpu_step = "open";
	errno = ENODEV;
	return -1;
}

int gpu_open(struct gpu *gpu)
{
	if (gpu_find(gpu))
		return -1;
	return gpu_query(gpu, DRM_PANTHOR_DEV_QUERY_CSIF_INFO, &gpu->csif, sizeof(gpu->csif));
}

int gpu_vm_create(struct gpu *gpu, uint32_t *vm)
{
	struct drm_panthor_vm_create c = { 0 };
	int ret = gpu_ioctl(gpu->fd, DRM_IOCTL_PANTHOR_VM_CREATE, &c, "vm_create");

	*vm = c.id;
	return ret;
}

int gpu_vm_destroy(struct gpu *gpu, uint32_t vm)
{
	struct drm_panthor_vm_destroy d = { .id = vm };

	return gpu_ioctl(gpu->fd, DRM_IOCTL_PANTHOR_VM_DESTROY, &d, "vm_destroy");
}

/* A range of the VM to a buffer, to nothing (handle 0), or out of the VM, as `flags` say. */
static int vm_bind(struct gpu *gpu, uint32_t vm, uint32_t flags, uint32_t handle, uint64_t va,
		   uint64_t size)
{
	struct drm_panthor_vm_bind_op op = {
		.flags = flags,
		.bo_handle = handle,
		.va = va,
		.size = size,
		.syncs = { .stride = sizeof(struct drm_panthor_sync_op) },
	};
	struct drm_panthor_vm_bind bind = { .vm_id = vm, .ops = RIG_OBJ_ARRAY(1, &op) };

	return gpu_ioctl(gpu->fd, DRM_IOCTL_PANTHOR_VM_BIND, &bind, "vm_bind");
}

static int vm_map(struct gpu *gpu, uint32_t vm, const struct gpu_bo *bo, uint32_t flags)
{
	return vm_bind(gpu, vm, flags, bo->handle, bo->va, bo->size);
}

int gpu_vm_map_sparse(struct gpu *gpu, uint32_t vm, uint64_t va, uint64_t size)
{
	const uint32_t flags =
		DRM_PANTHOR_VM_BIND_OP_MAP_SPARSE | DRM_PANTHOR_VM_BIND_OP_MAP_NOEXEC;

	return vm_bind(gpu, vm, flags, 0, va, size);
}

int gpu_vm_unmap(struct gpu *gpu, uint32_t vm, uint64_t va, uint64_t size)
{
	return vm_bind(gpu, vm, DRM_PANTHOR_VM_BIND_OP_TYPE_UNMAP, 0, va, size);
}

static int cpu_map(struct gpu *gpu, struct gpu_bo *bo)
{
	struct drm_panthor_bo_mmap_offset m = { .handle = bo->handle };

	if (gpu_ioctl(gpu->fd, DRM_IOCTL_PANTHOR_BO_MMAP_OFFSET, &m, "bo_mmap_offset"))
		return -1;
	gpu_step = "mmap";
	bo->map =
		mmap(NULL, bo->size, PROT_READ | PROT_WRITE, MAP_SHARED, gpu->fd, (off_t)m.offset);
	return bo->map == MAP_FAILED ? -1 : 0;
}

int gpu_bo_create(struct gpu *gpu, uint32_t vm, uint64_t va, uint64_t size, struct gpu_bo *bo)
{
	struct drm_panthor_bo_create c = { .size = size, .exclusive_vm_id = vm };

	if (gpu_ioctl(gpu->fd, DRM_IOCTL_PANTHOR_BO_CREATE, &c, "bo_create"))
		return -1;
	*bo = (struct gpu_bo){ .handle = c.handle, .size = c.size, .va = va };
	return vm_map(gpu, vm, bo, 0) || cpu_map(gpu, bo) ? -1 : 0;
}

/* The dma-heap uAPI (linux/dma-heap.h), written down from its ABI. */
struct heap_allocation {
	uint64_t len;
	uint32_t fd, fd_flags;
	uint64_t heap_flags;
};
RIG_SIZE(heap_allocation, 24);

static int heap_allocate(const char *heap, uint64_t size)
{
	struct heap_allocation a = { .len = size, .fd_flags = O_RDWR | O_CLOEXEC };
	char path[256];
	int fd, failure;

	gpu_step = "heap_open";
	snprintf(path, sizeof(path), "/dev/dma_heap/%s", heap);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -1;
	failure =
		gpu_ioctl(fd, _IOWR('H', 0, struct heap_allocation), &a, "heap_alloc") ? errno : 0;
	close(fd);
	errno = failure;
	return failure ? -1 : (int)a.fd;
}

int gpu_heap_bo(struct gpu *gpu, uint64_t size, const char *heap, struct gpu_bo *bo)
{
	struct drm_prime_handle prime = { .fd = heap_allocate(heap, size) };

	if (prime.fd < 0 ||
	    gpu_ioctl(gpu->fd, DRM_IOCTL_PRIME_FD_TO_HANDLE, &prime, "prime_fd_to_handle"))
		return -1;
	*bo = (struct gpu_bo){ .handle = prime.handle, .size = size, .dmabuf = prime.fd };
	return 0;
}

int gpu_heap_bo_close(struct gpu *gpu, const struct gpu_bo *bo)
{
	struct drm_gem_close c = { .handle = bo->handle };

	close(bo->dmabuf);
	return gpu_ioctl(gpu->fd, DRM_IOCTL_GEM_CLOSE, &c, "gem_close");
}

int gpu_bo_import(struct gpu *gpu, uint32_t vm, uint64_t va, uint64_t size, const char *heap,
		  struct gpu_bo *bo)
{
	if (gpu_heap_bo(gpu, size, heap, bo))
		return -1;
	bo->va = va;
	return vm_map(gpu, vm, bo, DRM_PANTHOR_VM_BIND_OP_MAP_NOEXEC);
}

int gpu_tiler_heap_create(struct gpu *gpu, uint32_t vm, uint64_t *context)
{
	struct drm_panthor_tiler_heap_create c = {
		.vm_id = vm,
		.initial_chunk_count = 1,
		.chunk_size = 128u << 10,
		.max_chunks = 4,
		.target_in_flight = 2,
	};
	int ret = gpu_ioctl(gpu->fd, DRM_IOCTL_PANTHOR_TILER_HEAP_CREATE, &c, "tiler_heap_create");

	*context = c.tiler_heap_ctx_gpu_va;
	return ret;
}

bool gpu_protm_info(struct gpu *gpu, struct drm_panthor_protm_info *info)
{
	struct drm_panthor_dev_query q = { .type = DRM_PANTHOR_DEV_QUERY_PROTM_INFO };

	*info = (struct drm_panthor_protm_info){ 0 };
	/* without a pointer the driver tells the size: other series answer here, too */
	return !gpu_ioctl(gpu->fd, DRM_IOCTL_PANTHOR_DEV_QUERY, &q, "dev_query") &&
	       q.size >= sizeof(*info) &&
	       !gpu_query(gpu, DRM_PANTHOR_DEV_QUERY_PROTM_INFO, info, sizeof(*info));
}

int gpu_protm_init(struct gpu *gpu, uint32_t handle, uint32_t flags)
{
	struct drm_panthor_protm_init init = { .bo_handle = handle, .flags = flags };

	return gpu_ioctl(gpu->fd, DRM_IOCTL_PANTHOR_PROTM_INIT, &init, "protm_init");
}

static int group_create(struct gpu *gpu, uint32_t vm, const struct gpu_group_options *options,
			uint32_t *group)
{
	struct drm_panthor_queue_create queues[GPU_MAX_QUEUES] = { 0 };
	const struct drm_panthor_gpu_info *info = &gpu->info;
	const uint64_t compute = options->compute ? options->compute : info->shader_present;
	const uint64_t fragment = options->fragment ? options->fragment : info->shader_present;
	const int max_compute =
		options->max_compute ? (int)options->max_compute : __builtin_popcountll(compute);
	struct drm_panthor_group_create c = {
		.queues = RIG_OBJ_ARRAY(options->queues, queues),
		.max_compute_cores = (uint8_t)max_compute,
		.max_fragment_cores = (uint8_t)__builtin_popcountll(fragment),
		.max_tiler_cores = (uint8_t)__builtin_popcountll(info->tiler_present),
		.priority = (uint8_t)options->priority,
		.flags = options->flags,
		.compute_core_mask = compute,
		.fragment_core_mask = fragment,
		.tiler_core_mask = info->tiler_present,
		.vm_id = vm,
	};
	int ret;

	for (unsigned int i = 0; i < options->queues && i < GPU_MAX_QUEUES; i++)
		queues[i].ringbuf_size = options->ring_size;
	ret = gpu_ioctl(gpu->fd, DRM_IOCTL_PANTHOR_GROUP_CREATE, &c, "group_create");
	*group = c.group_handle;
	return ret;
}

/* The kernel keeps the buffer for as long as the group lives: nobody else has to. */
static int group_create_with_buffer(struct gpu *gpu, uint32_t vm,
				    const struct gpu_group_options *options, uint32_t *group)
{
	struct gpu_group_options with_handle = *options;
	struct drm_panthor_protm_info info;
	int failure;
	struct gpu_bo bo;

	gpu_protm_info(gpu, &info);
	if (gpu_heap_bo(gpu, info.suspend_size, options->suspend_heap, &bo))
		return -1;
	with_handle.flags = bo.handle;
	failure = group_create(gpu, vm, &with_handle, group) ? errno : 0;
	if (gpu_heap_bo_close(gpu, &bo) && !failure)
		return -1;
	if (failure)
		gpu_step = "group_create";
	errno = failure;
	return failure ? -1 : 0;
}

int gpu_group_create(struct gpu *gpu, uint32_t vm, const struct gpu_group_options *options,
		     uint32_t *group)
{
	return options->suspend_heap ? group_create_with_buffer(gpu, vm, options, group)
				     : group_create(gpu, vm, options, group);
}

int gpu_group_destroy(struct gpu *gpu, uint32_t group)
{
	struct drm_panthor_group_destroy d = { .group_handle = group };

	return gpu_ioctl(gpu->fd, DRM_IOCTL_PANTHOR_GROUP_DESTROY, &d, "group_destroy");
}

int gpu_group_state(struct gpu *gpu, uint32_t group, uint32_t *state, uint32_t *fatal_queues)
{
	struct drm_panthor_group_get_state s = { .group_handle = group };
	int ret = gpu_ioctl(gpu->fd, DRM_IOCTL_PANTHOR_GROUP_GET_STATE, &s, "group_get_state");

	*state = s.state;
	*fatal_queues = s.fatal_queues;
	return ret;
}

int gpu_submit(struct gpu *gpu, uint32_t group, unsigned int queue, uint64_t va, unsigned int words,
	       uint32_t syncobj)
{
	struct drm_panthor_sync_op sync = { .flags = DRM_PANTHOR_SYNC_OP_SIGNAL,
					    .handle = syncobj };
	struct drm_panthor_queue_submit job = {
		.queue_index = queue,
		.stream_size = words * 8,
		.stream_addr = va,
		/* latest_flush 0: the kernel's flush before the job is done in any case */
		.syncs = RIG_OBJ_ARRAY(syncobj ? 1 : 0, &sync),
	};
	struct drm_panthor_group_submit submit = { .group_handle = group,
						   .queue_submits = RIG_OBJ_ARRAY(1, &job) };

	__sync_synchronize(); /* the stream was written through a write-combining mapping */
	return gpu_ioctl(gpu->fd, DRM_IOCTL_PANTHOR_GROUP_SUBMIT, &submit, "group_submit");
}

int gpu_syncobj_create(struct gpu *gpu, uint32_t *syncobj)
{
	struct drm_syncobj_create c = { 0 };
	int ret = gpu_ioctl(gpu->fd, DRM_IOCTL_SYNCOBJ_CREATE, &c, "syncobj_create");

	*syncobj = c.handle;
	return ret;
}

int gpu_syncobj_wait(struct gpu *gpu, uint32_t syncobj, int64_t deadline_ns)
{
	struct drm_syncobj_wait w = {
		.handles = (uintptr_t)&syncobj,
		.timeout_nsec = deadline_ns,
		.count_handles = 1,
		.flags = DRM_SYNCOBJ_WAIT_FLAGS_WAIT_ALL,
	};

	return gpu_ioctl(gpu->fd, DRM_IOCTL_SYNCOBJ_WAIT, &w, "syncobj_wait");
}
