/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Entered by BL31 at EL2 or EL1, MMU and caches off, on the boot CPU alone (the
 * others wait in BL31 for PSCI). Sets up stack, zeroed .bss and vectors, calls
 * bl33_main() and jumps to the kernel as Documentation/arch/arm64/booting.rst
 * asks: x0 = device tree, x1..x3 = 0.
 */
	.section .text.start, "ax"
	.globl	_start
_start:
	adrp	x1, stack_top
	add	x1, x1, :lo12:stack_top
	mov	sp, x1

	adrp	x1, __bss_start
	add	x1, x1, :lo12:__bss_start
	adrp	x2, __bss_end
	add	x2, x2, :lo12:__bss_end
1:	cmp	x1, x2
	b.hs	2f
	str	xzr, [x1], #8
	b	1b

2:	adrp	x1, vectors
	add	x1, x1, :lo12:vectors
	mrs	x2, CurrentEL
	cmp	x2, #(2 << 2)
	b.eq	3f
	msr	vbar_el1, x1
	b	4f
3:	msr	vbar_el2, x1
4:	isb

	bl	bl33_main		/* x0 = kernel entry, x1 = device tree */
	mov	x4, x0
	mov	x0, x1
	mov	x1, xzr
	mov	x2, xzr
	mov	x3, xzr
	dsb	sy
	ic	iallu			/* the kernel was written as data */
	dsb	sy
	isb
	br	x4

	/* void psci_system_off(void): both conduits of BL31 are SMC */
	.section .text.psci_system_off, "ax"
	.globl	psci_system_off
psci_system_off:
	movz	x0, #0x8400, lsl #16
	movk	x0, #0x0008
	smc	#0
	ret

	/* Any exception is a bug or a machine that we do not know: say where, then stop */
	.section .text.vectors, "ax"
	.balign 0x800
vectors:
	.rept	16
	.balign	0x80
	b	unexpected
	.endr

unexpected:
	adrp	x1, stack_top
	add	x1, x1, :lo12:stack_top
	mov	sp, x1
	mrs	x2, CurrentEL
	cmp	x2, #(2 << 2)
	b.eq	1f
	mrs	x0, esr_el1
	mrs	x1, elr_el1
	mrs	x2, far_el1
	b	bl33_exception
1:	mrs	x0, esr_el2
	mrs	x1, elr_el2
	mrs	x2, far_el2
	b	bl33_exception

	.section .bss.stack, "aw", %nobits
	.balign	16
	.space	0x4000
stack_top:
