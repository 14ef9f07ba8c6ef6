# SPDX-License-Identifier: MIT
"""The interactive commands, driven on a terminal as a person does."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import pytest

from rig.bundle import RUN, Run, load
from rig.gpu.events import EventLog
from rig.introspect.driver import PROT
from rig.introspect.view import joined
from rig.live import monitor

PROMPT = r"rig# "
BOOT_S, ANSWER_S = 300, 60
LEAVE = "\x1d"

Terminal = Callable[..., "pexpect.spawn[str]"]


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    """Start `rig …` on a terminal of its own; whatever still runs at the end is ended."""
    started: list[pexpect.spawn[str]] = []

    def start(*argv: str) -> pexpect.spawn[str]:
        child = pexpect.spawn(
            sys.executable, ["-m", "rig.cli.main", *argv], encoding="utf-8", timeout=ANSWER_S,
            env={**os.environ, "TERM": "dumb"}, dimensions=(50, 200), codec_errors="replace",
        )  # fmt: skip
        child.logfile_read = sys.stdout  # pytest shows it when a test fails
        started.append(child)
        return child

    yield start
    for child in started:
        child.close(force=True)


def rig(*argv: str) -> subprocess.CompletedProcess[str]:
    """Another terminal, as far as nothing is typed there."""
    command = [sys.executable, "-m", "rig.cli.main", *argv]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    print(done.stdout + done.stderr)
    return done


def folder_of(child: pexpect.spawn[str]) -> str:
    """The guest's folder, from the commands that the rig offers."""
    child.expect(r"rig ssh --guest (\S+)\r?\n", timeout=BOOT_S)
    assert isinstance(child.match, re.Match)
    return str(child.match[1])


def test_shell_detaches_and_comes_back_while_the_kernel_talks(terminal: Terminal) -> None:
    one = terminal("shell", "--direct", "--stage", "booted")
    one.expect(PROMPT, timeout=BOOT_S)
    one.sendline("(i=0; while :; do echo noise $i >/dev/kmsg; i=$((i+1)); usleep 20000; done) &")
    one.expect(r"\[ *\d+\.\d+\] noise 5\r")
    one.sendline("echo $((6 * 7))")
    one.expect(r"\n42\r")
    one.send(LEAVE)
    where = folder_of(one)
    one.expect("Enter to end it")

    assert rig("ssh", "--guest", where, "pidof", "init").stdout.split() == ["1"]
    two = terminal("shell", "--guest", where)
    two.expect(r"noise \d+")
    two.sendline("X=kept; echo $((50 - 8))")
    two.expect(r"\n42\r")
    two.send(f"Y=typed\r{LEAVE}")  # keys right before it are not lost
    two.expect(pexpect.EOF)

    one.sendline("c")
    one.expect(r"noise \d+")
    one.sendline('echo "<$X $Y>"')
    one.expect(r"\n<kept typed>\r")  # the same shell
    one.send(LEAVE)
    one.expect("Enter to end it")
    one.sendline("")
    one.expect(pexpect.EOF)
    assert one.wait() == 0
    assert rig("shell", "--guest", where).returncode == 129  # USAGE: no guest runs there


def test_gdb_stops_in_panthor_fw_init(terminal: Terminal) -> None:
    gdb = terminal("gdb", "--stage", "pre-insmod", "-b", "panthor_fw_init")
    gdb.expect(r"\(gdb\) ", timeout=BOOT_S)
    gdb.sendline("continue")
    gdb.expect(r"Breakpoint 1\S*, (.*?\)) at ")
    assert isinstance(gdb.match, re.Match)
    assert re.fullmatch(r"panthor_fw_init \(ptdev=(ptdev@entry=)?0xffff\w+\)", gdb.match[1])
    gdb.expect(r"panthor_fw\.c:\d+")
    gdb.expect(r"\n\d+\t")  # the line itself
    gdb.expect(r"\(gdb\) ")
    gdb.sendline("backtrace -frame-info short-location")
    gdb.expect(r"panthor_device_init \(.*do_init_module \(")
    gdb.expect(r"\(gdb\) ")
    gdb.sendline("list panthor_fw_init")
    gdb.expect(r"int panthor_fw_init\(struct panthor_device \*ptdev\)")
    gdb.expect(r"\(gdb\) ")
    let_go(gdb)


