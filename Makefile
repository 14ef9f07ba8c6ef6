# SPDX-License-Identifier: MIT
# `make run`: the whole answer, from nothing. `make test`: what CI runs.
.DELETE_ON_ERROR:
.PHONY: run test unit model fuzz teeth bench soak doctor clean

RIG := .venv/bin/rig
PYTEST := .venv/bin/python -m pytest

run: .venv/ready
	$(RIG) run $(ARGS)

test: .venv/ready
	$(RIG) doctor --install --quiet
	$(RIG) build
	$(PYTEST) tests/lint tests/unit tests/model tests/guest $(ARGS)

unit: .venv/ready
	$(PYTEST) tests/unit tests/lint $(ARGS)

model: .venv/ready
	$(PYTEST) tests/model $(ARGS)

# A minute a target; ARGS="--seconds 600 streams". Needs clang (`rig doctor`).
fuzz: .venv/ready
	.venv/bin/python -m tests.model.fuzz $(ARGS)

teeth: .venv/ready
	$(RIG) teeth $(ARGS)

bench: .venv/ready
	$(RIG) bench $(ARGS)

# 100 load/unload cycles and 1,000 groups' lives; `make run` has a tenth of that.
soak: .venv/ready
	$(RIG) run --soak suspend-buffer/cycles suspend-buffer/returned driver/reload $(ARGS)

doctor: .venv/ready
	$(RIG) doctor

.venv/ready: pyproject.toml constraints.txt scripts/setup.sh
	sh scripts/setup.sh
	touch $@

clean:
	rm -rf .venv
