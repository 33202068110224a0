# The tool with a PostgreSQL of its own: docker run --rm -v "$PWD:/project" plimsoll run
FROM rust:1-bookworm AS build
WORKDIR /source
COPY . .
RUN cargo build --release --locked

FROM debian:bookworm-slim
# Debian's own updates are wanted: a pinned version would be gone from its archive.
# hadolint ignore=DL3008
RUN mkdir -p /etc/postgresql-common \
    && echo 'create_main_cluster = false' > /etc/postgresql-common/createcluster.conf \
    && apt-get update -q \
    && apt-get install -q -y --no-install-recommends -o Dpkg::Options::=--force-confold \
        postgresql postgresql-contrib git ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    # The mounted project belongs to somebody else; its commit is read all the same.
    && git config --system --add safe.directory '*'
COPY --from=build /source/target/release/plimsoll /usr/local/bin/plimsoll
WORKDIR /project
ENTRYPOINT ["plimsoll"]
CMD ["run"]
