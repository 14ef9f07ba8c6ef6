/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the test clients share: output as key=value lines, explicit results,
 * and holding things until the host closes stdin.
 */
#ifndef RIG_CLIENT_H
#define RIG_CLIENT_H

#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ENOMEM and the like; never NULL. */
static inline const char *errno_name(int number)
{
	const char *name = strerrorname_np(number);

	return name ? name : "EUNKNOWN";
}

/* The last line of a client, and its exit status: what it was asked for is done. */
static inline _Noreturn void result_ok(void)
{
	puts("RESULT ok");
	exit(0);
}

/* It is not: at which step and why (an errno, or what was seen instead). */
static inline _Noreturn void result_fail(const char *step, const char *why)
{
	printf("RESULT fail step=%s why=%s\n", step, why);
	exit(1);
}

static inline _Noreturn void result_errno(const char *step)
{
	result_fail(step, errno_name(errno));
}

/* Wait until the host closes our stdin (or dies). */
static inline void hold_until_eof(void)
{
	char ignored[64];
	ssize_t n;

	fflush(stdout);
	do
		n = read(STDIN_FILENO, ignored, sizeof(ignored));
	while (n > 0 || (n < 0 && errno == EINTR));
}

/* Whether the host has closed our stdin; waits so many milliseconds for it. */
static inline bool eof_within(int ms)
{
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
	char ignored;

	return poll(&in, 1, ms) > 0 && read(STDIN_FILENO, &ignored, 1) <= 0;
}

/* A number with an optional suffix K, M or G; false when it is not one. */
static inline bool parse_size(const char *text, uint64_t *value)
{
	char *end;
	unsigned int shift;

	errno = 0;
	*value = strtoull(text, &end, 0);
	if (errno || end == text || *text == '-')
		return false;
	shift = *end == 'K' ? 10 : *end == 'M' ? 20 : *end == 'G' ? 30 : 0;
	if (shift)
		end++;
	if (*end || *value > UINT64_MAX >> shift)
		return false;
	*value <<= shift;
	return true;
}

#endif
