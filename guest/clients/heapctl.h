/* SPDX-License-Identifier: GPL-2.0-or-later */
/* heapctl's commands that are in a file of their own, and the uAPI of dma-heaps. */
#ifndef RIG_HEAPCTL_H
#define RIG_HEAPCTL_H

#include "rig_client.h"

#include <sys/ioctl.h>

/* The dma-heap uAPI (linux/dma-heap.h), written down from its ABI. */
struct heap_allocation {
	uint64_t len;
	uint32_t fd;
	uint32_t fd_flags;
	uint64_t heap_flags;
};
_Static_assert(sizeof(struct heap_allocation) == 24, "dma_heap_allocation_data");
#define HEAP_ALLOC _IOWR('H', 0, struct heap_allocation)

#define PAGE 4096u

/* `heap`: the open file of the heap that the command line names. */
_Noreturn void cmd_late(int heap, uint64_t size);
_Noreturn void cmd_refusals(int heap);
_Noreturn void cmd_reopen(int heap);

#endif
