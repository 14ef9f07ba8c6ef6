// SPDX-License-Identifier: GPL-2.0-or-later
/* The console, and what runs all the time: agent, ssh, the console's shell. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "init.h"

/* A service that ends sooner than this after its start waits this long for the next one. */
#define RESPAWN_MS 1000

struct service {
	char *const *argv;
	const char *log; /* stdout and stderr; NULL: the console, as its controlling terminal */
	pid_t pid;
	int64_t started; /* ms */
};

static char *const agent_argv[] = { "/usr/sbin/rig-agent", NULL };
static char *const dropbear_argv[] = {
	"/usr/sbin/dropbear",	      "-F", "-E", "-s", "-j", "-k", "-r",
	"/etc/dropbear/host_ed25519", "-p", "22", NULL
};
static char *const shell_argv[] = { "-sh", NULL };

static struct service services[] = {
	{ .argv = agent_argv, .log = "/run/agent.log" },
	{ .argv = dropbear_argv, .log = "/run/dropbear.log" },
	{ .argv = shell_argv },
};

static char console[64] = "/dev/console";

void find_console(void)
{
	/* The last one that the kernel lists is the one of /dev/console. */
	char names[48];
	int fd = open("/sys/class/tty/console/active", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, names, sizeof(names) - 1);
	char *last;

	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return;
	names[n] = 0;
	names[strcspn(names, "\n")] = 0;
	last = strrchr(names, ' ');
	snprintf(console, sizeof(console), "/dev/%s", last ? last + 1 : names);
	if (access(console, R_OK | W_OK))
		strcpy(console, "/dev/console");
}

void say_on_console(const char *line)
{
	int fd = open(console, O_WRONLY | O_NOCTTY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, line, strlen(line)) < 0)
		log_line("console %s: %s", console, strerror(errno));
	close(fd);
}

void child_signals(void)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void onto_fds(int in, int out)
{
	dup2(in, 0);
	dup2(out, 1);
	dup2(out, 2);
}

static _Noreturn void service_child(const struct service *s)
{
	int in, out;

	setsid();
	child_signals();
	if (s->log) {
		in = open("/dev/null", O_RDONLY | O_CLOEXEC);
		out = open(s->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
		onto_fds(in, out);
		execv(s->argv[0], s->argv);
	} else {
		in = open(console, O_RDWR | O_CLOEXEC);
		ioctl(in, TIOCSCTTY, 1);
		tcflush(in, TCIFLUSH);
		onto_fds(in, in);
		if (chdir("/root"))
			log_line("/root: %s", strerror(errno));
		execv("/bin/sh", s->argv);
	}
	log_line("%s: %s", s->argv[0], strerror(errno));
	_exit(127);
}

static void service_start(struct service *s)
{
	s->started = now_ms();
	s->pid = fork();
	if (s->pid == 0)
		service_child(s);
	if (s->pid < 0)
		log_line("fork: %s", strerror(errno));
}

void service_ended(pid_t pid)
{
	for (size_t i = 0; i < COUNT(services); i++)
		if (services[i].pid == pid)
			services[i].pid = 0;
}

int respawn(void)
{
	const int64_t now = now_ms();
	int64_t next = -1;

	for (size_t i = 0; i < COUNT(services); i++) {
		struct service *s = &services[i];
		int64_t due = s->started + RESPAWN_MS;

		if (s->pid > 0)
			continue;
		if (!s->started || now >= due)
			service_start(s);
		else if (next < 0 || due - now < next)
			next = due - now;
	}
	return (int)next;
}
