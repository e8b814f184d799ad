# Forwards to `cargo xtask`, which says what each target does: `cargo xtask --help`.
# The toolchain comes from rust-toolchain.toml; the tests also need Go, Python 3 and a C compiler.

SEEDS ?= 200
CASES ?= 100000
DB ?=

.PHONY: test test-python demo wheel sim bench fuzz check fix gen clean

test:
	cargo xtask test

test-python:
	cargo xtask python

wheel:
	cargo xtask wheel

demo:
	cargo build --release -p dqlite-cli
	target/release/dqlite demo $(if $(DB),--database "$(DB)")

sim:
	cargo xtask sim --seeds $(SEEDS)

bench:
	cargo xtask bench

fuzz:
	cargo xtask fuzz --cases $(CASES)

check:
	cargo xtask check

fix:
	cargo xtask fix

gen:
	cargo xtask gen

clean:
	cargo clean
