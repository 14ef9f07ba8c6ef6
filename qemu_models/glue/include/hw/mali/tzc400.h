/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TZC-400 on the virt machine: the QEMU side of core/tzc.
 *
 * A device without a bus (-device tzc400), like the GPU: virt.c does not know it.
 * With secure=on its registers are where only the secure world can see them; without,
 * the properties "protect" and "unprotect" program it.
 */
#ifndef HW_MALI_TZC400_H
#define HW_MALI_TZC400_H

#include "hw/mali/mali_compat.h"
#include "hw/mali/core/tzc.h"

#define TYPE_TZC400 "tzc400"
OBJECT_DECLARE_SIMPLE_TYPE(Tzc400, TZC400)

/* Holes in virt's memory map (0x090c0000 .. 0x09ffffff) and of its SPIs (10 .. 15). */
#define TZC400_BASE 0x090d0000
#define TZC400_SPI  10

/*
 * One restricted span: what lies over the RAM there. Never an IOMMU region: those are
 * wrong in a TCG CPU's path (docs/qemu.md).
 */
typedef struct Tzc400Window {
    Tzc400 *owner;
    hwaddr base;
    MemoryRegion open; /* secure view: the RAM itself */
    MemoryRegion ns;   /* system memory: asks the firewall about each access */
    MemoryRegion s;    /* secure view, when the secure world is restricted too */
    bool mapped, mapped_open, mapped_s;
} Tzc400Window;

struct Tzc400 {
    DeviceState parent_obj;

    MemoryRegion mmio;
    MemoryRegion behind, behind_ram, behind_rest; /* what is behind the firewall */
    AddressSpace behind_as;
    MemoryRegion *secure; /* the board's secure view; NULL with secure=off */
    MemoryRegion *ram;
    hwaddr ram_base;
    Tzc400Window window[TZC_MAX_SPANS];
    qemu_irq irq;
    MaliChardev events;
    bool enforce;
    Tzc core;
};

/* Memory behind the firewall, for a master that asks tzc400_pass() before each access. */
AddressSpace *tzc400_behind(Tzc400 *s);
/* Whether a master without a CPU may do this; a denial is recorded. @len within one page. */
bool tzc400_pass(Tzc400 *s, const char *master, unsigned nsaid, hwaddr addr, hwaddr len,
                 bool write);

#endif
