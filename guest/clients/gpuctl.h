/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gpuctl's commands and their options. */
#ifndef RIG_GPUCTL_H
#define RIG_GPUCTL_H

#include "gpu.h"

struct options {
	uint64_t count;	       /* the number behind the command */
	uint64_t groups, jobs; /* rotate */
	uint64_t inner, outer; /* rotate: additions between stores, stores of a job */
	uint64_t queues, priority, flags, ring;
	uint64_t timeout_ms;
	uint64_t value;	    /* job: what is stored */
	uint64_t queue;	    /* job: on which queue */
	uint64_t protect;   /* job: run the store in a protected region */
	uint64_t shared_vm; /* rotate: one VM for all groups instead of one each */
	uint64_t words;	    /* job: how many are stored, each JOB_STEP more than the last */
	uint64_t trusted;   /* job: a trusted application reads the target */
	uint64_t regions;   /* region: how many */
	uint64_t hold, bad; /* region: what the first, the last one does */
	uint64_t seed;	    /* mesh: of orders and priorities */
	uint64_t tail;	    /* region: loops behind the last one */
	uint64_t run;	    /* job: opcode of a RUN_* before the store */
	uint64_t tiler;	    /* job: with a tiler heap */
	uint64_t compute, fragment, max_compute; /* cores of each group, see gpu.h */
	uint64_t sparse;			 /* unmap: of a sparse mapping */
	uint64_t size;	  /* protm-init: of the memory; 0: what the driver asks for */
	const char *heap; /* job: the target is a buffer of this dma-heap; protm-*: from here */
};

#define FLAGS_AUTO UINT32_MAX
/* Holds the name of a heap, see suspend_heap(). */
#define SUSPEND_HEAP_FILE "/run/rig-suspend-heap"

/* With flags=auto a group is a protected one if the driver has that. */
void group_options(struct gpu *gpu, const struct options *o, struct gpu_group_options *g);
/* End with RESULT fail, naming gpu_step and errno, unless `failed` is 0. */
void need(int failed);
/* Print "state=0x… fatal=0x…" of a group; false when it is not usable any more. */
bool print_group_state(struct gpu *gpu, uint32_t group);

_Noreturn void cmd_job(const struct options *o);
_Noreturn void cmd_churn(const struct options *o);
_Noreturn void cmd_bench(const struct options *o);
_Noreturn void cmd_rotate(const struct options *o);
_Noreturn void cmd_mesh(const struct options *o);
_Noreturn void cmd_region(const struct options *o);
_Noreturn void cmd_protm_init(const struct options *o);
_Noreturn void cmd_protm_misuse(const struct options *o);
void print_protm_info(const struct drm_panthor_protm_info *info);
_Noreturn void cmd_sizes(void);
_Noreturn void cmd_regroup(const struct options *o);
_Noreturn void cmd_unmap(const struct options *o);

#endif
