#!/usr/bin/env bash
# Every check of the project, in one command. Needs Rust with rustfmt and clippy, and Python 3.
# It stops at the first step that fails and names it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# What is set on a developer's machine may neither steer a test nor let one report to a real server.
unset "${!SENTRY_@}" "${!FAULTWIRE_@}" "${!ROLLBAR_@}" DEMO_ADDR

target=${CARGO_TARGET_DIR:-target}
current='start'
started=() # process ids of what this script started and has not yet seen end

finish() {
    local status=$?
    local pid
    for pid in "${started[@]}"; do
        kill "$pid" 2>/dev/null || true
    done
    if [ "$status" -ne 0 ]; then
        printf '\nfailed: %s\n' "$current"
    fi
    exit "$status"
}
trap finish EXIT

step() {
    current=$1
    printf '\n== %s ==\n' "$current"
}

fail() {
    printf '%s\n' "$1" >&2
    exit 1
}

# Calls a command every tenth of a second until it succeeds: within <seconds> <command>.
within() {
    local tries=$(($1 * 10))
    shift
    until "$@"; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || return 1
        sleep 0.1
    done
}

step 'format'
cargo fmt --check

step 'clippy, everything'
# The dev-dependency of the crate on itself turns every feature on.
cargo clippy --all-targets -- -D warnings

# The library alone has no dev-dependencies, so here a feature is really on or off. Clippy hands `-D warnings` to
# this crate only: RUSTFLAGS would build every dependency again.
features=$(cargo metadata --no-deps --format-version 1 | python3 -c '
import json, sys
[package] = [p for p in json.load(sys.stdin)["packages"] if p["name"] == "faultwire"]
print(*sorted(set(package["features"]) - {"default", "full"}))')
step 'clippy, the library without features'
cargo clippy --lib --no-default-features -- -D warnings
for feature in $features; do
    step "clippy, the library with feature $feature alone"
    cargo clippy --lib --no-default-features --features "$feature" -- -D warnings
done

step 'tests'
cargo test --lib --tests --examples

step 'examples in the documentation'
cargo test --doc

step 'documentation'
RUSTDOCFLAGS='-D warnings' cargo doc --no-deps --features full

step 'benches compile'
cargo bench --no-run

step 'demo builds'
cargo build --example demo

step 'demo starts'
log=$target/run-demo.log
# Port 0 is any free port; the demo says which one it got. Started directly, not through cargo, so
# that the process id is its own.
DEMO_ADDR=127.0.0.1:0 "$target/debug/examples/demo" >"$log" 2>&1 &
demo=$!
started+=("$demo")
listens_or_ended() {
    grep -q '^listening on http://127\.0\.0\.1:[0-9]' "$log" || ! kill -0 "$demo" 2>/dev/null
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
ended() { ! kill -0 "$demo" 2>/dev/null; }
within 5 ended || fail 'the demo was still running 5 s after SIGINT'
started=()
status=0
wait "$demo" || status=$?
if [ "$status" -ne 0 ]; then
    tail -n 50 "$log" >&2
    fail "the demo ended with $status"
fi

printf '\nall steps passed\n'
