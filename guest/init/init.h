/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RIG_INIT_H
#define RIG_INIT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* ms, monotonic */
int64_t now_ms(void);
/* A line in the kernel's log, below what a quiet console shows. */
__attribute__((format(printf, 1, 2))) void log_line(const char *format, ...);

/* Loopback, and eth0 with the fixed address of QEMU's user network. */
void network(void);

/* Find the tty behind /dev/console, which cannot be a controlling terminal itself. */
void find_console(void);
void say_on_console(const char *line);

/* Undo in a child what process 1 did to its signals. */
void child_signals(void);
/* Start services that do not run, the agent first; returns ms until the next one is due, or -1. */
int respawn(void);
/* A child has ended: if it was a service, respawn() will start it again. */
void service_ended(pid_t pid);

#endif
