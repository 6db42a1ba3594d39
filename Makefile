# `make run` runs the server, `make test` runs all tests. Both install what is missing first, and
# say what they install.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
export PATH := $(PATH):$(HOME)/.cargo/bin

# Flags for `make run`, for example ARGS="-http :8080 -insecure".
ARGS ?=

TARGET := $(or $(CARGO_TARGET_DIR),target)

.PHONY: help run test lint test-rust test-client test-browser

help:
	@echo "make run            build and run the server; ARGS=\"-http :8080\" passes flags"
	@echo "make test           run all tests, after installing what they need"
	@echo "make lint           formatting and lints of the server"
	@echo "make test-rust      tests of the server"
	@echo "make test-client    types of the web client"
	@echo "make test-browser   tests in Chromium and Firefox"

run:
	@scripts/install-missing build
	cargo run --release --locked -- $(ARGS)

test:
	@scripts/install-missing test
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory test-rust
	@$(MAKE) --no-print-directory test-client
	@$(MAKE) --no-print-directory test-browser
	@echo "All tests passed."

lint:
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	cargo clippy --locked --all-targets --features otel -- -D warnings

test-rust:
	cargo test --locked
	cargo test --locked --bench load
	cargo test --locked --features otel --test web telemetry

test-client:
	npm --prefix tests/browser run types

# The program is built as users get it: with the tests' dependencies it would have features, such as
# a second cryptography library, that it is not shipped with.
test-browser:
	cargo build --locked --bin perikon
	PERIKON_BIN="$(abspath $(TARGET))/debug/perikon" npm --prefix tests/browser test
