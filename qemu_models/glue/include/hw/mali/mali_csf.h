/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mali CSF GPU on the virt machine: the QEMU side of the model.
 *
 * A device without a bus, created with -device mali-csf, that maps itself and
 * wires itself: so neither virt.c nor sysbus-fdt.c has to know it.
 */
#ifndef HW_MALI_CSF_H
#define HW_MALI_CSF_H

#include "hw/mali/mali_compat.h"
#include "hw/mali/core/mali.h"
#include "hw/mali/tzc400.h"

#define TYPE_MALI_CSF "mali-csf"
OBJECT_DECLARE_SIMPLE_TYPE(MaliCsf, MALI_CSF)

/* A hole in virt's memory map (0x0a004000..0x0bffffff) and of its SPIs (176..255). */
#define MALI_CSF_BASE 0x0b000000
#define MALI_CSF_SPI  192

/* What goes into the device tree; each part can be left out to test probe errors. */
typedef struct MaliFdtConfig {
    bool node;     /* "dt": anything at all */
    bool clock;    /* "dt-clock" */
    bool opp;      /* "dt-opp" */
    bool supplies; /* "dt-supplies" */
    bool coherent; /* "coherent": dma-(non)coherent, together with the register bit */
    bool mt8196;   /* "dt-mt8196": that SoC's node, whose L2 wants a hash of its own */
} MaliFdtConfig;

void mali_fdt_add(void *fdt, const MaliFdtConfig *cfg, hwaddr base, unsigned spi);

struct MaliCsf {
    DeviceState parent_obj;

    MemoryRegion mmio;
    qemu_irq irq[MALI_IRQ_COUNT];
    QEMUTimer timer;
    Tzc400 *firewall; /* asked about each access of a bus master; may be NULL */
    AddressSpace *as; /* memory behind it */

    MaliGpu *gpu;     /* NULL until realize */
    uint32_t *faults; /* fault plan given before realize, one a row */

    uint32_t blob_size; /* migration: mali_save() */
    uint8_t *blob;

    MaliChardev events;
    MaliFdtConfig fdt;
    char *model; /* "gpu" */
    uint32_t cs_ips, async_ns, suspend_size, protm_suspend_size;
};

#endif
