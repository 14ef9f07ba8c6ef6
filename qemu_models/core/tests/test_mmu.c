/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Walk, faults, TLB, locks: spec 1.7, 2.1, 2.2, 2.4 and the corrections at its head. */
#include "machine.h"
#include "t.h"

#define VA 0x7654321000ull

typedef struct Vm {
    Machine *m;
    uint64_t root, pa;
} Vm;

/* AS 1 with one page at VA. */
static Vm vm_new(void)
{
    Vm v = { .m = mach_new(NULL) };

    v.root = pt_new(v.m);
    v.pa = mach_alloc(v.m, 8192);
    pt_map(v.m, v.root, VA, v.pa, 4096, 0);
    as_enable(v.m, 1, v.root);
    wr(v.m, MMU_INT_BASE + INT_CLEAR, ~0u);
    ev_clear(v.m);
    return v;
}

static MaliXlate xl(Vm *v, uint64_t va, MaliAccess acc, uint64_t *pa, uint32_t *fault)
{
    *pa = *fault = 0;
    return mali_translate(v->m->gpu, 1, va, acc, pa, NULL, fault);
}

static void check_ok(Vm *v, uint64_t va, MaliAccess acc, uint64_t want)
{
    uint32_t fault;
    uint64_t pa;

    CHECK_EQ(xl(v, va, acc, &pa, &fault), MALI_XL_OK);
    CHECK_EQ(pa, want);
}

static void check_fault(Vm *v, uint64_t va, MaliAccess acc, uint32_t want)
{
    uint32_t fault;
    uint64_t pa;

    CHECK_EQ(xl(v, va, acc, &pa, &fault), MALI_XL_FAULT);
    CHECK_EQ(fault, want);
}

static void update(Vm *v)
{
    as_cmd(v->m, 1, AS_COMMAND_UPDATE);
}

TEST(mmu_page)
{
    Vm v = vm_new();

    check_ok(&v, VA, MALI_ACC_READ, v.pa);
    check_ok(&v, VA + 0xabc, MALI_ACC_WRITE, v.pa + 0xabc);
    check_ok(&v, VA + 0xfff, MALI_ACC_EXEC, v.pa + 0xfff);
    check_ok(&v, VA + 8, MALI_ACC_ATOMIC, v.pa + 8);
    check_fault(&v, VA + 0x1000, MALI_ACC_READ, EXC_TRANSLATION_FAULT + 3);
}

TEST(mmu_block_2m)
{
    Vm v = vm_new();
    uint64_t pa = mach_alloc_2m(v.m);

    pt_map_2m(v.m, v.root, 0x80000000, pa, 0);
    check_ok(&v, 0x80000000, MALI_ACC_READ, pa);
    check_ok(&v, 0x801fffff, MALI_ACC_WRITE, pa + 0x1fffff);
    check_ok(&v, 0x80123456, MALI_ACC_EXEC, pa + 0x123456);
    check_fault(&v, 0x80200000, MALI_ACC_READ, EXC_TRANSLATION_FAULT + 2);
}

TEST(mmu_block_1g)
{
    Vm v = vm_new();

    ram_w64(v.m, pt_entry(v.m, v.root, 0x140000000, 1), RAM_BASE | 0xf44 | 1);
    check_ok(&v, 0x141234567, MALI_ACC_READ, RAM_BASE + 0x1234567);
}

TEST(mmu_translation_fault_of_each_level)
{
    Vm v = vm_new();

    check_fault(&v, 0x8000000000, MALI_ACC_READ, 0xc0);
    pt_entry(v.m, v.root, 0x10000000000, 1);
    check_fault(&v, 0x10000000000, MALI_ACC_WRITE, 0xc1);
    pt_entry(v.m, v.root, 0x18000000000, 2);
    check_fault(&v, 0x18000000000, MALI_ACC_EXEC, 0xc2);
    pt_entry(v.m, v.root, 0x20000000000, 3);
    check_fault(&v, 0x20000000000, MALI_ACC_READ, 0xc3);
}

