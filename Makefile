# 联动 liandong. POSIX sh, no root needed. `make help` lists what there is.

VENV ?= .venv
HOST ?= 127.0.0.1
PORT ?= 8001
DEMO ?= var/demo
JOBS ?= 2
SHELL = /bin/sh
BIN = $(VENV)/bin
export VENV

.DEFAULT_GOAL := help
.PHONY: help run test check lint types contracts docs cli-docs bench bundle screenshots lock clean setup setup-test

help: ## 列出全部命令 / list the commands
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## /\1\t/' | while IFS="$$(printf '\t')" read -r name text; do \
	  printf '  make %-12s %s\n' "$$name" "$$text"; done

setup:
	@sh tools/setup.sh requirements.lock

setup-test:
	@sh tools/setup.sh requirements-test.lock

run: setup ## 启动演示实例，PORT= HOST= DEMO= 可改 / serve the demo instance; PORT=, HOST= and DEMO= override
	@exec $(BIN)/liandong demo "$(DEMO)" --host "$(HOST)" --port "$(PORT)"

test: setup-test ## 运行全部测试，有跳过即失败 / run all tests; a skipped test fails the run
	@sh tools/test_needs.sh
	$(BIN)/python -m pytest -p tests.no_skip -n "$(JOBS)" --dist loadfile $(ARGS)

check: lint types contracts docs ## 全部检查：以下四项 / the four checks below

lint: setup-test ## 代码风格 / ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup-test ## 类型检查 / mypy, strict for ledger
	$(BIN)/mypy

contracts: setup-test ## 包之间的依赖方向 / import-linter: which package may import which
	$(BIN)/lint-imports

docs: setup-test ## 文档与程序一致 / documentation agrees with the program
	$(BIN)/python -m cogapp --check -I . docs/cli.md docs/guide/accounts.md
	$(BIN)/python tools/make_metadata.py --check
	$(BIN)/python tools/messages.py --check
	$(BIN)/python tools/make_vectors.py --check
	$(BIN)/python -m pytest -p tests.no_skip --quiet tests/test_docs.py

cli-docs: setup-test ## 按程序重写命令和职责表 / rewrite docs/cli.md and the table of duties from the program
	$(BIN)/python -m cogapp -r -I . docs/cli.md docs/guide/accounts.md

bench: setup-test ## 性能比值 / benchmarks, as ratios within one run
	$(BIN)/python -m bench

bundle: setup-test ## 离线安装包，写入 dist/ / one archive in dist/ that installs without a network
	$(BIN)/python tools/bundle.py

screenshots: setup-test ## 重拍 docs/screenshots/ / take docs/screenshots/ again
	@sh tools/test_needs.sh
	$(BIN)/python tools/screenshots.py

lock: setup ## 重写锁文件，UPGRADE=1 升级 / rewrite the locks; UPGRADE=1 moves to newer versions
	$(BIN)/python tools/lock.py $(if $(UPGRADE),--upgrade)

clean: ## 删除环境、构建物和缓存，保留 var/ / delete environment, builds and caches; var/ stays
	rm -rf "$(VENV)" build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
