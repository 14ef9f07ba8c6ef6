# SPDX-License-Identifier: MIT
"""Command streams: the table agrees with the model's, text and words go round."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rig.cli import main as cli
from rig.errors import FailureClass, RigError
from rig.gpu.cs import dis
from rig.gpu.cs.asm import assemble
from rig.gpu.cs.isa import ANY, ARCHES, Instruction, encode, register_limit
from rig.gpu.cs.table import (
    CONDITIONS,
    HEAP_OPERATIONS,
    SCOPES,
    STATES,
    TABLE,
    by_name,
    by_opcode,
    listing,
    lookup,
)
from rig.paths import REPO

CORE = REPO / "qemu_models" / "core"
ISA_H = (CORE / "isa.h").read_text()
SETTINGS = settings(max_examples=150, deadline=None)
PANTHOR_JOB = """
    MOVE32 r94, 7
    FLUSH_CACHE2 r94, clean_invalidate, clean_invalidate, invalidate
    MOVE48 d92, 0x10000
    MOVE32 r94, 64
    WAIT 1 << 0
    CALL d92, r94
    MOVE48 d92, 0x20000
    MOVE48 d94, 1
    WAIT 0xff
    SYNC_ADD64 d92, d94, propagate=1
    ERROR_BARRIER
    .align 64
