/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Header moves and renames between QEMU 10.0 and 11.x, in one place.
 *
 * 10.1: class_init takes a const pointer; memory headers move to system/.
 * 10.2: CharBackend is called CharFrontend.
 * 11.0: qdev headers move to hw/core/.
 */
#ifndef HW_MALI_COMPAT_H
#define HW_MALI_COMPAT_H

#if __has_include("hw/core/irq.h")
#include "hw/core/irq.h"
#include "hw/core/boards.h"
#include "hw/core/qdev-properties.h"
#include "hw/core/qdev-properties-system.h"
#else
#include "hw/irq.h"
#include "hw/boards.h"
#include "hw/qdev-properties.h"
#include "hw/qdev-properties-system.h"
#endif
#if __has_include("system/address-spaces.h")
#include "system/address-spaces.h"
#include "system/memory.h"
#else
#include "exec/address-spaces.h"
#include "exec/memory.h"
#endif
#include "chardev/char-fe.h"

#define MALI_QEMU_FROM(major, minor)                                                               \
    (QEMU_VERSION_MAJOR > (major) ||                                                               \
     (QEMU_VERSION_MAJOR == (major) && QEMU_VERSION_MINOR >= (minor)))

#if MALI_QEMU_FROM(10, 1)
typedef const void MaliClassData;
#else
typedef void MaliClassData;
#endif
#if MALI_QEMU_FROM(10, 2)
typedef CharFrontend MaliChardev;
#else
typedef CharBackend MaliChardev;
#endif

#endif
