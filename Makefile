# Two commands do all the set-up: `make demo` and `make test`.

.PHONY: demo test postgres fmt lint doc

demo: postgres
	cargo run --release --locked -- demo

# Everything CI runs, cheapest first.
test: postgres fmt lint doc
	cargo test --locked

postgres:
	@sh scripts/install-postgres.sh

fmt:
	cargo fmt --check

lint:
	cargo clippy --locked --all-targets -- -D warnings

doc:
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items
