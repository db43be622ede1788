//! One request to each failing route, so that there is something to see at once.
#![expect(clippy::print_stdout, reason = "a program speaks to its user")]

use std::net::SocketAddr;

use ureq::Agent;

/// Method, path, content type and body of one request for each route that fails.
const REQUESTS: &[(&str, &str, &str, &str)] = &[
    ("GET", "/orders/42?currency=eur&token=c2VjcmV0", "", ""),
    ("GET", "/status/503", "", ""),
    ("GET", "/panic", "", ""),
    ("POST", "/checkout", "application/json", r#"{"items":3,"card_number":"4111111111111111"}"#),
    ("POST", "/login", "application/x-www-form-urlencoded", "user=ada&password=hunter2"),
    ("POST", "/token", "application/x-www-form-urlencoded", "user=ada&password=hunter2"),
    (
        "POST",
        "/upload",
        "multipart/form-data; boundary=b",
        "--b\r\ncontent-disposition: form-data; name=\"note\"\r\n\r\nhello\r\n--b--\r\n",
    ),
    (
        "POST",
        "/graphql",
        "application/json",
        r#"{"operationName":"Cart","query":"query Cart { cart }","variables":{"password":"hunter2"}}"#,
    ),
    ("POST", "/text", "text/plain", "note=hello password=hunter2"),
    ("GET", "/proxy", "", ""),
    ("GET", "/stream", "", ""),
    ("GET", "/spawn", "", ""),
    ("GET", "/log", "", ""),
    ("GET", "/whoami?user=7", "", ""),
    ("POST", "/jobs/send_invoice?attempt=3&of=3", "", ""),
];

pub(crate) async fn every_failing_route(addr: SocketAddr) -> Result<(), tokio::task::JoinError> {
    tokio::task::spawn_blocking(move || {
        let agent = Agent::config_builder().http_status_as_error(false).build().new_agent();
        for (method, path, content_type, body) in REQUESTS {
            let url = format!("http://{addr}{path}");
            let answer = match *method {
                "POST" => agent.post(url).header("content-type", *content_type).send(*body),
                _ => agent.get(url).call(),
            };
            match answer {
                Ok(answer) => {
                    let id = answer.headers().get("x-event-id").and_then(|id| id.to_str().ok()).unwrap_or("");
                    println!("  {} {method:4} {path}  {id}", answer.status().as_u16());
                }
                Err(error) => println!("  {method:4} {path}: {error}"),
            }
        }
    })
    .await
}
