# Forwards to `cargo xtask`, which says what each target does: `cargo xtask --help`.
# The toolchain comes from rust-toolchain.toml; the tests also need Go, Python 3 and a C compiler.

SEEDS ?= 200
CASES ?= 100000
DB ?=
PREFIX ?= /usr/local

.PHONY: test test-c test-python demo dist-c install wheel sim bench fuzz check fix gen clean

test:
	cargo xtask test

test-c:
	cargo xtask test-c

test-python:
	cargo xtask python

wheel:
	cargo xtask wheel

dist-c:
	cargo xtask dist-c

# Copies what dist-c has made.
install:
	cargo xtask install-c --prefix "$(PREFIX)" $(if $(DESTDIR),--root "$(DESTDIR)")

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
