# Everything that can be done here. Each target first makes the environments it needs; Python and make are enough.
# Works with GNU make 3.81, which macOS has, and any POSIX shell.

# Passed on, for example: make ARGS="--epochs 1", make test PYTEST_ARGS="-k checks", make mutants MUTANTS=rate.
ARGS =
PYTEST_ARGS =
MUTANTS =

# Tests in as many processes as there are cores: a file's in one, for what a file prepares is used by all of it.
AT_ONCE := -n auto --dist loadfile --no-loadscope-reorder
OF_THE_FRAMEWORKS := tests/implementations tests/library_defaults

# Of the frameworks that are compared.
ENVIRONMENTS := .venv/pytorch .venv/tensorflow
PYTORCH := .venv/pytorch/bin/python
TENSORFLOW := .venv/tensorflow/bin/python

# compare.py itself tells apart 0, 1 and 2 (its --help says which is which); make turns every failure into 2.
# Who needs the difference runs compare.py directly.
.PHONY: report
report: $(ENVIRONMENTS) ## train in each framework, compare, report (the default); options: ARGS=--help
	@$(PYTORCH) compare.py $(ARGS)

# Lint and the tests that take moments, for every change; `make test` proves it.
.PHONY: check
check: lint ## lint, and run the quick tests: a minute
	$(PYTORCH) -m pytest $(AT_ONCE) -m "not slow" $(PYTEST_ARGS)

# Of what PYTEST_ARGS selects, the second environment may have nothing, which pytest ends with 5. The first has all the
# tests, so that there it is an error.
may_select_none = $(if $(PYTEST_ARGS),|| [ $$? -eq 5 ])
.PHONY: test
test: $(ENVIRONMENTS) ## run the tests; those of the frameworks in both environments
	$(PYTORCH) -m pytest $(AT_ONCE) $(PYTEST_ARGS)
	$(TENSORFLOW) -m pytest -n auto --dist worksteal $(OF_THE_FRAMEWORKS) $(PYTEST_ARGS) $(may_select_none)

.PHONY: mutants
mutants: $(ENVIRONMENTS) ## the tests' own test: break the programs in one place at a time
	$(PYTORCH) -m tests.mutants $(MUTANTS)

.PHONY: differences
differences: $(ENVIRONMENTS) ## measure anew what the frameworks do by default: docs/differences.md
	@$(PYTORCH) -m library_defaults

.PHONY: bench
bench: $(ENVIRONMENTS) .venv/jax ## measure speed against what people would use instead: ten minutes
	$(PYTORCH) -m benchmarks.speed
	$(PYTORCH) -m benchmarks.breakdown

.PHONY: gpu-check
gpu-check: $(ENVIRONMENTS) ## check all of it on a GPU: ten minutes, and a page that one can send
	@$(PYTORCH) -m benchmarks.gpu_check

.PHONY: scaling
scaling: $(ENVIRONMENTS) ## measure how time and memory grow: three quarters of an hour, on a machine left alone
	@$(PYTORCH) -m benchmarks.scaling $(ARGS)

.PHONY: lint
lint: .venv/pytorch ## check style, format and types
	$(PYTORCH) -m ruff check
	$(PYTORCH) -m ruff format --check
	$(PYTORCH) -m mypy

# What is said in English, and what it is in other languages; tests/test_language.py says what is missing. Of where it
# is said only the file is kept, and dates stay: so that a catalogue changes by what is said alone. Babel warns of what
# runs print as the tutorial does, which is the same in every language.
SAID_IN := compare.py shared pytorch_impl tensorflow_impl library_defaults
TEMPLATE := .cache/messages.pot
.PHONY: catalogue
catalogue: .venv/pytorch ## find what is said, and put it into the catalogues: then translate what is empty
	@mkdir -p $(dir $(TEMPLATE))
	@.venv/pytorch/bin/pybabel --quiet extract --no-default-keywords --keyword say --keyword say_number:1,2 \
	    --add-location file --output $(TEMPLATE) $(SAID_IN)
	@.venv/pytorch/bin/pybabel --quiet update --input-file $(TEMPLATE) --output-dir shared/locale --no-wrap \
	    --no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date

.PHONY: setup
setup: $(ENVIRONMENTS) ## make the environments (make -j2 setup: both at once)
	@echo "Ready: $(ENVIRONMENTS)"

