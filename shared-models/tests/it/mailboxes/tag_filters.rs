//! Tags are free text: whatever is in them is found, and nothing else is.

use shared_models::store::{MailboxFilter, TagMode};

use crate::support::database::TestDatabase;
use crate::support::tenant::{Tenant, mailbox, tagged};

contract!(any_and_all, odd_characters_mean_themselves, untagged);

fn filter(tags: &[&str], tag_mode: TagMode) -> MailboxFilter {
    MailboxFilter { tags: tags.iter().map(|tag| (*tag).to_owned()).collect(), tag_mode, ..Default::default() }
}

async fn any_and_all(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    tenant.add(tagged("both", &["north", "east"])).await;
    tenant.add(tagged("north", &["north"])).await;
    tenant.add(tagged("east", &["east"])).await;
    tenant.add(tagged("longer", &["northern", "far east", "Nort"])).await;
    tenant.add(mailbox("none")).await;
    for (tags, any, all) in [
        (&["north"][..], &["north", "both"][..], &["north", "both"][..]),
        (&["north", "east"], &["east", "north", "both"], &["both"]),
        (&["east", "north", "west"], &["east", "north", "both"], &[]),
        (&["Nort"], &["longer"], &["longer"]),
        (&["NORTH"], &[], &[]),
        (&["west"], &[], &[]),
        (&["north\0"], &[], &[]),
        (&[], &["none", "longer", "east", "north", "both"], &["none", "longer", "east", "north", "both"]),
    ] {
        assert_eq!(tenant.names(filter(tags, TagMode::Any)).await, any, "any of {tags:?}");
        assert_eq!(tenant.names(filter(tags, TagMode::All)).await, all, "all of {tags:?}");
    }
}

async fn odd_characters_mean_themselves(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let odd = [
        "%",
        "_",
        "'",
        "\"",
        "\\",
        "\\n",
        "a%c",
        "a_c",
        "'; DROP TABLE mailboxes; --",
        "Grüße",
        "grüße",
        "日本",
        "\u{1F980}",
        "a b",
        "a,b",
        "$1",
        "?",
    ];
    tenant.add(tagged("plain", &["abc", "x", "n"])).await;
    for (n, tag) in odd.iter().enumerate() {
        tenant.add(tagged(&format!("m{n}"), &[tag])).await;
    }
    for (n, tag) in odd.iter().enumerate() {
        for mode in [TagMode::Any, TagMode::All] {
            assert_eq!(tenant.names(filter(&[tag], mode)).await, [format!("m{n}")], "{tag}");
        }
    }
    tenant.add(tagged("everything", &odd)).await;
    assert_eq!(tenant.names(filter(&odd, TagMode::All)).await, ["everything"]);
    assert_eq!(tenant.names(filter(&odd, TagMode::Any)).await.len(), odd.len() + 1);
    let found = &store
        .list_mailboxes(tenant.workspace, filter(&odd, TagMode::All), crate::mailboxes::listing::page(None, 0, 5))
        .await
        .unwrap()
        .items[0];
    assert_eq!(found.tags, odd, "in the order given");
}

async fn untagged(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    tenant.add(tagged("tagged", &["north"])).await;
    tenant.add(mailbox("bare")).await;
    for (untagged, found) in [(Some(true), &["bare"][..]), (Some(false), &["tagged"]), (None, &["bare", "tagged"])] {
        assert_eq!(tenant.names(MailboxFilter { untagged, ..Default::default() }).await, found);
    }
    let contradiction = MailboxFilter { untagged: Some(true), ..filter(&["north"], TagMode::Any) };
    assert_eq!(tenant.names(contradiction).await, [""; 0]);
}
