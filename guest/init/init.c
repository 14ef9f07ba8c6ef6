// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * /init of the rig's guest: mounts, network, services, a root shell on the
 * serial console; then process 1's duties. In C because a shell script spends
 * 0.1 s of emulated time on forking.
 *
 * Services are started again when they end: the agent (the rig's control
 * channel), dropbear (ssh) and the console's shell, which is the way in when
 * everything else is dead. No module is loaded here.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "init.h"

/* An optional program of the image, run before the guest is said to be ready. */
#define HOOK "/etc/rig/rc"
/*
 * Another one, run first of all: it mounts a disk at NEW_ROOT and puts there what this boot
 * brings along. That is the root then.
 */
#define DISK_HOOK "/etc/rig/disk"
#define NEW_ROOT  "/mnt"
/* What processes get between SIGTERM and SIGKILL at poweroff. */
#define TERM_GRACE_MS 200

struct mount_point {
	const char *source, *target, *type, *options;
	unsigned long flags;
};

static const struct mount_point mounts[] = {
	{ "proc", "/proc", "proc", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC },
	{ "sysfs", "/sys", "sysfs", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC },
	{ "devtmpfs", "/dev", "devtmpfs", "mode=0755", MS_NOSUID },
	{ "devpts", "/dev/pts", "devpts", "mode=0620,ptmxmode=0666", MS_NOSUID | MS_NOEXEC },
	{ "tmpfs", "/dev/shm", "tmpfs", "mode=1777", MS_NOSUID | MS_NODEV },
	{ "tmpfs", "/tmp", "tmpfs", "mode=1777", MS_NOSUID | MS_NODEV },
	{ "tmpfs", "/run", "tmpfs", "mode=0755", MS_NOSUID | MS_NODEV },
	{ "debugfs", "/sys/kernel/debug", "debugfs", NULL, 0 },
	{ "tracefs", "/sys/kernel/tracing", "tracefs", NULL, 0 },
	{ "configfs", "/sys/kernel/config", "configfs", NULL, 0 },
};

static volatile sig_atomic_t ending; /* the reboot(2) command that was asked for, or 0 */

int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void log_line(const char *format, ...)
{
	char line[256] = "<6>rig-init: ";
	const size_t head = strlen(line);
	int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	va_list args;

	va_start(args, format);
	vsnprintf(line + head, sizeof(line) - head - 1, format, args);
	va_end(args);
	strcat(line, "\n"); /* else the record stays open, and invisible, until the next one */
	if (fd < 0)
		return;
	if (write(fd, line, strlen(line)) < 0)
		errno = 0; /* nowhere left to say it */
	close(fd);
}

static void mount_all(void)
{
	for (size_t i = 0; i < COUNT(mounts); i++) {
		const struct mount_point *m = &mounts[i];

		mkdir(m->target, 0755);
		/* Which file systems there are is the tree's choice; a missing one is not an error.
		 */
		if (mount(m->source, m->target, m->type, m->flags, m->options))
			log_line("no %s: %s", m->type, strerror(errno));
	}
	symlink("/proc/self/fd", "/dev/fd");
}

static bool run_hook(const char *hook)
{
	int status;
	pid_t pid;

	if (access(hook, X_OK))
		return false;
	pid = fork();
	if (pid == 0) {
		child_signals();
		execl(hook, hook, (char *)NULL);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return false;
	if (status)
		log_line("%s ended with wait status %#x", hook, status);
	return !status;
}

static void root_on_disk(void)
{
	if (access(DISK_HOOK, X_OK))
		return;
	mount("devtmpfs", "/dev", "devtmpfs", MS_NOSUID, NULL);
	if (run_hook(DISK_HOOK) && !chdir(NEW_ROOT) && !mount(".", "/", NULL, MS_MOVE, NULL) &&
	    !chroot(".") && !chdir("/"))
		return;
	log_line("no root on the disk: %s", strerror(errno));
	for (;;) /* a guest of another kind than was asked for would only mislead */
		pause();
}

static void reap(void)
{
	pid_t pid;

	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
		service_ended(pid);
}

static void wait_signal(const sigset_t *set, int ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000L };
	int sig = ms < 0 ? sigwaitinfo(set, NULL) : sigtimedwait(set, NULL, &t);

	/* What busybox' poweroff, reboot and halt send to process 1. */
	if (sig == SIGUSR2)
		ending = RB_POWER_OFF;
	else if (sig == SIGTERM)
		ending = RB_AUTOBOOT;
	else if (sig == SIGUSR1)
		ending = RB_HALT_SYSTEM;
}

static _Noreturn void end(const sigset_t *set)
{
	int64_t deadline = now_ms() + TERM_GRACE_MS, left;

	kill(-1, SIGTERM);
	kill(-1, SIGHUP); /* interactive shells ignore SIGTERM */
	while ((waitpid(-1, NULL, WNOHANG) >= 0 || errno != ECHILD) &&
	       (left = deadline - now_ms()) > 0)
		wait_signal(set, (int)left);
	kill(-1, SIGKILL);
	sync();
	reboot(ending);
	for (;;)
		pause();
}

static void watch_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGCHLD);
	sigaddset(set, SIGUSR1);
	sigaddset(set, SIGUSR2);
	sigaddset(set, SIGTERM);
	sigprocmask(SIG_BLOCK, set, NULL);
	reboot(RB_DISABLE_CAD);
}

static void environment(void)
{
	clearenv();
	setenv("PATH", "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
	setenv("HOME", "/root", 1);
	setenv("USER", "root", 1);
	setenv("SHELL", "/bin/sh", 1);
	setenv("TERM", "vt102", 1);
	setenv("PS1", "rig# ", 1);
	setenv("ENV", "/etc/profile", 1);
}

int main(void)
{
	const int64_t start = now_ms();
	sigset_t set;

	umask(0022);
	environment();
	root_on_disk();
	mount_all();
	watch_signals(&set);
	sethostname("rig", 3);
	find_console();
	network();
	run_hook(HOOK);
	log_line("ready, %lld ms after exec", (long long)(now_ms() - start));
	say_on_console("rig: ready\n");
	for (;;) {
		reap();
		if (ending)
			end(&set);
		wait_signal(&set, respawn());
	}
}
