/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mali CSF GPU: its nodes in the device tree.
 *
 * What panthor asks for (7.3.4, panthor_devfreq.c and panthor_device.c): the core
 * clock, an OPP table (an error without), the supplies "mali" and "sram"
 * (optional there, mandatory for tyr). One OPP equal to the fixed clock, at the
 * fixed regulator's voltage: the OPP core drops entries a regulator cannot reach.
 */
#include "qemu/osdep.h"
#include "system/device_tree.h"
#include "hw/mali/mali_csf.h"

#define CORE_HZ   800000000u
#define SUPPLY_UV 800000u

#define CLOCK_NODE  "/gpu-clk"
#define SUPPLY_NODE "/regulator-vdd-gpu"
#define OPP_NODE    "/opp-table-gpu"
#define OPP_ENTRY   OPP_NODE "/opp-800000000"

enum { SPI = 0, LEVEL_HIGH = 4 };

static uint32_t add_node(void *fdt, const char *path, const char *compatible)
{
    uint32_t phandle = qemu_fdt_alloc_phandle(fdt);

    qemu_fdt_add_subnode(fdt, path);
    qemu_fdt_setprop_string(fdt, path, "compatible", compatible);
    qemu_fdt_setprop_cell(fdt, path, "phandle", phandle);
    return phandle;
}

static void add_clock(void *fdt, const char *gpu)
{
    uint32_t phandle = add_node(fdt, CLOCK_NODE, "fixed-clock");

    qemu_fdt_setprop_cell(fdt, CLOCK_NODE, "#clock-cells", 0);
    qemu_fdt_setprop_cell(fdt, CLOCK_NODE, "clock-frequency", CORE_HZ);
    qemu_fdt_setprop_cell(fdt, gpu, "clocks", phandle);
    qemu_fdt_setprop_string(fdt, gpu, "clock-names", "core");
}

static void add_opp(void *fdt, const char *gpu)
{
    uint32_t phandle = add_node(fdt, OPP_NODE, "operating-points-v2");

    qemu_fdt_add_subnode(fdt, OPP_ENTRY);
    qemu_fdt_setprop_u64(fdt, OPP_ENTRY, "opp-hz", CORE_HZ);
    qemu_fdt_setprop_cell(fdt, OPP_ENTRY, "opp-microvolt", SUPPLY_UV);
    qemu_fdt_setprop_cell(fdt, gpu, "operating-points-v2", phandle);
}

static void add_supplies(void *fdt, const char *gpu)
{
    uint32_t phandle = add_node(fdt, SUPPLY_NODE, "regulator-fixed");

    qemu_fdt_setprop_string(fdt, SUPPLY_NODE, "regulator-name", "vdd_gpu");
    qemu_fdt_setprop_cell(fdt, SUPPLY_NODE, "regulator-min-microvolt", SUPPLY_UV);
    qemu_fdt_setprop_cell(fdt, SUPPLY_NODE, "regulator-max-microvolt", SUPPLY_UV);
    qemu_fdt_setprop(fdt, SUPPLY_NODE, "regulator-always-on", NULL, 0);
    qemu_fdt_setprop_cell(fdt, gpu, "mali-supply", phandle);
    qemu_fdt_setprop_cell(fdt, gpu, "sram-supply", phandle);
}

void mali_fdt_add(void *fdt, const MaliFdtConfig *cfg, hwaddr base, unsigned spi)
{
    static const char rk3588[] = "rockchip,rk3588-mali\0arm,mali-valhall-csf";
    static const char mt8196[] = "mediatek,mt8196-mali\0arm,mali-valhall-csf"; /* as long */
    static const char lines[] = "job\0mmu\0gpu"; /* the order of MaliIrq */
    g_autofree char *gpu = g_strdup_printf("/gpu@%" HWADDR_PRIx, base);

    if (!cfg->node) {
        return;
    }
    qemu_fdt_add_subnode(fdt, gpu);
    qemu_fdt_setprop(fdt, gpu, "compatible", cfg->mt8196 ? mt8196 : rk3588, sizeof(rk3588));
    qemu_fdt_setprop_sized_cells(fdt, gpu, "reg", 2, base, 2, (uint64_t)MALI_MMIO_SIZE);
    qemu_fdt_setprop_cells(fdt, gpu, "interrupts", SPI, spi + MALI_IRQ_JOB, LEVEL_HIGH, SPI,
                           spi + MALI_IRQ_MMU, LEVEL_HIGH, SPI, spi + MALI_IRQ_GPU, LEVEL_HIGH);
    qemu_fdt_setprop(fdt, gpu, "interrupt-names", lines, sizeof(lines));
    if (cfg->clock) {
        add_clock(fdt, gpu);
    }
    if (cfg->opp) {
        add_opp(fdt, gpu);
    }
    if (cfg->supplies) {
        add_supplies(fdt, gpu);
    }
    /* virt's root node says dma-coherent, and Linux inherits that: contradict it. */
    qemu_fdt_setprop(fdt, gpu, cfg->coherent ? "dma-coherent" : "dma-noncoherent", NULL, 0);
}
