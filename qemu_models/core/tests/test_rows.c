/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Parts of the interface that no other test would miss (tests/probe.h tells which). */
#include "../mmio.h"
#include "env.h"

static Env e;

TEST(registers_without_effect_keep_what_is_written)
{
    Machine *m = mach_new("g720");

    for (unsigned i = 0; i < mali_num_regs; i++) {
        const MaliReg *r = &mali_regs[i];

        for (uint32_t off = r->first; r->kind == REG_STORE && off <= r->last; off += 4) {
            wr(m, off, off ^ 0x5a5a5a5a);
            CHECK_EQ(rd(m, off), off ^ 0x5a5a5a5a);
        }
    }
    CHECK_EQ(ev_count(m, "violation"), 0);
}

TEST(registers_of_what_is_not_there_read_zero)
{
    static const uint32_t zero[] = { GPU_PRFCNT_FEATURES,  GPU_DOORBELL_FEATURES,
                                     GPU_THREAD_TLS_ALLOC, MCU_FEATURES,
                                     GPU_STACK_PRESENT,    GPU_STACK_READY,
                                     GPU_PWRACTIVE };
    Machine *m = mach_new(NULL);

    for (unsigned i = 0; i < N_INSTR(zero); i++) {
        CHECK_EQ(rd(m, zero[i]), 0);
    }
}

TEST(every_tiling_instruction_can_lack_memory)
{
    static const struct {
        const char *gpu;
        uint64_t op;
    } each[] = { { "g610", CS_OP_RUN_TILING },
                 { "g610", CS_OP_RUN_IDVS },
                 { "g720", CS_OP_RUN_IDVS2 } };

    for (unsigned i = 0; i < N_INSTR(each); i++) {
        env_new_cfg(&e, 1, &(MaliConfig){ .gpu = each[i].gpu });
        CHECK(mali_fault_set(e.m->gpu, "tiler-oom", 1));
        env_run(&e, (const uint64_t[]){ I_OP(each[i].op) }, 1);
        CHECK_EQ(ev_count(e.m, "tiler-oom"), 1);
    }
}

TEST(shared_scoreboard_instructions_count_progress)
{
    static const uint64_t op[] = { CS_OP_SHARED_SB_INC, CS_OP_SHARED_SB_DEC };

    for (unsigned i = 0; i < 2; i++) {
        env_new_cfg(&e, 1, &(MaliConfig){ .gpu = "g720" });
        env_run(&e, (const uint64_t[]){ I_OP(op[i]) | UINT64_C(1) << 32 }, 1);
        CHECK_EQ(env_cs(&e, 0)->progress, 1);
    }
}

TEST(group_that_waits_for_protected_mode_is_idle_if_the_host_says_so)
{
    uint64_t in = FW_CS_IN_VA(0, 0);

    for (unsigned idle = 0; idle < 2; idle++) {
        env_new(&e, 1);
        mcu_w32(e.m, in, mcu_r32(e.m, in) | (idle ? CS_IDLE_PROTM_PENDING : 0));
        mcu_w32(e.m, FW_CSG_IN_VA(0) + CSG_IN_DOORBELL_REQ,
                mcu_r32(e.m, FW_CSG_IN_VA(0) + CSG_IN_DOORBELL_REQ) ^ 1);
        csg_kick(e.m, 0);
        env_run(&e, (const uint64_t[]){ PROT_REGION(2), NOP(), NOP() }, 3);
        CHECK_EQ(mcu_r32(e.m, FW_CSG_OUT_VA(0) + CSG_OUT_STATUS_STATE), idle);
    }
}

TEST(firmware_features_are_those_of_the_row)
{
    env_new_cfg(&e, 1, &(MaliConfig){ .gpu = "g925" });
    CHECK(e.m->gpu->row->fw_features);
    CHECK_EQ(mcu_r32(e.m, FW_SHARED_VA + GLB_CTL_FEATURES), e.m->gpu->row->fw_features);
}

TEST(acknowledgements_that_are_masked_raise_nothing)
{
    Machine *m = mach_boot();

    mcu_w32(m, FW_GLB_IN_VA + GLB_IN_ACK_IRQ_MASK, 0);
    glb_toggle(m, GLB_PING | GLB_PERFCNT_SAMPLE);
    glb_level(m, GLB_PERFCNT_EN, GLB_PERFCNT_EN);
    glb_ring(m);
    CHECK_EQ(glb_ack(m) & 0x1160, mcu_r32(m, FW_GLB_IN_VA) & 0x1160);
    CHECK_EQ(rd(m, JOB_INT_BASE + INT_RAWSTAT), 0);
}

