# The programs, built in one stage and copied into a small one that has only what they load.
FROM debian:12-slim AS build
WORKDIR /src
COPY tools/bootstrap tools/bootstrap
RUN tools/bootstrap programs
COPY . .
RUN CMAKE_OPTIONS="-DOUTBOX_TESTS=OFF" tools/build release \
    && cmake --install build --component tools --strip --prefix /programs

FROM debian:12-slim
# Debian 12 takes fixes only, so the versions are left to it.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        ca-certificates curl libfmt9 libpq5 libprometheus-cpp-core1.0 librdkafka1 libspdlog1.10 libssl3 libtomlplusplus3 zlib1g \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin outbox
COPY --from=build /programs/bin/ /usr/local/bin/
# A library that is missing here fails the build, not the first start.
RUN for program in /usr/local/bin/outbox-*; do "$program" --version || exit 1; done
USER 10001
ENV SERVER_BIND=0.0.0.0 RELAY_HTTP_BIND=0.0.0.0
EXPOSE 8081 9464
CMD ["outbox-server"]
