/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mali CSF GPU: the pure core (core/) as a QEMU device.
 *
 * All the behaviour is in the core; here are its callbacks (guest RAM, virtual
 * time, lines, event log) and what QEMU wants of a device (properties, reset,
 * migration). Everything runs under the BQL: MMIO, timers, QMP.
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/visitor.h"
#include "qemu/error-report.h"
#include "qemu/log.h"
#include "qemu/module.h"
#include "qemu/rcu.h"
#include "qemu/timer.h"
#include "migration/vmstate.h"
#include "system/reset.h"
#include "hw/arm/virt.h"
#include "target/arm/cpu.h"
#include "hw/mali/mali_csf.h"

#define MAX_BLOB (16 * 1024 * 1024)

/* ---- the core's callbacks: guest memory ---- */

static const MemTxAttrs master_attrs = { .secure = 0, .space = ARMSS_NonSecure };

/* Whether the firewall lets the master through; without one everybody passes. */
static bool passes(MaliCsf *s, MaliMaster master, uint64_t pa, hwaddr len, bool is_write)
{
    bool prot = master == MALI_MASTER_PROTECTED;

    return !s->firewall ||
           tzc400_pass(s->firewall, prot ? "gpu-protected" : "gpu",
                       prot ? TZC_NSAID_GPU_PROTECTED : TZC_NSAID_GPU, pa, len, is_write);
}

/* Length of an access at @pa that stays in its page: the firewall's granule. */
static hwaddr in_page(uint64_t pa, hwaddr len)
{
    return MIN(len, TZC_PAGE - pa % TZC_PAGE);
}

/*
 * Host address of guest RAM (or of ROM, for reading), NULL for anything else: the
 * GPU has no business with MMIO, and forwarding would let a guest reenter devices.
 * *len shrinks to what is contiguous. Call and use under the RCU read lock.
 */
static void *direct_ptr(AddressSpace *as, uint64_t pa, hwaddr *len, bool is_write)
{
    hwaddr offset;
    MemoryRegion *mr = address_space_translate(as, pa, &offset, len, is_write, master_attrs);

    if (!memory_access_is_direct(mr, is_write, master_attrs)) {
        return NULL;
    }
    return (uint8_t *)memory_region_get_ram_ptr(mr) + offset;
}

static bool glue_mem_read(void *opaque, MaliMaster master, uint64_t pa, void *buf, size_t len)
{
    MaliCsf *s = opaque;
    uint8_t *to = buf;

    RCU_READ_LOCK_GUARD();
    while (len) {
        hwaddr n = in_page(pa, len);
        const void *from;

        if (!passes(s, master, pa, n, false)) {
            return false;
        }
        from = direct_ptr(s->as, pa, &n, false);
        if (!from) {
            return false;
        }
        if (n == 4 && QEMU_PTR_IS_ALIGNED(from, 4)) {
            uint32_t v = qatomic_read((const uint32_t *)from);
            memcpy(to, &v, 4);
        } else if (n == 8 && QEMU_PTR_IS_ALIGNED(from, 8)) {
            uint64_t v = qatomic_read__nocheck((const uint64_t *)from);
            memcpy(to, &v, 8);
        } else {
            memcpy(to, from, n);
        }
        to += n;
        pa += n;
        len -= n;
    }
    smp_rmb(); /* what the guest published before the word just read */
    return true;
}

/* Stores go through the memory API: it marks the page dirty and drops translated code. */
static MemTxResult store(AddressSpace *as, uint64_t pa, const uint8_t *buf, hwaddr len)
{
    MemTxResult result = MEMTX_OK;

    if (len == 4 && QEMU_IS_ALIGNED(pa, 4)) {
        address_space_stl_le(as, pa, ldl_le_p(buf), master_attrs, &result);
    } else if (len == 8 && QEMU_IS_ALIGNED(pa, 8)) {
        address_space_stq_le(as, pa, ldq_le_p(buf), master_attrs, &result);
    } else {
        result = address_space_write(as, pa, master_attrs, buf, len);
    }
    return result;
}

static bool glue_mem_write(void *opaque, MaliMaster master, uint64_t pa, const void *buf,
                           size_t len)
{
    MaliCsf *s = opaque;
    const uint8_t *from = buf;

    RCU_READ_LOCK_GUARD();
    smp_wmb(); /* the guest must see our earlier stores before this one */
    while (len) {
        hwaddr n = in_page(pa, len);

        if (!passes(s, master, pa, n, true) || !direct_ptr(s->as, pa, &n, true) ||
            store(s->as, pa, from, n) != MEMTX_OK) {
            return false;
        }
        from += n;
        pa += n;
        len -= n;
    }
    return true;
}

