# shellcheck shell=bash
# shellcheck disable=SC2154 # target and run come from run.sh
# Bugsink from PyPI: a small server that speaks Sentry's protocol and gives back what it stored.

# Tests send as many events to one project, and then some more.
BUGSINK_QUOTA=150

bugsink_install() {
    local files=tests/servers/bugsink venv=$target/servers/bugsink
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || fail 'Bugsink needs Python 3.11 or newer'
    python3 -c 'import venv, ensurepip' 2>/dev/null || install_packages python3-venv

    # Written last, so that what an interrupted run left behind is made anew; and so is a venv that was moved, or
    # made for other versions.
    local complete
    complete=$(python3 -c 'import sys; print(sys.version, sys.executable)' && cat "$files/requirements.txt" && printf '%s' "$venv")
    mkdir -p "$target/servers"
    (
        flock 9 # Two runs in one target directory.
        if [ "$(cat "$venv/complete" 2>/dev/null)" != "$complete" ] || ! "$venv/bin/python" -c 'import bugsink'; then
            rm -rf "$venv"
            python3 -m venv "$venv"
            "$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --requirement "$files/requirements.txt"
            printf '%s\n' "$complete" >"$venv/complete"
        fi
    ) 9>"$target/servers/bugsink.lock"
}

bugsink_start() {
    local home=$run/bugsink bin=$target/servers/bugsink/bin
    mkdir -p "$home"
    # An environment of its own: neither ours nor a developer's steers it.
    local in_bugsink=(env -i "PATH=$PATH" "HOME=$home" LANG=C.UTF-8 "PYTHONPATH=$PWD/tests/servers/bugsink"
        DJANGO_SETTINGS_MODULE=bugsink_conf "BUGSINK_HOME=$home" "BUGSINK_QUOTA=$BUGSINK_QUOTA" PYTHONDONTWRITEBYTECODE=1)
    if ! "${in_bugsink[@]}" "$bin/bugsink-manage" migrate >"$home/migrate.log" 2>&1; then
        tail -n 50 "$home/migrate.log" >&2
        fail 'Bugsink could not make its database'
    fi
    local token
    token=$("${in_bugsink[@]}" "$bin/bugsink-manage" create_auth_token | tail -n 1)

    # A test may end it, by $home/pid, and have it started again: by $home/away, which keeps it from that.
    (
        trap 'kill $(cat "$home/pid" 2>/dev/null) 2>/dev/null; wait; exit' TERM
        while true; do
            if [ ! -e "$home/away" ]; then
                "${in_bugsink[@]}" "$bin/gunicorn" --config tests/servers/bugsink/gunicorn.conf.py bugsink.wsgi &
                wait $!
            fi
            sleep 0.1
        done
    ) >"$home/server.log" 2>&1 &
    bugsink=$!
    started+=("$bugsink")
    if ! within 60 bugsink_answers; then
        tail -n 50 "$home/server.log" >&2
        fail 'Bugsink does not answer'
    fi
    export FAULTWIRE_TEST_BUGSINK=$bugsink_url FAULTWIRE_TEST_BUGSINK_TOKEN=$token
    export FAULTWIRE_TEST_BUGSINK_QUOTA=$BUGSINK_QUOTA FAULTWIRE_TEST_BUGSINK_HOME=$home
}

bugsink_answers() {
    kill -0 "$bugsink" 2>/dev/null || fail "Bugsink ended: $(tail -n 50 "$run/bugsink/server.log")"
    bugsink_url=$(sed -n 's/.*Listening at: \(http:[^ ]*\) .*/\1/p' "$run/bugsink/server.log" | tail -n 1)
    [ -n "$bugsink_url" ] && answers "$bugsink_url/health/ready"
}

# What Bugsink did not store although it answered 200, and what broke in it. One event is bad on purpose, in every
# complete run: it shows that a bad one is seen here.
bugsink_check() {
    local complaints
    complaints=$(grep -E '^(ERROR|CRITICAL) |ValidationError in digest' "$run/bugsink/problems.log" |
        grep -v 'Event already exists' || true)
    if [ "$1" = complete ] && ! grep -q 'provoked-by-a-test' <<<"$complaints"; then
        fail 'Bugsink was sent a bad event and did not complain: this check sees nothing'
    fi
    complaints=$(grep -v 'provoked-by-a-test' <<<"$complaints" || true)
    if [ -n "$complaints" ]; then
        fail "Bugsink complained, see $run/bugsink:"$'\n'"$complaints"
    fi
}
