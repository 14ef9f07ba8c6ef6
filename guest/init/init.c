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
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <net/route.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

/* QEMU's user network: the guest's address and the gateway are always these. */
#define GUEST_ADDRESS "10.0.2.15"
#define GUEST_NETMASK "255.255.255.0"
#define GUEST_GATEWAY "10.0.2.2"
/* An optional program of the image, run before the guest is said to be ready. */
#define HOOK "/etc/rig/rc"
/* A service that ends sooner than this after its start waits this long for the next one. */
#define RESPAWN_MS 1000
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

struct service {
	char *const *argv;
	const char *log; /* stdout and stderr; NULL: the console, as its controlling terminal */
	pid_t pid;
	int64_t started; /* ms */
};

static char *const agent_argv[] = { "/usr/sbin/rig-agent", NULL };
static char *const dropbear_argv[] = { "/usr/sbin/dropbear", "-F", "-E", "-s", "-j", "-k",
				       "-r", "/etc/dropbear/host_ed25519", "-p", "22", NULL };
static char *const shell_argv[] = { "-sh", NULL };

static struct service services[] = {
	{ .argv = agent_argv, .log = "/run/agent.log" },
	{ .argv = dropbear_argv, .log = "/run/dropbear.log" },
	{ .argv = shell_argv },
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static char console[64] = "/dev/console";
static volatile sig_atomic_t ending; /* the reboot(2) command that was asked for, or 0 */

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* A line in the kernel's log, below what a quiet console shows. */
static void log_line(const char *format, ...)
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
		/* Which file systems there are is the tree's choice; a missing one is not an error. */
		if (mount(m->source, m->target, m->type, m->flags, m->options))
			log_line("no %s: %s", m->type, strerror(errno));
	}
	symlink("/proc/self/fd", "/dev/fd");
}

static bool set_address(int sock, struct ifreq *ifr, unsigned long request, const char *text)
{
	struct sockaddr_in *in = (struct sockaddr_in *)&ifr->ifr_addr;

	memset(in, 0, sizeof(*in));
	in->sin_family = AF_INET;
	inet_pton(AF_INET, text, &in->sin_addr);
	return !ioctl(sock, request, ifr);
}

static bool link_up(int sock, const char *name)
{
	struct ifreq ifr = { 0 };

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	if (ioctl(sock, SIOCGIFFLAGS, &ifr))
		return false;
	ifr.ifr_flags |= IFF_UP;
	return !ioctl(sock, SIOCSIFFLAGS, &ifr);
}

static bool default_route(int sock, const char *gateway)
{
	struct rtentry route = { .rt_flags = RTF_UP | RTF_GATEWAY };
	struct sockaddr_in gw = { .sin_family = AF_INET };
	const struct sockaddr_in any = { .sin_family = AF_INET };

	inet_pton(AF_INET, gateway, &gw.sin_addr);
	memcpy(&route.rt_gateway, &gw, sizeof(gw));
	memcpy(&route.rt_dst, &any, sizeof(any));
	memcpy(&route.rt_genmask, &any, sizeof(any));
	return !ioctl(sock, SIOCADDRT, &route);
}

static void network(void)
{
	struct ifreq ifr = { .ifr_name = "eth0" };
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (sock < 0 || !link_up(sock, "lo"))
		log_line("no loopback: %s", strerror(errno));
	if (sock < 0)
		return;
	if (!set_address(sock, &ifr, SIOCSIFADDR, GUEST_ADDRESS) ||
	    !set_address(sock, &ifr, SIOCSIFNETMASK, GUEST_NETMASK) || !link_up(sock, "eth0") ||
	    !default_route(sock, GUEST_GATEWAY))
		log_line("no network: %s", strerror(errno));
	close(sock);
}

/* The last console that the kernel lists is the one of /dev/console. */
static void find_console(void)
{
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

static void say_on_console(const char *line)
{
	int fd = open(console, O_WRONLY | O_NOCTTY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, line, strlen(line)) < 0)
		log_line("console %s: %s", console, strerror(errno));
	close(fd);
}

static void child_signals(void)
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

static void run_hook(void)
{
	int status;
	pid_t pid;

	if (access(HOOK, X_OK))
		return;
	pid = fork();
	if (pid == 0) {
		child_signals();
		execl(HOOK, HOOK, (char *)NULL);
		_exit(127);
	}
	if (pid > 0 && waitpid(pid, &status, 0) == pid && status)
		log_line(HOOK " ended with wait status %#x", status);
}

/* Start services that ended; returns ms until the next one is due, or -1. */
static int respawn(void)
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

static void reap(void)
{
	pid_t pid;

	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
		for (size_t i = 0; i < COUNT(services); i++)
			if (services[i].pid == pid)
				services[i].pid = 0;
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
	mount_all();
	watch_signals(&set);
	environment();
	sethostname("rig", 3);
	find_console();
	service_start(&services[0]); /* the agent first: it is what the rig waits for */
	network();
	run_hook();
	log_line("ready, %lld ms after exec", (long long)(now_ms() - start));
	say_on_console("rig: ready\n");
	for (;;) {
		reap();
		if (ending)
			end(&set);
		wait_signal(&set, respawn());
	}
}
