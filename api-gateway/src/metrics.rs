//! Counts and times requests. A route is named by its pattern and never by the requested path: every id, and every path
//! that a scanner invents, would be a time series of its own, kept for ever.

use std::sync::LazyLock;
use std::time::Instant;

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::middleware::Next;
use service_runtime::metrics::{HistogramVec, IntCounterVec, counters, histograms};
use service_runtime::ops;

/// Seconds.
const BUCKETS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
/// Stands for the pattern of a request that matches no route.
const UNMATCHED: &str = "unmatched";

struct Metrics {
    requests: IntCounterVec,
    seconds: HistogramVec,
}

static METRICS: LazyLock<Metrics> = LazyLock::new(|| Metrics {
    requests: counters(
        "mailmoor_http_requests_total",
        "Requests answered, by dialect, pattern of the route and status.",
        &["dialect", "route", "status"],
    ),
    seconds: histograms(
        "mailmoor_http_request_seconds",
        "Time from the request's head to the answer's head.",
        &["dialect", "route"],
        &BUCKETS,
    ),
});

/// Middleware. It is the outermost one, so that it sees every answer. Probes and scrapes are not counted: they would
/// hide the requests of customers. `dialect_of` gives the dialect that a path or pattern belongs to,
/// out of a fixed few.
pub(crate) async fn measured(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
    dialect_of: impl Fn(&str) -> &'static str,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let started = Instant::now();
    let result = next.call(request).await;
    match &result {
        // Errors of handlers and extractors have become responses by now.
        Ok(response) => match response.request().match_pattern() {
            Some(pattern) if ops::PATHS.contains(&pattern.as_str()) => {}
            Some(pattern) => count(dialect_of(&pattern), &pattern, response.status(), started),
            None => count(dialect_of(response.request().path()), UNMATCHED, response.status(), started),
        },
        // An error of another middleware, which has consumed the request.
        Err(error) => count(dialect_of(""), UNMATCHED, error.as_response_error().status_code(), started),
    }
    result
}

fn count(dialect: &str, route: &str, status: StatusCode, started: Instant) {
    METRICS.requests.with_label_values(&[dialect, route, status.as_str()]).inc();
    METRICS.seconds.with_label_values(&[dialect, route]).observe(started.elapsed().as_secs_f64());
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use actix_web::middleware::{NormalizePath, from_fn};
    use actix_web::test::{TestRequest, call_service, init_service};
    use actix_web::web::{self, Json};
    use actix_web::{App, HttpResponse};

    use super::*;

    fn dialect_of(path: &str) -> &'static str {
        if path.starts_with("/known/") { "known" } else { "none" }
    }

    /// The counter in the text of a scrape.
    fn counted(dialect: &str, route: &str, status: u16) -> u64 {
        let name = format!(r#"mailmoor_http_requests_total{{dialect="{dialect}",route="{route}",status="{status}"}} "#);
        let text = service_runtime::metrics::text().unwrap();
        text.lines().find_map(|line| line.strip_prefix(&name)).map_or(0, |count| count.parse().unwrap())
    }

    /// One test, because all tests of a process share the counters.
    #[actix_web::test]
    async fn counts_by_pattern_whatever_the_end() {
        let things = web::scope("/known")
            .service(
                web::resource("/things/{id}")
                    .route(web::get().to(async || HttpResponse::NoContent()))
                    .route(web::post().to(async |_: Json<u32>| HttpResponse::Created())),
            )
            .service(web::resource("/doomed").route(
                web::get().to(async || Err::<HttpResponse, _>(actix_web::error::ErrorServiceUnavailable("on purpose"))),
            ));
        let app = App::new()
            .service(things)
            .route("/healthz", web::get().to(HttpResponse::Ok))
            .wrap(from_fn(async |request: ServiceRequest, next: Next<_>| {
                if request.path() == "/refused" {
                    return Err(actix_web::error::ErrorTooManyRequests("on purpose"));
                }
                next.call(request).await
            }))
            .wrap(NormalizePath::trim())
            .wrap(from_fn(|request, next| measured(request, next, dialect_of)));
        let app = init_service(app).await;
        let get = async |path: &str| {
            let request = TestRequest::get().uri(path).to_request();
            actix_web::dev::Service::call(&app, request).await.map_or(0, |answer| answer.status().as_u16())
        };

        for path in ["/known/things/66c0ffee", "/known/things/66c0ffef?a=b", "//known/things/dana%40mail.example/"] {
            assert_eq!(get(path).await, 204);
        }
        assert_eq!(counted("known", "/known/things/{id}", 204), 3);

        let broken = TestRequest::post().uri("/known/things/66c0ffee").set_payload("{");
        assert_eq!(call_service(&app, broken.to_request()).await.status(), 400);
        assert_eq!(counted("known", "/known/things/{id}", 400), 1);
        let unknown_method = TestRequest::delete().uri("/known/things/66c0ffee");
        assert_eq!(call_service(&app, unknown_method.to_request()).await.status(), 405);
        assert_eq!(counted("known", "/known/things/{id}", 405), 1);
        assert_eq!(get("/known/doomed").await, 503);
        assert_eq!(counted("known", "/known/doomed", 503), 1);

        assert_eq!(get("/known/nothing/66c0ffee").await, 404);
        assert_eq!(counted("known", "unmatched", 404), 1);
        assert_eq!((get("/wp-admin.php").await, get("/").await), (404, 404));
        assert_eq!(counted("none", "unmatched", 404), 2);
        assert_eq!(get("/refused").await, 0);
        assert_eq!(counted("none", "unmatched", 429), 1);

        assert_eq!(get("/healthz").await, 200);
        let text = service_runtime::metrics::text().unwrap();
        assert!(text.contains(r#"mailmoor_http_request_seconds_count{dialect="known",route="/known/things/{id}"} 5"#));
        for secret in ["66c0ffe", "dana", "wp-admin", "healthz", "refused"] {
            assert!(!text.contains(secret), "{secret}");
        }
    }
}
