# The same as `python3 cx.py ...`, for those who like make. Arguments: make test ARGS="tests/test_cx.py -x"
PYTHON ?= python3
UV ?= uv

.PHONY: report test check bench calibrate lab engines campaign lock clean

report test check bench calibrate lab engines:
	$(PYTHON) cx.py $@ $(ARGS)

campaign:  ## the property tests with forty times their usual number of random cases
	$(PYTHON) cx.py test -m hypothesis --hypothesis-profile=campaign --timeout=3600 $(ARGS)

lock:  ## requirements.lock from pyproject.toml; newest versions of all: make lock ARGS=--upgrade
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --only-binary :all: --no-annotate \
		--group dev --custom-compile-command "make lock" $(ARGS) pyproject.toml --output-file requirements.lock
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
		--group engines --custom-compile-command "make lock" $(ARGS) --output-file engines.lock

clean:  ## what can be made again, without the reports and the studies
	rm -rf .venv .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache build dist
	find cxkit tests benchmarks calibration -name __pycache__ -type d -exec rm -rf {} +
