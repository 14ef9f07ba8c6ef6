/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The firewall: registers, decisions, spans, log. */
#include "../tzc_int.h"
#include "t.h"

#define RAM_BASE UINT64_C(0x40000000)
#define RAM_LAST UINT64_C(0x5fffffff)
#define BASE     UINT64_C(0x48000000)
#define SIZE     UINT64_C(0x1000000)
#define RGN(n)   (REG_REGION + RGN_STRIDE * (n))

static struct {
    uint64_t now;
    unsigned events, changes;
    bool irq;
    char last[512];
} env;

static uint64_t now_ns(void *opaque)
{
    (void)opaque;
    return env.now;
}

static void set_irq(void *opaque, bool level)
{
    (void)opaque;
    env.irq = level;
}

static void changed(void *opaque)
{
    (void)opaque;
    env.changes++;
}

static void event(void *opaque, const char *json, size_t len)
{
    (void)opaque;
    env.events++;
    CHECK(len < sizeof(env.last) && json[len] == '\0');
    memcpy(env.last, json, len + 1);
}

static const TzcOps ops = { now_ns, set_irq, changed, event };

static Tzc *fresh(void)
{
    static Tzc t;

    memset(&env, 0, sizeof(env));
    tzc_init(&t, &ops, NULL);
    return &t;
}

static Tzc *protecting(void)
{
    Tzc *t = fresh();

    CHECK(!tzc_protect(t, BASE, SIZE));
    return t;
}

static TzcAccess cpu(uint64_t addr, TzcKind kind)
{
    return (TzcAccess){
        .master = "cpu", .cpu = 1, .addr = addr, .size = 4, .kind = kind, .privileged = true
    };
}

static bool gpu_may(Tzc *t, unsigned nsaid, uint64_t addr, TzcKind kind)
{
    TzcAccess a = {
        .master = "gpu", .cpu = -1, .addr = addr, .size = 4, .kind = kind, .nsaid = nsaid
    };

    return tzc_check(t, &a);
}

TEST(identifies_as_the_part_does)
{
    static const uint32_t component[] = { 0x0d, 0xf0, 0x05, 0xb1 };
    Tzc *t = fresh();

    for (unsigned i = 0; i < 4; i++) {
        CHECK_EQ(tzc_mmio_read(t, 0xff0 + 4 * i), component[i]);
    }
    CHECK_EQ(tzc_mmio_read(t, 0xfe0), 0x60);
    CHECK_EQ(tzc_mmio_read(t, 0xfe4), 0xb4);
    CHECK_EQ(tzc_mmio_read(t, REG_BUILD_CONFIG), 63 << 8 | 8); /* 1 filter, 64 bits, 9 regions */
}

TEST(power_on_values)
{
    Tzc *t = fresh();

    CHECK_EQ(tzc_mmio_read(t, REG_ACTION), 0);
    CHECK_EQ(tzc_mmio_read(t, REG_GATE_KEEPER), 0);
    CHECK_EQ(tzc_mmio_read(t, RGN(0) + RGN_ATTRIBUTES), 0xc0000001);
    CHECK_EQ(tzc_mmio_read(t, RGN(0) + RGN_TOP_HIGH), 0xffffffff);
    CHECK_EQ(tzc_mmio_read(t, RGN(3) + RGN_TOP_LOW), 0xfff);
    CHECK_EQ(tzc_mmio_read(t, RGN(3) + RGN_ATTRIBUTES), 0);
}

TEST(ranges_are_pages)
{
    Tzc *t = fresh();

    tzc_mmio_write(t, RGN(2) + RGN_BASE_LOW, 0x40001abc);
    tzc_mmio_write(t, RGN(2) + RGN_BASE_HIGH, 7);
    tzc_mmio_write(t, RGN(2) + RGN_TOP_LOW, 0x40002000);
    CHECK_EQ(tzc_mmio_read(t, RGN(2) + RGN_BASE_LOW), 0x40001000);
    CHECK_EQ(tzc_mmio_read(t, RGN(2) + RGN_BASE_HIGH), 7);
    CHECK_EQ(tzc_mmio_read(t, RGN(2) + RGN_TOP_LOW), 0x40002fff);
}

TEST(the_background_cannot_move)
{
    Tzc *t = fresh();

    for (uint32_t field = RGN_BASE_LOW; field <= RGN_TOP_HIGH; field += 4) {
        tzc_mmio_write(t, RGN(0) + field, 0x12345000);
    }
    tzc_mmio_write(t, RGN(0) + RGN_ATTRIBUTES, 0);
    CHECK_EQ(t->s.region[0].base, 0);
    CHECK_EQ(t->s.region[0].top, UINT64_MAX);
    CHECK_EQ(tzc_mmio_read(t, RGN(0) + RGN_ATTRIBUTES), FILTER);
}

