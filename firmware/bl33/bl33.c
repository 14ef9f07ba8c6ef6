/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * BL33 of the rig: boots the kernel and the initramfs that QEMU was given by
 * -kernel/-initrd/-append, with QEMU's own device tree as TF-A and OP-TEE left
 * it. So a secure boot takes the command line of a direct one plus `secure=on`
 * and `-bios`, and nodes which a device model adds to the tree arrive.
 *
 * Silent when all is well: the first UART is Linux' log. Trouble is one line
 * "BL33: ERROR: ..." there, and the machine is powered off.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libfdt.h>

#include "platform.h"

#define ALIGN_UP(x, a)	 (((x) + (a)-1) & ~((uint64_t)(a)-1))
#define SIZE_2M		 0x200000UL
#define IMAGE_MAGIC	 0x644d5241U /* "ARM\x64" */
#define IMAGE_BIG_ENDIAN 1U

/* Documentation/arch/arm64/booting.rst, "Call the kernel image" */
struct image_header {
	uint32_t code[2];
	uint64_t text_offset;
	uint64_t image_size;
	uint64_t flags;
	uint64_t reserved[3];
	uint32_t magic;
	uint32_t pe_offset;
};

struct range {
	uint64_t start, end;
};

struct jump {
	uint64_t entry, fdt;
};

void __attribute__((noreturn)) bl33_exception(uint64_t esr, uint64_t elr, uint64_t far)
{
	put_text("BL33: ERROR: unexpected exception, esr ");
	put_hex(esr);
	put_text(" elr ");
	put_hex(elr);
	put_text(" far ");
	put_hex(far);
	put_text("\n");
	power_off();
}

static void *open_fdt(void)
{
	void *fdt = (void *)RAM_BASE;

	if (fdt_check_header(fdt))
		fail("no device tree at the start of RAM");
	if (fdt_totalsize(fdt) > DTB_MAX || fdt_open_into(fdt, fdt, DTB_MAX))
		fail("the device tree does not fit into its 1 MiB");
	return fdt;
}

/* A "reg"-like cell pair; QEMU's root uses 1 or 2 cells for each. */
static uint64_t read_cells(const fdt32_t *cell, int count)
{
	uint64_t value = 0;

	while (count--)
		value = value << 32 | fdt32_to_cpu(*cell++);
	return value;
}

/* Entry `index` of the "reg" of `node`, a child of `parent`. False when there is none. */
static bool read_reg(const void *fdt, int parent, int node, int index, struct range *out)
{
	int ac = fdt_address_cells(fdt, parent), sc = fdt_size_cells(fdt, parent), length;
	const fdt32_t *reg = fdt_getprop(fdt, node, "reg", &length);

	if (!reg || ac < 1 || ac > 2 || sc < 1 || sc > 2)
		return false;
	if (length < (index + 1) * (ac + sc) * (int)sizeof(*reg))
		return false;
	reg += index * (ac + sc);
	out->start = read_cells(reg, ac);
	out->end = out->start + read_cells(reg + ac, sc);
	return true;
}

/* End of the RAM that starts at RAM_BASE (with NUMA: of the first node's share). */
static uint64_t ram_end(const void *fdt)
{
	struct range ram;
	int node, index;

	fdt_for_each_subnode(node, fdt, 0)
	{
		const char *type = fdt_getprop(fdt, node, "device_type", NULL);

		if (!type || strcmp(type, "memory"))
			continue;
		for (index = 0; read_reg(fdt, 0, node, index, &ram); index++)
			if (ram.start <= RAM_BASE && ram.end > RAM_BASE)
				return ram.end;
	}
	fail("the device tree names no memory at 0x40000000");
}

/* Moves `place` behind `used` when the two overlap; says whether it did. */
static bool step_over(struct range *place, const struct range *used)
{
	uint64_t size = place->end - place->start;

	if (place->start >= used->end || used->start >= place->end)
		return false;
	place->start = ALIGN_UP(used->end, SIZE_2M);
	place->end = place->start + size;
	return true;
}

static bool step_over_reserved_memory(const void *fdt, struct range *place)
{
	int parent = fdt_path_offset(fdt, "/reserved-memory"), node, index;
	bool moved = false;
	struct range used;

	if (parent < 0)
		return false;
	fdt_for_each_subnode(node, fdt, parent) for (index = 0;
						     read_reg(fdt, parent, node, index, &used);
						     index++) moved |= step_over(place, &used);
	return moved;
}

