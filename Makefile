# Everything that can be done here. Each target first makes the environments it needs; Python and make are enough.
# Works with GNU make 3.81, which macOS has, and any POSIX shell.

# Passed on, for example: make ARGS="--epochs 1", make test PYTEST_ARGS="-k spec", make mutants MUTANTS=rate.
ARGS =
PYTEST_ARGS =
MUTANTS =

PYTORCH := .venv/pytorch/bin/python
TENSORFLOW := .venv/tensorflow/bin/python

# compare.py itself tells apart 0, 1 and 2 (its --help says which is which); make turns every failure into 2.
# Who needs the difference runs compare.py directly.
.PHONY: report
report: .venv/pytorch .venv/tensorflow ## train in each framework, compare, report (the default)
	@$(PYTORCH) compare.py $(ARGS)

.PHONY: test
test: .venv/pytorch .venv/tensorflow ## run the tests; those of the frameworks in both environments
	$(PYTORCH) -m pytest $(PYTEST_ARGS)
	$(TENSORFLOW) -m pytest tests/test_implementation.py tests/test_stock.py tests/test_differences.py tests/test_habits.py $(PYTEST_ARGS)

.PHONY: mutants
mutants: .venv/pytorch .venv/tensorflow ## the tests' own test: break the programs in one place at a time
	$(PYTORCH) -m tests.mutants $(MUTANTS)


.PHONY: scaling
scaling: .venv/pytorch .venv/tensorflow ## measure how time and memory grow: half an hour, on a machine left alone
	@$(PYTORCH) benchmarks/scaling.py $(ARGS)
