//! Redis, whose messages quote the command that it refuses.

use std::net::TcpListener;
use std::time::Duration;

use faultwire::report::DatabaseClass as Class;
use redis::{Client, Connection, RedisResult, cmd};

use super::{Provoked, VALUE, variable};

fn connect() -> Connection {
    Client::open(variable("FAULTWIRE_TEST_REDIS")).unwrap().get_connection().unwrap()
}

#[test]
#[ignore = "needs Redis: run tests/run.sh"]
fn what_redis_refuses_is_told_by_its_class_and_code() {
    let mut provoked = Provoked::through("redis");
    let mut db = connect();
    let mut run = |words: &[&str]| -> RedisResult<redis::Value> {
        let mut command = cmd(words[0]);
        for word in &words[1..] {
            command.arg(word);
        }
        command.query(&mut db)
    };
    run(&["SET", "name", VALUE]).unwrap();

    let of = |class, code| (class, Some(code), None, None, None);
    provoked.report("wrong type", run(&["LPUSH", "name", VALUE]), of(Class::Schema, "WRONGTYPE"));
    provoked.report("not a number", run(&["INCR", "name"]), of(Class::Data, "ERR"));
    provoked.report("unknown command", run(&["REMEMBER", "name", VALUE]), of(Class::Syntax, "ERR"));
    provoked.report("too few arguments", run(&["SET", VALUE]), of(Class::Syntax, "ERR"));
    provoked.report("no such script", run(&["EVALSHA", VALUE, "0"]), of(Class::Schema, "NOSCRIPT"));
    let script = format!("return redis.error_reply('{VALUE} {VALUE}')");
    provoked.report(
        "raised by a script",
        run(&["EVAL", &script, "0"]),
        (Class::Other, None, None, None, None),
    );
    let decode = cmd("GET").arg("name").query::<i64>(&mut db);
    provoked.report("decode", decode, (Class::Decode, None, None, None, None));
    let value = cmd("GET").arg("name").query::<redis::Value>(&mut db).unwrap();
    let decode = redis::from_redis_value::<i64>(value);
    provoked.report("decode, alone", decode, (Class::Decode, None, None, None, None));
    let mut transaction = redis::pipe();
    transaction.atomic().cmd("SET").arg(VALUE);
    let aborted = transaction.query::<()>(&mut db);
    provoked.report("aborted", aborted, of(Class::Other, "EXECABORT"));
    provoked.check();
}

#[test]
#[ignore = "needs Redis: run tests/run.sh"]
fn outages_of_redis_are_told_apart() {
    let mut provoked = Provoked::through("redis");
    let of = |class, code| (class, Some(code), None, None, None);
    let mut db = connect();
    let mut owner = connect();

    let url = variable("FAULTWIRE_TEST_REDIS");
    let wrong = Client::open(url.replace("owner-pw", VALUE)).unwrap().get_connection().map(drop);
    provoked.report("wrong password", wrong, (Class::Authentication, None, None, None, None));
    let unknown = Client::open(url.replace(":owner-pw@", "")).unwrap().get_connection().unwrap();
    let denied = {
        let mut unknown = unknown;
        cmd("GET").arg(VALUE).query::<String>(&mut unknown)
    };
    provoked.report("no password", denied, of(Class::Authentication, "NOAUTH"));
    owner_says(&mut owner, &["ACL", "SETUSER", "guest", "on", ">guest-pw", "~a*", "+get"]);
    let guest = Client::open(url.replace(":owner-pw@", "guest:guest-pw@")).unwrap();
    let denied =
        guest.get_connection().and_then(|mut guest| cmd("GET").arg(VALUE).query::<String>(&mut guest));
    provoked.report("permission denied", denied, of(Class::Permission, "NOPERM"));

    owner_says(&mut owner, &["CONFIG", "SET", "maxmemory", "1"]);
    let full = cmd("SET").arg("name").arg(VALUE).query::<()>(&mut db);
    owner_says(&mut owner, &["CONFIG", "SET", "maxmemory", "0"]);
    provoked.report("out of memory", full, of(Class::Resources, "OOM"));
    owner_says(&mut owner, &["REPLICAOF", "127.0.0.1", "1"]);
    let written = cmd("SET").arg("name").arg(VALUE).query::<()>(&mut db);
    owner_says(&mut owner, &["REPLICAOF", "NO", "ONE"]);
    provoked.report("read-only", written, of(Class::ReadOnly, "READONLY"));

    let mut waiting = connect();
    waiting.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let slow = cmd("BLPOP").arg("nothing").arg(20).query::<()>(&mut waiting);
    provoked.report("timeout", slow, (Class::Timeout, None, None, None, None));
    let id: i64 = cmd("CLIENT").arg("ID").query(&mut db).unwrap();
    owner_says(&mut owner, &["CLIENT", "KILL", "ID", &id.to_string()]);
    let lost = cmd("GET").arg(VALUE).query::<String>(&mut db);
    provoked.report("killed", lost, (Class::Connection, None, None, None, None));
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let refused = Client::open(format!("redis://{closed}/")).unwrap().get_connection().map(drop);
    provoked.report("connection refused", refused, (Class::Connection, None, None, None, None));
    provoked.check();
}

fn owner_says(owner: &mut Connection, words: &[&str]) {
    let mut command = cmd(words[0]);
    for word in &words[1..] {
        command.arg(word);
    }
    command.exec(owner).unwrap();
}