/* Lowest range of `size` bytes from `start` on that touches nothing the device tree reserves. */
static struct range find_place(const void *fdt, uint64_t start, uint64_t size)
{
	struct range place = { start, start + size }, used;
	bool moved;
	int n;

	do {
		moved = step_over_reserved_memory(fdt, &place);
		for (n = 0; n < fdt_num_mem_rsv(fdt); n++) {
			if (fdt_get_mem_rsv(fdt, n, &used.start, &used.end))
				break;
			used.end += used.start; /* it gave a size */
			moved |= step_over(&place, &used);
		}
	} while (moved);
	return place;
}

static void __attribute__((noreturn))
too_big(const char *what, uint64_t at, uint64_t size, uint64_t end)
{
	put_text("BL33: ERROR: ");
	put_text(what);
	put_text(" does not fit: ");
	put_number(KIB(size));
	put_text(" KiB at ");
	put_hex(at);
	put_text(", RAM ends at ");
	put_hex(end);
	put_text("; give the machine more memory (-m)\n");
	power_off();
}

/* Where the kernel goes; loads it. Its header is judged before a byte is written there. */
static struct range load_kernel(const void *fdt, uint64_t end)
{
	uint32_t size = fw_cfg_u32(FW_CFG_KERNEL_SIZE);
	struct image_header header;
	struct range kernel;
	uint64_t need;

	if (!size)
		fail("QEMU was given no -kernel");
	if (size < sizeof(header))
		fail("-kernel is not an arm64 Image: too short");
	fw_cfg_read(FW_CFG_KERNEL_DATA, &header, sizeof(header));
	if (header.magic != IMAGE_MAGIC)
		fail("-kernel is not an arm64 Image: no ARM64 magic at byte 56");
	if (header.flags & IMAGE_BIG_ENDIAN)
		fail("-kernel is a big-endian Image");
	if (header.text_offset >= SIZE_2M)
		fail("-kernel: the Image asks for a text offset above 2 MiB");
	need = header.image_size > size ? header.image_size : size;
	if (need > end - RAM_BASE) /* also keeps the sums below from wrapping */
		too_big("the kernel Image (with .bss)", KERNEL_BASE, need, end);
	kernel = find_place(fdt, KERNEL_BASE, header.text_offset + need);
	kernel.start += header.text_offset;
	if (kernel.end > end)
		too_big("the kernel Image (with .bss)", kernel.start, need, end);
	fw_cfg_read(FW_CFG_KERNEL_DATA, (void *)kernel.start, size);
	return kernel;
}

/* The initramfs goes behind the kernel's .bss, so that the two cannot overlap. */
static struct range load_initrd(const void *fdt, uint64_t behind, uint64_t end)
{
	uint32_t size = fw_cfg_u32(FW_CFG_INITRD_SIZE);
	struct range initrd = { 0, 0 };

	if (!size)
		return initrd;
	initrd = find_place(fdt, ALIGN_UP(behind, SIZE_2M), size);
	if (initrd.end > end)
		too_big("the initramfs behind the kernel", initrd.start, size, end);
	fw_cfg_read(FW_CFG_INITRD_DATA, (void *)initrd.start, size);
	return initrd;
}

static void set_chosen(void *fdt, const struct range *initrd)
{
	int chosen = fdt_path_offset(fdt, "/chosen");

	if (chosen < 0)
		chosen = fdt_add_subnode(fdt, 0, "chosen");
	if (chosen < 0 || fdt_setprop_u64(fdt, chosen, "linux,initrd-start", initrd->start) ||
	    fdt_setprop_u64(fdt, chosen, "linux,initrd-end", initrd->end))
		fail("no room in the device tree for the place of the initramfs");
}

struct jump bl33_main(void)
{
	struct range kernel, initrd;
	uint64_t end;
	void *fdt;

	fw_cfg_check();
	fdt = open_fdt();
	end = ram_end(fdt);
	kernel = load_kernel(fdt, end);
	initrd = load_initrd(fdt, kernel.end, end);
	if (initrd.end)
		set_chosen(fdt, &initrd);
	fdt_pack(fdt);
	return (struct jump){ kernel.start, (uint64_t)fdt };
}
