# SPDX-License-Identifier: MIT
"""The instructions of Mali CSF command streams, one row each.

Facts: sections 5.2 and 5.3 of the device's specification, and Mesa's genxml
(v10.xml, v12.xml, v13.xml) for the bits that the model gives no meaning to. The
model's own table is `mali_ops[]`; a test holds the two together.
"""

from __future__ import annotations

from functools import cache

from rig.gpu.cs.isa import ANY, ARCHES, OPCODE_LOW, Field, FieldKind, Instruction, fits

CONDITIONS = (("LE", 0), ("GT", 1), ("EQ", 2), ("NE", 3), ("LT", 4), ("GE", 5), ("ALWAYS", 6))
SCOPES = (("system", 0), ("csg", 2))
STATES = (("timestamp", 0), ("cycles", 1), ("disjoint", 2), ("error", 3))
HEAP_OPERATIONS = (("vt_start", 0), ("vt_end", 1), ("frag_end", 3))
FLUSH_MODES = (("none", 0), ("clean", 1), ("invalidate", 2), ("clean_invalidate", 3))
EXCEPTIONS = (("tiler_oom", 2),)
AXES = (("x", 0), ("y", 1), ("z", 2))
TILE_ORDERS = (("z", 0), ("horizontal", 1), ("vertical", 2), ("reverse_horizontal", 5),
               ("reverse_vertical", 6))  # fmt: skip
SB_TYPES = (("no_change", 0), ("endpoint", 1), ("other", 2), ("deferred", 3))
SB_FORMATS = (("index", 0), ("mask", 1))
SET_STATES = (("sb_endpoint", 0), ("sb_other", 1), ("sb_deferred", 2), ("mask_stream", 8),
              ("mask_wait", 9))  # fmt: skip
STAGES = (("internal", 0), ("compute", 1), ("vertex", 2), ("tess_control", 3), ("tess_eval", 4),
          ("geometry", 5))  # fmt: skip
LOGIC_MODES = (("CLEAR", 0), ("AND", 1), ("AND_A_NB", 2), ("MOV_A", 3), ("AND_NA_B", 4),
               ("MOV_B", 5), ("XOR", 6), ("OR", 7), ("NOR", 8), ("XNOR", 9), ("NOT_B", 10),
               ("OR_A_NB", 11), ("NOT_A", 12), ("OR_NA_B", 13), ("NAND", 14),
               ("SET", 15))  # fmt: skip
ARITH_IMM = (("ADD", 0), ("LSL", 1), ("LSR", 2), ("ASR", 3), ("BFEXT_U", 4), ("BFEXT_S", 5),
             ("BFINS", 6), ("UMIN", 7))  # fmt: skip
ARITH_REG = (("UMIN", 0), ("ADD", 1), ("SUB", 2), ("LSL", 3), ("LSR", 4), ("ASR", 5),
             ("BFINS", 6))  # fmt: skip


def _opt(name: str, low: int, bits: int = 1, kind: FieldKind = "uint", default: int = 0) -> Field:
    return Field(name, low, bits, kind, default=default)


def _enum(name: str, low: int, bits: int, names: tuple[tuple[str, int], ...]) -> Field:
    return Field(name, low, bits, "enum", names)


def _enum_opt(
    name: str, low: int, bits: int, names: tuple[tuple[str, int], ...], default: int = 0
) -> Field:
    return Field(name, low, bits, "enum", names, default)


_DST, _DST64 = Field("dst", 48, 8, "reg"), Field("dst", 48, 8, "pair")
_SRC, _SRC64 = Field("src", 40, 8, "reg"), Field("src", 40, 8, "pair")
_SRC0, _SRC0_64 = Field("src0", 40, 8, "reg"), Field("src0", 40, 8, "pair")
_SRC1, _SRC1_64 = Field("src1", 32, 8, "reg"), Field("src1", 32, 8, "pair")
_ADDR, _LENGTH = Field("addr", 40, 8, "pair"), Field("length", 32, 8, "reg")
_DATA, _DATA64 = Field("data", 32, 8, "reg"), Field("data", 32, 8, "pair")
_IMM32 = Field("imm", 0, 32, "int")
_OFF = _opt("off", 0, 16, "int")
_MASK = Field("mask", 16, 16, "hex")
_PROG = _opt("prog", 32)
_ASYNC = (
    _opt("wait", 16, 16, "hex"),
    _opt("signal", 48, 4),
    Field("defer", 52, 1, default=0, min_arch=11),
)
_SELECT = (_opt("srt", 40, 2), _opt("spd", 42, 2), _opt("tsd", 44, 2), _opt("fau", 46, 2))
_EP = (Field("ep_limit", 16, 8, default=0, min_arch=12),
       Field("stage", 48, 4, "enum", STAGES, 0, min_arch=12))  # fmt: skip