TEST(a_closed_gate_lets_everything_pass)
{
    Tzc *t = fresh();
    TzcAccess a = cpu(BASE, TZC_WRITE);
    TzcSpan spans[TZC_MAX_SPANS];

    tzc_mmio_write(t, RGN(0) + RGN_ATTRIBUTES, 0);
    CHECK(tzc_check(t, &a));
    CHECK_EQ(tzc_spans(t, RAM_BASE, RAM_LAST, spans), 0);
    CHECK_EQ(t->s.denials, 0);
}

TEST(an_open_gate_with_the_power_on_background_is_for_the_secure_world_only)
{
    Tzc *t = fresh();
    TzcSpan spans[TZC_MAX_SPANS];

    tzc_mmio_write(t, REG_GATE_KEEPER, 1);
    CHECK_EQ(tzc_mmio_read(t, REG_GATE_KEEPER), 0x10001);
    CHECK_EQ(tzc_spans(t, RAM_BASE, RAM_LAST, spans), 1);
    CHECK_EQ(spans[0].base, RAM_BASE);
    CHECK_EQ(spans[0].last, RAM_LAST);
    CHECK_EQ(spans[0].secure, TZC_PERM_RW);
    CHECK_EQ(spans[0].cpu, 0);
}

TEST(a_protected_range_is_closed_to_cpus_and_the_gpu)
{
    Tzc *t = protecting();
    TzcAccess in = cpu(BASE + SIZE - 4, TZC_READ), below = cpu(BASE - 4, TZC_WRITE),
              above = cpu(BASE + SIZE, TZC_EXEC);

    CHECK(!tzc_check(t, &in));
    in.kind = TZC_WRITE;
    CHECK(!tzc_check(t, &in));
    in.secure = true;
    CHECK(tzc_check(t, &in));
    CHECK(tzc_check(t, &below));
    CHECK(tzc_check(t, &above));
    CHECK(!gpu_may(t, TZC_NSAID_GPU, BASE, TZC_READ));
    CHECK(gpu_may(t, TZC_NSAID_GPU, BASE - 4, TZC_WRITE));
    CHECK_EQ(t->s.denials, 3);
}

TEST(the_protected_master_writes_there_and_nowhere_else)
{
    Tzc *t = protecting();

    CHECK(gpu_may(t, TZC_NSAID_GPU_PROTECTED, BASE, TZC_READ));
    CHECK(gpu_may(t, TZC_NSAID_GPU_PROTECTED, BASE, TZC_WRITE));
    CHECK(gpu_may(t, TZC_NSAID_GPU_PROTECTED, RAM_BASE, TZC_READ));
    CHECK(!gpu_may(t, TZC_NSAID_GPU_PROTECTED, RAM_BASE, TZC_WRITE));
    CHECK_HAS(env.last, "\"access\":\"write\"");
    CHECK_HAS(env.last, "\"region\":0,");
}

TEST(reclaim_opens_the_range_again)
{
    Tzc *t = protecting();
    TzcAccess a = cpu(BASE, TZC_READ);
    TzcSpan spans[TZC_MAX_SPANS];

    CHECK(tzc_unprotect(t, BASE, SIZE - TZC_PAGE));
    CHECK(!tzc_unprotect(t, BASE, SIZE));
    CHECK(tzc_check(t, &a));
    CHECK_EQ(tzc_spans(t, RAM_BASE, RAM_LAST, spans), 0);
    CHECK(tzc_unprotect(t, BASE, SIZE));
    CHECK_EQ(tzc_active_regions(t), 0);
}

TEST(eight_ranges_then_a_reason)
{
    Tzc *t = fresh();

    for (unsigned i = 0; i < TZC_REGIONS - 1; i++) {
        CHECK(!tzc_protect(t, BASE + 2 * i * TZC_PAGE, TZC_PAGE));
    }
    CHECK_EQ(tzc_active_regions(t), TZC_REGIONS - 1);
    CHECK_HAS(tzc_protect(t, BASE + SIZE, TZC_PAGE), "in use");
    CHECK_HAS(tzc_protect(t, BASE, SIZE), "overlaps");
    CHECK_HAS(tzc_protect(t, BASE + 12, TZC_PAGE), "pages");
    CHECK_HAS(tzc_protect(t, BASE, 0), "pages");
}

