//! Limits of the logins in flight.

use std::time::Duration;

use futures_util::future::join_all;
use mail_client::ProbeSettings;
use mail_lab::scripted::{Behaviour, Listener, Protocol};

use crate::support::{PASSWORD, passed, probe, prober_with, server, settings};

#[tokio::test]
async fn a_server_gets_few_connections_at_once() {
    let limits = ProbeSettings { concurrency: 8, per_host_concurrency: 3, ..settings() };
    let prober = prober_with(limits, None);
    let server = server(Behaviour { reply_delay: Duration::from_millis(20), ..Behaviour::default() });
    let logins = (0..30).map(|_| probe(&prober, &server, Listener::SmtpImplicit, PASSWORD));
    for report in join_all(logins).await {
        passed(&report);
        // The wait for a slot is not counted as the server's time.
        assert!(report.millis < 1500, "{report:?}");
    }
    assert_eq!(server.logins(Protocol::Smtp, crate::support::USER).accepted, 30);
    // A closing connection may still be open at the server when the next one arrives.
    assert!(server.listener(Listener::SmtpImplicit).max_open <= 6);
}