/* The vCPUs run meanwhile: a store of ours must not still be in flight at our next load. */
static void glue_fence(void *opaque)
{
    smp_mb();
}

/* ---- the core's callbacks: time, lines, log ---- */

static uint64_t glue_now_ns(void *opaque)
{
    return qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL);
}

/* The same integer division as the CPU's CNTPCT, so the two never disagree. */
static unsigned counter_period_ns(void)
{
    return gt_cntfrq_period_ns(ARM_CPU(first_cpu));
}

static uint64_t glue_timestamp(void *opaque)
{
    return qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL) / counter_period_ns();
}

static void glue_set_irq(void *opaque, MaliIrq irq, bool level)
{
    MaliCsf *s = opaque;

    qemu_set_irq(s->irq[irq], level);
}

static void glue_set_timer(void *opaque, uint64_t when_ns)
{
    MaliCsf *s = opaque;

    if (when_ns > INT64_MAX) {
        timer_del(&s->timer);
    } else {
        timer_mod(&s->timer, when_ns);
    }
}

static void glue_event(void *opaque, const char *json, size_t len)
{
    MaliCsf *s = opaque;
    g_autofree uint8_t *line = NULL;

    if (!qemu_chr_fe_backend_connected(&s->events)) {
        return;
    }
    /* One write a line: a reader never sees half of one. */
    line = g_malloc(len + 1);
    memcpy(line, json, len);
    line[len] = '\n';
    qemu_chr_fe_write_all(&s->events, line, len + 1);
}

static const MaliOps glue_ops = {
    .mem_read = glue_mem_read,
    .mem_write = glue_mem_write,
    .fence = glue_fence,
    .now_ns = glue_now_ns,
    .timestamp = glue_timestamp,
    .set_irq = glue_set_irq,
    .set_timer = glue_set_timer,
    .event = glue_event,
};

static void deadline_passed(void *opaque)
{
    MaliCsf *s = opaque;

    mali_timer(s->gpu);
}

/* ---- registers ---- */

static uint64_t mmio_read(void *opaque, hwaddr offset, unsigned size)
{
    MaliCsf *s = opaque;

    return mali_mmio_read(s->gpu, offset);
}

static void mmio_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    MaliCsf *s = opaque;

    mali_mmio_write(s->gpu, offset, value);
}

static const MemoryRegionOps mmio_ops = {
    .read = mmio_read,
    .write = mmio_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 4, .max_access_size = 4 },
    .impl = { .min_access_size = 4, .max_access_size = 4 },
};

/* ---- fault plan and counters as QOM properties; opaque is the row of the core's table ---- */

static void fault_get(Object *obj, Visitor *v, const char *name, void *opaque, Error **errp)
{
    MaliCsf *s = MALI_CSF(obj);
    unsigned row = GPOINTER_TO_UINT(opaque);
    uint32_t value = s->faults[row];

    if (s->gpu) {
        mali_fault_get(s->gpu, mali_fault_name(row), &value);
    }
    visit_type_uint32(v, name, &value, errp);
}

static void fault_set(Object *obj, Visitor *v, const char *name, void *opaque, Error **errp)
{
    MaliCsf *s = MALI_CSF(obj);
    unsigned row = GPOINTER_TO_UINT(opaque);
    uint32_t value;

    if (!visit_type_uint32(v, name, &value, errp)) {
        return;
    }
    s->faults[row] = value;
    if (s->gpu) {
        mali_fault_set(s->gpu, mali_fault_name(row), value);
    }
}

/* Read only: how often a row has had an effect. */
static void strikes_get(Object *obj, Visitor *v, const char *name, void *opaque, Error **errp)
{
    MaliCsf *s = MALI_CSF(obj);
    uint32_t value = 0;

    if (s->gpu) {
        mali_fault_strikes(s->gpu, mali_fault_name(GPOINTER_TO_UINT(opaque)), &value);
    }
    visit_type_uint32(v, name, &value, errp);
}

static void counter_get(Object *obj, Visitor *v, const char *name, void *opaque, Error **errp)
{
    MaliCsf *s = MALI_CSF(obj);
    uint64_t value = 0;

    if (s->gpu) {
        mali_counter(s->gpu, mali_counter_name(GPOINTER_TO_UINT(opaque)), &value);
    }
    visit_type_uint64(v, name, &value, errp);
}

