#!/usr/bin/env bash
# Every check of the project, in one command. Needs Rust with rustfmt and clippy, and Python 3.11; what else is
# missing it installs: packages of Debian by apt, real servers under target/. It stops at the first step that fails
# and names it; logs are in target/run/.
#
# With arguments it starts the real servers and runs that command instead:
#     bash tests/run.sh cargo test --test it bugsink -- --include-ignored
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# What is set on a developer's machine may neither steer a test nor let one report to a real server.
unset "${!SENTRY_@}" "${!FAULTWIRE_@}" "${!ROLLBAR_@}" "${!DEMO_@}" RUST_BACKTRACE

# Nothing here is built twice, and rustc's incremental state only costs time and disk.
export CARGO_INCREMENTAL=0

# Property tests try the same cases each time: whether a commit passes is not a matter of luck. Fuzzing (fuzz/README.md)
# and PROPTEST_RNG_SEED=.. PROPTEST_CASES=.. look for others.
export PROPTEST_RNG_SEED=${PROPTEST_RNG_SEED:-4711}

# The servers: for each a file tests/servers/<name>.sh with the functions <name>_install, <name>_start (which exports
# the FAULTWIRE_TEST_.. that its tests read) and <name>_check (what it complained about; its argument is `complete`
# if all tests ran).
servers=(bugsink postgres mariadb redis)

current='start'
step_began=$SECONDS
started=() # process ids of what this script started and has not yet seen end
passed=false

finish() {
    local status=$?
    stop "${started[@]}"
    if ! $passed; then
        # Also 0 when a signal ends the script.
        [ "$status" -ne 0 ] || status=1
        printf '\nfailed after %d s: %s\n' "$SECONDS" "$current" >&2
    fi
    exit "$status"
}
trap finish EXIT

step() {
    step_ends
    current=$1
    step_began=$SECONDS
    printf '\n== %s ==\n' "$current"
}

passes() {
    step_ends
    passed=true
    printf '\n%s in %d s\n' "$1" "$SECONDS"
    exit
}

step_ends() {
    [ "$current" = start ] || printf -- '-- %s: %d s\n' "$current" $((SECONDS - step_began))
}

fail() {
    printf '%s\n' "$1" >&2
    exit 1
}

# Calls a command every tenth of a second until it succeeds: within <seconds> <command>.
within() {
    local until=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$until" ] || return 1
        sleep 0.1
    done
}

ended() { ! kill -0 "$1" 2>/dev/null; }

# Ends processes that this script started, first politely.
stop() {
    local pid
    kill "$@" 2>/dev/null || true
    for pid; do
        within 10 ended "$pid" || kill -KILL "$pid" 2>/dev/null || true
    done
    started=()
}

# Whether an address answers 200, asked without the proxies of the environment: it is on this machine.
answers() {
    python3 - "$1" 2>/dev/null <<'PY'
import sys
import urllib.request

urllib.request.build_opener(urllib.request.ProxyHandler({})).open(sys.argv[1], timeout=30).read()
PY
}

# A port of this machine that nobody listens on.
free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# Databases refuse to be run by root.
unprivileged=()
[ "$(id -u)" -ne 0 ] || unprivileged=(setpriv --reuid=nobody --regid=nogroup --clear-groups env HOME=/)

# A directory for the data of a server that is run so.
private_directory() {
    mkdir -p "$1"
    [ "$(id -u)" -ne 0 ] || chown nobody:nogroup "$1"
}

install_packages() {
    local apt=(apt-get)
    if [ "$(id -u)" -ne 0 ]; then
        sudo -n true 2>/dev/null || fail "missing, and only root can install it: apt-get install $*"
        apt=(sudo -n apt-get)
    fi
    printf 'installing %s\n' "$*"
    "${apt[@]}" update -qq
    DEBIAN_FRONTEND=noninteractive "${apt[@]}" install -y -qq --no-install-recommends "$@" >"$run/apt.log" 2>&1 || {
        tail -n 20 "$run/apt.log" >&2
        fail "apt-get could not install $*"
    }
}

start_servers() {
    local server
    for server in "${servers[@]}"; do
        step "$server starts"
        "${server}_start"
    done
}

check_servers() {
    local server
    for server in "${servers[@]}"; do
        step "$server has no complaints"
        "${server}_check" "$1"
    done
}

metadata=$(cargo metadata --no-deps --format-version 1)
of_metadata() { python3 -c "import json, sys; metadata = json.load(sys.stdin); print($1)" <<<"$metadata"; }
target=$(of_metadata 'metadata["target_directory"]')

# Logs and data of this run; those of earlier ones go.
run=$target/run/$$
for old in "$target"/run/*; do
    ended "${old##*/}" && rm -rf "$old"
done
mkdir -p "$run"