TEST(mmu_descriptors_that_do_not_exist)
{
    Vm v = vm_new();

    ram_w64(v.m, pt_entry(v.m, v.root, 0x8000000000, 0),
            RAM_BASE | 0xf44 | 1); /* block at level 0 */
    check_fault(&v, 0x8000000000, MALI_ACC_READ, 0xc0);
    ram_w64(v.m, pt_entry(v.m, v.root, VA + 0x1000, 3), v.pa | 0xf44 | 1); /* block at level 3 */
    check_fault(&v, VA + 0x1000, MALI_ACC_READ, 0xc3);
    ram_w64(v.m, pt_entry(v.m, v.root, VA + 0x1000, 3), v.pa | 0xf44 | 2); /* not valid */
    check_fault(&v, VA + 0x1000, MALI_ACC_READ, 0xc3);
}

TEST(mmu_permissions)
{
    Vm v = vm_new();

    pt_map(v.m, v.root, VA + 0x1000, v.pa, 4096, PT_RO);
    pt_map(v.m, v.root, VA + 0x2000, v.pa, 4096, PT_NX);
    for (unsigned i = 0; i < 2; i++) { /* the second time from the TLB */
        check_ok(&v, VA + 0x1000, MALI_ACC_READ, v.pa);
        check_ok(&v, VA + 0x1000, MALI_ACC_EXEC, v.pa);
        check_fault(&v, VA + 0x1000, MALI_ACC_WRITE, 0xcb);
        check_fault(&v, VA + 0x1000, MALI_ACC_ATOMIC, 0xcb);
        check_ok(&v, VA + 0x2000, MALI_ACC_WRITE, v.pa);
        check_fault(&v, VA + 0x2000, MALI_ACC_EXEC, 0xcb);
    }
    pt_map_2m(v.m, v.root, 0x80000000, RAM_BASE, PT_RO);
    check_fault(&v, 0x80000000, MALI_ACC_WRITE, 0xca);
}

TEST(mmu_access_flag)
{
    Vm v = vm_new();
    uint64_t at = pt_entry(v.m, v.root, VA + 0x1000, 3);

    ram_w64(v.m, at, (v.pa | 0xf44 | 3) & ~(1ull << 10));
    check_fault(&v, VA + 0x1000, MALI_ACC_READ, 0xdb);
    ram_w64(v.m, pt_entry(v.m, v.root, 0x80000000, 2), RAM_BASE | 0xb44 | 1);
    check_fault(&v, 0x80000000, MALI_ACC_READ, 0xda);
    wr64(v.m, AS_REG(1, AS_TRANSCFG), 0x420001c6 | AS_TRANSCFG_DISABLE_AF_FAULT);
    check_fault(&v, 0x80000000, MALI_ACC_READ, 0xda); /* not before UPDATE */
    update(&v);
    check_ok(&v, 0x80000000, MALI_ACC_READ, RAM_BASE);
}

TEST(mmu_memory_attribute_fault)
{
    Vm v = vm_new();

    wr64(v.m, AS_REG(1, AS_MEMATTR), 0x4c4c4c4c8c4ccf4cull); /* AttrIndx 1: FAULT */
    update(&v);
    check_fault(&v, VA, MALI_ACC_READ, 0xeb);
}

TEST(mmu_address_sizes)
{
    Vm v = vm_new();

    check_fault(&v, 1ull << 48, MALI_ACC_READ, 0xe0);
    check_fault(&v, ~0ull, MALI_ACC_READ, 0xe0);
    wr64(v.m, AS_REG(1, AS_TRANSCFG), (0x420001c6 & ~0x7c0u) | (55 - 32) << 6); /* 32-bit VAs */
    update(&v);
    check_fault(&v, VA, MALI_ACC_READ, 0xe0);
    as_enable(v.m, 1, v.root);
    ram_w64(v.m, pt_entry(v.m, v.root, VA + 0x1000, 3), 1ull << 40 | 0xf44 | 3);
    check_fault(&v, VA + 0x1000, MALI_ACC_READ, 0xe7);
    ram_w64(v.m, pt_entry(v.m, v.root, 0x80000000, 2), 1ull << 41 | 0xf44 | 1);
    check_fault(&v, 0x80000000, MALI_ACC_READ, 0xe6);
    ram_w64(v.m, pt_entry(v.m, v.root, 0x8000000000, 0), 1ull << 42 | 3);
    check_fault(&v, 0x8000000000, MALI_ACC_READ, 0xe4);
    wr64(v.m, AS_REG(1, AS_TRANSTAB), 1ull << 43);
    update(&v);
    check_fault(&v, VA, MALI_ACC_READ, 0xe4);
}

