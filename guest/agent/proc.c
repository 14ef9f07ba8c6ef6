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

struct proc *procs;

enum { IN, OUT, ERR, FAIL, PIPES };

int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void close_fd(int *fd)
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
