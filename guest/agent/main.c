// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rig-agent: does in the guest what the rig's host side asks for.
 *
 *   rig-agent [--port NAME]     virtio-serial port, default rig.agent
 *   rig-agent --socket PATH     UNIX socket (tests on the host)
 *
 * One thread, one poll loop; nothing in it waits. The protocol is in frame.h
 * (framing) and rig/guest/wire.py (requests).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "ops.h"
#include "proc.h"
#include "session.h"
#include "transport.h"

#define FIXED_FDS 2u
#define PROC_FDS  3u
/* Reads and writes on the port before the children get their turn. */
#define IO_TURNS 32

static struct transport transport;
static struct deframer deframer;

static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGIO);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

/* The pipes of children go above 2, whatever we were started with. */
static void fill_std_fds(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= 2);
	if (fd > 2)
		close(fd);
}

static void spare_from_oom(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, "-1000", 5) < 0)
		errno = 0; /* not root (tests): then it is as it is */
	close(fd);
}

/* Room for `count` pollfds; keeps the old array when memory is out. */
static size_t grow(struct pollfd **fds, size_t have, size_t count)
{
	struct pollfd *more;

	if (count <= have)
		return have;
	more = realloc(*fds, 2 * count * sizeof(**fds));
	if (!more)
		return have;
	*fds = more;
	return 2 * count;
}

static void drain_signals(int signals)
{
	struct signalfd_siginfo info[8];

	while (read(signals, info, sizeof(info)) > 0)
		;
}

static void receive(void)
{
	static uint8_t chunk[65536];

	for (int turn = 0; transport.connected && turn < IO_TURNS; turn++) {
		ssize_t n = transport_read(&transport, chunk, sizeof(chunk));

		/*
		 * The end of a connection means nothing: the port reports it out of
		 * order, even after the next host's first bytes. A HELLO says all.
		 */
		if (n <= 0)
			return;
		deframer_feed(&deframer, chunk, (size_t)n, handle_frame, NULL);
	}
}

static void transmit(void)
{
	for (int turn = 0; transport.connected && buf_left(&outgoing) && turn < IO_TURNS; turn++) {
		ssize_t n = transport_write(&transport, buf_head(&outgoing), buf_left(&outgoing));

		if (n < 0)
			return;
		buf_consume(&outgoing, (size_t)n);
	}
}

static int poll_timeout(void)
{
	const int64_t deadline = procs_deadline();
	int64_t left;

	if (deadline == NO_DEADLINE)
		return -1;
	left = deadline - now_ms();
	return left < 0 ? 0 : left > 60000 ? 60000 : (int)left;
}

static void wait_for_news(int signals)
{
	static struct pollfd *fds;
	static size_t have;
	size_t count = FIXED_FDS, used = 0;

	for (struct proc *p = procs; p; p = p->next)
		count += PROC_FDS;
	have = grow(&fds, have, count);
	if (have < FIXED_FDS)
		return;
	fds[used++] = (struct pollfd){ .fd = signals, .events = POLLIN };
	used += transport_poll_fill(&transport, &fds[used], buf_left(&outgoing) > 0);
	for (struct proc *p = procs; p && used + PROC_FDS <= have; p = p->next)
		used += proc_poll_fill(p, &fds[used]);
	poll(fds, used, poll_timeout());
}

static _Noreturn void serve(int signals)
{
	for (;;) {
		wait_for_news(signals);
		drain_signals(signals);
		transport_check(&transport);
		receive();
		for (struct proc *p = procs; p; p = p->next)
			proc_pump(p);
		procs_reap();
		procs_tick();
		transmit();
	}
}

static void usage(void)
{
	fputs("usage: rig-agent [--port NAME | --socket PATH]\n", stderr);
	exit(2);
}

int main(int argc, char **argv)
{
	int signals, failure;

	fill_std_fds();
	signals = open_signals();
	if (signals < 0) {
		perror("rig-agent: signalfd");
		return 1;
	}
	spare_from_oom();
	if (argc == 3 && !strcmp(argv[1], "--socket")) {
		failure = transport_listen(&transport, argv[2]);
		if (failure) {
			fprintf(stderr, "rig-agent: %s: %s\n", argv[2], strerror(failure));
			return 1;
		}
	} else if (argc == 1 || (argc == 3 && !strcmp(argv[1], "--port"))) {
		transport_open_port(&transport, argc == 3 ? argv[2] : "rig.agent");
	} else {
		usage();
	}
	serve(signals);
}