def let_go(gdb: pexpect.spawn[str]) -> None:
    """End a gdb at its prompt; the guest goes on."""
    for line in ("delete 1", "detach", "quit"):
        gdb.sendline(line)
    gdb.expect(pexpect.EOF)
    assert gdb.wait() == 0


def test_gdb_stops_in_op_tee_when_linux_lends_memory(terminal: Terminal) -> None:
    shell = terminal("shell", "--stage", "pre-insmod")
    shell.expect(PROMPT, timeout=BOOT_S)
    shell.send(LEAVE)
    where = folder_of(shell)
    gdb = terminal("gdb", "--guest", where, "--secure", "-b", "plat_set_protmem_range")
    gdb.expect(r"Breakpoint 1 at 0xe1\w+: file .*main\.c, line \d+")
    gdb.expect(r"\(gdb\) ")
    gdb.sendline("continue")
    gdb.expect("Continuing")
    second = terminal("ssh", "--guest", where)
    second.expect(PROMPT)
    second.sendline("modprobe panthor protected_heap_name=protected,secure-video")
    gdb.expect(r"Breakpoint 1\S*, plat_set_protmem_range \(")
    gdb.expect(r"main\.c:\d+")
    gdb.expect(r"\(gdb\) ")
    gdb.sendline("backtrace -frame-info short-location")
    gdb.expect("protect_mem|mobj")
    gdb.expect(r"\(gdb\) ")
    let_go(gdb)
    second.expect(PROMPT)
    second.sendline("test -e /dev/dri/renderD128; echo found=$?")  # it goes on
    second.expect("found=0")
    second.sendline("exit")
    second.expect(pexpect.EOF)
    assert second.wait() == 0


SCENARIO = "fw-protected-section/in-heap"


def test_a_failure_keeps_its_guest(terminal: Terminal) -> None:
    run = terminal("run", "--pdb", "--mutant", "ignore-heap", SCENARIO)
    run.expect(rf"{SCENARIO}: \w+: ", timeout=BOOT_S)
    run.expect(r"\(Pdb\) ")
    run.sendline("p rig.shell.run(['uname', '-m'], timeout=30).output")
    run.expect("aarch64")
    run.sendline("continue")
    where = folder_of(run)
    assert Path(where, "guest.json").exists()
    inspected = Path(where, "inspect.txt").read_text()
    assert "protected,secure-video: 2 references, panthor's" in inspected
    assert re.search(r"  PROT 0x\w+ +0x\w+ at 0x\w+", inspected)

    loaded = rig("ssh", "--guest", where, "cat", "/sys/module/panthor/sections/.text").stdout
    gdb = rig("gdb", "--guest", where, "--", "-batch", "-ex", "info symbol panthor_fw_ping_work")
    assert re.search(rf"panthor is at {loaded.strip()}", gdb.stdout)
    assert re.search(r"panthor_fw_ping_work( \+ 8)? in section \.text of .*panthor\.ko", gdb.stdout)
    assert rig("ssh", "--guest", where, "uname", "-m").stdout == "aarch64\n"  # it goes on

    run.expect("Enter to end it")
    run.sendline("")
    run.expect("0 passed, 1 failed")
    run.expect(pexpect.EOF)
    assert run.wait() == 1
    enter_again(terminal, Path(where))


def enter_again(terminal: Terminal, where: Path) -> None:
    """From the run's folder alone: the same broken driver, though no option names it."""
    build_id = load(where.parent / RUN, Run).inputs.build_id
    enter = terminal("enter", str(where.parent), "--stage", "probed")
    enter.expect(f"panthor {build_id}, for {SCENARIO}")
    enter.expect(PROMPT, timeout=BOOT_S)
    enter.sendline("od -An -v -tx1 /sys/module/panthor/notes/.note.gnu.build-id | tr -d ' \\n'")
    enter.expect(build_id)
    enter.send(LEAVE)
    enter.expect("Enter to end it")
    enter.sendline("")
    enter.expect(pexpect.EOF)
    assert enter.wait() == 0

    again = terminal("enter", "--again", str(where))
    again.expect(f"{SCENARIO}: ASSERT: ", timeout=BOOT_S)
    again.expect("Enter to end it")
    again.sendline("")
    again.expect(pexpect.EOF)
    assert again.wait() == 1


TURNS = "while :; do gpuctl rotate groups=12 jobs=8 outer=1000; done >/tmp/turns 2>&1"
"""Groups that take turns on the slots."""


