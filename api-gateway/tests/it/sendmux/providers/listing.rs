//! `GET /providers`, `/providers/stats` and `/providers/usage`.

use reqwest::Method;
use serde_json::{Value, json};
use shared_models::domain::sending_accounts::TestOutcome;

use crate::client::Answer;
use crate::world::World;

fn names(answer: &Answer) -> String {
    answer.ok(200).as_array().unwrap().iter().map(|provider| provider["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn pages_are_newest_first() {
    let world = World::start().await;
    let list = async |query: &str| world.sendmux(Method::GET, &format!("/providers{query}")).ask().await;
    assert_eq!(list("").await.body["pagination"], json!({"has_more": false}));
    for name in ["a", "b", "c", "d", "e"] {
        world.add_provider(name).await;
    }
    assert_eq!(names(&list("").await), "edcba");
    let (mut seen, mut query) = (vec![], "?limit=2".to_owned());
    loop {
        let page = list(&query).await;
        seen.push(names(&page));
        let Some(cursor) = page.body["pagination"]["next_cursor"].as_str() else {
            assert_eq!(page.body["pagination"], json!({"has_more": false}));
            break;
        };
        assert_eq!(page.body["pagination"]["has_more"], true);
        query = format!("?limit=2&cursor={cursor}");
    }
    assert_eq!(seen, ["ed", "cb", "a"]);
    let first = list("?limit=1").await.ok(200)[0].clone();
    assert_eq!(first, world.get_provider(first["id"].as_str().unwrap()).await);
}

#[tokio::test]
async fn filters_are_words_of_the_schema() {
    let world = World::start().await;
    let list = async |query: &str| world.sendmux(Method::GET, &format!("/providers?{query}")).ask().await;
    world.add_provider("a").await;
    let id = world.add_provider("b").await;
    world.bid_provider(&id, "deactivate").await;
    for (query, found) in [
        ("status=pending", "a"),
        ("status=inactive", "b"),
        ("status=active", ""),
        ("status=error", ""),
        ("type=smtp", "ba"),
        ("type=gmail_api", ""),
        ("type=outlook_api&status=pending", ""),
        ("type=amazon_ses", ""),
        ("type=smtp&status=inactive&limit=100", "b"),
    ] {
        assert_eq!(names(&list(query).await), found, "{query}");
    }
    for (query, field) in [
        ("status=sleeping", "status"),
        ("status=", "status"),
        ("type=SMTP", "type"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=x", "limit"),
        ("cursor=x", "cursor"),
        ("limit=0&status=x", "limit"),
    ] {
        assert_eq!(list(query).await.error(), (400, "invalid_parameter", Some(field)), "{query}");
    }
}

#[tokio::test]
async fn numbers_of_providers() {
    let world = World::start().await;
    let get = async |path: &str| world.sendmux(Method::GET, path).ask().await.ok(200).clone();
    let stats = |active: i64, inactive: i64, error: i64, pending: i64| -> Value {
        let total = active + inactive + error + pending;
        json!({"total": total, "active": active, "inactive": inactive, "error": error, "pending": pending,
               "by_status": {"active": active, "inactive": inactive, "error": error, "pending": pending},
               "by_type": {"smtp": total, "gmail_api": 0, "outlook_api": 0, "amazon_ses": 0}})
    };
    assert_eq!(get("/providers/stats").await, stats(0, 0, 0, 0));
    assert_eq!(get("/providers/usage").await, json!({"window_days": 7, "providers": []}));
    let verifier = world.provider_verifier(TestOutcome::Accepted);
    let mut ids = vec![];
    for name in ["a", "b", "c"] {
        ids.insert(0, world.add_provider(name).await);
        world.until_status(&ids[0], "active").await;
    }
    verifier.abort();
    world.bid_provider(&ids[0], "deactivate").await;
    world.patch_provider(&ids[1], &json!({"smtp_password": "other"})).await;
    assert_eq!(get("/providers/stats").await, stats(1, 1, 0, 1));
    let usage = get("/providers/usage").await;
    let rows = usage["providers"].as_array().unwrap();
    assert_eq!(rows.iter().map(|row| row["provider_id"].as_str().unwrap()).collect::<Vec<_>>(), ids);
    let unused = json!({"provider_id": ids[0], "sent_today": 0, "sent_7d": 0, "failed_7d": 0, "rejected_7d": 0,
                        "pending_7d": 0, "total_7d": 0});
    assert_eq!(rows[0], unused);
}