_FLAGS = _opt("flags", 0, 32, "hex")
_COND = (
    Field("cond", 28, 3, "enum", CONDITIONS, max_arch=11),
    Field("cond", 28, 4, "enum", CONDITIONS, min_arch=12),
)
_MULTIPLE = (Field("base", 48, 8, "reg"), _ADDR, _MASK, _OFF)
_SYNC = (_opt("propagate", 0), _enum_opt("scope", 1, 2, SCOPES), *_ASYNC)
_WAIT_COND = _enum("cond", 28, 4, CONDITIONS)
_REJECT = _opt("reject", 0)

TABLE: tuple[Instruction, ...] = (
    Instruction("NOP", 0),  # its 56 bits are ignored: a word with any of them set is data
    Instruction("MOVE48", 1, (_DST64, Field("imm", 0, 48, "bits"))),
    Instruction("MOVE32", 2, (_DST, Field("imm", 0, 32, "bits"))),
    Instruction("WAIT", 3, (_MASK, _PROG, Field("indirect", 33, 1, default=0, min_arch=11))),
    Instruction("RUN_COMPUTE", 4, (_opt("task", 0, 14), _enum_opt("axis", 14, 2, AXES), _PROG,
                                   *_SELECT, *_EP)),
    Instruction("RUN_TILING", 5, (_FLAGS, _PROG, *_SELECT), max_arch=11),
    Instruction("RUN_IDVS", 6, (_FLAGS, _PROG, _opt("malloc", 33), _opt("draw_id_enable", 34),
                                _opt("varying_srt", 35), _opt("varying_fau", 36),
                                _opt("varying_tsd", 37), _opt("frag_srt", 38),
                                _opt("frag_tsd", 39), _opt("draw_id", 40, 8, "reg")), max_arch=11),
    Instruction("RUN_FRAGMENT", 7, (_opt("tem", 0), _enum_opt("order", 4, 4, TILE_ORDERS), _PROG)),
    Instruction("RUN_FULLSCREEN", 8, (Field("dcd", 40, 8, "pair"), _FLAGS, _PROG,
                                      Field("flags2", 55, 1, default=0, min_arch=13))),
    Instruction("FINISH_TILING", 9, (_PROG,)),
    Instruction("FINISH_FRAGMENT", 11, (Field("first", 40, 8, "pair"), Field("last", 32, 8, "pair"),
                                        _opt("frag_end", 0), *_ASYNC)),
    Instruction("RUN_IDVS2", 12, (_FLAGS, _PROG, _opt("malloc", 33), _opt("draw_id_enable", 34),
                                  _opt("deferred", 35, 2), _opt("draw_id", 40, 8, "reg"),
                                  _enum_opt("stage", 48, 4, STAGES)), min_arch=12),
    Instruction("ADD_IMM32", 16, (_DST, _SRC, _IMM32), max_arch=12),
    Instruction("ARITH_IMM32", 16, (_enum("op", 32, 8, ARITH_IMM), _DST, _SRC, _IMM32),
                min_arch=13, old_name="ADD_IMM32"),
    Instruction("ADD_IMM64", 17, (_DST64, _SRC64, _IMM32), max_arch=12),
    Instruction("ARITH_IMM64", 17, (_enum("op", 32, 8, ARITH_IMM), _DST64, _SRC64, _IMM32),
                min_arch=13, old_name="ADD_IMM64"),
    Instruction("UMIN32", 18, (_DST, _SRC0, _SRC1), max_arch=12),
    Instruction("ARITH_REG32", 18, (_enum("op", 24, 8, ARITH_REG), _DST, _SRC0, _SRC1,
                                    _opt("imm", 0, 24, "int")), min_arch=13, old_name="UMIN32"),
    Instruction("LOGIC_OP32", 19, (_enum("mode", 0, 4, LOGIC_MODES), _DST, _SRC0, _SRC1,
                                   _opt("index", 4)), min_arch=11),
    Instruction("LOAD_MULTIPLE", 20, _MULTIPLE),
    Instruction("STORE_MULTIPLE", 21, _MULTIPLE),
    Instruction("BRANCH", 22, (*_COND, Field("value", 40, 8, "reg"),
                               Field("target", 0, 16, "target"))),
    Instruction("SET_SB_ENTRY", 23, (Field("endpoint", 0, 4), Field("other", 4, 4))),
    Instruction("PROGRESS_WAIT", 24, (Field("queue", 0, 5), _SRC64)),
    Instruction("SET_EXCEPTION_HANDLER", 25, (_ADDR, _LENGTH,
                                              _enum_opt("type", 0, 8, EXCEPTIONS, 2))),
    Instruction("NEXT_SB_ENTRY", 26, (_DST, _enum("type", 32, 4, SB_TYPES),
                                      _enum_opt("format", 36, 1, SB_FORMATS)), min_arch=11),
    Instruction("SET_STATE", 27, (_enum("state", 32, 8, SET_STATES), _SRC), min_arch=11),
    Instruction("SET_STATE_IMM32", 28, (_enum("state", 32, 8, SET_STATES),
                                        Field("value", 0, 32, "hex")), min_arch=11),
    Instruction("SHARED_SB_INC", 30, (Field("entry", 48, 4), _opt("mask", 16, 16, "hex"), _PROG,
                                      _opt("defer", 52)), min_arch=11),
    Instruction("SHARED_SB_DEC", 31, (Field("entry", 48, 4), _PROG), min_arch=11),
    Instruction("CALL", 32, (_ADDR, _LENGTH)),
    Instruction("JUMP", 33, (_ADDR, _LENGTH)),
    Instruction("REQ_RESOURCE", 34, (_opt("compute", 0), _opt("fragment", 1), _opt("tiler", 2),
                                     _opt("idvs", 3),
                                     Field("rt", 4, 1, default=0, min_arch=12))),
    Instruction("FLUSH_CACHE2", 36, (Field("flush_id", 40, 8, "reg"),
                                     _enum("l2", 0, 4, FLUSH_MODES),
                                     _enum("lsc", 4, 4, FLUSH_MODES),
                                     _enum("others", 8, 4, FLUSH_MODES), *_ASYNC)),
    Instruction("SYNC_ADD32", 37, (_ADDR, _DATA, *_SYNC)),
    Instruction("SYNC_SET32", 38, (_ADDR, _DATA, *_SYNC)),
    Instruction("SYNC_WAIT32", 39, (_WAIT_COND, _ADDR, _DATA, _REJECT)),
    Instruction("STORE_STATE", 40, (_enum("state", 32, 2, STATES), _ADDR, _OFF, *_ASYNC)),
    Instruction("PROT_REGION", 41, (Field("size", 0, 16),)),
    Instruction("PROGRESS_STORE", 42, (_SRC64,)),
    Instruction("PROGRESS_LOAD", 43, (_DST64,)),
    Instruction("RUN_COMPUTE_INDIRECT", 44, (_opt("workgroups", 0, 16), _PROG, *_SELECT, *_EP)),
    Instruction("ERROR_BARRIER", 47),
    Instruction("HEAP_SET", 48, (_ADDR,)),
    Instruction("HEAP_OPERATION", 49, (Field("op", 32, 2, "enum", HEAP_OPERATIONS, max_arch=11),
                                       Field("op", 32, 3, "enum", HEAP_OPERATIONS, min_arch=12),
                                       *_ASYNC)),
    Instruction("TRACE_POINT", 50, (Field("base", 32, 8, "reg"), Field("count", 40, 8), *_ASYNC)),
    Instruction("SYNC_ADD64", 51, (_ADDR, _DATA64, *_SYNC)),
    Instruction("SYNC_SET64", 52, (_ADDR, _DATA64, *_SYNC)),
    Instruction("SYNC_WAIT64", 53, (_WAIT_COND, _ADDR, _DATA64, _REJECT)),
    Instruction("ARITH_REG64", 57, (_enum("op", 24, 8, ARITH_REG), _DST64, _SRC0_64, _SRC1_64,
                                    _opt("imm", 0, 24, "int")), min_arch=13),
)  # fmt: skip


