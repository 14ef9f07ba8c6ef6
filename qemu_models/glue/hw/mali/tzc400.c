/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TZC-400: the pure core (core/tzc.c) as a QEMU device.
 *
 * Enforcement is by views. Over each restricted span lies an I/O region in system
 * memory, which makes every non-secure access of a CPU or of a device come here; the
 * secure view gets the RAM itself laid over that. Where nothing is restricted nothing
 * is mapped, so an idle firewall costs nothing. Masters that know their access id (the
 * GPU) ask before each access and see the memory behind the firewall.
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/visitor.h"
#include "qemu/cutils.h"
#include "qemu/module.h"
#include "qemu/timer.h"
#include "hw/core/cpu.h"
#include "migration/vmstate.h"
#include "system/reset.h"
#include "hw/arm/virt.h"
#include "hw/mali/tzc400.h"

#define OVER_RAM 10 /* priority of our regions; RAM has 0 */

/* ---- the core's callbacks ---- */

static uint64_t glue_now_ns(void *opaque)
{
    return qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL);
}

static void glue_set_irq(void *opaque, bool level)
{
    Tzc400 *s = opaque;

    qemu_set_irq(s->irq, level);
}

static void glue_event(void *opaque, const char *json, size_t len)
{
    Tzc400 *s = opaque;
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

static hwaddr ram_last(const Tzc400 *s)
{
    return s->ram_base + memory_region_size(s->ram) - 1;
}

static void unmap(Tzc400 *s, Tzc400Window *w)
{
    if (w->mapped) {
        memory_region_del_subregion(get_system_memory(), &w->ns);
    }
    if (w->mapped_open) {
        memory_region_del_subregion(s->secure, &w->open);
    }
    if (w->mapped_s) {
        memory_region_del_subregion(s->secure, &w->s);
    }
    w->mapped = w->mapped_open = w->mapped_s = false;
}

static void lay_over(MemoryRegion *view, MemoryRegion *mr, hwaddr base, uint64_t size)
{
    memory_region_set_size(mr, size);
    memory_region_add_subregion_overlap(view, base, mr, OVER_RAM);
}

static void map(Tzc400 *s, Tzc400Window *w, const TzcSpan *span)
{
    uint64_t size = span->last - span->base + 1;

    w->base = span->base;
    lay_over(get_system_memory(), &w->ns, span->base, size);
    w->mapped = true;
    if (!s->secure) {
        return;
    }
    if (span->secure == TZC_PERM_RW) {
        memory_region_set_alias_offset(&w->open, span->base - s->ram_base);
        lay_over(s->secure, &w->open, span->base, size);
        w->mapped_open = true;
    } else {
        lay_over(s->secure, &w->s, span->base, size);
        w->mapped_s = true;
    }
}

/* One transaction: CPUs see the old views or the new ones, and drop what they cached. */
static void glue_changed(void *opaque)
{
    Tzc400 *s = opaque;
    TzcSpan spans[TZC_MAX_SPANS];
    unsigned count = s->enforce ? tzc_spans(&s->core, s->ram_base, ram_last(s), spans) : 0;

    memory_region_transaction_begin();
    for (unsigned i = 0; i < TZC_MAX_SPANS; i++) {
        unmap(s, &s->window[i]);
    }
    for (unsigned i = 0; i < count; i++) {
        map(s, &s->window[i], &spans[i]);
    }
    memory_region_transaction_commit();
}

static const TzcOps glue_ops = {
    .now_ns = glue_now_ns,
    .set_irq = glue_set_irq,
    .changed = glue_changed,
    .event = glue_event,
};

/* ---- accesses in a restricted span ---- */

/*
 * Who it is. TCG leaves no mark of an instruction fetch in the attributes, but it has no
 * host return address then: translation is not called from generated code.
 */
static TzcAccess describe(hwaddr addr, unsigned size, bool write, MemTxAttrs attrs)
{
    bool by_cpu = current_cpu && !attrs.unspecified;

    return (TzcAccess){
        .master = by_cpu ? "cpu" : "other",
        .cpu = by_cpu ? current_cpu->cpu_index : -1,
        .addr = addr,
        .size = size,
        .kind = write                               ? TZC_WRITE
                : by_cpu && !current_cpu->mem_io_pc ? TZC_EXEC
                                                    : TZC_READ,
        .secure = attrs.secure,
        .privileged = !attrs.user,
        .nsaid = TZC_NSAID_CPU,
    };
}

static MemTxResult denied(Tzc400 *s)
{
    return tzc_denial_is_error(&s->core) ? MEMTX_ERROR : MEMTX_OK;
}

static MemTxResult window_read(void *opaque, hwaddr offset, uint64_t *data, unsigned size,
                               MemTxAttrs attrs)
{
    Tzc400Window *w = opaque;
    hwaddr addr = w->base + offset;
    TzcAccess access = describe(addr, size, false, attrs);
    uint8_t buf[8];
    MemTxResult result;

    *data = 0;
    if (!tzc_check(&w->owner->core, &access)) {
        return denied(w->owner);
    }
    result = address_space_read(&w->owner->behind_as, addr, attrs, buf, size);
    *data = ldn_le_p(buf, size);
    return result;
}

static MemTxResult window_write(void *opaque, hwaddr offset, uint64_t data, unsigned size,
                                MemTxAttrs attrs)
{
    Tzc400Window *w = opaque;
    hwaddr addr = w->base + offset;
    TzcAccess access = describe(addr, size, true, attrs);
    uint8_t buf[8];

    if (!tzc_check(&w->owner->core, &access)) {
        return denied(w->owner);
    }
    stn_le_p(buf, size, data);
    return address_space_write(&w->owner->behind_as, addr, attrs, buf, size);
}

static const MemoryRegionOps window_ops = {
    .read_with_attrs = window_read,
    .write_with_attrs = window_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 1, .max_access_size = 8, .unaligned = true },
    .impl = { .min_access_size = 1, .max_access_size = 8, .unaligned = true },
};