TEST(mmu_modes)
{
    Vm v = vm_new();

    wr64(v.m, AS_REG(1, AS_TRANSCFG), AS_TRANSCFG_IDENTITY);
    update(&v);
    check_ok(&v, 0x123456789, MALI_ACC_WRITE, 0x123456789);
    wr64(v.m, AS_REG(1, AS_TRANSCFG), AS_TRANSCFG_UNMAPPED);
    update(&v);
    check_fault(&v, VA, MALI_ACC_READ, 0xc0);
    CHECK_EQ(ev_count(v.m, "violation"), 0);
    wr64(v.m, AS_REG(1, AS_TRANSCFG), AS_TRANSCFG_AARCH64_64K);
    update(&v);
    check_fault(&v, VA, MALI_ACC_READ, 0xc0);
    CHECK_HAS(ev_last(v.m, "violation"), "\"rule\":\"as-transcfg\"");
    wr64(v.m, AS_REG(1, AS_TRANSTAB), v.root | 3);
    wr64(v.m, AS_REG(1, AS_TRANSCFG), 0x420001c6);
    update(&v);
    CHECK_HAS(ev_last(v.m, "violation"), "\"rule\":\"as-transtab\"");
    CHECK_EQ(mali_translate(v.m->gpu, 99, VA, MALI_ACC_READ, &v.pa, NULL, &(uint32_t){ 0 }),
             MALI_XL_FAULT);
}

TEST(mmu_table_behind_a_bus_error)
{
    Vm v = vm_new();
    uint32_t fault;
    uint64_t pa;

    ram_w64(v.m, pt_entry(v.m, v.root, 0x8000000000, 0), 0x1000 | 3); /* no RAM there */
    CHECK_EQ(xl(&v, 0x8000000000, MALI_ACC_READ, &pa, &fault), MALI_XL_BUS);
    CHECK_EQ(fault, EXC_GPU_BUS_FAULT);
}

TEST(as_registers_read_back_and_latch_at_update)
{
    Vm v = vm_new();
    uint64_t other = pt_new(v.m);

    wr64(v.m, AS_REG(1, AS_TRANSTAB), other);
    CHECK_EQ(rd64(v.m, AS_REG(1, AS_TRANSTAB)), other);
    CHECK_EQ(rd64(v.m, AS_REG(1, AS_TRANSCFG)), 0x420001c6);
    CHECK_EQ(rd(v.m, AS_REG(1, AS_STATUS)), 0);
    check_ok(&v, VA, MALI_ACC_READ, v.pa);
    update(&v);
    check_fault(&v, VA, MALI_ACC_READ, 0xc0);
    CHECK(rd(v.m, MMU_INT_BASE) & MMU_INT_COMMAND(1));
    CHECK_EQ(rd64(v.m, AS_REG(9, AS_TRANSTAB)), 0);
    wr(v.m, AS_REG(9, AS_TRANSTAB), 5);
    CHECK_HAS(ev_last(v.m, "violation"), "\"rule\":\"as-absent\"");
}

TEST(as_commands_are_logged_and_flagged)
{
    static const char *const names[] = {
        "NOP", "UPDATE", "LOCK", "UNLOCK", "FLUSH_PT", "FLUSH_MEM"
    };
    Vm v = vm_new();
    char want[64];

    for (uint32_t i = 0; i < 6; i++) {
        wr64(v.m, AS_REG(1, AS_LOCKADDR), VA | 14);
        as_cmd(v.m, 1, i);
        snprintf(want, sizeof(want), "\"as\":1,\"cmd\":\"%s\"", names[i]);
        CHECK_HAS(ev_last(v.m, "as-cmd"), want);
        CHECK_EQ(rd(v.m, MMU_INT_BASE), MMU_INT_COMMAND(1));
        wr(v.m, MMU_INT_BASE + INT_CLEAR, ~0u);
    }
    as_cmd(v.m, 1, 6);
    CHECK_HAS(ev_last(v.m, "violation"), "\"rule\":\"as-command\"");
    CHECK_EQ(rd(v.m, MMU_INT_BASE), 0);
}