/* The clock of all events, for a host that lays its own steps beside them. */
static void virtual_ns_get(Object *obj, Visitor *v, const char *name, void *opaque, Error **errp)
{
    uint64_t value = qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL);

    visit_type_uint64(v, name, &value, errp);
}

static void add_table_properties(Object *obj)
{
    object_property_add(obj, "virtual-ns", "uint64", virtual_ns_get, NULL, NULL, NULL);
    for (unsigned i = 0; mali_fault_name(i); i++) {
        g_autofree char *name = g_strdup_printf("fault-%s", mali_fault_name(i));
        g_autofree char *strikes = g_strdup_printf("strikes-%s", mali_fault_name(i));

        object_property_add(obj, name, "uint32", fault_get, fault_set, NULL, GUINT_TO_POINTER(i));
        object_property_set_description(obj, name, mali_fault_help(i));
        object_property_add(obj, strikes, "uint32", strikes_get, NULL, NULL, GUINT_TO_POINTER(i));
    }
    for (unsigned i = 0; mali_counter_name(i); i++) {
        g_autofree char *name = g_strdup_printf("counter-%s", mali_counter_name(i));

        object_property_add(obj, name, "uint64", counter_get, NULL, NULL, GUINT_TO_POINTER(i));
    }
}

/* ---- reset and migration ---- */

static void mali_csf_hold(Object *obj, ResetType type)
{
    mali_reset(MALI_CSF(obj)->gpu);
}

static int mali_csf_pre_save(void *opaque)
{
    MaliCsf *s = opaque;

    s->blob_size = mali_save(s->gpu, NULL, 0);
    s->blob = g_realloc(s->blob, s->blob_size);
    mali_save(s->gpu, s->blob, s->blob_size);
    return 0;
}

static int mali_csf_post_load(void *opaque, int version)
{
    MaliCsf *s = opaque;
    const char *why;
    bool ok = mali_load(s->gpu, s->blob, s->blob_size, &why);

    g_clear_pointer(&s->blob, g_free);
    if (!ok) {
        error_report(TYPE_MALI_CSF ": the saved state is %s", why);
        return -EINVAL;
    }
    return 0;
}

static bool blob_size_is_sane(void *opaque, int version)
{
    return MALI_CSF(opaque)->blob_size <= MAX_BLOB;
}

static const VMStateDescription vmstate_mali_csf = {
    .name = TYPE_MALI_CSF,
    .version_id = 1,
    .minimum_version_id = 1,
    .pre_save = mali_csf_pre_save,
    .post_load = mali_csf_post_load,
    .fields =
        (const VMStateField[]){ VMSTATE_UINT32(blob_size, MaliCsf),
                                VMSTATE_VALIDATE("size of the state", blob_size_is_sane),
                                VMSTATE_VBUFFER_ALLOC_UINT32(blob, MaliCsf, 0, NULL, blob_size),
                                VMSTATE_END_OF_LIST() },
};

/* ---- life ---- */

static bool create_core(MaliCsf *s, Error **errp)
{
    const MaliConfig config = {
        .gpu = s->model,
        .coherent = s->fdt.coherent,
        .cs_ips = s->cs_ips,
        .async_ns = s->async_ns,
        .suspend_size = s->suspend_size,
        .protm_suspend_size = s->protm_suspend_size,
        .counter_hz = NANOSECONDS_PER_SECOND / counter_period_ns(),
    };
    const char *why = "unknown GPU";

    s->gpu = mali_new(&config, &glue_ops, s, &why);
    if (!s->gpu) {
        error_setg(errp, "gpu=%s: %s", s->model ?: "", why);
        for (unsigned i = 0; mali_gpu_name(i); i++) {
            error_append_hint(errp, "%s%s", i ? ", " : "known: ", mali_gpu_name(i));
        }
        error_append_hint(errp, "\n");
        return false;
    }
    for (unsigned i = 0; mali_fault_name(i); i++) {
        mali_fault_set(s->gpu, mali_fault_name(i), s->faults[i]);
    }
    return true;
}

static bool hole_is_free(void)
{
    MemoryRegionSection section =
        memory_region_find(get_system_memory(), MALI_CSF_BASE, MALI_MMIO_SIZE);

    if (section.mr) {
        memory_region_unref(section.mr);
    }
    return !section.mr;
}

