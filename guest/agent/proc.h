/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Child processes of the agent: programs, and the file operations, which also
 * run in a child because a read or write in sysfs may never come back.
 */
#ifndef RIG_AGENT_PROC_H
#define RIG_AGENT_PROC_H

#include <poll.h>
#include <sys/types.h>

#include "buf.h"

/* Collected output, each stream; what comes after that is dropped and marked. */
#define STREAM_MAX  (16u << 20)
#define NO_DEADLINE INT64_MAX

enum proc_state {
	PROC_RUNNING = 0,
	PROC_EXITED = 1,   /* code: exit status */
	PROC_SIGNALED = 2, /* code: signal number */
	PROC_FAILED = 3,   /* code: errno; it never ran, or the file operation failed */
	PROC_STUCK = 4,	   /* killed at its timeout, but does not die (D state) */
};

/* Flags of a report. */
enum {
	REPORT_STDOUT_CUT = 1,
	REPORT_STDERR_CUT = 2,
	REPORT_TIMED_OUT = 4,
};

enum waiter_kind { WAIT_NONE, WAIT_EXIT, WAIT_OUTPUT };

/* Who waits for a process; at most one request at a time. */
struct waiter {
	enum waiter_kind kind;
	uint32_t request; /* id of the request to answer */
	uint16_t op;
	int64_t deadline;	     /* ms, monotonic */
	uint64_t out_seen, err_seen; /* bytes that the host has already */
};

struct stream {
	int fd;
	struct buf data;
	bool cut;
};

struct proc {
	struct proc *next;
	uint32_t id;
	pid_t pid; /* also its process group; 0 once it is reaped */
	char *name;
	bool foreground; /* run, put, get: freed with the reply, killed when the host goes */
	bool killed;	 /* its timeout has passed and SIGKILL was sent */
	enum proc_state state;
	int code;
	int fail_fd; /* the child writes an errno here when it cannot do its work */
	int in_fd;
	struct buf in; /* bytes still to be written to stdin */
	bool in_close; /* close stdin when `in` is empty */
	struct stream out, err;
	struct waiter waiter;
};

/* What the child does instead of an exec; returns 0 or an errno. fd 1 is its stdout. */
typedef int proc_work(void *arg);

extern struct proc *procs;

int64_t now_ms(void);
/* Close it unless it is -1; it is -1 then. */
void close_fd(int *fd);

/*
 * Start a child with piped stdio in its own session. Either argv (with `env`
 * added to the environment) or `work` is used. Returns NULL and sets errno.
 */
struct proc *proc_start(char **argv, char **env, proc_work *work, void *arg);
struct proc *proc_find(uint32_t id);
void proc_free(struct proc *p);
/* A signal to the whole group; returns 0 or an errno. */
int proc_signal(struct proc *p, int sig);
void proc_close_stdin(struct proc *p);

/* How many pollfds this process wants, and putting them there. */
size_t proc_poll_fill(struct proc *p, struct pollfd *fds);
/* Move bytes between the pipes and the buffers, as far as that goes without waiting. */
void proc_pump(struct proc *p);
/* Collect exit statuses of all children, ours and adopted ones. */
void procs_reap(void);
/* What a reply says of a process: state, code, flags, totals, output from the offsets on. */
void proc_report(const struct proc *p, bool timed_out, uint64_t out_from, uint64_t err_from,
		 struct buf *body);

#endif
