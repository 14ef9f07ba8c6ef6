// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fwfuzz: have panthor load one MCU firmware image after the other.
 *
 *   fwfuzz DEVICE IMAGES FIRMWARE
 *
 * IMAGES holds images, each behind its length (32 bits, little endian). Each is written to
 * FIRMWARE and the platform device bound; where that succeeds it is unbound again. A mark in
 * the kernel log says which image is next, for the one that ends the guest. One line an
 * image: "i=… errno=… usage=…" (the device's runtime PM count behind it). The last line is
 * "RESULT ok", or "RESULT fail step=… why=…".
 */
#include "rig_client.h"

#include <fcntl.h>

#define LARGEST (1u << 20)
#define DRIVER	"/sys/bus/platform/drivers/panthor/"

static void set_file(const char *path, const void *data, size_t size, int flags)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC | flags, 0644);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		result_errno(path);
	close(fd);
}

static int bind(const char *device)
{
	const size_t length = strlen(device);
	int fd = open(DRIVER "bind", O_WRONLY | O_CLOEXEC), error;

	if (fd < 0)
		result_errno("bind");
	error = write(fd, device, length) == (ssize_t)length ? 0 : errno;
	close(fd);
	if (!error)
		set_file(DRIVER "unbind", device, length, 0);
	return error;
}

static int pm_usage(const char *device)
{
	char file[128];
	int usage = 0;
	FILE *f;

	snprintf(file, sizeof(file), "/sys/bus/platform/devices/%s/power/runtime_usage", device);
	f = fopen(file, "re");
	if (!f || fscanf(f, "%d", &usage) != 1)
		result_errno("runtime_usage");
	fclose(f);
	return usage;
}

static void mark(unsigned int number)
{
	char text[32];
	int length = snprintf(text, sizeof(text), "fwfuzz: image %u\n", number);

	set_file("/dev/kmsg", text, (size_t)length, 0);
}

int main(int argc, char **argv)
{
	static unsigned char image[LARGEST];
	uint32_t size;
	FILE *images;

	if (argc != 4) {
		fputs("usage: fwfuzz DEVICE IMAGES FIRMWARE\n", stderr);
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0); /* an oops ends us: what was printed must be out */
	images = fopen(argv[2], "re");
	if (!images)
		result_errno(argv[2]);
	for (unsigned int i = 0; fread(&size, sizeof(size), 1, images) == 1; i++) {
		int error;

		if (size > LARGEST || fread(image, 1, size, images) != size)
			result_fail("images", "torn");
		set_file(argv[3], image, size, O_CREAT | O_TRUNC);
		mark(i);
		error = bind(argv[1]);
		printf("i=%u errno=%s usage=%d\n", i, error ? errno_name(error) : "0",
		       pm_usage(argv[1]));
	}
	result_ok();
}
