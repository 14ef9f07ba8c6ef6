/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Thin layer over the panthor uAPI. Every call returns 0, or -1 with errno set
 * and `gpu_step` naming the ioctl (or other step) that failed.
 */
#ifndef RIG_GPU_H
#define RIG_GPU_H

#include "rig_client.h"
#include "rig_panthor.h"

#define GPU_MAX_QUEUES 32u
/* Where user buffers start in a VM; page 0 stays unmapped. */
#define GPU_VA_BASE 0x1000000u

extern const char *gpu_step;

struct gpu {
	int fd;
	struct drm_version version;
	struct drm_panthor_gpu_info info;
	struct drm_panthor_csif_info csif;
};

struct gpu_bo {
	uint32_t handle;
	uint64_t size;
	uint64_t va; /* in the VM */
	void *map;   /* here; NULL for imported buffers */
	int dmabuf;  /* of an imported buffer */
};

struct gpu_group_options {
	unsigned int queues;
	unsigned int priority; /* 0 low … 3 realtime */
	uint32_t ring_size;    /* bytes, a power of two from 4K to 64K */
	uint32_t flags;
	uint64_t compute, fragment; /* masks of cores; 0: all that are there */
	unsigned int max_compute;   /* how many of them; 0: all of the mask */
	const char *suspend_heap; /* take the protected suspend buffer from here; NULL: have none */
};

/*
 * Open the first render node whose driver is panthor, or says so as tyr does (ENODEV: there is
 * none), and ask what GPU it is.
 */
int gpu_find(struct gpu *gpu);
/* The same, and ask for the interface of its firmware, which tyr cannot tell. */
int gpu_open(struct gpu *gpu);
int gpu_query(struct gpu *gpu, uint32_t type, void *data, uint32_t size);

int gpu_vm_create(struct gpu *gpu, uint32_t *vm);
int gpu_vm_destroy(struct gpu *gpu, uint32_t vm);
/* A buffer of the VM, mapped at `va` there and into this process. */
int gpu_bo_create(struct gpu *gpu, uint32_t vm, uint64_t va, uint64_t size, struct gpu_bo *bo);
/* Map a buffer of the dma-heap `heap` at `va`; the CPU is not asked to map it. */
int gpu_bo_import(struct gpu *gpu, uint32_t vm, uint64_t va, uint64_t size, const char *heap,
		  struct gpu_bo *bo);
/* Map a range of the VM to nothing in particular (MAP_SPARSE). */
int gpu_vm_map_sparse(struct gpu *gpu, uint32_t vm, uint64_t va, uint64_t size);
/* Unmap a range of the VM, which may be the middle of a buffer. */
int gpu_vm_unmap(struct gpu *gpu, uint32_t vm, uint64_t va, uint64_t size);

/* A tiler heap of chunks of 128 KiB: one at first, at most four. `context` is its address. */
int gpu_tiler_heap_create(struct gpu *gpu, uint32_t vm, uint64_t *context);
/* A buffer of the dma-heap `heap`, mapped nowhere. Its dma-buf stays open. */
int gpu_heap_bo(struct gpu *gpu, uint64_t size, const char *heap, struct gpu_bo *bo);
/* Let go of a buffer that was made by gpu_heap_bo(). */
int gpu_heap_bo_close(struct gpu *gpu, const struct gpu_bo *bo);
/* Sizes and state in trees with PROTM_INIT; false, and all zero, in others. */
bool gpu_protm_info(struct gpu *gpu, struct drm_panthor_protm_info *info);
int gpu_protm_init(struct gpu *gpu, uint32_t handle, uint32_t flags);

int gpu_group_create(struct gpu *gpu, uint32_t vm, const struct gpu_group_options *options,
		     uint32_t *group);
int gpu_group_destroy(struct gpu *gpu, uint32_t group);
int gpu_group_state(struct gpu *gpu, uint32_t group, uint32_t *state, uint32_t *fatal_queues);
/* Queue `words` instructions at `va`; `syncobj` (0: none) is signalled when they are done. */
int gpu_submit(struct gpu *gpu, uint32_t group, unsigned int queue, uint64_t va, unsigned int words,
	       uint32_t syncobj);

int gpu_syncobj_create(struct gpu *gpu, uint32_t *syncobj);
/* Wait until `deadline_ns` (CLOCK_MONOTONIC); ETIME when it passes. */
int gpu_syncobj_wait(struct gpu *gpu, uint32_t syncobj, int64_t deadline_ns);

int64_t monotonic_ns(void);
/* A mask with the wait bits of all scoreboard entries. */
uint16_t gpu_all_scoreboards(const struct gpu *gpu);

#endif