TEST(spans_cover_what_is_restricted_and_nothing_else)
{
    Tzc *t = fresh();
    TzcSpan spans[TZC_MAX_SPANS];
    unsigned n;

    for (unsigned i = 0; i < TZC_REGIONS - 1; i++) {
        CHECK(!tzc_protect(t, BASE + 2 * i * TZC_PAGE, TZC_PAGE));
    }
    n = tzc_spans(t, RAM_BASE, RAM_LAST, spans);
    CHECK_EQ(n, TZC_REGIONS - 1);
    for (unsigned i = 0; i < n; i++) {
        CHECK_EQ(spans[i].base, BASE + 2 * i * TZC_PAGE);
        CHECK_EQ(spans[i].last, spans[i].base + TZC_PAGE - 1);
        CHECK_EQ(spans[i].cpu, 0);
        CHECK_EQ(spans[i].secure, TZC_PERM_RW);
    }
    tzc_mmio_write(t, RGN(0) + RGN_ID_ACCESS, 0); /* now the gaps are restricted too */
    CHECK_EQ(tzc_spans(t, RAM_BASE, RAM_LAST, spans), 2 * (TZC_REGIONS - 1) + 1);
}

TEST(spans_are_cut_to_the_ram)
{
    Tzc *t = fresh();
    TzcSpan spans[TZC_MAX_SPANS];

    CHECK(!tzc_protect(t, RAM_LAST + 1 - SIZE, 2 * SIZE));
    CHECK_EQ(tzc_spans(t, RAM_BASE, RAM_LAST, spans), 1);
    CHECK_EQ(spans[0].last, RAM_LAST);
    CHECK(!tzc_protect(t, RAM_BASE - SIZE, 2 * SIZE));
    CHECK_EQ(tzc_spans(t, RAM_BASE, RAM_LAST, spans), 2);
    CHECK_EQ(spans[0].base, RAM_BASE);
    CHECK_EQ(spans[0].last, RAM_BASE + SIZE - 1);
}

TEST(overlapping_regions_are_closed_to_everybody)
{
    Tzc *t = protecting();
    TzcAccess a = cpu(BASE, TZC_READ);

    tzc_mmio_write(t, RGN(5) + RGN_BASE_LOW, (uint32_t)BASE);
    tzc_mmio_write(t, RGN(5) + RGN_TOP_LOW, (uint32_t)BASE);
    tzc_mmio_write(t, RGN(5) + RGN_ID_ACCESS, 0xffffffff);
    tzc_mmio_write(t, RGN(5) + RGN_ATTRIBUTES, 0xc0000001);
    a.secure = true;
    CHECK(!tzc_check(t, &a));
    CHECK(tzc_mmio_read(t, REG_INT_STATUS) & INT_OVERLAP);
}

TEST(fail_registers_keep_the_first)
{
    Tzc *t = protecting();
    TzcAccess first = cpu(BASE + 0x123, TZC_WRITE), second = cpu(BASE, TZC_READ);

    CHECK(!tzc_check(t, &first));
    CHECK_EQ(tzc_mmio_read(t, REG_INT_STATUS), INT_STATUS);
    CHECK(!tzc_check(t, &second));
    CHECK_EQ(tzc_mmio_read(t, REG_INT_STATUS), INT_STATUS | INT_OVERRUN);
    CHECK_EQ(tzc_mmio_read(t, REG_FAIL_ADDR_LOW), BASE + 0x123);
    CHECK_EQ(tzc_mmio_read(t, REG_FAIL_ADDR_HIGH), 0);
    CHECK_EQ(tzc_mmio_read(t, REG_FAIL_CONTROL), FAIL_WRITE | FAIL_NONSECURE | FAIL_PRIVILEGED);
    CHECK_EQ(tzc_mmio_read(t, REG_FAIL_ID), TZC_NSAID_CPU);
    tzc_mmio_write(t, REG_INT_CLEAR, 1);
    CHECK_EQ(tzc_mmio_read(t, REG_INT_STATUS), 0);
    CHECK(!gpu_may(t, TZC_NSAID_GPU, BASE, TZC_READ));
    CHECK_EQ(tzc_mmio_read(t, REG_FAIL_ID), TZC_NSAID_GPU);
    CHECK_EQ(tzc_mmio_read(t, REG_FAIL_CONTROL), FAIL_NONSECURE);
}

