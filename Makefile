# Everything a reader, a teacher or an author does with this repository.
# Works with GNU make 3.81 (macOS) and newer; on Windows use WSL.

PYTHON ?= python3
PORT ?= 8000
RUN := .venv/bin/python

.PHONY: help book test execute posters pack budget serve lab bench lock clean always

help: ## list what make can do
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-9s %s\n", $$1, $$2}' Makefile
	@echo
	@echo "PYTHON=python3.12 selects the interpreter, PORT=8001 the port of make serve."

book: .venv/ready _build/engine ## render the book into _build/html
	@PLOTLY_RENDERER=plotly_mimetype $(RUN) -c 'from jupyter_book.cli.main import main; main()' \
		build . -W -n --keep-going \
		|| { rm -rf _build/.doctrees; exit 1; }
	@echo
	@echo "The book is in _build/html; its first page is _build/html/index.html."
	@echo "Read it in a browser with: make serve"

# Two processes take the files of tests in turn. A file stays whole, for its costly fixtures, and
# the order stays as it is, for the browser tests, the longest, come first.
test: book ## render the book, then run all tests (ARGS="-k ledger" selects)
	@$(RUN) -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder $(ARGS)

execute: .venv/ready ## run what changed and store its outputs (CHAPTER=slug for one chapter)
	@$(RUN) -m tools.execute $(if $(CHAPTER),--chapter "$(CHAPTER)")

posters: .venv/ready ## take the still pictures of explorables that changed
	@$(RUN) -m tools.posters

serve: book ## show the book in a browser
	@echo "Open http://localhost:$(PORT)/ (stop with Ctrl-C)"
	@$(RUN) -m http.server --bind 127.0.0.1 --directory _build/html $(PORT)

lab: .venv/ready ## open the notebooks in JupyterLab
	@$(RUN) -m jupyterlab notebooks

bench: .venv/ready ## run the benchmarks and store what they find
	@for script in benchmarks/*.py; do PYTHONPATH=. $(RUN) "$$script" || failed=1; done; \
		exit $${failed:-0}

pack: book ## make the archives for classes in _build/pack
	@$(RUN) -m tools.pack

budget: book ## weigh the pages and store the table that the status page shows
	@$(RUN) -m tools.page_budget --write

lock: .venv/ready ## choose new package versions and write requirements/lock.txt
	@$(RUN) -m venv _build/uv
	@_build/uv/bin/python -m pip install --quiet uv
	@_build/uv/bin/uv pip compile pyproject.toml --upgrade --all-extras --universal \
		--python-version 3.11 --fork-strategy fewest --generate-hashes \
		--no-emit-index-url --no-emit-find-links --no-header --no-annotate \
		--quiet --output-file requirements/lock.txt

clean: ## remove everything built, except the environment in .venv
	@rm -rf _build .pytest_cache .ruff_cache .hypothesis

# Always: whether .venv still works is nothing that dates of files tell.
.venv/ready: always
	@sh tools/environment.sh "$(PYTHON)"

ifneq ($(CHAPTER),)
ifeq ($(wildcard notebooks/$(CHAPTER).py),)
$(error CHAPTER is "$(CHAPTER)"; allowed are $(basename $(notdir $(wildcard notebooks/*.py))))
endif
endif

# Sphinx renders a page again when its source changed, but does not see these files; and it copies
# static files only when it renders something.
_build/engine: _config.yml _toc.yml $(wildcard book/_ext/*/* book/_ext/*.py) \
		$(wildcard book/_static/* book/_static/*/*) $(wildcard src/tutorlib/explorables/*)
	@rm -rf _build/html _build/.doctrees
	@mkdir -p _build
	@touch $@