static bool locked(Vm *v, uint64_t va)
{
    uint32_t fault;
    uint64_t pa;

    return xl(v, va, MALI_ACC_READ, &pa, &fault) == MALI_XL_LOCKED;
}

TEST(lock_stalls_its_range_only)
{
    Vm v = vm_new();

    pt_map(v.m, v.root, VA + 0x8000, v.pa, 4096, 0);
    as_lock(v.m, 1, VA & ~0x7fffull, 15);
    CHECK_HAS(ev_last(v.m, "as-cmd"), "\"base\":508218703872,\"size\":32768}");
    CHECK(locked(&v, VA));
    CHECK(!locked(&v, VA + 0x8000));
    as_lock(v.m, 1, VA & ~0xffffull, 16); /* widened without UNLOCK */
    CHECK(locked(&v, VA + 0x8000) && locked(&v, VA));
    as_lock(v.m, 1, 0, 15); /* moved */
    CHECK(!locked(&v, VA));
    as_cmd(v.m, 1, AS_COMMAND_UNLOCK);
    CHECK(!locked(&v, 0));
}

TEST(lock_is_released_by_four_commands)
{
    static const uint32_t cmds[] = {
        AS_COMMAND_UPDATE,
        AS_COMMAND_UNLOCK,
        AS_COMMAND_FLUSH_PT,
        AS_COMMAND_FLUSH_MEM,
    };
    Vm v = vm_new();

    for (unsigned i = 0; i < 4; i++) {
        as_lock(v.m, 1, VA & ~0x7fffull, 15);
        CHECK(locked(&v, VA));
        as_cmd(v.m, 1, cmds[i]);
        check_ok(&v, VA, MALI_ACC_READ, v.pa);
    }
}

TEST(lock_sizes)
{
    Vm v = vm_new();

    as_lock(v.m, 1, VA, 12); /* below 32 KiB */
    CHECK_HAS(ev_last(v.m, "violation"), "\"rule\":\"as-lock-size\"");
    CHECK(locked(&v, VA));
    as_lock(v.m, 1, VA, 48);
    CHECK(locked(&v, 0) && locked(&v, (1ull << 48) - 1));
    as_lock(v.m, 1, ~0ull, 64);
    CHECK(locked(&v, 0) && locked(&v, VA));
    as_cmd(v.m, 1, AS_COMMAND_UNLOCK);
    CHECK(!locked(&v, VA));
}

/* panthor_mmu.c:1859-1863 beside a reset: between the two writes LOCKADDR is gone. */
TEST(lock_across_a_reset_is_a_known_issue)
{
    Vm v = vm_new();
    unsigned violations = ev_count(v.m, "violation");

    wr64(v.m, AS_REG(1, AS_LOCKADDR), VA | 14);
    wr(v.m, GPU_CMD, GPU_CMD_RESET | 1 << 8);
    as_cmd(v.m, 1, AS_COMMAND_LOCK);
    CHECK_HAS(ev_last(v.m, "known-issue"), "\"issue\":\"lock-across-reset\",\"as\":1");
    CHECK_EQ(ev_count(v.m, "violation"), violations);
    as_cmd(v.m, 1, AS_COMMAND_LOCK); /* once is the reset's doing, twice is the driver's */
    CHECK_EQ(ev_count(v.m, "violation"), violations + 1);
    CHECK_EQ(ev_count(v.m, "known-issue"), 1);
}

/* The same between the halves of the first write, which the driver makes one by one. */
TEST(lock_whose_first_half_a_reset_took_is_a_known_issue)
{
    Vm v = vm_new();
    unsigned violations = ev_count(v.m, "violation");

    wr(v.m, AS_REG(1, AS_LOCKADDR), (uint32_t)(VA | 14));
    wr(v.m, GPU_CMD, GPU_CMD_RESET | 1 << 8);
    wr(v.m, AS_REG(1, AS_LOCKADDR) + 4, (uint32_t)(VA >> 32));
    as_cmd(v.m, 1, AS_COMMAND_LOCK);
    CHECK_HAS(ev_last(v.m, "known-issue"), "\"issue\":\"lock-across-reset\",\"as\":1");
    CHECK_EQ(ev_count(v.m, "violation"), violations);
    wr(v.m, AS_REG(1, AS_LOCKADDR) + 4, (uint32_t)(VA >> 32));
    as_cmd(v.m, 1, AS_COMMAND_LOCK); /* no reset meanwhile */
    CHECK_EQ(ev_count(v.m, "violation"), violations + 1);
}