# Both frameworks are resolved together first, so that the environments hold the same version of all they share.
LOCKS := pytorch tensorflow tensorflow-cuda jax
UV_COMPILE := .venv/lock/bin/uv pip compile --quiet --universal --python-version 3.11 --no-annotate --no-header
.PHONY: lock
lock: ## pin requirements/*.txt anew from requirements/*.in
	@echo "Resolving $(LOCKS:%=requirements/%.in)"
	@"$(python)" -m venv --clear .venv/lock
	@.venv/lock/bin/python -m pip install -qq --disable-pip-version-check uv==0.13.9
	@$(UV_COMPILE) requirements/pytorch.in requirements/tensorflow.in --output-file .venv/lock/common.txt
	@set -e; for name in $(LOCKS); do \
	    $(UV_COMPILE) --generate-hashes --constraint .venv/lock/common.txt \
	        requirements/$$name.in --output-file .venv/lock/$$name.txt; \
	done
	@# Only now, when all are resolved, is any replaced.
	@cp $(LOCKS:%=.venv/lock/%.txt) requirements
	@rm -rf .venv/lock

.PHONY: clean
clean: ## remove the environments and caches; data and results stay
	rm -rf .venv .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis
	rm -rf "$${TWIN_TRAINING_CACHE:-$${XDG_CACHE_HOME:-$$HOME/.cache}}/twin-training"
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help
help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /make \1	/p' Makefile | expand -t 18

# --- The environments: one per framework, because their GPU builds overwrite each other's libraries. ---

.PHONY: .venv/pytorch .venv/tensorflow .venv/jax
.venv/pytorch:
	$(call environment,$@,torch torchvision,requirements/pytorch.txt)
.venv/tensorflow:
	$(call environment,$@,tensorflow keras tensorflow_datasets,requirements/tensorflow$(cuda).txt)
.venv/jax:
	$(call environment,$@,jax,requirements/jax.txt)

# TensorFlow's CUDA libraries are several GB more: only where a driver can use them.
cuda = $(shell if [ -e /proc/driver/nvidia/version ] || nvidia-smi >/dev/null 2>&1; then echo -cuda; fi)

# $(call environment,FOLDER,MODULES,REQUIREMENTS): nothing where the folder is whole, else the commands that make it.
environment = $(if $(call whole,$1,$(firstword $2),$3),,$(call install,$1,$2,$3,$(python)))

# An environment is whole where its stamp, a copy of the requirements it was made from, equals today's, and its Python
# runs and sees the framework (it does not after an upgrade of the Python below it).
whole = $(shell cmp -s $1/installed.txt $3 && \
    $1/bin/python -c 'import importlib.util, sys; sys.exit(not importlib.util.find_spec("$2"))' 2>/dev/null && echo yes)

# From scratch, and the stamp last: an install that was cut short is never taken for a whole one. pip tells errors only.
define install
@echo "Installing $3 into $1, this once: it takes a minute or two and several GB" >&2
@rm -f $1/installed.txt
@"$4" -m venv --clear $1
@cp $3 $1/installing.txt
@$1/bin/python -m pip install -qq --disable-pip-version-check --requirement $1/installing.txt
@said=$$($1/bin/python -c 'import importlib, sys; [importlib.import_module(m) for m in sys.argv[1:]]' \
    $2 filelock hypothesis jinja2 matplotlib.pyplot mypy numpy psutil pydantic pytest rich safetensors.numpy \
    threadpoolctl xdist 2>&1) || { echo "$$said" >&2; exit 1; }
@mv $1/installing.txt $1/installed.txt
endef

# The Python to use: PYTHON where given, else the first of these that runs (a pyenv shim may exist and fail) and fits.
candidates = $(if $(PYTHON),"$(PYTHON)",python3 python3.13 python3.12 python3.11)
python = $(call fitting,$(search))
fitting = $(if $(filter none:,$1),$(error no Python that fits: found $(wordlist 2,99,$1); \
    3.11, 3.12 and 3.13 work, on 64 bit: make PYTHON=/path/to/python3.12),$1)
# The fitting one, or "none:" and what was found.
search = $(shell for python in $(candidates); do \
    version=`"$$python" -c 'import sys; print("%d.%d, %d bit" % (sys.version_info[:2] + (sys.maxsize.bit_length() + 1,)))' \
        2>/dev/null`; \
    case "$$version" in ("3.11, 64 bit"|"3.12, 64 bit"|"3.13, 64 bit") echo "$$python"; exit;; esac; \
    found="$${found:+$$found, }$$python ($${version:-does not run})"; \
done; echo "none: $$found")
