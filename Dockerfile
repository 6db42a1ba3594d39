# A container with the server and perikonctl. Media comes by UDP, on many ports or on one:
#
#     docker build -t perikon .
#     docker run --network host -v /srv/perikon:/var/lib/perikon perikon
#     docker run -p 8443:8443 -p 40000:40000/udp -v /srv/perikon:/var/lib/perikon perikon \
#         -udp-range 40000
#
# With a network of its own, the container knows only addresses that clients cannot reach: the host's
# network is the simplest.

FROM rust:1-trixie AS build
RUN apt-get update \
    && apt-get install --yes --no-install-recommends cmake clang \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY . .
RUN cargo build --release --locked --bins

FROM debian:trixie-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 990 --create-home --home-dir /var/lib/perikon perikon
COPY --from=build /build/target/release/perikon /build/target/release/perikonctl /usr/local/bin/
USER perikon
WORKDIR /var/lib/perikon
VOLUME /var/lib/perikon
EXPOSE 8443/tcp
# SIGTERM tells the clients.
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/perikon", "--log-format", "json"]