TEST(lock_of_nothing_behind_a_reset_is_a_violation)
{
    Vm v = vm_new();
    unsigned violations = ev_count(v.m, "violation");

    as_lock(v.m, 1, VA & ~0x7fffull, 15);
    wr(v.m, GPU_CMD, GPU_CMD_RESET | 1 << 8);
    as_cmd(v.m, 1, AS_COMMAND_LOCK);
    CHECK_EQ(ev_count(v.m, "violation"), violations + 1);
    CHECK_EQ(ev_count(v.m, "known-issue"), 0);
}

TEST(mcu_ignores_locks_of_as0)
{
    Machine *m = mach_boot();
    uint32_t fault;
    uint64_t pa;

    as_lock(m, 0, FW_SHARED_VA, 26);
    CHECK_EQ(mali_translate(m->gpu, 0, FW_SHARED_VA, MALI_ACC_READ, &pa, NULL, &fault),
             MALI_XL_LOCKED);
    glb_toggle(m, GLB_PING);
    glb_ring(m);
    CHECK_EQ(ev_count(m, "ping"), 1);
}

/* ---- TLB ---- */
static void replace(Vm *v)
{
    pt_map(v->m, v->root, VA, v->pa + 0x1000, 4096, 0);
}

TEST(tlb_stays_stale_without_a_command)
{
    Vm v = vm_new();

    check_ok(&v, VA, MALI_ACC_READ, v.pa);
    replace(&v);
    check_ok(&v, VA, MALI_ACC_READ, v.pa);
    as_cmd(v.m, 1, AS_COMMAND_NOP);
    as_cmd(v.m, 2, AS_COMMAND_FLUSH_PT);
    check_ok(&v, VA, MALI_ACC_READ, v.pa);
    pt_unmap(v.m, v.root, VA, 4096);
    check_ok(&v, VA, MALI_ACC_READ, v.pa);
}

TEST(tlb_is_dropped_whole_by_update_and_flushes)
{
    static const uint32_t cmds[] = { AS_COMMAND_UPDATE, AS_COMMAND_FLUSH_PT, AS_COMMAND_FLUSH_MEM };

    for (unsigned i = 0; i < 3; i++) {
        Vm v = vm_new();

        check_ok(&v, VA, MALI_ACC_READ, v.pa);
        replace(&v);
        as_cmd(v.m, 1, cmds[i]);
        check_ok(&v, VA, MALI_ACC_READ, v.pa + 0x1000);
    }
}

TEST(tlb_lock_drops_its_range_only)
{
    Vm v = vm_new();

    pt_map(v.m, v.root, VA + 0x100000, v.pa, 4096, 0);
    check_ok(&v, VA, MALI_ACC_READ, v.pa);
    check_ok(&v, VA + 0x100000, MALI_ACC_READ, v.pa);
    replace(&v);
    pt_map(v.m, v.root, VA + 0x100000, v.pa + 0x1000, 4096, 0);
    as_lock(v.m, 1, VA & ~0x7fffull, 15);
    as_cmd(v.m, 1, AS_COMMAND_UNLOCK);
    check_ok(&v, VA, MALI_ACC_READ, v.pa + 0x1000);
    check_ok(&v, VA + 0x100000, MALI_ACC_READ, v.pa); /* outside: still the old one */
}