for server in "${servers[@]}"; do
    # shellcheck source=tests/servers/bugsink.sh
    source "tests/servers/$server.sh"
done

if [ $# -gt 0 ]; then
    for server in "${servers[@]}"; do
        step "$server is installed"
        "${server}_install"
    done
    start_servers
    step "$*"
    "$@"
    check_servers part
    passes "$*: passed"
fi

step 'format'
cargo fmt --check

step 'what the tests need is installed'
command -v chromium >/dev/null || install_packages chromium
for server in "${servers[@]}"; do
    "${server}_install"
done

step 'clippy, everything'
# The dev-dependency of the crate on itself turns every feature on.
cargo clippy --all-targets -- -D warnings

# The library alone has no dev-dependencies, so here a feature is really on or off. Clippy hands `-D warnings` to
# this crate only: RUSTFLAGS would build every dependency again.
features=$(of_metadata '*sorted(
    {feature for package in metadata["packages"] if package["name"] == "faultwire" for feature in package["features"]}
    - {"default", "full"})')
step 'clippy, the library without features'
cargo clippy --lib --no-default-features -- -D warnings
for feature in $features; do
    step "clippy, the library with feature $feature alone"
    cargo clippy --lib --no-default-features --features "$feature" -- -D warnings
done

step 'tests are built'
cargo test --lib --tests --examples --no-run

start_servers

step 'tests'
# What is ignored elsewhere needs a server or a browser; here both are, and a test that misses one fails.
RUST_BACKTRACE=0 cargo test --lib --tests --examples -- --include-ignored

step 'tests that depend on RUST_BACKTRACE'
anyhow_backtrace=report::an_anyhow_backtrace_is_the_stack_of_the_event
RUST_BACKTRACE=1 cargo test --test it -- --exact "$anyhow_backtrace" | tee "$run/backtrace.log"
grep -q '^test result: ok\. 1 passed' "$run/backtrace.log" || fail "there is no test $anyhow_backtrace"

check_servers complete
stop "${started[@]}"

step 'examples in the documentation'
cargo test --doc

step 'documentation'
RUSTDOCFLAGS='-D warnings' cargo doc --no-deps --features full

step 'demo builds'
cargo build --example demo

step 'demo starts'
log=$run/demo.log
# Port 0 is any free port; the demo says which one it got. Started directly, not through cargo, so
# that the process id is its own.
DEMO_ADDR=127.0.0.1:0 DEMO_INBOX=127.0.0.1:0 "$target/debug/examples/demo" >"$log" 2>&1 &
demo=$!
started+=("$demo")
listens_or_ended() {
    grep -q '^listening on http://127\.0\.0\.1:[0-9]' "$log" || ended "$demo"
}
within 30 listens_or_ended || true
url=$(sed -n 's/^listening on \(http:[^ ]*\).*/\1/p' "$log" | head -n 1)
if [ -z "$url" ]; then
    tail -n 50 "$log" >&2
    fail 'the demo did not say where it listens'
fi
printf '%s\n' "$url"

step 'demo answers'
if ! python3 - "$url" <<'PY'
import json
import re
import sys
import urllib.error
import urllib.request

# Without the proxies of the environment: the demo is on this machine.
browser = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def get(path, expected):
    try:
        answer = browser.open(sys.argv[1].rstrip("/") + path, timeout=10)
    except urllib.error.HTTPError as error:
        answer = error
    body = answer.read()
    print(f"GET {path} -> {answer.status}")
    assert answer.status == expected, f"{path}: expected {expected}, got {answer.status}: {body[:500]!r}"
    return answer.headers, body


get("/ok", 200)
headers, body = get("/orders/1", 500)
content_type = headers.get_content_type()
assert content_type == "application/problem+json", f"/orders/1: content type {content_type}"
event_id = headers.get("x-event-id", "")
assert re.fullmatch("[0-9a-f]{32}", event_id), f"/orders/1: x-event-id is {event_id!r}"
in_body = json.loads(body).get("event_id")
assert in_body == event_id, f"/orders/1: the header says {event_id}, the body {in_body}"
get("/panic", 500)
get("/status/404", 404)
PY
then
    tail -n 50 "$log" >&2
    fail 'the demo answered wrongly'
fi

step 'demo ends when asked to'
kill -INT "$demo"
within 5 ended "$demo" || fail 'the demo was still running 5 s after SIGINT'
started=()
status=0
wait "$demo" || status=$?
if [ "$status" -ne 0 ]; then
    tail -n 50 "$log" >&2
    fail "the demo ended with $status"
fi

# The longest: everything once more, optimised.
step 'benches compile'
cargo bench --no-run

step 'a million requests leave nothing behind'
cargo bench --bench endurance

step 'allocations hold their bars'
cargo bench --bench cost -- --allocations

passes 'all steps passed'
