# Two commands do all the set-up: `make demo` and `make test`.

.PHONY: demo test postgres fmt lint doc html

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

# The demo's HTML report in headless Chromium; needs node, npm and a Chromium.
html: postgres
	rm -rf target/html-demo
	cargo run --release --locked -- demo --keep target/html-demo || [ $$? -eq 1 ]
	scripts/check-html.sh target/html-demo/reports/*/report.html
