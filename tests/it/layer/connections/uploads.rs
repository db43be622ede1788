//! Clients that leave during their upload: what the handler makes of its body's error.

use axum::error_handling::HandleError;
use faultwire::config::Bodies;
use tower::service_fn;

use super::*;

const LEFT: &str = "error reading a body from connection";

/// A handler that reads its body, and what it makes of that.
fn reading<M, F>(at_work: &Arc<Notify>, make: M) -> Router
where
    M: FnOnce(Result<Bytes, axum::Error>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<(), Report>> + Send + 'static,
{
    let told = Arc::clone(at_work);
    let reads = async move |body: Body| {
        told.notify_one();
        make(to_bytes(body, usize::MAX).await).await
    };
    Router::new().route("/uploads/{id}", on_post(reads))
}

#[tokio::test]
async fn who_leaves_during_the_upload_is_counted_and_told_of_on_demand() {
    assert_eq!(all_leave(ReportLayer::new(), "/uploads/1", |config| config).await, [json!(null); 0]);
    let events = all_leave(ReportLayer::new().report_cancelled(), "/uploads/1", |config| config).await;
    assert_are_cancelled(&events, "POST /uploads/{id}");
    let quiet = ReportLayer::new().report_cancelled().ignore(|_, status| status.as_u16() == 499);
    assert_eq!(all_leave(quiet, "/uploads/1", |config| config).await, [json!(null); 0]);
}

#[tokio::test]
async fn what_a_handler_takes_for_the_clients_mistake_is_counted_once() {
    let asks = ReportLayer::new().report_if(|_, status| status == StatusCode::BAD_REQUEST);
    for layer in [ReportLayer::new(), asks] {
        let reporting = Reporting::start();
        let at_work = Arc::new(Notify::new());
        let router = reading(&at_work, async |read| {
            read.map(drop).map_err(|error| Report::new(error).status(StatusCode::BAD_REQUEST))
        });
        let router = router.layer(layer);
        leave_during(ResetsHttp1, router, "/uploads/1", &at_work).await;
        until("counted", || reporting.guard.stats().cancelled == 1).await;
        reporting.events(0);
        assert_eq!(reporting.guard.stats().discarded, 0);
    }
}

#[tokio::test]
async fn an_upload_that_breaks_off_ends_its_transaction_as_cancelled() {
    let reporting = Reporting::with(|config| config.traces_sample_rate(1.0));
    let at_work = Arc::new(Notify::new());
    leave_during(ResetsTheStream, shop_of(ReportLayer::new(), &at_work), "/uploads/1", &at_work).await;
    until("counted", || reporting.guard.stats().cancelled == 1).await;
    let transactions = crate::traces::items(&reporting, "transaction");
    let [transaction] = &transactions[..] else { panic!("{transactions:?}") };
    assert_eq!(transaction["contexts"]["trace"]["status"], "cancelled");
}

#[tokio::test]
async fn what_is_logged_of_an_upload_that_breaks_off_is_no_failure_either() {
    let reporting = Reporting::start();
    let _listening = crate::logs::listening();
    let at_work = Arc::new(Notify::new());
    let router = reading(&at_work, logs_and_fails).layer(ReportLayer::new());
    leave_during(ClosesHttp1, router, "/uploads/1", &at_work).await;
    until("counted", || reporting.guard.stats().cancelled == 1).await;
    reporting.events(0);
}

async fn logs_and_fails(read: Result<Bytes, axum::Error>) -> Result<(), Report> {
    let error = read.unwrap_err();
    tracing::error!("the upload failed: {error}");
    Err(error.into())
}

#[tokio::test]
async fn nor_is_it_where_the_answer_never_comes() {
    let reporting = Reporting::start();
    let _listening = crate::logs::listening();
    let (at_work, answered) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let told = Arc::clone(&answered);
    let hangs = axum::middleware::from_fn(move |request: Request<Body>, next: axum::middleware::Next| {
        let told = Arc::clone(&told);
        async move {
            let _answer = next.run(request).await;
            told.notify_one();
            std::future::pending::<Response<Body>>().await
        }
    });
    let router = reading(&at_work, logs_and_fails).layer(hangs).layer(ReportLayer::new());
    let service = router.into_service();
    let body =
        Body::new(http_body_util::StreamBody::new(tokio_stream::iter([Err::<http_body::Frame<Bytes>, _>(
            upstream_that_leaves().await,
        )])));
    let upload = Request::post("/uploads/1").header("content-type", "application/json").body(body).unwrap();
    let running = tokio::spawn(service.oneshot(upload));
    timeout(A_WHILE, answered.notified()).await.unwrap();
    running.abort();
    assert!(running.await.unwrap_err().is_cancelled());
    assert_eq!(reporting.guard.stats().cancelled, 1);
    reporting.events(0);
}

#[tokio::test]
async fn a_service_that_fails_because_the_client_left_fails_by_nothing_else() {
    let reporting = Reporting::start();
    let at_work = Arc::new(Notify::new());
    let told = Arc::clone(&at_work);
    let reads = service_fn(move |request: Request<Body>| {
        let told = Arc::clone(&told);
        async move {
            told.notify_one();
            to_bytes(request.into_body(), usize::MAX).await?;
            Ok::<_, axum::BoxError>(Response::new(Body::empty()))
        }
    });
    let watched = tower::Layer::layer(&ReportLayer::new(), reads);
    let service = HandleError::new(watched, async |_: axum::BoxError| StatusCode::BAD_GATEWAY);
    let router = Router::new().fallback_service(service);
    leave_during(ClosesHttp1, router, "/uploads/1", &at_work).await;
    until("counted", || reporting.guard.stats().cancelled == 1).await;
    reporting.events(0);
}

/// The one event of what a handler makes of its body's error, whose client has left.
async fn event_of<M, F>(change: fn(Config) -> Config, make: M) -> serde_json::Value
where
    M: FnOnce(axum::Error) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Report> + Send + 'static,
{
    let reporting = Reporting::with(change);
    let at_work = Arc::new(Notify::new());
    let router = reading(&at_work, async move |read| Err(make(read.unwrap_err()).await));
    let router = router.layer(ReportLayer::new());
    leave_during(ClosesHttp1, router, "/uploads/1", &at_work).await;
    until("sent", || reporting.guard.stats().sent == 1).await;
    let event = reporting.event();
    assert_eq!(reporting.guard.stats().cancelled, 0);
    assert_eq!(event["contexts"]["response"]["status_code"], 500);
    event
}

/// What a connection to somebody else says that is closed in the middle of a response.
async fn upstream_that_leaves() -> hyper::Error {
    let (ours, mut theirs) = tokio::io::duplex(1024);
    let (mut client, connection) = hyper::client::conn::http1::handshake(TokioIo::new(ours)).await.unwrap();
    tokio::spawn(connection);
    let leaves = async move {
        theirs.read_u8().await.unwrap();
        theirs.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{").await.unwrap();
    };
    let (response, ()) = tokio::join!(client.send_request(get("/stock")), leaves);
    http_body_util::BodyExt::collect(response.unwrap().into_body()).await.unwrap_err()
}

#[tokio::test]
async fn what_the_application_fails_by_is_told_of_though_the_client_has_left() {
    let ignored = event_of(|config| config, async |_| Report::new("no stock")).await;
    assert_eq!(exception(&ignored)["value"], "no stock");
    let in_own_words = event_of(|config| config, async |error| Report::new(error.to_string())).await;
    assert_eq!(exception(&in_own_words)["value"], LEFT);
    let of_a_file = event_of(
        |config| config,
        async |_error| Report::new(std::io::Error::from(std::io::ErrorKind::UnexpectedEof)),
    );
    assert_eq!(exception(&of_a_file.await)["value"], "unexpected end of file");
    let critical = event_of(|config| config, async |error| Report::new(error).critical());
    assert_eq!(critical.await["level"], "fatal");
}

#[tokio::test]
async fn a_connection_to_somebody_else_that_ends_is_no_client_that_leaves() {
    let of_another = event_of(
        |config| config,
        async |error| {
            let report = Report::new(upstream_that_leaves().await);
            drop(error);
            report
        },
    );
    assert_eq!(exception(&of_another.await)["value"], LEFT);
}

#[tokio::test]
async fn without_a_look_at_the_body_it_is_not_known_whose_connection_ended() {
    let event = event_of(|config| config.bodies(Bodies::Off), async |error| Report::new(error)).await;
    assert_eq!(exception(&event)["value"], LEFT);
}

#[tokio::test]
async fn an_upload_that_is_too_long_is_a_failure() {
    let reporting = Reporting::start();
    let reads = async |body: Body| {
        to_bytes(body, 3).await?;
        Ok::<_, Report>(())
    };
    let router = Router::new().route("/uploads/{id}", on_post(reads)).layer(ReportLayer::new());
    let _client = Client::begin(ClosesHttp1, serve(router).await, "/uploads/1").await;
    until("sent", || reporting.guard.stats().sent == 1).await;
    assert_eq!(exception(&reporting.event())["value"], "length limit exceeded");
    assert_eq!(reporting.guard.stats().cancelled, 0);
}

/// Where the error of the connection is.
fn place(error: &(dyn std::error::Error + 'static)) -> usize {
    let of_hyper = std::iter::successors(Some(error), |error| error.source()).last().unwrap();
    std::ptr::from_ref(of_hyper).addr()
}

#[tokio::test]
async fn an_error_in_the_place_of_the_bodys_is_no_client_that_leaves() {
    let of_another = event_of(
        |config| config,
        async |error| {
            let left = place(&error);
            drop(error);
            let mut others = Vec::new();
            for _ in 0..500 {
                let other = upstream_that_leaves().await;
                if place(&other) == left {
                    return Report::new(other);
                }
                others.push(other);
            }
            Report::new(others.pop().unwrap())
        },
    );
    assert_eq!(exception(&of_another.await)["value"], LEFT);
}

#[tokio::test]
async fn what_was_logged_of_another_connection_is_told_of_though_the_client_has_left() {
    let reporting = Reporting::start();
    let _listening = crate::logs::listening();
    let at_work = Arc::new(Notify::new());
    let router = reading(&at_work, async |read| {
        let stock = std::io::Error::from_raw_os_error(104);
        tracing::error!("the stock could not be written: {stock}");
        Ok(read.map(drop)?)
    });
    let router = router.layer(ReportLayer::new());
    leave_during(ResetsHttp1, router, "/uploads/1", &at_work).await;
    until("counted", || reporting.guard.stats().cancelled == 1).await;
    let event = reporting.event();
    assert!(exception(&event)["value"].as_str().unwrap().starts_with("the stock could not be written"));
}

#[tokio::test]
async fn a_service_that_fails_by_something_else_is_told_of_though_the_client_has_left() {
    let reporting = Reporting::start();
    let at_work = Arc::new(Notify::new());
    let routes = reading(&at_work, async |read| Ok(read.map(drop)?));
    let audited = service_fn(move |request: Request<Body>| {
        let routes = routes.clone();
        async move {
            let _answer = routes.oneshot(request).await;
            Err::<Response<Body>, axum::BoxError>("the audit log is full".into())
        }
    });
    let watched = tower::Layer::layer(&ReportLayer::new(), audited);
    let service = HandleError::new(watched, async |_: axum::BoxError| StatusCode::BAD_GATEWAY);
    let router = Router::new().fallback_service(service);
    leave_during(ClosesHttp1, router, "/uploads/1", &at_work).await;
    until("over", || {
        let stats = reporting.guard.stats();
        stats.cancelled + stats.sent > 0
    })
    .await;
    reporting.events(1);
}

#[tokio::test]
async fn a_report_that_a_rule_makes_critical_is_told_of_though_the_client_has_left() {
    let always = |config: Config| config.critical(|_| true);
    let by_status = |config: Config| config.critical(|failure| failure.status().is_some_and(|it| it == 500));
    for rule in [always, by_status] {
        let event = event_of(rule, async |error| Report::new(error)).await;
        assert_eq!(event["level"], "fatal");
    }
}

#[tokio::test]
async fn an_extractor_that_refuses_an_upload_that_breaks_off_makes_no_event_of_it() {
    let reporting = Reporting::start();
    let at_work = Arc::new(Notify::new());
    let told = Arc::clone(&at_work);
    let notes = axum::middleware::from_fn(move |request: Request<Body>, next: axum::middleware::Next| {
        told.notify_one();
        next.run(request)
    });
    let router = Router::new()
        .route("/uploads/{id}", on_post(async |_: Json<serde_json::Value>| ()))
        .layer(notes)
        .layer(ReportLayer::new().report_if(|_, _| true));
    leave_during(ResetsHttp1, router, "/uploads/1", &at_work).await;
    until("counted or told", || {
        let stats = reporting.guard.stats();
        stats.cancelled + stats.sent > 0
    })
    .await;
    reporting.events(0);
    assert_eq!(reporting.guard.stats().cancelled, 1);
}

/// A connection that ends as one under TLS does, whose other side does not say that it closes it.
struct Unannounced(TcpStream);

impl tokio::io::AsyncRead for Unannounced {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        buffer: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        std::task::ready!(std::pin::Pin::new(&mut self.0).poll_read(cx, buffer))?;
        let ended = || {
            let said = "peer closed connection without sending TLS close_notify";
            std::io::Error::new(std::io::ErrorKind::UnexpectedEof, said)
        };
        std::task::Poll::Ready(if buffer.filled().len() == before { Err(ended()) } else { Ok(()) })
    }
}

impl tokio::io::AsyncWrite for Unannounced {
    fn poll_write(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        bytes: &[u8],
    ) -> std::task::Poll<std::io::Result<usize>> {
        std::pin::Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::pin::Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::pin::Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[tokio::test]
async fn who_leaves_a_connection_under_tls_without_a_word_is_counted_too() {
    for way in [ClosesHttp1, ClosesHttp2] {
        let reporting = Reporting::start();
        let at_work = Arc::new(Notify::new());
        let router = shop_of(ReportLayer::new(), &at_work);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (tcp, _) = listener.accept().await.unwrap();
            let server = auto::Builder::new(TokioExecutor::new());
            let service = TowerToHyperService::new(router);
            drop(server.serve_connection(TokioIo::new(Unannounced(tcp)), service).await);
        });
        let client = Client::begin(way, addr, "/uploads/1").await;
        timeout(A_WHILE, at_work.notified()).await.unwrap();
        client.leave(way);
        until("counted or told", || {
            let stats = reporting.guard.stats();
            stats.cancelled + stats.sent > 0
        })
        .await;
        assert_eq!(reporting.all_events(), [json!(null); 0], "{way:?}");
        assert_eq!(reporting.guard.stats().cancelled, 1, "{way:?}");
    }
}
