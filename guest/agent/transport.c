// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE
#include "transport.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PORTS "/sys/class/virtio-ports"
/* Fallback when the kernel sends no uevents: look again this often. */
#define RESCAN_MS 200

static bool has_name(const char *port, const char *name)
{
	char path[sizeof(PORTS) + NAME_MAX + 8], text[128];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), PORTS "/%s/name", port);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return false;
	text[n] = 0;
	text[strcspn(text, "\n")] = 0;
	return !strcmp(text, name);
}

/* Opens the port; -1 when it does not exist (yet). */
static int open_named(const char *name)
{
	char path[NAME_MAX + 8];
	struct dirent *entry;
	int fd = -1;
	DIR *dir = opendir(PORTS);

	if (!dir)
		return -1;
	while (fd < 0 && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || !has_name(entry->d_name, name))
			continue;
		snprintf(path, sizeof(path), "/dev/%s", entry->d_name);
		fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	}
	closedir(dir);
	return fd;
}

static int open_uevents(void)
{
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK, .nl_groups = 1 };
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
			NETLINK_KOBJECT_UEVENT);

	if (fd >= 0 && bind(fd, (struct sockaddr *)&addr, sizeof(addr))) {
		close(fd);
		return -1;
	}
	return fd;
}

static void wait_uevent(int uevents)
{
	struct pollfd fd = { .fd = uevents, .events = POLLIN };
	char text[4096];

	poll(&fd, 1, RESCAN_MS);
	while (uevents >= 0 && recv(uevents, text, sizeof(text), 0) > 0)
		;
}

void transport_open_port(struct transport *t, const char *name)
{
	/* Listen before looking: a port that comes in between is not missed. */
	int uevents = open_uevents();

	*t = (struct transport){ .port_name = name, .listen_fd = -1, .fd = -1 };
	while ((t->fd = open_named(name)) < 0)
		wait_uevent(uevents);
	if (uevents >= 0)
		close(uevents);
	/* The port cannot be polled for "a host connects": the driver sends SIGIO for that. */
	fcntl(t->fd, F_SETOWN, getpid());
	fcntl(t->fd, F_SETFL, O_NONBLOCK | O_ASYNC);
	transport_check(t);
}

int transport_listen(struct transport *t, const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	*t = (struct transport){ .listen_fd = -1, .fd = -1 };
	if (strlen(path) >= sizeof(addr.sun_path))
		return ENAMETOOLONG;
	strcpy(addr.sun_path, path);
	t->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (t->listen_fd < 0 || bind(t->listen_fd, (struct sockaddr *)&addr, sizeof(addr)) ||
	    listen(t->listen_fd, 4))
		return errno;
	return 0;
}

size_t transport_poll_fill(const struct transport *t, struct pollfd *fd, bool sending)
{
	if (t->connected) {
		*fd = (struct pollfd){ .fd = t->fd, .events = POLLIN | (sending ? POLLOUT : 0) };
		return 1;
	}
	*fd = (struct pollfd){ .fd = t->listen_fd, .events = POLLIN };
	return t->listen_fd >= 0;
}

void transport_check(struct transport *t)
{
	struct pollfd fd = { .fd = t->fd, .events = POLLIN };

	if (t->connected)
		return;
	if (t->listen_fd >= 0) {
		t->fd = accept4(t->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		t->connected = t->fd >= 0;
		return;
	}
	/* What a host sent before it went is still to be read. */
	if (poll(&fd, 1, 0) >= 0)
		t->connected = !(fd.revents & POLLHUP) || (fd.revents & POLLIN);
}

static void lost(struct transport *t)
{
	t->connected = false;
	if (t->listen_fd >= 0) {
		close(t->fd);
		t->fd = -1;
	}
}

static void unplugged(struct transport *t)
{
	close(t->fd);
	transport_open_port(t, t->port_name);
}

ssize_t transport_read(struct transport *t, void *data, size_t len)
{
	ssize_t n = read(t->fd, data, len);

	if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
		return n;
	if (n < 0 && errno == ENODEV && t->port_name)
		unplugged(t);
	else
		lost(t);
	return 0;
}

ssize_t transport_write(struct transport *t, const void *data, size_t len)
{
	ssize_t n = t->port_name ? write(t->fd, data, len) : send(t->fd, data, len, MSG_NOSIGNAL);

	if (n < 0 && errno != EAGAIN && errno != EINTR && errno != ENOMEM)
		lost(t);
	return n;
}
