//! Metrics, as a scrape of the gateway reports them. Other tests increment the same counters at the same time, so a
//! test can only expect that they grow.

use std::collections::BTreeSet;

use crate::world::{World, minimal};

async fn scrape(world: &World) -> String {
    reqwest::get(world.client.url("/metrics")).await.unwrap().text().await.unwrap()
}

fn counted(text: &str, labels: &str) -> u64 {
    let name = format!("mailmoor_http_requests_total{{{labels}}} ");
    text.lines().find_map(|line| line.strip_prefix(&name)).map_or(0, |count| count.parse().unwrap())
}

#[tokio::test]
async fn requests_are_counted_by_dialect_route_and_status() {
    let world = World::start().await;
    let labels = [
        r#"dialect="sendkit",route="/v1/mailboxes",status="201""#,
        r#"dialect="sendkit",route="/v1/mailboxes/{mailboxId}",status="200""#,
        r#"dialect="sendkit",route="/v1/mailboxes/{mailboxId}",status="404""#,
        r#"dialect="sendkit",route="unmatched",status="404""#,
        r#"dialect="none",route="unmatched",status="404""#,
        r#"dialect="none",route="/openapi.json",status="200""#,
    ];
    let before = scrape(&world).await;
    let id = world.add(&minimal("dana")).await.to_string();
    assert_eq!(world.get(&format!("/v1/mailboxes/{id}")).await.status, 200);
    assert_eq!(world.get("/v1/mailboxes/66c0ffee12ab34cd56ef7890").await.status, 404);
    for path in ["/v1/66c0ffee12ab34cd56ef7890", "/66c0ffee12ab34cd56ef7890", "/openapi.json"] {
        reqwest::get(world.client.url(path)).await.unwrap();
    }
    let after = scrape(&world).await;
    for labels in labels {
        assert!(counted(&after, labels) > counted(&before, labels), "{labels}\n{after}");
    }
    let timed = r#"mailmoor_http_request_seconds_count{dialect="sendkit",route="/v1/mailboxes/{mailboxId}"} "#;
    assert!(after.contains(timed), "{after}");
    for private in [&id, "66c0ffee", "dana", &world.workspace.to_string(), &world.key] {
        assert!(!after.contains(private), "{private}\n{after}");
    }
}

/// Whatever was asked for, by this test and all others: one time series for each documented route.
#[tokio::test]
async fn labels_are_few() {
    let world = World::start().await;
    for path in ["/v1/mailboxes/a%2Fb", "/v1/workspaces/..", "/v1/mailboxes/%7BmailboxId%7D/", "/healthz", "/readyz"] {
        reqwest::get(world.client.url(path)).await.unwrap();
    }
    let documented = world.client.document.operations().iter().map(|operation| operation.path.as_str());
    let known: BTreeSet<&str> = documented.chain(["/openapi.json", "unmatched"]).collect();
    let text = scrape(&world).await;
    let routes: BTreeSet<&str> = text
        .lines()
        // The fourth dialect of the tests counts into the same numbers, and is in no document but its own.
        .filter(|line| !line.contains("dialect=\"fourth\""))
        .filter_map(|line| line.split_once("route=\"")?.1.split_once('"'))
        .map(|(route, _)| route)
        .collect();
    assert!(routes.is_subset(&known), "{:?}", routes.difference(&known));
    for name in ["mailmoor_outbox_pending", "mailmoor_outbox_oldest_seconds", "mailmoor_dead_letters"] {
        assert!(text.contains(&format!("# TYPE {name} gauge\n")), "{text}");
    }
}