AddressSpace *tzc400_behind(Tzc400 *s)
{
    return &s->behind_as;
}

bool tzc400_pass(Tzc400 *s, const char *master, unsigned nsaid, hwaddr addr, hwaddr len, bool write)
{
    const TzcAccess access = {
        .master = master,
        .cpu = -1,
        .addr = addr,
        .size = len,
        .kind = write ? TZC_WRITE : TZC_READ,
        .privileged = true,
        .nsaid = nsaid,
    };

    /* Devices and holes of the map have no firewall in front of them. */
    return !s->enforce || addr < s->ram_base || addr > ram_last(s) || tzc_check(&s->core, &access);
}

/* ---- registers ---- */

static uint64_t mmio_read(void *opaque, hwaddr offset, unsigned size)
{
    Tzc400 *s = opaque;

    return tzc_mmio_read(&s->core, offset);
}

static void mmio_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    Tzc400 *s = opaque;

    tzc_mmio_write(&s->core, offset, value);
}

/* Registers are words, but drivers read the ids, which have a byte each, as bytes. */
static bool mmio_accepts(void *opaque, hwaddr offset, unsigned size, bool is_write,
                         MemTxAttrs attrs)
{
    return size == 4 || (!is_write && size == 1 && offset >= TZC_MMIO_IDS);
}

static const MemoryRegionOps mmio_ops = {
    .read = mmio_read,
    .write = mmio_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 1, .max_access_size = 4, .accepts = mmio_accepts },
    .impl = { .min_access_size = 4, .max_access_size = 4 },
};

/* ---- properties ---- */

typedef const char *Program(Tzc *t, uint64_t base, uint64_t size);

