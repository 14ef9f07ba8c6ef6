/* SPDX-License-Identifier: BSD-2-Clause */
/* Properties of the trusted application, for OP-TEE's TA header. */
#ifndef USER_TA_HEADER_DEFINES_H
#define USER_TA_HEADER_DEFINES_H

#define TA_UUID                                                                                    \
	{                                                                                          \
		0x7f1c0b52, 0x36d4, 0x4f0e,                                                        \
		{                                                                                  \
			0x9a, 0x86, 0x2c, 0x53, 0xa1, 0xd4, 0xe9, 0xb7                             \
		}                                                                                  \
	}
/* Protected memory may be its parameter only with SECURE_DATA_PATH. */
#define TA_FLAGS       (TA_FLAG_SECURE_DATA_PATH | TA_FLAG_MULTI_SESSION)
#define TA_STACK_SIZE  (4 * 1024)
#define TA_DATA_SIZE   (4 * 1024)
#define TA_VERSION     "1.0"
#define TA_DESCRIPTION "panthor-rig: copies between protected and normal memory"

#endif
