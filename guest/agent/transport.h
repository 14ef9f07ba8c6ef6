/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The byte stream to the host: a virtio-serial port, or a UNIX socket in tests. */
#ifndef RIG_AGENT_TRANSPORT_H
#define RIG_AGENT_TRANSPORT_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct transport {
	const char *port_name; /* of a virtio port; NULL: socket */
	int listen_fd;	       /* socket only */
	int fd;		       /* -1: nobody there */
	bool connected;	       /* a host has the other end open */
};

/* Find and open the virtio port `name`; waits until there is one. */
void transport_open_port(struct transport *t, const char *name);
/* Listen on the UNIX socket `path`; 0 or an errno. */
int transport_listen(struct transport *t, const char *path);

/* Fills at most one pollfd; returns how many. */
size_t transport_poll_fill(const struct transport *t, struct pollfd *fd, bool sending);
/* Look whether a host came. Call it after SIGIO and whenever the pollfd was ready. */
void transport_check(struct transport *t);
/* As read(2) and write(2) without waiting; -1/EAGAIN when nothing goes. */
ssize_t transport_read(struct transport *t, void *data, size_t len);
ssize_t transport_write(struct transport *t, const void *data, size_t len);

#endif