TEST(tlb_use_of_a_stale_entry_is_a_violation)
{
    Vm v = vm_new();

    check_ok(&v, VA, MALI_ACC_READ, v.pa);
    v.m->now += 1000000;
    check_ok(&v, VA, MALI_ACC_READ, v.pa);
    CHECK_EQ(ev_count(v.m, "violation"), 0);
    replace(&v);
    v.m->now += 1000000;
    check_ok(&v, VA, MALI_ACC_READ, v.pa);
    CHECK_HAS(ev_last(v.m, "violation"), "\"rule\":\"stale-tlb\"");
    CHECK_HAS(ev_last(v.m, "violation"), "table says");
    pt_unmap(v.m, v.root, VA, 4096);
    v.m->now += 1000000;
    check_ok(&v, VA, MALI_ACC_READ, v.pa);
    CHECK_HAS(ev_last(v.m, "violation"), "after its unmapping");
    CHECK_EQ(ev_count(v.m, "violation"), 2);
}

TEST(tlb_proper_change_is_no_violation)
{
    Vm v = vm_new();

    check_ok(&v, VA, MALI_ACC_READ, v.pa);
    v.m->now += 1000000;
    as_lock(v.m, 1, VA & ~0x7fffull, 15);
    replace(&v);
    CHECK(locked(&v, VA));
    as_cmd(v.m, 1, AS_COMMAND_UNLOCK);
    v.m->now += 1000000;
    check_ok(&v, VA, MALI_ACC_READ, v.pa + 0x1000);
    CHECK_EQ(ev_count(v.m, "violation"), 0);
}

TEST(tlb_of_many_pages)
{
    Vm v = vm_new();
    uint64_t pa = mach_alloc(v.m, 256 * 4096);

    pt_map(v.m, v.root, 0x90000000, pa, 256 * 4096, 0);
    for (unsigned i = 0; i < 2000; i++) {
        uint64_t off = t_rand() % (256 * 4096);

        check_ok(&v, 0x90000000 + off, MALI_ACC_READ, pa + off);
    }
}

/* ---- accesses ---- */
TEST(va_access_splits_at_pages)
{
    Vm v = vm_new();
    char out[64], in[64] = "across two pages that are not neighbours";
    uint64_t second = mach_alloc(v.m, 4096), at;
    uint32_t fault;

    pt_map(v.m, v.root, VA + 0x1000, second, 4096, 0);
    CHECK_EQ(mali_va_write(v.m->gpu, 1, MALI_MASTER_NORMAL, VA + 0xff0, in, 64, &fault, &at),
             MALI_XL_OK);
    CHECK(!memcmp(ram_ptr(v.m, v.pa + 0xff0, 16), in, 16));
    CHECK(!memcmp(ram_ptr(v.m, second, 48), in + 16, 48));
    CHECK_EQ(mali_va_read(v.m->gpu, 1, MALI_MASTER_NORMAL, VA + 0xff0, out, 64, &fault, &at),
             MALI_XL_OK);
    CHECK(!memcmp(in, out, 64));
    pt_unmap(v.m, v.root, VA + 0x1000, 4096);
    update(&v);
    CHECK_EQ(mali_va_read(v.m->gpu, 1, MALI_MASTER_NORMAL, VA + 0xff0, out, 64, &fault, &at),
             MALI_XL_FAULT);
    CHECK_EQ(at, VA + 0x1000);
    CHECK_EQ(fault, 0xc3);
}

TEST(va_access_behind_the_firewall)
{
    Vm v = vm_new();
    uint32_t fault, word = 7;
    uint64_t at;

    v.m->prot_base = v.pa;
    v.m->prot_end = v.pa + 4096;
    CHECK_EQ(mali_va_write(v.m->gpu, 1, MALI_MASTER_NORMAL, VA, &word, 4, &fault, &at),
             MALI_XL_BUS);
    CHECK_EQ(fault, EXC_GPU_BUS_FAULT);
    CHECK_EQ(at, VA);
    CHECK_EQ(mali_va_write(v.m->gpu, 1, MALI_MASTER_PROTECTED, VA, &word, 4, &fault, &at),
             MALI_XL_OK);
}

