// SPDX-License-Identifier: GPL-2.0-or-later
/* /dev/tee0 as our trusted application needs it (linux/tee.h is the kernel's uAPI). */
#define _GNU_SOURCE
#include "tee.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/tee.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

/* Newer than the headers we build with: a dma-buf as shared memory (Linux 6.18). */
struct shm_register_fd {
	int64_t fd;
	uint64_t size;
	uint32_t flags;
	int32_t id;
};
#define SHM_REGISTER_FD _IOWR(TEE_IOC_MAGIC, TEE_IOC_BASE + 8, struct shm_register_fd)

/* As in firmware/ta/user_ta_header_defines.h. */
static const uint8_t uuid[TEE_IOCTL_UUID_LEN] = {
	0x7f, 0x1c, 0x0b, 0x52, 0x36, 0xd4, 0x4f, 0x0e,
	0x9a, 0x86, 0x2c, 0x53, 0xa1, 0xd4, 0xe9, 0xb7,
};

const char *tee_step = "none";
uint32_t tee_refusal;

static int done(const char *step, uint32_t refusal)
{
	tee_step = step;
	tee_refusal = refusal;
	if (!refusal)
		return 0;
	errno = EIO;
	return -1;
}

int tee_open(struct tee *tee)
{
	struct tee_ioctl_open_session_arg arg = { .clnt_login = TEE_IOCTL_LOGIN_PUBLIC };
	struct tee_ioctl_buf_data buf = { .buf_ptr = (uintptr_t)&arg, .buf_len = sizeof(arg) };

	tee_step = "tee_open";
	memcpy(arg.uuid, uuid, sizeof(uuid));
	tee->fd = open("/dev/tee0", O_RDWR | O_CLOEXEC);
	if (tee->fd < 0 || ioctl(tee->fd, TEE_IOC_OPEN_SESSION, &buf))
		return -1;
	tee->session = arg.session;
	return done("tee_session", arg.ret);
}

int tee_normal(struct tee *tee, uint64_t size, struct tee_memory *memory)
{
	struct tee_ioctl_shm_alloc_data arg = { .size = size };
	int fd;

	tee_step = "tee_shm_alloc";
	fd = ioctl(tee->fd, TEE_IOC_SHM_ALLOC, &arg);
	if (fd < 0)
		return -1;
	memory->id = arg.id;
	memory->size = size;
	memory->map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return memory->map == MAP_FAILED ? -1 : 0;
}

int tee_dmabuf(struct tee *tee, int dmabuf, struct tee_memory *memory)
{
	struct shm_register_fd arg = { .fd = dmabuf };

	tee_step = "tee_shm_register_fd";
	if (ioctl(tee->fd, SHM_REGISTER_FD, &arg) < 0)
		return -1;
	*memory = (struct tee_memory){ .id = arg.id, .size = arg.size };
	return 0;
}

static void parameter(struct tee_ioctl_param *p, uint64_t type, const struct tee_memory *memory)
{
	p->attr = type;
	p->a = 0;
	p->b = memory->size;
	p->c = (uint64_t)memory->id;
}

int tee_copy(struct tee *tee, const struct tee_memory *from, const struct tee_memory *to)
{
	struct {
		struct tee_ioctl_invoke_arg arg;
		struct tee_ioctl_param params[4];
	} call = { .arg = { .session = tee->session, .num_params = 4 } };
	struct tee_ioctl_buf_data buf = { .buf_ptr = (uintptr_t)&call, .buf_len = sizeof(call) };

	tee_step = "tee_invoke";
	parameter(&call.params[0], TEE_IOCTL_PARAM_ATTR_TYPE_MEMREF_INPUT, from);
	parameter(&call.params[1], TEE_IOCTL_PARAM_ATTR_TYPE_MEMREF_OUTPUT, to);
	if (ioctl(tee->fd, TEE_IOC_INVOKE, &buf))
		return -1;
	return done("tee_copy", call.arg.ret);
}
