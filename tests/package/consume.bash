# shellcheck shell=bash
# Sourced by the tests of the package: a folder of their own, and what the consumer has to print.
set -euo pipefail
# shellcheck disable=SC2034 # for those who source this
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
folder=$(mktemp -d "${TMPDIR:-/tmp}/outbox-package.XXXXXX")
trap 'rm -rf "$folder"' EXIT

! command -v ccache >/dev/null || export CMAKE_CXX_COMPILER_LAUNCHER=ccache

check_relay() {
    diff <(printf '%s\n' 'RELAY_FORMAT=none is not allowed: it must be cloudevents or cloudevents-structured or debezium or raw' 0) \
        <("$1")
}

check_inbox() {
    diff <(printf '%s\n' 'inbox: user-events[2] at 7 has no usable id' 1) <("$1")
}

check_consumer() {
    diff <(printf '%s\n' 'outbox: the connection is broken' '{"account"} 1') <("$1")
}