TEST(mmu_fault_keeps_the_first_record)
{
    Vm v = vm_new();

    wr(v.m, MMU_INT_BASE + INT_MASK, 0xffff);
    mali_mmu_fault(v.m->gpu, 1, VA, MALI_ACC_WRITE, 0xc2, 0x8a);
    CHECK(v.m->line[MALI_IRQ_MMU]);
    CHECK_EQ(rd(v.m, AS_REG(1, AS_FAULTSTATUS)), 0x008a03c2);
    CHECK_EQ(rd64(v.m, AS_REG(1, AS_FAULTADDRESS)), VA);
    CHECK_HAS(ev_last(v.m, "mmu-fault"),
              "\"as\":1,\"va\":508218707968,\"code\":194,\"access\":\"write\",\"source\":138}");
    mali_mmu_fault(v.m->gpu, 1, 0x1000, MALI_ACC_READ, 0xc3, 0x88);
    CHECK_EQ(rd64(v.m, AS_REG(1, AS_FAULTADDRESS)), VA);
    wr(v.m, MMU_INT_BASE + INT_CLEAR, 2);
    CHECK(!v.m->line[MALI_IRQ_MMU]);
    mali_mmu_fault(v.m->gpu, 1, 0x1000, MALI_ACC_READ, 0xc3, 0x88);
    CHECK_EQ(rd(v.m, AS_REG(1, AS_FAULTSTATUS)), 0x008802c3);
    CHECK_EQ(rd64(v.m, AS_REG(1, AS_FAULTADDRESS)), 0x1000);
    mali_mmu_fault(v.m->gpu, 200, 0, MALI_ACC_READ, 0xc3, 0); /* CSG_CONFIG is a guest's word */
}

TEST(extents_merge_neighbours)
{
    Vm v = vm_new();
    uint64_t pa = mach_alloc(v.m, 6 * 4096);
    char want[128];
    MaliEvent e;

    pt_map(v.m, v.root, 0x5000, pa, 2 * 4096, 0);
    pt_map(v.m, v.root, 0x7000, pa + 4 * 4096, 4096, 0);
    pt_map(v.m, v.root, 0x9000, pa + 3 * 4096, 4096, 0); /* hole at 0x8000 */
    mali_ev_begin(&e, v.m->gpu, "test");
    mali_ev_extents(&e, "pa", 1, 0x5000, 0x5000);
    mali_ev_end(&e);
    snprintf(want, sizeof(want),
             "\"pa\":[[%" PRIu64 ",8192],[%" PRIu64 ",4096],[%" PRIu64 ",4096]]}", pa,
             pa + 4 * 4096, pa + 3 * 4096);
    CHECK_HAS(ev_last(v.m, "test"), want);
}

TEST(event_overflow_is_valid_json)
{
    Vm v = vm_new();
    const char *text;
    MaliEvent e;

    mali_ev_begin(&e, v.m->gpu, "test");
    mali_ev_str(&e, "s", "quote\" back\\slash \n \x80");
    mali_ev_arr_begin(&e, "a");
    for (uint64_t i = 0; i < 1000; i++) {
        mali_ev_arr_pair(&e, i << 40, i);
    }
    mali_ev_arr_end(&e);
    mali_ev_u64(&e, "lost", 1);
    mali_ev_end(&e);
    text = ev_last(v.m, "test");
    CHECK_HAS(text, "\"s\":\"quote\\u0022 back\\u005cslash \\u000a \\u0080\"");
    CHECK_HAS(text, "]],\"truncated\":true}");
    CHECK(!strstr(text, "lost"));
}

/* A hostile table: every walk ends, no access leaves RAM. */
TEST(mmu_random_tables)
{
    Vm v = vm_new();
    unsigned hits = 0;

    t_seed(7);
    for (unsigned i = 0; i < 20000; i++) {
        uint64_t at = v.root + t_rand() % (16 * 4096) / 8 * 8, d = t_rand();
        uint32_t fault;
        uint64_t pa;

        if (t_rand() & 3) { /* mostly something that leads on */
            d = (RAM_BASE + t_rand() % RAM_SIZE) & ~0xfffull;
            d |= 3 | 1 << 10;
        }
        ram_w64(v.m, at, d);
        as_cmd(v.m, 1, AS_COMMAND_FLUSH_PT);
        hits += xl(&v, t_rand() & 0xffffffffffff, (MaliAccess)(t_rand() & 3), &pa, &fault) ==
                MALI_XL_OK;
        CHECK(fault <= 0xeb);
    }
    (void)hits;
}
