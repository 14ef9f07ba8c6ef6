/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Our trusted application (firmware/ta), by the raw uAPI of /dev/tee0: no library, no
 * supplicant, because it is part of OP-TEE's image.
 */
#ifndef RIG_TEE_H
#define RIG_TEE_H

#include <stdint.h>

struct tee {
	int fd;
	uint32_t session;
};

/* Memory that the application can use. */
struct tee_memory {
	int id;
	uint64_t size;
	uint8_t *map; /* NULL: the CPU cannot map it */
};

/* What failed last, for the result line. */
extern const char *tee_step;

/* All return 0, or -1 and errno. */
int tee_open(struct tee *tee);
int tee_normal(struct tee *tee, uint64_t size, struct tee_memory *memory);
int tee_dmabuf(struct tee *tee, int dmabuf, struct tee_memory *memory);
/* Have the application copy; EIO when it refuses, with tee_refusal saying why. */
int tee_copy(struct tee *tee, const struct tee_memory *from, const struct tee_memory *to);
extern uint32_t tee_refusal;

#endif
