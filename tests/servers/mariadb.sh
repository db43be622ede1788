# shellcheck shell=bash
# shellcheck disable=SC2154 # run, unprivileged and started come from run.sh
# MariaDB: Debian's package of the server alone, which brings no service. Making a database takes a program of the
# client's package.

mariadb_install() {
    if ! command -v mariadbd >/dev/null || ! command -v my_print_defaults >/dev/null; then
        install_packages mariadb-server-core mariadb-client-core
    fi
}

mariadb_start() {
    local home=$run/mariadb port
    port=$(free_port)
    private_directory "$home"
    if ! "${unprivileged[@]}" mariadb-install-db --no-defaults --datadir="$home/data" --skip-test-db \
        --auth-root-authentication-method=normal >"$home/install.log" 2>&1; then
        tail -n 50 "$home/install.log" >&2
        fail 'MariaDB could not make its database'
    fi
    cat >"$home/init.sql" <<'SQL'
CREATE DATABASE shop CHARACTER SET utf8mb4;
CREATE USER owner@'127.0.0.1' IDENTIFIED BY 'owner-pw';
GRANT ALL ON *.* TO owner@'127.0.0.1' WITH GRANT OPTION;
SQL
    chmod a+r "$home/init.sql"
    "${unprivileged[@]}" mariadbd --no-defaults --datadir="$home/data" --socket="$home/socket" --pid-file="$home/pid" \
        --init-file="$home/init.sql" --bind-address=127.0.0.1 --port="$port" --skip-name-resolve \
        --innodb-flush-log-at-trx-commit=0 --innodb-buffer-pool-size=16M --innodb-lock-wait-timeout=1 \
        >"$home/server.log" 2>&1 &
    mariadb=$!
    started+=("$mariadb")
    within 60 mariadb_answers "$home/server.log" || fail "MariaDB does not answer, see $home/server.log"
    export FAULTWIRE_TEST_MARIADB="mysql://owner:owner-pw@127.0.0.1:$port/shop"
}

mariadb_answers() {
    ! ended "$mariadb" || fail "MariaDB ended: $(tail -n 50 "$1")"
    grep -q 'ready for connections' "$1"
}

mariadb_check() {
    local complaints
    complaints=$(grep ' \[ERROR\] ' "$run/mariadb/server.log" || true)
    [ -z "$complaints" ] || fail "MariaDB complained, see $run/mariadb:"$'\n'"$complaints"
}