/* "BASE+SIZE", each as C writes numbers. */
static void program(Object *obj, const char *value, Program *what, Error **errp)
{
    Tzc400 *s = TZC400(obj);
    uint64_t base, size;
    const char *end, *why;

    if (qemu_strtou64(value, &end, 0, &base) || *end != '+' ||
        qemu_strtou64(end + 1, NULL, 0, &size)) {
        error_setg(errp, "'%s' is not BASE+SIZE", value);
        return;
    }
    if (!s->ram) {
        error_setg(errp, "memory is protected while the machine runs, by qom-set");
        return;
    }
    why = what(&s->core, base, size);
    if (why) {
        error_setg(errp, "%s: %s", value, why);
    }
}

static void protect_set(Object *obj, const char *value, Error **errp)
{
    program(obj, value, tzc_protect, errp);
}

static void unprotect_set(Object *obj, const char *value, Error **errp)
{
    program(obj, value, tzc_unprotect, errp);
}

static void denials_get(Object *obj, Visitor *v, const char *name, void *opaque, Error **errp)
{
    visit_type_uint64(v, name, &TZC400(obj)->core.s.denials, errp);
}

static void regions_get(Object *obj, Visitor *v, const char *name, void *opaque, Error **errp)
{
    uint64_t count = tzc_active_regions(&TZC400(obj)->core);

    visit_type_uint64(v, name, &count, errp);
}

/* ---- reset and migration ---- */

static void tzc400_hold(Object *obj, ResetType type)
{
    tzc_reset(&TZC400(obj)->core);
}

static int tzc400_post_load(void *opaque, int version)
{
    Tzc400 *s = opaque;

    tzc_loaded(&s->core);
    return 0;
}

static const VMStateDescription vmstate_region = {
    .name = TYPE_TZC400 "/region",
    .version_id = 1,
    .minimum_version_id = 1,
    .fields =
        (const VMStateField[]){ VMSTATE_UINT64(base, TzcRegion), VMSTATE_UINT64(top, TzcRegion),
                                VMSTATE_UINT32(attr, TzcRegion),
                                VMSTATE_UINT32(id_access, TzcRegion), VMSTATE_END_OF_LIST() },
};

static const VMStateDescription vmstate_tzc400 = {
    .name = TYPE_TZC400,
    .version_id = 1,
    .minimum_version_id = 1,
    .post_load = tzc400_post_load,
    .fields =
        (const VMStateField[]){
            VMSTATE_UINT32(core.s.action, Tzc400), VMSTATE_UINT32(core.s.gates, Tzc400),
            VMSTATE_UINT32(core.s.speculation, Tzc400), VMSTATE_UINT32(core.s.int_status, Tzc400),
            VMSTATE_UINT32(core.s.fail_control, Tzc400), VMSTATE_UINT32(core.s.fail_id, Tzc400),
            VMSTATE_UINT64(core.s.fail_addr, Tzc400),
            VMSTATE_STRUCT_ARRAY(core.s.region, Tzc400, TZC_REGIONS, 1, vmstate_region, TzcRegion),
            VMSTATE_UINT64(core.s.denials, Tzc400), VMSTATE_UINT64(core.s.seq, Tzc400),
            VMSTATE_UINT64(core.s.window_ns, Tzc400), VMSTATE_UINT32(core.s.window_events, Tzc400),
            VMSTATE_UINT32(core.s.unlogged, Tzc400), VMSTATE_END_OF_LIST() },
};

/* ---- life ---- */

static void create_windows(Tzc400 *s)
{
    for (unsigned i = 0; i < TZC_MAX_SPANS; i++) {
        Tzc400Window *w = &s->window[i];

        w->owner = s;
        memory_region_init_io(&w->ns, OBJECT(s), &window_ops, w, "tzc400.ns", TZC_PAGE);
        memory_region_init_io(&w->s, OBJECT(s), &window_ops, w, "tzc400.s", TZC_PAGE);
        memory_region_init_alias(&w->open, OBJECT(s), "tzc400.open", s->ram, 0, TZC_PAGE);
    }
}

