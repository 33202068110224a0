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

# The demo's HTML report, the page over all runs and a comparison in headless Chromium; needs node,
# npm and a Chromium.
html: postgres
	rm -rf target/html-demo
	cargo run --release --locked -- demo --keep target/html-demo || [ $$? -eq 1 ]
	cargo run --release --locked -- compare tests/it/fixtures/run-format-1.json target/html-demo/reports/*/run.json \
	  --format html -o target/html-demo/compare.html
	scripts/check-html.sh target/html-demo/reports/*/report.html target/html-demo/reports/index.html target/html-demo/compare.html
