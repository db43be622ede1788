# shellcheck shell=bash
# shellcheck disable=SC2154 # run, unprivileged and started come from run.sh
# PostgreSQL: the one that is installed, else Debian's package. A cluster of its own, which nothing survives.

postgres_install() {
    postgres_bin >/dev/null || install_packages postgresql
    postgres_bin >/dev/null || fail 'PostgreSQL is installed, but where?'
}

# Debian keeps the server's programs off the path.
postgres_bin() {
    local candidate
    for candidate in "$(dirname "$(command -v initdb 2>/dev/null || echo /nowhere/initdb)")" /usr/lib/postgresql/*/bin; do
        if [ -x "$candidate/initdb" ] && [ -x "$candidate/postgres" ]; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    return 1
}

postgres_start() {
    local home=$run/postgres bin port
    bin=$(postgres_bin)
    port=$(free_port)
    private_directory "$home"
    printf 'owner-pw\n' >"$home/password"
    if ! "${unprivileged[@]}" "$bin/initdb" --pgdata="$home/data" --username=owner --pwfile="$home/password" \
        --auth=scram-sha-256 --encoding=UTF8 --locale=C --no-sync >"$home/initdb.log" 2>&1; then
        tail -n 50 "$home/initdb.log" >&2
        fail 'PostgreSQL could not make its cluster'
    fi
    "${unprivileged[@]}" "$bin/postgres" -D "$home/data" -p "$port" -c listen_addresses=127.0.0.1 \
        -c unix_socket_directories= -c fsync=off -c max_connections=50 -c deadlock_timeout=50ms \
        >"$home/server.log" 2>&1 &
    postgres=$!
    started+=("$postgres")
    within 60 postgres_answers "$home/server.log" || fail "PostgreSQL does not answer, see $home/server.log"
    export FAULTWIRE_TEST_POSTGRES="postgres://owner:owner-pw@127.0.0.1:$port/postgres"
}

postgres_answers() {
    ! ended "$postgres" || fail "PostgreSQL ended: $(tail -n 50 "$1")"
    grep -q 'database system is ready to accept connections' "$1"
}

# Whatever the tests provoke, the server itself may not fail. sqlx rolls a transaction back whose COMMIT failed, of which
# PostgreSQL says that there is none.
postgres_check() {
    local complaints
    complaints=$(grep -E ' (PANIC|WARNING):  ' "$run/postgres/server.log" |
        grep -v 'there is no transaction in progress' || true)
    [ -z "$complaints" ] || fail "PostgreSQL complained, see $run/postgres:"$'\n'"$complaints"
}
