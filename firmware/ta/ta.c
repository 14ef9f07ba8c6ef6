// SPDX-License-Identifier: BSD-2-Clause
/*
 * The trusted side of the rig's tests: copies between protected and normal memory.
 *
 * It stands for an application that fills protected buffers (a decoder) and for one that
 * consumes them (a display). That it hands protected memory to whoever asks makes it a
 * test's tool and nothing else.
 */
#include <tee_internal_api.h>

/* The command copies parameter 0 to parameter 1, which must be as large at least. */
#define CMD_COPY 0

TEE_Result TA_CreateEntryPoint(void)
{
	return TEE_SUCCESS;
}

void TA_DestroyEntryPoint(void)
{
}

TEE_Result TA_OpenSessionEntryPoint(uint32_t types __unused, TEE_Param params[4] __unused,
				    void **session __unused)
{
	return TEE_SUCCESS;
}

void TA_CloseSessionEntryPoint(void *session __unused)
{
}

TEE_Result TA_InvokeCommandEntryPoint(void *session __unused, uint32_t command, uint32_t types,
				      TEE_Param params[4])
{
	const uint32_t wanted =
		TEE_PARAM_TYPES(TEE_PARAM_TYPE_MEMREF_INPUT, TEE_PARAM_TYPE_MEMREF_OUTPUT,
				TEE_PARAM_TYPE_NONE, TEE_PARAM_TYPE_NONE);

	if (command != CMD_COPY || types != wanted)
		return TEE_ERROR_BAD_PARAMETERS;
	if (params[1].memref.size < params[0].memref.size)
		return TEE_ERROR_SHORT_BUFFER;

	TEE_MemMove(params[1].memref.buffer, params[0].memref.buffer, params[0].memref.size);
	params[1].memref.size = params[0].memref.size;
	return TEE_SUCCESS;
}
