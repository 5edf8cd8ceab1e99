# make repro   set up everything and regenerate all results     make test   set up and run the tests
# make studies more baselines, hyperparameters, own attributes  make check  are the committed results those of this code?
# make overnight  the paper's quality, in a night on 2 cores    make bench  training speed beside plain PyTorch
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

repro: $(VENV)/ready
	$(BIN)/python -m arvae.pipeline
	$(BIN)/dvc repro
	@echo "Open reports/index.html in a browser. From here on: $(BIN)/dvc repro, $(BIN)/jupyter lab (or make lab)."

# The second pipeline; what it needs of the first is run first.
studies: $(VENV)/ready
	$(BIN)/python -m arvae.pipeline
	$(BIN)/dvc repro studies/dvc.yaml
	@echo "Open studies/reports/index.html in a browser."

# The third: longer trainings with a home of their own, overnight/. Interrupted, it goes on where it was.
overnight: $(VENV)/ready
	$(BIN)/python -m arvae.pipeline
	$(BIN)/dvc repro overnight/dvc.yaml
	@echo "Open overnight/reports/index.html in a browser."

test: $(VENV)/ready
	$(BIN)/python -m pytest $(ARGS)

# Whole pipelines, killed, starved and compared: a quarter of an hour, before a release.
test-slow: $(VENV)/ready
	$(BIN)/python -m pytest -m slow $(ARGS)

lab: $(VENV)/ready
	$(BIN)/jupyter lab --ServerApp.ip=127.0.0.1

check: $(VENV)/ready
	$(BIN)/python -m arvae.check $(ARGS)
	$(BIN)/python -m arvae.report.readme --check

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

# The environment: exactly the versions of requirements.lock, and this package, editable.
# The .pth line lets `.venv/bin/dvc repro` find its own python without activating anything.
$(VENV)/ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0] + ": make PYTHON=python3.11 ...") if sys.version_info < (3, 11) else None'
	@echo 'Installing the environment into $(VENV) (a few minutes the first time) ...'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -qq --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --editable .
	@echo 'import os, sys; os.environ["PATH"] = os.path.join(sys.prefix, "bin") + os.pathsep + os.environ.get("PATH", "")' \
		> "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/environment_first_on_path.pth"
	touch $@

# New versions of everything: resolve pyproject.toml afresh in an empty environment and write them down.
lock:
	rm -rf $(VENV)-lock && $(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/python -m pip install -qq torch==2.13.0
	$(VENV)-lock/bin/python -m pip install -qq '.[test]'
	(echo '# Written by `make lock`: every version that `make repro` and `make test` install.'; \
	 $(VENV)-lock/bin/python -m pip freeze --exclude arvae --exclude pip | sed 's/+cpu$$//') > requirements.lock
	rm -rf $(VENV)-lock build *.egg-info

clean:
	rm -rf $(VENV) data/cache data/checkpoints
