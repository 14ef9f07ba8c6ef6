# SPDX-License-Identifier: MIT
# `make run`: the whole answer, from nothing. `make test`: what CI runs.
.DELETE_ON_ERROR:
.PHONY: run test unit model fuzz teeth bench soak nightly doctor venv clean

RIG := .venv/bin/rig
PYTEST := .venv/bin/python -m pytest

run: venv
	$(RIG) run $(ARGS)

test: venv
	$(RIG) doctor --install --quiet --for test --for ssh --for gdb --for debian
	$(RIG) build
	$(PYTEST) tests/lint tests/unit tests/model tests/guest $(ARGS)

unit: venv
	$(PYTEST) tests/unit tests/lint $(ARGS)

model: venv
	$(PYTEST) tests/model $(ARGS)

# A minute a target; ARGS="--seconds 600 streams". Needs clang (`rig doctor`).
fuzz: venv
	.venv/bin/python -m tests.model.fuzz $(ARGS)

teeth: venv
	$(RIG) teeth $(ARGS)

bench: venv
	$(RIG) bench $(ARGS)
	.venv/bin/python -m tests.model.bench

# 100 load/unload cycles, 1,000 broken firmware images and 1,000 groups' lives (`make run` has a
# tenth of that), the same loads with the unmodified driver; 200 SIGKILLs of rig, workers, QEMU and
# agent, and full disks; 1,000 scenario runs, half of them on a busy machine (they go on after a stop).
soak: venv
	$(RIG) run --soak suspend-buffer/cycles suspend-buffer/returned driver/reload parser-fuzz/images $(ARGS)
	$(RIG) run --no-series driver/reload driver/pings $(ARGS)
	RIG_KILLS=200 $(PYTEST) tests/guest/test_kills.py
	.venv/bin/python -m tests.soak

# What takes too long for CI: every GPU row and SoC node, every row of the fault plan, 64 groups
# saved and restored while they work, every verdict from booted guests too, the teeth, the
# report in a browser (300 MB of packages), some of it in the debug kernel.
nightly: venv
	$(RIG) doctor --install --quiet --for test --for ssh --for gdb --for debian --for browser
	.venv/bin/python -m pip install --quiet -c constraints.txt -e '.[cluster]'
	$(RIG) build
	$(PYTEST) tests/nightly $(ARGS)

doctor: venv
	$(RIG) doctor

venv:
	@sh scripts/setup.sh

clean:
	rm -rf .venv