/* RAM at its place, over everything else as the system has it. */
static void create_behind(Tzc400 *s)
{
    memory_region_init(&s->behind, OBJECT(s), "tzc400.behind", UINT64_MAX);
    memory_region_init_alias(&s->behind_rest, OBJECT(s), "tzc400.rest", get_system_memory(), 0,
                             UINT64_MAX);
    memory_region_init_alias(&s->behind_ram, OBJECT(s), "tzc400.ram", s->ram, 0,
                             memory_region_size(s->ram));
    memory_region_add_subregion_overlap(&s->behind, 0, &s->behind_rest, 0);
    memory_region_add_subregion_overlap(&s->behind, s->ram_base, &s->behind_ram, OVER_RAM + 1);
    address_space_init(&s->behind_as, &s->behind, "tzc400-behind");
}

static void tzc400_realize(DeviceState *dev, Error **errp)
{
    Tzc400 *s = TZC400(dev);
    MachineState *machine = MACHINE(qdev_get_machine());
    VirtMachineState *vms;

    if (!object_dynamic_cast(OBJECT(machine), TYPE_VIRT_MACHINE)) {
        error_setg(errp, TYPE_TZC400 " needs -M virt");
        return;
    }
    vms = VIRT_MACHINE(machine);
    s->ram = machine->ram;
    s->ram_base = vms->memmap[VIRT_MEM].base;
    if (vms->secure) { /* what virt gives every CPU: secure devices over system memory */
        Object *view = object_property_get_link(OBJECT(first_cpu), "secure-memory", errp);

        if (!view) {
            return;
        }
        s->secure = MEMORY_REGION(view);
        memory_region_add_subregion(s->secure, TZC400_BASE, &s->mmio);
    }
    create_windows(s);
    create_behind(s);
    s->irq = qdev_get_gpio_in(vms->gic, TZC400_SPI);
    /* A device without a bus is in nobody's reset tree. */
    qemu_register_resettable(OBJECT(dev));
}

static void tzc400_init(Object *obj)
{
    Tzc400 *s = TZC400(obj);

    tzc_init(&s->core, &glue_ops, s);
    memory_region_init_io(&s->mmio, obj, &mmio_ops, s, TYPE_TZC400, TZC_MMIO_SIZE);
    object_property_add_str(obj, "protect", NULL, protect_set);
    object_property_set_description(obj, "protect",
                                    "BASE+SIZE: close this memory to all but the secure world and "
                                    "the GPU's protected mode");
    object_property_add_str(obj, "unprotect", NULL, unprotect_set);
    object_property_set_description(obj, "unprotect", "BASE+SIZE as protected before: open it");
    object_property_add(obj, "counter-denials", "uint64", denials_get, NULL, NULL, NULL);
    object_property_add(obj, "counter-regions", "uint64", regions_get, NULL, NULL, NULL);
}

static const Property tzc400_properties[] = {
    DEFINE_PROP_CHR("events", Tzc400, events),
    /* Off: what it is told is logged and kept, and every access passes. */
    DEFINE_PROP_BOOL("enforce", Tzc400, enforce, true),
};

static void tzc400_class_init(ObjectClass *klass, MaliClassData *data)
{
    DeviceClass *dc = DEVICE_CLASS(klass);

    dc->desc = "TZC-400 address space controller in front of the RAM";
    dc->realize = tzc400_realize;
    dc->vmsd = &vmstate_tzc400;
    dc->hotpluggable = false;
    dc->user_creatable = true;
    RESETTABLE_CLASS(klass)->phases.hold = tzc400_hold;
    device_class_set_props(dc, tzc400_properties);
    set_bit(DEVICE_CATEGORY_MISC, dc->categories);
}

static const TypeInfo tzc400_types[] = {
    {
        .name = TYPE_TZC400,
        .parent = TYPE_DEVICE,
        .instance_size = sizeof(Tzc400),
        .instance_init = tzc400_init,
        .class_init = tzc400_class_init,
    },
};
DEFINE_TYPES(tzc400_types)