def test_inspect_sees_what_the_device_sees(terminal: Terminal) -> None:
    shell = terminal("shell")
    shell.expect(PROMPT, timeout=BOOT_S)
    shell.sendline("sleep 9999 | gpuctl groups 2 &")
    shell.expect("READY groups=2")
    shell.send(LEAVE)
    where = folder_of(shell)
    log = EventLog(Path(where, "gpu-events.jsonl"))
    assert rig("ssh", "--guest", where, f"({TURNS}) </dev/null &").returncode == 0
    log.wait_for(lambda event: event.kind == "csg-resume", ANSWER_S)
    with monitor(Path(where)) as qmp:
        qmp.stop()  # the first resume of a round that lasts for seconds: groups are on slots

    assert "\npanthor: bound\n" in "\n" + rig("inspect", "--guest", where).stdout
    found = json.loads(rig("inspect", "--guest", where, "--json").stdout)
    assert found["differences"] == []
    driver = found["driver"]
    sections = {event["va"]: event for event in log.of_kind("section")}
    for event in sections.values():
        walked = rig("decode", "walk", "--guest", where, "--as", "0", f"{event['va']:#x}").stdout
        assert f"{event['extents'][0][0]:#x}, {event['perm']}, in a " in walked
    shared = rig("decode", "shared", "--guest", where).stdout
    assert re.match(r"interface 1\.5\.0, features 0x\w+, 8 groups\nGLB ", shared)
    assert len(re.findall(r"^CSG \d  (?:START|RESUME)", shared, re.M)) > 0, "rotate has them busy"
    assert {section["mem"]["va"] for section in driver["sections"]} == sections.keys()
    for section in driver["sections"]:
        seen = sections[section["mem"]["va"]]
        assert section["mem"]["size"] == seen["size"]
        assert joined(section["mem"]["extents"]) == joined(seen["extents"])
        assert bool(section["flags"] & PROT) == seen["prot"]
    assert driver["power"]["status"] == "active"
    assert driver["deferred"] == []
    (heap,) = [heap for heap in driver["heaps"] if heap["panthors"]]
    assert (heap["name"], heap["references"]) == (
        "protected,secure-video",
        2,
    )  # OP-TEE's, panthor's
    groups = driver["groups"]
    assert len([group for group in groups if group["slot"] >= 0]) >= 1
    assert sum(group["task"].startswith("gpuctl") for group in groups) == len(groups) >= 2
    vas = {start["protm_suspend_va"] for start in log.of_kind("csg-start")}
    assert {group["protm_suspend"]["va"] for group in groups if group["slot"] >= 0} <= vas
    lent = [group["protm_suspend"]["extents"][0][0] for group in groups]
    assert len(set(lent)) == len(groups)

    with monitor(Path(where)) as qmp:
        qmp.cont()
    newest = log.last_seq
    follow = terminal("events", where, "--follow", "--since", str(newest))
    follow.expect(rf"(^|\n) *{newest + 1} +\d+\.\d{{9}} \w+")
    follow.expect(rf"\n *{newest + 2} +\d+\.\d{{9}} \w+")
    follow.sendintr()
    follow.expect(pexpect.EOF)
    assert follow.wait() == 130
    assert rig("ssh", "--guest", where, "pidof", "gpuctl").returncode == 0  # it goes on


HEAPS = """
from drgn.helpers.linux.list import list_for_each_entry
heaps = prog.variable("heap_list", "drivers/dma-buf/dma-heap.c")
for heap in list_for_each_entry("struct dma_heap", heaps.address_of_(), "list"):
    print("heap", heap.name.string_().decode())
print("parameter", prog["protected_heap_name"].string_().decode())
"""


def test_dump_opens_in_drgn(tmp_path: Path) -> None:
    core, script = tmp_path / "core", tmp_path / "heaps.py"
    script.write_text(HEAPS)
    opener = rig("dump", str(core)).stdout.strip()
    assert opener.startswith("drgn -c ")
    assert rig("dump", str(core)).returncode == 129  # USAGE: it exists
    drgn = [sys.executable, "-m", "drgn", *shlex.split(opener)[1:], "-q", str(script)]
    found = subprocess.run(drgn, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    assert "heap protected,secure-video\n" in found.stdout
    assert "parameter protected,secure-video\n" in found.stdout
