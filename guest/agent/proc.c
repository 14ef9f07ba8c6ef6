// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE
#include "proc.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Output of one reply, each stream; the host asks again for the rest. */
#define REPLY_STREAM_MAX STREAM_MAX
/* Reads from one pipe before the others get their turn (a child may write for ever). */
#define PUMP_TURNS 32

struct proc *procs;

enum { IN, OUT, ERR, FAIL, PIPES };

int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static int open_pipes(int pipes[PIPES][2])
{
	for (int i = 0; i < PIPES; i++)
		pipes[i][0] = pipes[i][1] = -1;
	for (int i = 0; i < PIPES; i++)
		if (pipe2(pipes[i], O_CLOEXEC))
			return -1;
	return 0;
}

static void close_pipes(int pipes[PIPES][2])
{
	for (int i = 0; i < PIPES; i++) {
		close_fd(&pipes[i][0]);
		close_fd(&pipes[i][1]);
	}
}

/* The agent itself is not to be chosen by the OOM killer; its children are fair game. */
static void default_oom_score(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, "0", 1) < 0)
		errno = 0; /* no such knob: nothing to undo either */
	close(fd);
}

static void reset_signals(void)
{
	sigset_t none;

	signal(SIGPIPE, SIG_DFL); /* the only one we ignore */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void child_main(int pipes[PIPES][2], char **argv, char **env, proc_work *work, void *arg)
{
	int failure;

	setsid();
	reset_signals();
	default_oom_score();
	/* The agent was started with fds 0 to 2 open, so the pipes are all above. */
	dup2(pipes[IN][0], STDIN_FILENO);
	dup2(pipes[OUT][1], STDOUT_FILENO);
	dup2(pipes[ERR][1], STDERR_FILENO);
	if (work) {
		failure = work(arg);
	} else {
		for (; env && *env; env++)
			putenv(*env);
		execvp(argv[0], argv);
		failure = errno;
	}
	if (failure && write(pipes[FAIL][1], &failure, sizeof(failure)) < 0)
		_exit(126);
	_exit(failure ? 127 : 0);
}

static struct proc *proc_new(const char *name)
{
	static uint32_t last_id;
	struct proc *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->name = strdup(name);
	if (!p->name) {
		free(p);
		return NULL;
	}
	p->id = ++last_id;
	p->in_fd = p->out.fd = p->err.fd = p->fail_fd = -1;
	return p;
}

static int take_end(int pipes[PIPES][2], int which, int end)
{
	int fd = pipes[which][end];

	pipes[which][end] = -1;
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

struct proc *proc_start(char **argv, char **env, proc_work *work, void *arg)
{
	struct proc *p = proc_new(argv[0]);
	int pipes[PIPES][2], failure;

	if (!p)
		return NULL;
	if (open_pipes(pipes) || (p->pid = fork()) < 0) {
		failure = errno;
		close_pipes(pipes);
		free(p->name);
		free(p);
		errno = failure;
		return NULL;
	}
	if (p->pid == 0)
		child_main(pipes, argv, env, work, arg);
	p->in_fd = take_end(pipes, IN, 1);
	p->out.fd = take_end(pipes, OUT, 0);
	p->err.fd = take_end(pipes, ERR, 0);
	p->fail_fd = take_end(pipes, FAIL, 0);
	close_pipes(pipes);
	p->next = procs;
	procs = p;
	return p;
}

struct proc *proc_find(uint32_t id)
{
	for (struct proc *p = procs; p; p = p->next)
		if (p->id == id)
			return p;
	return NULL;
}

static void close_all(struct proc *p)
{
	close_fd(&p->in_fd);
	close_fd(&p->out.fd);
	close_fd(&p->err.fd);
	close_fd(&p->fail_fd);
}

void proc_free(struct proc *p)
{
	struct proc **at = &procs;

	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	close_all(p);
	buf_free(&p->in);
	buf_free(&p->out.data);
	buf_free(&p->err.data);
	free(p->name);
	free(p);
}

int proc_signal(struct proc *p, int sig)
{
	if (!p->pid)
		return ESRCH;
	/* The group does not exist before the child's setsid(). */
	if (!kill(-p->pid, sig) || (errno == ESRCH && !kill(p->pid, sig)))
		return 0;
	return errno;
}

void proc_close_stdin(struct proc *p)
{
	p->in_close = true;
	if (!buf_left(&p->in))
		close_fd(&p->in_fd);
}

size_t proc_poll_fill(struct proc *p, struct pollfd *fds)
{
	size_t n = 0;

	if (p->in_fd >= 0 && buf_left(&p->in))
		fds[n++] = (struct pollfd){ .fd = p->in_fd, .events = POLLOUT };
	if (p->out.fd >= 0)
		fds[n++] = (struct pollfd){ .fd = p->out.fd, .events = POLLIN };
	if (p->err.fd >= 0)
		fds[n++] = (struct pollfd){ .fd = p->err.fd, .events = POLLIN };
	return n;
}

static void pump_in(struct proc *p)
{
	while (p->in_fd >= 0 && buf_left(&p->in)) {
		ssize_t n = write(p->in_fd, buf_head(&p->in), buf_left(&p->in));

		if (n > 0) {
			buf_consume(&p->in, (size_t)n);
		} else if (errno != EINTR) {
			if (errno == EAGAIN)
				return;
			buf_clear(&p->in); /* EPIPE: nobody reads it */
			close_fd(&p->in_fd);
		}
	}
	if (p->in_close)
		close_fd(&p->in_fd);
}

static void keep_output(struct stream *s, const uint8_t *data, size_t len)
{
	size_t room = STREAM_MAX - s->data.len;

	if (len > room) {
		len = room;
		s->cut = true;
	}
	buf_add(&s->data, data, len);
	if (s->data.failed) {
		s->data.failed = false;
		s->cut = true;
	}
}

static void pump_out(struct stream *s)
{
	static uint8_t chunk[65536];

	for (int turn = 0; s->fd >= 0 && turn < PUMP_TURNS; turn++) {
		ssize_t n = read(s->fd, chunk, sizeof(chunk));

		if (n > 0)
			keep_output(s, chunk, (size_t)n);
		else if (n < 0 && errno == EINTR)
			continue;
		else if (n < 0 && errno == EAGAIN)
			return;
		else
			close_fd(&s->fd);
	}
}

void proc_pump(struct proc *p)
{
	pump_in(p);
	pump_out(&p->out);
	pump_out(&p->err);
}

static void proc_exited(struct proc *p, int status)
{
	int failure;

	p->pid = 0;
	if (WIFSIGNALED(status)) {
		p->state = PROC_SIGNALED;
		p->code = WTERMSIG(status);
	} else {
		p->state = PROC_EXITED;
		p->code = WEXITSTATUS(status);
	}
	if (read(p->fail_fd, &failure, sizeof(failure)) == sizeof(failure)) {
		p->state = PROC_FAILED;
		p->code = failure;
	}
	/* A daemon it left behind may keep the pipes open: what is there now is the output. */
	proc_pump(p);
	close_all(p);
}

void procs_reap(void)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (struct proc *p = procs; p; p = p->next)
			if (p->pid == pid) {
				proc_exited(p, status);
				break;
			}
}

static void report_stream(const struct stream *s, uint64_t from, struct buf *body)
{
	size_t left = from < s->data.len ? s->data.len - (size_t)from : 0;

	if (left > REPLY_STREAM_MAX)
		left = REPLY_STREAM_MAX;
	buf_bytes(body, left ? s->data.data + from : NULL, left);
}

void proc_report(const struct proc *p, bool timed_out, uint64_t out_from, uint64_t err_from,
		 struct buf *body)
{
	uint8_t flags = timed_out ? REPORT_TIMED_OUT : 0;

	if (p->out.cut)
		flags |= REPORT_STDOUT_CUT;
	if (p->err.cut)
		flags |= REPORT_STDERR_CUT;
	buf_u8(body, (uint8_t)p->state);
	buf_u8(body, flags);
	buf_u32(body, (uint32_t)p->code);
	report_stream(&p->out, out_from, body);
	report_stream(&p->err, err_from, body);
}
