# Forwards to `cargo xtask`, which says what each target does: `cargo xtask --help`.
# The toolchain comes from rust-toolchain.toml; the interop test also needs Go and a C compiler.

SEEDS ?= 200
CASES ?= 100000
DB ?=

.PHONY: test demo sim bench fuzz check fix clean

test:
	cargo xtask test

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

clean:
	cargo clean
