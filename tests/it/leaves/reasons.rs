//! Why each field leaves, and what keeps it: the part of the page that people write.

/// A path, or the beginning of several with `*`; why; what keeps it.
pub(super) type Reason = (&'static str, &'static str, &'static str);

/// In the order of the page. A field without a reason fails the test.
pub(super) const REASONS: &[Reason] = &[
    ("event_id", "names the event; the client is told it as `x-event-id`", "always sent"),
    ("start_timestamp", "when the request began", "`SENTRY_TRACES_SAMPLE_RATE=0`, the default"),
    ("timestamp", "when it failed; of a transaction, when it ended", "always sent"),
    ("platform", "servers ask for it", "always sent"),
    ("level", "how bad it is; an error's is not sent", "always sent"),
    ("sdk.*", "which program wrote the event", "always sent"),
    ("release", "which version of the application failed", "set no `SENTRY_RELEASE`"),
    ("environment", "where it failed", "always sent; `SENTRY_ENVIRONMENT`"),
    ("server_name", "which machine failed", "`Config::server_name` sends another one"),
    ("transaction", "the route's pattern, not the path", "always sent"),
    (
        "fingerprint[]",
        "what the server groups by: numbers, ids and quoted texts are left out of it",
        "`Report::fingerprint`",
    ),
    ("exception.values[].type", "the type of each error of the chain", "`Config::error_name`"),
    ("exception.values[].module", "where that type is declared", "`Config::error_name`"),
    (
        "exception.values[].value",
        "the error's message, scrubbed",
        "write no data into messages; `Sensitive` around values",
    ),
    ("exception.values[].mechanism.*", "how it was noticed: an error, a panic, a status", "always sent"),
    (
        "exception.values[].stacktrace.*",
        "the place of the failure, and who called it: names, files and lines of the program. No variables",
        "`Config::stack_traces`; the place is always sent",
    ),
    ("logentry.*", "a message that the application sent itself, scrubbed", "send none"),
    ("message", "a message that the application sent itself, scrubbed", "send none"),
    (
        "request.method",
        "the request that failed",
        "`Config::client_options`: `before_send` may change all of it",
    ),
    (
        "request.url",
        "the same; segments whose name in the route's pattern is a secret's are masked",
        "`before_send`",
    ),
    ("request.query_string", "the same, without the values of secret names", "`before_send`"),
    (
        "request.headers.*",
        "names of all headers; values of a short list of harmless ones, which `src/record/head.rs` has",
        "`HeaderValue::set_sensitive`",
    ),
    ("request.data", "what the handler read of the body, scrubbed", "`FAULTWIRE_BODIES=off`"),
    (
        "user.ip_address",
        "where the request came from, as far as `FAULTWIRE_CLIENT_IP` says; nothing by default",
        "`FAULTWIRE_CLIENT_IP=off`",
    ),
    (
        "user.*",
        "who was affected: exactly what the application said",
        "do not call `user(..)`; `FAULTWIRE_HASH_USERS=true`",
    ),
    ("tags.auth.failure", "why somebody was not let in", "always sent"),
    (
        "tags.user.hash",
        "stands for an account: a hash under `FAULTWIRE_HASH_KEY`, so that one user's events are found",
        "do not call `identifier(..)`",
    ),
    (
        "tags.network.hash",
        "the same for a network: the /24 of an IPv4 address, the /48 of an IPv6 one",
        "no `ConnectInfo`, and no `trusted_proxies`",
    ),
    ("tags.brute_force.*", "which pattern it is, and how far it came", "do not call `Report::auth`"),
    (
        "tags.db.*",
        "which database, its code, and names of its schema; the statement's operation and tables",
        "always sent; `statement(..)` for the latter",
    ),
    ("tags.peer.service", "what the application calls the service", "always sent"),
    ("tags.server.address", "which host was called", "always sent"),
    (
        "tags.url.template",
        "the URL that was called: ids are replaced, and of the query only names are left",
        "always sent",
    ),
    (
        "tags.upstream.*",
        "how far the call came, and what the service says of it: status, error code, its id of the request",
        "do not call `upstream_response(..)`, `upstream_body(..)`",
    ),
    ("tags.client.hash", "stands for where the request came from", "`FAULTWIRE_CLIENT_IP=off`"),
    ("tags.error.*", "what kind of failure it is, and where it surfaced", "always sent"),
    ("tags.job.*", "which job failed, at which attempt, and how it ended", "always sent, scrubbed"),
    (
        "tags.messaging.*",
        "what the application called the job's queue and id",
        "do not call `queue(..)`, `id(..)`",
    ),
    ("tags.http.*", "what the client was answered", "always sent"),
    ("tags.request_id", "names the request: its `x-request-id`, or else its trace", "always sent, scrubbed"),
    ("tags.thread.name", "the thread that panicked", "always sent, scrubbed"),
    ("tags.faultwire.*", "what of the event is not whole", "always sent"),
    ("tags.logger", "who logged it: the target of the line", "do not add `tracing_layer()`"),
    ("tags.suppressed", "how many failures this event stands for", "`FAULTWIRE_STORM=off`"),
    (
        "tags.*",
        "what the application said with `tag(..)` or logged as `tags.<name>`, scrubbed",
        "do not call it",
    ),
    (
        "extra.*",
        "what the application said with `data(..)`, scrubbed; with `tracing_layer()`, the fields of lines and spans",
        "do not call it; `Logs::spans`, `Logs::filter`",
    ),
    (
        "breadcrumbs.values[].*",
        "what the application said with `breadcrumb(..)`, scrubbed; with `tracing_layer()`, what it logged; and its calls \
         through `UpstreamLayer`: method, host, the path with ids replaced, status, time",
        "do not call it; `Logs::breadcrumbs`",
    ),
    ("contexts.trace.*", "the request's trace, from `traceparent` if it has one", "always sent"),
    ("contexts.response.*", "what the client was answered", "always sent"),
    (
        "contexts.database.db.query.text",
        "the statement that failed, without literals and comments; bound parameters are never read",
        "do not call `statement(..)`",
    ),
    ("contexts.database.pool.*", "how busy the connection pool was", "do not call `pool(..)`"),
    ("contexts.database.*", "the same as the tags, and the driver", "always sent"),
    (
        "contexts.third_party.http.response.body",
        "the beginning of what the service answered (512 bytes), scrubbed",
        "`FAULTWIRE_BODIES=off`",
    ),
    ("contexts.third_party.*", "the same as the tags, and the call: method, attempt, time", "always sent"),
    (
        "contexts.brute_force.*",
        "how many failures, of which kinds, from when to when",
        "do not call `Report::auth`",
    ),
    ("contexts.job.args.*", "what the application said with `args(..)`, scrubbed", "do not call it"),
    (
        "contexts.job.*",
        "the run: what the application said of it, and how long it took",
        "always sent, scrubbed",
    ),
    ("contexts.device.*", "the processor that the program was built for", "always sent"),
    ("contexts.os.*", "the operating system", "always sent"),
    ("contexts.rust*", "the compiler", "always sent"),
    ("contexts.filtered.*", "how often each rule masked something: no values", "always sent"),
    ("contexts.storm.*", "how many failures this event stands for, and which", "`FAULTWIRE_STORM=off`"),
    ("contexts.faultwire.body.*", "how much of the body is missing", "`FAULTWIRE_BODIES=off`"),
    ("check_in_id", "connects the beginning and the end of a run", "do not call `monitor(..)`"),
    ("monitor_slug", "names the monitor", "do not call `monitor(..)`"),
    ("status", "how the run ended", "do not call `monitor(..)`"),
    ("duration", "how long it took", "do not call `monitor(..)`"),
    ("monitor_config.*", "when the job is to run", "do not say a schedule"),
    ("_meta", "which rule masked what, for the server's page: no values", "always sent"),
];

/// The reason of a path, and its place in the order of the page.
pub(super) fn of(path: &str) -> Option<(usize, &'static Reason)> {
    REASONS.iter().enumerate().find(|(_, (pattern, ..))| match pattern.strip_suffix('*') {
        Some(start) => path.starts_with(start),
        None => path == *pattern,
    })
}
