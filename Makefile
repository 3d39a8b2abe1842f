# make run     install into .venv and serve the sample configuration on 127.0.0.1:8080
# make test    install what the suite needs, check the code, run all tests
# make test-windows   install Wine and a Windows CPython, and see whether the wheel installs, serves and stops there
# make docs    make the HTML of docs/ in build/docs; a link that leads nowhere is an error
# make crash   kill the server 500 times while it works, and see that nothing is lost; KILLS=n, SEED=n
# make faults  every fault at every directory and receiver, as a table; WRITE=1 writes docs/faults.rst anew
# make fuzz    throw bytes at every parser and form, SECONDS=60 at each; TARGETS="ldap api"; see docs/architecture.rst
# make soak    an hour of everything at once; plots of memory, descriptors, threads and store in build/soak; MINUTES=n
# make screenshots   make the pictures of the dashboard in docs/images anew
# make bench   measure, as a table of ratios, beside other software, too, which it installs; see docs/benchmarks.rst
#
# Every path is relative, so that the tree may lie in a folder with a space in its name.
# PYTHON=/path/to/python3 chooses the interpreter; ARGS="-k ldap" goes to pytest. Four processes share the tests, file by
# file, each with servers of its own: they wait more than they compute. ARGS="-n 0" runs them in one. Without ARGS, tests that
# failed in a run that came to its end run once more by themselves: on a busy machine some wait too long. What fails then
# has failed.

.PHONY: run test test-windows check docs crash faults fuzz soak screenshots bench test-all-pythons clean
export PYTHON
# The tests start hundreds of processes, which need not compile the package each.
unexport PYTHONDONTWRITEBYTECODE

run:
	@sh scripts/venv.sh .venv
	@.venv/bin/integration-server serve config.d

test:
	@sh scripts/venv.sh .venv test
	@sh scripts/servers.sh
	@$(MAKE) --no-print-directory check
	.venv/bin/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder $(ARGS) \
		$(if $(ARGS),,|| { test $$? -eq 1 && .venv/bin/python -m pytest -n 0 --last-failed --last-failed-no-failures none; })

check:
	@sh scripts/venv.sh .venv test
	.venv/bin/python -m ruff check .
	.venv/bin/python -m ruff format --check .
	.venv/bin/python -m mypy --strict
	.venv/bin/python -m mypy --strict --platform win32 --cache-dir .mypy_cache/win32
	.venv/bin/lint-imports

test-windows:
	@sh scripts/venv.sh .venv test
	@sh scripts/windows.sh $(ARGS)

docs:
	@sh scripts/venv.sh .venv docs
	.venv/bin/python -m sphinx -W --keep-going -n -q -b html -d build/doctrees docs build/docs
	@echo "Read it: build/docs/index.html"

crash:
	@sh scripts/venv.sh .venv test
	KILLS=$(or $(KILLS),500) SEED=$(or $(SEED),1) .venv/bin/python -m pytest -s tests/crash/test_kills.py $(ARGS)

faults:
	@sh scripts/venv.sh .venv test
	@sh scripts/servers.sh
	FAULTS=all $(if $(WRITE),FAULTS_RECORD=tests/faults/recorded.json) \
		.venv/bin/python -m pytest -n 0 tests/faults/test_faults.py $(ARGS)
	$(if $(WRITE),.venv/bin/python -m tests.faults.page)

soak:
	@sh scripts/venv.sh .venv test
	@sh scripts/servers.sh
	MINUTES=$(or $(MINUTES),60) SOAK=build/soak .venv/bin/python -m pytest -s -n 0 tests/soak/test_soak.py $(ARGS)

fuzz:
	@sh scripts/venv.sh .venv test,fuzz
	.venv/bin/python -m fuzz --seconds $(or $(SECONDS),60) $(TARGETS)

screenshots:
	@sh scripts/venv.sh .venv test
	@sh scripts/servers.sh
	.venv/bin/python -m tests.browser.screenshots docs/images

bench:
	@sh scripts/venv.sh .venv test
	@sh scripts/servers.sh
	@sh scripts/rivals.sh
	@mkdir -p build/bench
	.venv/bin/python -m bench $(ARGS)

test-all-pythons:
	@sh scripts/servers.sh
	@sh scripts/all_pythons.sh $(ARGS)

clean:
	rm -rf .venv .venv-* build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
