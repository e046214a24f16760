# shellcheck shell=bash
# For tests with programs of Debezium and others from Maven Central: sourced. They define fail().

# Prints the folder of the jars that pom.xml names. Ends the test with 77 where Maven Central cannot be reached.
fetch_jars() {
    local pom
    pom=$(dirname "${BASH_SOURCE[0]}")/pom.xml
    local cache=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/outbox jars
    jars=$cache/formats-$(sha256sum <"$pom" | cut -c 1-16)
    mkdir -p "$cache"
    exec 9>"$cache/formats.lock"
    flock 9
    if [[ ! -d $jars ]]; then
        local scratch said
        scratch=$(mktemp -d "$cache/download.XXXXXX")
        if ! said=$(mvn -q -B -f "$pom" dependency:copy-dependencies -DincludeScope=runtime \
            -DoutputDirectory="$scratch" </dev/null 2>&1); then
            rm -rf "$scratch"
            printf '%s\n' "$said" >&2
            curl -sf -m 20 -o /dev/null https://repo.maven.apache.org/maven2/org/apache/maven/maven-metadata.xml ||
                skip "SKIPPED: Maven Central cannot be reached; nothing was compared"
            fail "Maven Central answers, but the jars could not be fetched"
        fi
        mv "$scratch" "$jars"
    fi
    echo "$jars"
}

skip() {
    echo "$(basename "$0"): $1" >&2
    exit 77
}
