# shellcheck shell=bash
# shellcheck disable=SC2154 # run, unprivileged and started come from run.sh
# Redis: the one that is installed, else Debian's package. It keeps nothing.

redis_install() {
    command -v redis-server >/dev/null || install_packages redis-server
}

redis_start() {
    local home=$run/redis port
    port=$(free_port)
    private_directory "$home"
    "${unprivileged[@]}" redis-server --bind 127.0.0.1 --port "$port" --dir "$home" --save '' --appendonly no \
        --requirepass owner-pw --enable-debug-command local >"$home/server.log" 2>&1 &
    redis=$!
    started+=("$redis")
    within 60 redis_answers "$home/server.log" || fail "Redis does not answer, see $home/server.log"
    export FAULTWIRE_TEST_REDIS="redis://:owner-pw@127.0.0.1:$port/"
}

redis_answers() {
    ! ended "$redis" || fail "Redis ended: $(tail -n 50 "$1")"
    grep -q 'Ready to accept connections' "$1"
}

redis_check() {
    local complaints
    complaints=$(grep -E '(BUG REPORT|crashed by signal)' "$run/redis/server.log" || true)
    [ -z "$complaints" ] || fail "Redis complained, see $run/redis:"$'\n'"$complaints"
}