@cache
def by_opcode(arch: int) -> dict[int, Instruction]:
    """The instructions that `arch` knows, by opcode."""
    return {row.opcode: row.on(arch) for row in TABLE if row.min_arch <= arch <= row.max_arch}


@cache
def by_name(arch: int) -> dict[str, Instruction]:
    """The names an assembler accepts on `arch`: its own, and older ones that mean the same."""
    names = {row.name: row for row in by_opcode(arch).values()}
    older = {row.old_name for row in names.values()}
    return names | {row.name: row.on(arch) for row in TABLE if row.name in older}


def lookup(word: int, arch: int) -> Instruction | None:
    """The row of a word, None when the table cannot say all of it."""
    row = by_opcode(arch).get(word >> OPCODE_LOW)
    return row if row is not None and fits(row, word, arch) else None


def listing() -> str:
    """The whole table, one line an instruction: opcode, architectures, how it is written."""
    lines = []
    for row in TABLE:
        last = "" if row.max_arch == ANY else str(row.max_arch)
        span = f"{row.min_arch}-{last}" if last != str(row.min_arch) else last
        newest = row.on(min(row.max_arch, ARCHES[-1]))
        lines.append(f"{row.opcode:3}  {span:6} {newest.usage}")
    return "\n".join(lines) + "\n"