static void mali_csf_realize(DeviceState *dev, Error **errp)
{
    MaliCsf *s = MALI_CSF(dev);
    MachineState *machine = MACHINE(qdev_get_machine());
    VirtMachineState *vms;

    if (!object_dynamic_cast(OBJECT(machine), TYPE_VIRT_MACHINE)) {
        error_setg(errp, TYPE_MALI_CSF " needs -M virt");
        return;
    }
    if (!hole_is_free()) {
        error_setg(errp, "address 0x%x is taken: only one " TYPE_MALI_CSF, MALI_CSF_BASE);
        return;
    }
    vms = VIRT_MACHINE(machine);
    s->as = s->firewall ? tzc400_behind(s->firewall) : &address_space_memory;
    timer_init_ns(&s->timer, QEMU_CLOCK_VIRTUAL, deadline_passed, s);
    if (!create_core(s, errp)) {
        return;
    }
    memory_region_add_subregion(get_system_memory(), MALI_CSF_BASE, &s->mmio);
    for (int i = 0; i < MALI_IRQ_COUNT; i++) {
        qdev_connect_gpio_out_named(dev, "irq", i, qdev_get_gpio_in(vms->gic, MALI_CSF_SPI + i));
    }
    if (machine->fdt && !machine->dtb) {
        mali_fdt_add(machine->fdt, &s->fdt, MALI_CSF_BASE, MALI_CSF_SPI);
    }
    /* A device without a bus is in nobody's reset tree. */
    qemu_register_resettable(OBJECT(dev));
}

static void mali_csf_init(Object *obj)
{
    MaliCsf *s = MALI_CSF(obj);
    unsigned rows = 0;

    while (mali_fault_name(rows)) {
        rows++;
    }
    s->faults = g_new0(uint32_t, rows);
    add_table_properties(obj);
    memory_region_init_io(&s->mmio, obj, &mmio_ops, s, TYPE_MALI_CSF, MALI_MMIO_SIZE);
    qdev_init_gpio_out_named(DEVICE(obj), s->irq, "irq", MALI_IRQ_COUNT);
}

static void mali_csf_finalize(Object *obj)
{
    MaliCsf *s = MALI_CSF(obj);

    mali_free(s->gpu);
    g_free(s->faults);
    g_free(s->blob);
}

static const Property mali_csf_properties[] = {
    DEFINE_PROP_STRING("gpu", MaliCsf, model),
    DEFINE_PROP_BOOL("coherent", MaliCsf, fdt.coherent, false),
    DEFINE_PROP_UINT32("cs-ips", MaliCsf, cs_ips, 8000000),
    DEFINE_PROP_UINT32("async-ns", MaliCsf, async_ns, 200),
    DEFINE_PROP_UINT32("suspend-size", MaliCsf, suspend_size, 0),
    DEFINE_PROP_UINT32("protm-suspend-size", MaliCsf, protm_suspend_size, 0),
    DEFINE_PROP_CHR("events", MaliCsf, events),
    DEFINE_PROP_LINK("firewall", MaliCsf, firewall, TYPE_TZC400, Tzc400 *),
    DEFINE_PROP_BOOL("dt", MaliCsf, fdt.node, true),
    DEFINE_PROP_BOOL("dt-clock", MaliCsf, fdt.clock, true),
    DEFINE_PROP_BOOL("dt-opp", MaliCsf, fdt.opp, true),
    DEFINE_PROP_BOOL("dt-supplies", MaliCsf, fdt.supplies, true),
    DEFINE_PROP_BOOL("dt-mt8196", MaliCsf, fdt.mt8196, false),
};

static void mali_csf_class_init(ObjectClass *klass, MaliClassData *data)
{
    DeviceClass *dc = DEVICE_CLASS(klass);

    dc->desc = "Arm Mali CSF GPU (register and firmware model, no shaders)";
    dc->realize = mali_csf_realize;
    dc->vmsd = &vmstate_mali_csf;
    dc->hotpluggable = false;
    dc->user_creatable = true;
    RESETTABLE_CLASS(klass)->phases.hold = mali_csf_hold;
    device_class_set_props(dc, mali_csf_properties);
    set_bit(DEVICE_CATEGORY_MISC, dc->categories);
}

static const TypeInfo mali_csf_types[] = {
    {
        .name = TYPE_MALI_CSF,
        .parent = TYPE_DEVICE,
        .instance_size = sizeof(MaliCsf),
        .instance_init = mali_csf_init,
        .instance_finalize = mali_csf_finalize,
        .class_init = mali_csf_class_init,
    },
};
DEFINE_TYPES(mali_csf_types)