"""


def defines(prefix: str) -> dict[str, int]:
    found = re.findall(rf"#define {prefix}(\w+)\s+(\d+)", ISA_H)
    return {name: int(value) for name, value in found}


# ---- the model's table
def test_opcodes_are_the_models() -> None:
    ours: dict[str, int] = {}
    for row in TABLE:
        ours.setdefault(row.old_name or row.name, row.opcode)
    assert ours == defines("CS_OP_")


def test_rows_are_the_models() -> None:
    source = "".join(f.read_text() for f in sorted(CORE.glob("cs*.c")))
    rows = re.findall(r'\{\s*CS_OP_(\w+), (\d+), (ARCH_ANY|\d+), "(\w+)",', source)
    opcodes = defines("CS_OP_")
    theirs = {
        (opcodes[op], int(least), ANY if most == "ARCH_ANY" else int(most), name)
        for op, least, most, name in rows
    }
    ours = {(row.opcode, row.min_arch, row.max_arch, row.name) for row in TABLE}
    assert theirs == ours, "correct rig/gpu/cs/table.py"


@pytest.mark.parametrize(
    ("prefix", "names"),
    [
        ("CS_COND_", CONDITIONS),
        ("CS_STORE_", STATES),
        ("CS_HEAP_", HEAP_OPERATIONS),
        ("CS_SCOPE_", SCOPES),
    ],
)
def test_named_values_are_the_models(prefix: str, names: tuple[tuple[str, int], ...]) -> None:
    assert {name.upper(): value for name, value in names} == defines(prefix)


@pytest.mark.parametrize("arch", ARCHES)
def test_fields_do_not_overlap(arch: int) -> None:
    for row in by_opcode(arch).values():
        bits = [bit for f in row.fields for bit in range(f.low, f.low + f.bits)]
        assert len(bits) == len(set(bits)), row.name
        assert max(bits, default=0) < 56, row.name
        assert len({f.name for f in row.fields}) == len(row.fields), row.name


# ---- round trips
@st.composite
def programs(draw: st.DrawFn) -> tuple[int, list[int]]:
    arch = draw(st.sampled_from(ARCHES))
    return arch, draw(st.lists(valid_words(arch), min_size=1, max_size=12))


@st.composite
def valid_words(draw: st.DrawFn, arch: int) -> int:
    row = draw(st.sampled_from(sorted(by_opcode(arch).values(), key=lambda r: r.name)))
    return encode(row, {f.name: draw(values(row, f.name, arch)) for f in row.fields})


def values(row: Instruction, name: str, arch: int) -> st.SearchStrategy[int]:
    field = next(f for f in row.fields if f.name == name)
    if field.kind in ("reg", "pair"):
        return st.integers(0, register_limit(field, arch))
    least, most = field.limits
    near = st.integers(max(least, -12), min(most, 12))  # branches that stay in the program
    return near | st.integers(least, most)


@SETTINGS
@given(programs())
def test_valid_words_go_round(case: tuple[int, list[int]]) -> None:
    arch, words = case
    text = dis.listing(words, arch)
    assert ".word" not in text
    assert assemble(text) == words


@SETTINGS
@given(st.sampled_from(ARCHES), st.lists(st.integers(0, (1 << 64) - 1), max_size=6))
def test_any_words_go_round(arch: int, words: list[int]) -> None:
    assert assemble(dis.listing(words, arch, addresses=True, base=64)) == words


@pytest.mark.parametrize("arch", ARCHES)
def test_every_instruction(arch: int) -> None:
    """All fields 0, and all bits of each field, one after the other."""
    for row in by_opcode(arch).values():
        words = [encode(row, {})]
        for field in row.fields:
            most = register_limit(field, arch) if field.kind in ("reg", "pair") else -1
            words.append(encode(row, {field.name: most}))
        for word in words:
            text = dis.instruction(word, arch)
            assert text.split()[0] == row.name
            assert assemble(text, arch=arch) == [word], text


def test_what_the_table_does_not_know_is_a_word() -> None:
    assert dis.instruction(0xFF << 56) == ".word 0xff00000000000000"
    assert dis.instruction(3 << 56 | 1) == ".word 0x0300000000000001"  # a stray bit
    assert dis.instruction(2 << 56 | 96 << 48) == ".word 0x0260000000000000"  # no r96 on arch 10
    assert dis.instruction(2 << 56 | 96 << 48, 12) == "MOVE32 r96, 0"
    assert lookup(57 << 56, 12) is None


# ---- the language
def test_panthors_job() -> None:
    """Words as panthor_sched.c:3217-3297 emits them (spec 5.4)."""
    words = assemble(PANTHOR_JOB)
    assert [f"{word:016x}" for word in words[:11]] == [
        "025e000000000007",
        "24005e0000000233",
        "015c000000010000",
        "025e000000000040",
        "0300000000010000",
        "20005c5e00000000",
        "015c000000020000",
        "015e000000000001",
        "0300000000ff0000",
        "33005c5e00000001",
        "2f00000000000000",
    ]
    assert words[11:] == [0] * 5


def test_panthors_job_is_the_same_on_all_architectures() -> None:
    for arch in ARCHES:
        assert assemble(PANTHOR_JOB, arch=arch) == assemble(PANTHOR_JOB)
        assert assemble("ADD_IMM32 r0, r1, -5", arch=arch) == [0x10000100FFFFFFFB]
    assert assemble("ARITH_IMM32 ADD, r0, r1, -5", arch=13) == [0x10000100FFFFFFFB]


def test_labels() -> None:
    words = assemble("a: b: BRANCH ALWAYS, r0, end\nNOP\nBRANCH gt, r1, a\nend:\nBRANCH EQ, r0, .")
    assert [dis.instruction(word) for word in words] == [
        "BRANCH ALWAYS, r0, 2",
        "NOP",
        "BRANCH GT, r1, -3",
        "BRANCH EQ, r0, -1",
    ]


def test_labels_are_addresses() -> None:
    source = "MOVE48 d0, end\nMOVE32 r2, end - start\nstart:\nNOP\nend:"
    words = assemble(source, base=0x1000000)
    assert [word & 0xFFFFFFFF for word in words] == [0x1000018, 8, 0]
    assert assemble("x: BRANCH EQ, r0, x", base=0x1000000) == assemble("x: BRANCH EQ, r0, x")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3", 9),
        ("1 << 4 | 1", 17),
        ("0xff & ~0xf ^ 1", 0xF1),
        ("-1", 0xFFFFFFFF),
        ("17 / 5 + 17 % 5", 5),
        ("0b1010_0000 >> 4", 10),
        ("N * 2", 84),
        ("- - + 3", 3),
        ("10 - 3 - 2", 5),
    ],
)
def test_expressions(text: str, value: int) -> None:
    assert assemble(f"N = 42 // answer\n.equ M, N\nMOVE32 r0, {text} # comment")[0] == (
        2 << 56 | value
    )


@pytest.mark.parametrize(
    ("source", "where", "says"),
    [
        ("FROB r0", "1:1", "no instruction 'FROB' on arch 10"),
        ("\n  ARITH_REG64 ADD, d0, d2, d4", "2:3", "arch 13 to 14 have it"),
        ("MOVE32 r0", "1:10", "'imm' is missing (MOVE32 r:dst, imm)"),
        ("MOVE32 r96, 0", "1:8", "no register r96: the last one on arch 10 is r95"),
        ("MOVE48 d95, 0", "1:8", "the last one on arch 10 is d94"),
        ("MOVE48 r0, 0", "1:8", "must be a pair of registers"),
        ("MOVE32 d0, 0", "1:8", "must be a register"),
        ("MOVE32 r0, 1 << 32", "1:12", "'imm' is 4294967296, not within"),
        ("ADD_IMM32 r0, r0, 0xffffffff", "1:19", "not within -2147483648 to 2147483647"),
        ("MOVE32 r0, 1 / 0", "1:14", "division by zero"),
        ("MOVE32 r0, 1 << 200", "1:14", "cannot shift by 200"),
        ("MOVE32 r0, x", "1:12", "'x' is not defined"),
        ("MOVE32 r0, (1", "1:14", "')' expected"),
        ("MOVE32 r0, ,", "1:12", "a number or a name expected, not ','"),
        ("MOVE32 r0, 08", "1:12", "'08' is no number"),
        ("MOVE32 r0, 5x", "1:12", "'5x' is no word of the language"),
        ("MOVE32 r0, 1 1", "1:14", "',' expected"),
        ("MOVE32 r0, 1, wait=1", "1:15", "'wait' is no operand here"),
        ("WAIT 1, prog=1, prog=1", "1:17", "'prog' is given twice"),
        ("SYNC_ADD64 d0, d2, scope=galaxy", "1:26", "'galaxy' is no scope (there are system, csg)"),
        ("BRANCH WHEN, r0, 0", "1:8", "'WHEN' is no cond"),
        ("BRANCH EQ, r0, 40000", "1:16", "'target' is 40000"),
        ("x: BRANCH EQ, r0, x + 4", "1:19", "is no place of an instruction"),
        ("x: x: NOP", "1:4", "'x' is defined twice"),
        ("r1: NOP", "1:1", "cannot be the name of a symbol"),
        (".align 12", "1:1", "cannot align to 12"),
        ("NOP\n.align 1 << 40", "2:1", "more than 1048576 words"),
        (".bytes 1", "1:1", "no directive '.bytes'"),
        (".arch 9", "1:1", "no architecture 9"),
        ("NOP\n.arch 11", "2:1", "before the first instruction"),
        (".equ 5, 5", "1:6", "a name expected"),
        (".word 1 << 64", "1:7", "the word is"),
        (".word 1 2", "1:9", "the end of the line expected, not '2'"),
        ("5 NOP", "1:1", "an instruction expected, not '5'"),
        ("NOP @", "1:5", "'@' is no word of the language"),
        ("MOVE32 r0, " + "(" * 99, "1:63", "nested too deeply"),
        ("MOVE32 r0, 1 << 127 << 127", "1:21", "more than 128 bits"),
    ],
)
def test_mistakes_are_located(source: str, where: str, says: str) -> None:
    with pytest.raises(RigError) as caught:
        assemble(source, name="job.cs")
    assert caught.value.failure is FailureClass.USAGE
    assert caught.value.message.startswith(f"job.cs:{where}: "), caught.value.message
    assert says in caught.value.message


def test_an_unknown_architecture() -> None:
    with pytest.raises(RigError, match="no architecture 9"):
        assemble("NOP", arch=9)


@SETTINGS
@given(st.text(alphabet="MOVE32 rd01,:=()<>+-*/.;x\n", max_size=60))
def test_no_source_crashes_the_assembler(source: str) -> None:
    try:
        assemble(source)
    except RigError as error:
        assert error.failure is FailureClass.USAGE


def test_older_names_stay_valid() -> None:
    assert {"ADD_IMM32", "ADD_IMM64", "UMIN32"} <= by_name(13).keys()
    assert "RUN_IDVS" not in by_name(12)


# ---- the command
def test_cli_goes_round(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    source, binary, text = tmp_path / "a.cs", tmp_path / "a.bin", tmp_path / "a.txt"
    source.write_text(PANTHOR_JOB)
    assert cli._run(["cs", "asm", str(source), "--binary", "-o", str(binary)]) == 0
    assert binary.read_bytes() == struct.pack("<16Q", *assemble(PANTHOR_JOB))
    assert cli._run(["cs", "dis", str(binary), "-o", str(text)]) == 0
    assert assemble(text.read_text()) == assemble(PANTHOR_JOB)
    assert cli._run(["cs", "asm", str(text)]) == 0
    text.write_bytes(b"; hex\n" + capfdbinary.readouterr().out)
    assert cli._run(["cs", "dis", str(text), "--addresses", "--base", "0x1000"]) == 0
    assert b"CALL d92, r94" in capfdbinary.readouterr().out


@pytest.mark.parametrize(
    ("content", "argv", "says"),
    [
        (b"NOP\nFROB", ["asm"], ":2:1: no instruction 'FROB'"),
        (b"\xff\xfe", ["asm"], "is no text"),
        (b"123\n  xyz", ["dis"], ":2:3: 'xyz' is no 64-bit word"),
        (b"0" * 17, ["dis"], "is no 64-bit word"),
        (b"\x00" * 9, ["dis"], "has 9 bytes"),
        (b"0", ["dis", "--base", "x"], "--base 'x' is no number"),
        (b"0", ["dis", "--base", "4"], "no address of an instruction"),
        (b"0", ["dis", "--arch", "9"], "--arch"),
        (None, ["asm"], "cannot read"),
        (b"NOP", ["asm", "-o", "/nowhere/x"], "cannot write /nowhere/x"),
    ],
)
def test_cli_mistakes(
    tmp_path: Path,
    content: bytes | None,
    argv: list[str],
    says: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "input"
    if content is not None:
        file.write_bytes(content)
    assert cli._run(["cs", argv[0], str(file), *argv[1:]]) == FailureClass.USAGE.exit_code
    err = capsys.readouterr().err.replace("\n", " ")
    assert says in err
    assert "Traceback" not in err


def test_the_page_has_the_table() -> None:
    page = (REPO / "docs" / "cs-assembler.md").read_text()
    assert listing() in page, "put the output of `rig cs list` into docs/cs-assembler.md"
