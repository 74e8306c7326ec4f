//! Where events may be posted to.

use mail_lab::{CertSpec, Knot, refused_port};
use serde_json::Value;

use crate::webhooks::{Does, Receiver};
use crate::world::World;

/// The message of the first try to a URL.
async fn error(world: &World, url: &str) -> String {
    let (id, _) = world.add_webhook(url).await;
    world.test_webhook(&id).await;
    let log = world.until_log(&id, |log| !log.is_empty()).await;
    assert_eq!((&log[0]["result"], &log[0]["response_status"]), (&Value::from("retrying"), &Value::Null), "{log:?}");
    log[0]["error_message"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn names_are_looked_up_and_judged() {
    let world = World::start().await;
    let zone = "$TTL 5\n@ SOA ns hostmaster 1 3600 600 86400 5\n@ NS ns\nns A 127.0.0.1\nmail A 127.0.0.1\n\
                inside A 10.0.0.1\nmixed A 127.0.0.1\nmixed A 10.0.0.1\n";
    let knot = Knot::start(&[("example.test", zone)]).unwrap();
    let _deliveries = world.start_deliveries("3600", Some(knot.addr()));
    let mut receiver = Receiver::start().await;
    for host in ["mail.example.test", "127.0.0.1", "localhost"] {
        let (id, _) = world.add_webhook(&receiver.at(host)).await;
        world.test_webhook(&id).await;
        assert!(receiver.post().await.header("host").starts_with(host));
    }
    for (host, why) in [
        ("inside.example.test", "address not allowed"),
        ("mixed.example.test", "address not allowed"),
        ("10.0.0.1", "address not allowed"),
        ("169.254.169.254", "address not allowed"),
        ("[::1]", "address not allowed"),
        ("[::ffff:10.0.0.1]", "address not allowed"),
        ("2130706434", ""),
        ("absent.example.test", "host not found"),
    ] {
        let told = error(&world, &receiver.at(host)).await;
        if !why.is_empty() {
            assert_eq!(told, why, "{host}");
        }
    }
    // The number above is an address in other digits: 127.0.0.2, where nobody listens.
    assert!(receiver.is_quiet());
}

#[tokio::test]
async fn a_certificate_must_be_good_for_the_name() {
    let world = World::start().await;
    let _deliveries = world.start_deliveries("3600", None);
    let mut receiver = Receiver::with(CertSpec::for_names(&["other.example.test"])).await;
    let told = error(&world, &receiver.url()).await;
    assert_eq!(told, "the receiver's certificate is not valid: hostname mismatch");
    let nobody = refused_port().unwrap();
    let told = error(&world, &format!("https://127.0.0.1:{}/", nobody.addr().port())).await;
    assert_eq!(told, "Connection refused");
    assert!(receiver.is_quiet());
}

#[tokio::test]
async fn redirects_lead_nowhere() {
    let world = World::start().await;
    let _deliveries = world.start_deliveries("3600", None);
    let (mut receiver, mut inside) = (Receiver::start().await, Receiver::start().await);
    receiver.will([Does::Redirect(inside.url())]);
    let (id, _) = world.add_webhook(&receiver.url()).await;
    world.test_webhook(&id).await;
    let log = world.until_log(&id, |log| !log.is_empty()).await;
    assert_eq!((&log[0]["result"], &log[0]["response_status"]), (&Value::from("retrying"), &Value::from(302)));
    receiver.post().await;
    assert!(inside.is_quiet());
}