TEST(the_action_register_rules_interrupt_and_error)
{
    Tzc *t = protecting();
    TzcAccess a = cpu(BASE, TZC_READ);

    CHECK(tzc_denial_is_error(t));
    tzc_mmio_write(t, REG_ACTION, 0);
    CHECK(!tzc_denial_is_error(t));
    CHECK(!tzc_check(t, &a));
    CHECK(!env.irq);
    tzc_mmio_write(t, REG_ACTION, 0xff);
    CHECK_EQ(tzc_mmio_read(t, REG_ACTION), 3);
    CHECK(env.irq);
    tzc_mmio_write(t, REG_INT_CLEAR, 2); /* of a filter that there is not */
    CHECK(env.irq);
    tzc_mmio_write(t, REG_INT_CLEAR, 1);
    CHECK(!env.irq);
}

TEST(a_denial_tells_who_what_where_and_when)
{
    Tzc *t = protecting();
    TzcAccess a = cpu(BASE, TZC_EXEC);

    env.now = 77;
    CHECK(!tzc_check(t, &a));
    CHECK_HAS(env.last, "\"vns\":77,\"ev\":\"denial\",\"addr\":1207959552,\"size\":4,");
    CHECK_HAS(env.last, "\"access\":\"exec\",\"master\":\"cpu\",\"cpu\":1,\"secure\":false,");
    CHECK_HAS(env.last, "\"nsaid\":0,\"region\":1,\"unlogged\":0}");
}

TEST(a_flood_is_counted_and_not_logged)
{
    Tzc *t = protecting();
    TzcAccess a = cpu(BASE, TZC_READ);
    unsigned before = env.events;

    for (unsigned i = 0; i < 1000; i++) {
        CHECK(!tzc_check(t, &a));
    }
    CHECK_EQ(t->s.denials, 1000);
    CHECK_EQ(env.events - before, 256);
    env.now += UINT64_C(2000000000);
    CHECK(!tzc_check(t, &a));
    CHECK_HAS(env.last, "\"unlogged\":744}");
}

TEST(only_what_changes_the_views_is_told)
{
    Tzc *t = fresh();

    tzc_mmio_write(t, RGN(1) + RGN_BASE_LOW, (uint32_t)BASE);
    tzc_mmio_write(t, RGN(1) + RGN_TOP_LOW, (uint32_t)(BASE + SIZE - 1));
    tzc_mmio_write(t, RGN(1) + RGN_ATTRIBUTES, 0xc0000001);
    CHECK_EQ(env.changes, 0); /* the gate is closed */
    tzc_mmio_write(t, REG_GATE_KEEPER, 1);
    CHECK_EQ(env.changes, 1);
    CHECK_HAS(env.last, "\"ev\":\"region\",\"region\":0,\"on\":true");
    tzc_mmio_write(t, RGN(1) + RGN_ATTRIBUTES, 0xc0000001);
    CHECK_EQ(env.changes, 1);
    tzc_mmio_write(t, RGN(1) + RGN_ID_ACCESS, 0x02000200);
    CHECK_EQ(env.changes, 2);
    CHECK_HAS(env.last, "\"secure_perm\":\"rw\",\"id_access\":33554944}");
}

TEST(reset_opens_everything_and_keeps_the_count)
{
    Tzc *t = protecting();
    TzcAccess a = cpu(BASE, TZC_READ);

    CHECK(!tzc_check(t, &a));
    CHECK(env.irq);
    tzc_reset(t);
    CHECK(!env.irq);
    CHECK(tzc_check(t, &a));
    CHECK_EQ(t->s.denials, 1);
    CHECK_EQ(tzc_mmio_read(t, RGN(1) + RGN_ATTRIBUTES), 0);
    CHECK_HAS(env.last, "\"on\":false");
}

TEST(unknown_registers_read_zero_and_ignore_writes)
{
    Tzc *t = fresh();
    TzcState before = t->s;

    for (uint32_t offset = 0; offset < TZC_MMIO_SIZE; offset += 4) {
        if (offset >= 0x30 && offset < REG_REGION) {
            tzc_mmio_write(t, offset, 0xffffffff);
            CHECK_EQ(tzc_mmio_read(t, offset), 0);
        }
        if (offset >= RGN(TZC_REGIONS) && offset < REG_ID) {
            tzc_mmio_write(t, offset, 0xffffffff);
            CHECK_EQ(tzc_mmio_read(t, offset), 0);
        }
    }
    tzc_mmio_write(t, RGN(1) + 0x18, 1);
    CHECK(!memcmp(&before, &t->s, sizeof(before)));
}
