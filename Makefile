# make repro   set up everything and regenerate all results     make test   set up and run the tests
# make studies more baselines, hyperparameters, own attributes  make check  are the committed results those of this code?
# make overnight  close to the paper, a night or two             make bench  training speed beside plain PyTorch
# make lab     JupyterLab on the notebooks
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Tools of the environment come first, so that `python` in a pipeline stage is the environment's.
export PATH := $(abspath $(BIN)):$(PATH)

.PHONY: repro studies overnight test test-slow lab check lint format bench mutate lock clean help
.DEFAULT_GOAL := help

help:
	@sed -n '1,4p' Makefile

# All of these are `dvc repro`; before it, what it would do one setup after another is done on all cores: trainings,
# then the pages of each setup, two at a time. What fails there is left to `dvc repro`, which says why.
setups = -@$(BIN)/dvc stage list $(1) --name-only | sed -nE 's/^(.*:)?train@(.*)/\1train@\2 \1evaluate@\2/p' | \
	xargs -P 2 -L 1 sh -c '$(BIN)/dvc --wait-for-lock repro -s "$$@" || exit 1' dvc
repro: $(VENV)/ready
	$(BIN)/python -m compendium.pipeline
	$(BIN)/dvc repro data classifier
	$(BIN)/python -m compendium.train
	$(call setups,dvc.yaml)
	$(BIN)/dvc repro
	@echo "Open reports/index.html in a browser. From here on: $(BIN)/dvc repro, $(BIN)/jupyter lab (or make lab)."

# The second pipeline; what it needs of the first is run first.
studies: $(VENV)/ready
	$(BIN)/python -m compendium.pipeline
	$(BIN)/dvc repro data classifier studies/dvc.yaml:data
	$(BIN)/python -m compendium.train studies
	$(call setups,studies/dvc.yaml)
	$(BIN)/dvc repro studies/dvc.yaml
	@echo "Open studies/reports/index.html in a browser."

# The third: longer trainings with a home of their own, overnight/. Interrupted, it goes on where it was.
overnight: $(VENV)/ready
	$(BIN)/python -m compendium.pipeline
	$(BIN)/dvc repro overnight/dvc.yaml:data overnight/dvc.yaml:classifier
	$(BIN)/python -m compendium.train overnight
	$(call setups,overnight/dvc.yaml)
	$(BIN)/dvc repro overnight/dvc.yaml
	@echo "Open overnight/reports/index.html in a browser."

test: $(VENV)/ready
	$(BIN)/python -m pytest $(ARGS)

# Whole pipelines, killed, starved and compared: some twenty minutes, before a release.
test-slow: $(VENV)/ready
	$(BIN)/python -m pytest -m slow $(ARGS)

lab: $(VENV)/ready
	$(BIN)/jupyter lab --ServerApp.ip=127.0.0.1

check: $(VENV)/ready
	$(BIN)/python -m compendium.check $(ARGS)
	$(BIN)/python -m compendium.readme --check

lint: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/ready
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/ready
	$(BIN)/python -m benchmarks.speed

# Which changes of the losses and metrics would no test notice? (mutmut, see pyproject.toml)
mutate: $(VENV)/ready
	$(BIN)/python -m pip install -qq --disable-pip-version-check --editable '.[mutation]'
	OMP_NUM_THREADS=1 $(BIN)/python -m mutmut run $(ARGS)
	$(BIN)/python -m mutmut results

# The environment: exactly the versions of requirements.lock, by their hashes, and this package, editable.
# PyTorch comes apart, in one of two builds: TORCH=cpu, without CUDA (the default on Linux where there is no
# nvidia-smi), or TORCH=gpu, PyPI's, by hashes, which on Linux brings CUDA and on macOS does not.
# The .pth line lets `.venv/bin/dvc repro` find its own python without activating anything.
TORCH ?= $(if $(filter Linux,$(shell uname)),$(if $(shell command -v nvidia-smi 2>/dev/null),gpu,cpu),gpu)
TORCH_VERSION := $(shell sed -n 's/^torch==\([^ ]*\).*/\1/p' requirements-torch.lock)
ifeq ($(TORCH),cpu)
TORCH_FROM := --no-deps --retries 1 --extra-index-url https://download.pytorch.org/whl/cpu torch==$(TORCH_VERSION)+cpu
else
TORCH_FROM := --require-hashes --no-deps -r requirements-torch.lock
endif
# Runs a command such that Ctrl-C ends it, and what it has started, at once and with one line.
interruptible = $(1) & pid=$$!; \
	trap 'for one in $$(pgrep -P $$pid); do pkill -P $$one; kill $$one; done 2>/dev/null; kill $$pid 2>/dev/null; echo; \
	echo "Interrupted. What was downloaded is kept: the same command goes on from there"; exit 130' INT TERM; \
	wait $$pid
pip = $(call interruptible,$(BIN)/python -m pip install -qq --disable-pip-version-check $(1))
# The build that is asked for by name replaces the one that is there.
ifneq ($(filter command environment,$(firstword $(origin TORCH))),)
ifneq ($(TORCH),$(shell cat $(VENV)/ready 2>/dev/null))
.PHONY: $(VENV)/ready
endif
endif
$(VENV)/ready: requirements.lock requirements-torch.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11.5 to 3.14 is needed, this is " + sys.version.split()[0] + ": make PYTHON=python3.12 ...") if not (3, 11, 5) <= sys.version_info[:3] < (3, 15) else None'
	@echo 'Installing the environment into $(VENV), with PyTorch $(TORCH_VERSION) for $(TORCH) (a few minutes the first time) ...'
	@test -x $(BIN)/pip || { $(call interruptible,$(PYTHON) -m venv $(VENV)); }
	@test ! -s $@ || test "$$(cat $@)" = $(TORCH) || { rm $@ && $(BIN)/python -m pip uninstall -qq -y torch; }
	@$(call pip,--require-hashes --no-deps -r requirements.lock)
	@$(call pip,$(TORCH_FROM)) || { echo 'PyTorch could not be installed. Without its index of builds for the CPU: make TORCH=gpu'; exit 1; }
	@$(call pip,--no-deps --no-build-isolation --editable .)
	@echo 'import os, sys; os.environ["PATH"] = os.path.join(sys.prefix, "bin") + os.pathsep + os.environ.get("PATH", "")' \
		> "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/environment_first_on_path.pth"
	@echo $(TORCH) > $@

# Resolve pyproject.toml for Python 3.11 to 3.14 on Linux and macOS; versions stay as they are where they can:
# `make lock ARGS=--upgrade` takes the newest, ARGS='--upgrade-package NAME' one.
UV = $(VENV)-lock/bin/uv pip compile --quiet --universal --generate-hashes --python-version 3.11.5 --no-annotate \
	--custom-compile-command 'make lock' $(ARGS)
lock:
	rm -rf $(VENV)-lock && $(PYTHON) -m venv $(VENV)-lock && $(VENV)-lock/bin/python -m pip install -qq uv
	echo torch==$(TORCH_VERSION) | $(UV) - --constraints requirements.lock --output-file requirements-torch.lock
	$(UV) pyproject.toml --extra test --constraints requirements-torch.lock --output-file requirements.lock \
		$$(sed -nE 's/^(torch|triton|cuda-[a-z]+|nvidia-[a-z0-9-]+)==.*/--no-emit-package \1/p' requirements-torch.lock)
	rm -rf $(VENV)-lock

clean:
	rm -rf $(VENV) data/cache data/checkpoints
