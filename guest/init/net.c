// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <net/route.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "init.h"

/* QEMU's user network: the guest's address and the gateway are always these. */
#define GUEST_ADDRESS "10.0.2.15"
#define GUEST_NETMASK "255.255.255.0"
#define GUEST_GATEWAY "10.0.2.2"

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

void network(void)
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