TEST(halt_status_and_resource_dependency_are_cleared)
{
    Machine *m = mach_boot();

    mcu_w32(m, FW_GLB_OUT_VA + GLB_OUT_HALT_STATUS, 5);
    glb_level(m, GLB_HALT, GLB_HALT);
    glb_ring(m);
    CHECK_EQ(mcu_r32(m, FW_GLB_OUT_VA + GLB_OUT_HALT_STATUS), 0);
    mcu_w32(m, FW_CSG_OUT_VA(0) + CSG_OUT_RESOURCE_DEP, 5);
    wr(m, MCU_CONTROL, MCU_CONTROL_DISABLE);
    CHECK(fw_start(m));
    CHECK_EQ(mcu_r32(m, FW_CSG_OUT_VA(0) + CSG_OUT_RESOURCE_DEP), 0);
}

TEST(endpoints_are_told_as_requested)
{
    env_new(&e, 1);
    CHECK_EQ(mcu_r32(e.m, FW_CSG_OUT_VA(0) + CSG_OUT_STATUS_EP_REQ), 0x20010404);
    CHECK_EQ(mcu_r32(e.m, FW_CSG_OUT_VA(0) + CSG_OUT_STATUS_EP_CURRENT), 0x20010404);
}

/* Every code of the spec gets to the host as it is. */
TEST(every_code_of_a_stream)
{
    static const uint32_t fault[] = {
        CS_EXC_KABOOM,
        CS_EXC_RES_TERM,
        CS_EXC_INHERIT_FAULT,
        CS_EXC_INVALID_PC,
        CS_EXC_INVALID_ENC,
        CS_EXC_BARRIER_FAULT,
        CS_EXC_DATA_INVALID_FAULT,
        CS_EXC_TILE_RANGE_FAULT,
        CS_EXC_ADDR_RANGE_FAULT,
        CS_EXC_IMPRECISE_FAULT,
        CS_EXC_OOM,
        CS_EXC_RES_EVICTION_TIMEOUT,
    };
    static const uint32_t fatal[] = {
        CS_EXC_CONFIG_FAULT,      CS_EXC_UNRECOVERABLE, CS_EXC_ENDPOINT_FAULT,
        CS_EXC_BUS_FAULT,         CS_EXC_INSTR_INVALID, CS_EXC_CALL_STACK_OVERFLOW,
        CS_EXC_FW_INTERNAL_ERROR,
    };

    for (unsigned i = 0; i < N_INSTR(fault) + N_INSTR(fatal); i++) {
        bool deadly = i >= N_INSTR(fault);
        uint32_t code = deadly ? fatal[i - N_INSTR(fault)] : fault[i];

        env_new(&e, 1);
        mali_fault_set(e.m->gpu, deadly ? "cs-fatal-code" : "cs-fault-code", code);
        mali_fault_set(e.m->gpu, deadly ? "cs-fatal-at" : "cs-fault-at", 1);
        env_run(&e, (const uint64_t[]){ NOP() }, 1);
        CHECK_EQ(cs_out(e.m, 0, 0, deadly ? CS_OUT_FATAL : CS_OUT_FAULT), code);
    }
}

TEST(every_code_of_the_mmu)
{
    static const uint32_t codes[] = { EXC_TRANSLATION_FAULT + 1,   EXC_PERM_FAULT + 2,
                                      EXC_ACCESS_FLAG + 3,         EXC_ADDR_SIZE_FAULT_IN,
                                      EXC_ADDR_SIZE_FAULT_OUT + 1, EXC_MEM_ATTR_FAULT + 2 };

    for (unsigned i = 0; i < N_INSTR(codes); i++) {
        env_new(&e, 1);
        mali_fault_set(e.m->gpu, "mmu-fault-code", codes[i]);
        mali_fault_set(e.m->gpu, "mmu-fault-at", 1);
        env_run(&e, (const uint64_t[]){ MOVE48(90, e.data_va), STORE(2, 1, 90, 0) }, 2);
        CHECK_EQ(rd(e.m, AS_REG(1, AS_FAULTSTATUS)) & 0xff, codes[i]);
    }
}
