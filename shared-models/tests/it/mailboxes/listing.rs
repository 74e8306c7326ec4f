//! The list of mailboxes: filters, orders and pages.

use shared_models::domain::mailboxes::{MailboxChange, NewMailbox, ProviderLabel};
use shared_models::domain::{MailboxId, MailboxStatus, WorkspaceId};
use shared_models::store::{MailboxFilter, MailboxOrder, MailboxSort, PageRequest, SortDirection};

use crate::support::database::TestDatabase;
use crate::support::tenant::{Tenant, accepted, kept, mailbox, refused, tagged};

contract!(
    by_status,
    by_provider,
    by_the_wish_to_send,
    by_search,
    by_the_address_as_it_was_given,
    by_passing_dns_records,
    filters_add_up,
    a_cursor_walks_over_equal_timestamps,
    a_cursor_survives_what_happens_meanwhile,
    offsets_count_from_the_newest,
    every_order_both_ways,
    pages_of_equals_have_no_gaps_and_no_repetitions,
    a_workspace_sees_its_own_only,
);

pub(crate) fn page(after: Option<MailboxId>, offset: i64, limit: i64) -> PageRequest {
    PageRequest { order: MailboxOrder::default(), after, offset, limit }
}

async fn by_status(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let active = tenant.add(mailbox("active")).await.id;
    let failed = tenant.add(kept("failed")).await.id;
    let pending = tenant.add(mailbox("pending")).await.id;
    tenant.add(mailbox("unverified")).await;
    store.settle_verification(active, accepted()).await.unwrap();
    store.settle_verification(failed, refused()).await.unwrap();
    database.execute(&format!("UPDATE mailboxes SET status = 'pending' WHERE id = '{pending}'"));

    let with = |statuses: &[MailboxStatus]| MailboxFilter { statuses: statuses.to_vec(), ..Default::default() };
    use MailboxStatus::{Active, Failed, Pending, Unverified};
    for (statuses, found) in [
        (&[][..], &["unverified", "pending", "failed", "active"][..]),
        (&[Unverified], &["unverified"]),
        (&[Pending], &["pending"]),
        (&[Active], &["active"]),
        (&[Failed], &["failed"]),
        (&[Active, Unverified], &["unverified", "active"]),
    ] {
        assert_eq!(tenant.names(with(statuses)).await, found, "{statuses:?}");
    }
    let nothing = MailboxFilter { nothing: true, ..Default::default() };
    assert_eq!(tenant.names(nothing).await, [""; 0]);
}

async fn by_provider(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    for provider in ProviderLabel::ALL {
        tenant.add(NewMailbox { provider, ..mailbox(provider.as_str()) }).await;
    }
    let with = |providers: &[ProviderLabel]| MailboxFilter { providers: providers.to_vec(), ..Default::default() };
    for provider in ProviderLabel::ALL {
        assert_eq!(tenant.names(with(&[provider])).await, [provider.as_str()]);
    }
    assert_eq!(tenant.names(with(&[ProviderLabel::Gmail, ProviderLabel::Azure])).await, ["azure", "gmail"]);
}

async fn by_the_wish_to_send(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    tenant.add(mailbox("off")).await;
    let on = tenant.add(mailbox("on")).await.id;
    let change = MailboxChange { sending_enabled: Some(true), ..Default::default() };
    store.change_mailbox(tenant.workspace, on, change).await.unwrap();
    for (wish, found) in [(Some(true), &["on"][..]), (Some(false), &["off"]), (None, &["on", "off"])] {
        let filter = MailboxFilter { sending_enabled: wish, ..Default::default() };
        assert_eq!(tenant.names(filter).await, found);
    }
}

async fn by_search(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    for (local_part, display_name) in [
        ("dana", "Dana Field"),
        ("otto", "100% \"Otto\" O'Neil \\ under_score"),
        ("ulrike", "Ulrike Ärger-GRÖSSE \u{1F980}"),
        ("zoe", "ΖΩΗ Иванова"),
    ] {
        tenant.add(NewMailbox { display_name: display_name.to_owned(), ..mailbox(local_part) }).await;
    }
    for (search, found) in [
        ("dana", &["dana"][..]),
        ("DANA@MAIL", &["dana"]),
        ("na fi", &["dana"]),
        ("@mail.example", &["zoe", "ulrike", "otto", "dana"]),
        ("100%", &["otto"]),
        ("%", &["otto"]),
        ("_", &["otto"]),
        ("\\", &["otto"]),
        ("o'neil", &["otto"]),
        ("\"otto\"", &["otto"]),
        ("d%a", &[]),
        ("d_na", &[]),
        ("ärger", &["ulrike"]),
        ("ÄRGER-grösse", &["ulrike"]),
        ("\u{1F980}", &["ulrike"]),
        ("ζωη", &["zoe"]),
        ("ИВАН", &["zoe"]),
        ("nobody", &[]),
    ] {
        let filter = MailboxFilter { search: Some(search.to_owned()), ..Default::default() };
        assert_eq!(tenant.names(filter).await, found, "{search}");
    }
}

async fn by_the_address_as_it_was_given(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    tenant.add(mailbox("plain")).await;
    tenant.add(NewMailbox { email_as_given: Some("Given@MÜLLER.example".to_owned()), ..mailbox("given") }).await;
    for (search, found) in
        [("müller", &["given"][..]), ("given@mü", &["given"]), ("@mail.ex", &["given", "plain"]), ("otto", &[])]
    {
        let filter = MailboxFilter { search: Some(search.to_owned()), ..Default::default() };
        assert_eq!(tenant.names(filter).await, found, "{search}");
    }
}

/// A mailbox that was not checked has no number of working records, so that no bound matches it.
async fn by_passing_dns_records(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    tenant.add(mailbox("unchecked")).await;
    for (working, name) in ["none", "one", "two", "three", "four"].into_iter().enumerate() {
        let id = tenant.add(mailbox(name)).await.id;
        store.record_dns_check(id, crate::mailboxes::dns_checks::with_working_records(working)).await.unwrap();
    }
    for (min, max, found) in [
        (Some(0), None, &["four", "three", "two", "one", "none"][..]),
        (Some(3), None, &["four", "three"]),
        (None, Some(1), &["one", "none"]),
        (Some(2), Some(3), &["three", "two"]),
        (Some(4), Some(4), &["four"]),
        (Some(5), None, &[]),
        (None, Some(-1), &[]),
    ] {
        let filter = MailboxFilter { min_working_dns_records: min, max_working_dns_records: max, ..Default::default() };
        assert_eq!(tenant.names(filter).await, found, "{min:?} {max:?}");
    }
}

async fn filters_add_up(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let gmail = NewMailbox { provider: ProviderLabel::Gmail, ..tagged("both", &["north"]) };
    tenant.add(gmail).await;
    tenant.add(tagged("tag-only", &["north"])).await;
    tenant.add(NewMailbox { provider: ProviderLabel::Gmail, ..mailbox("provider-only") }).await;
    let filter = MailboxFilter {
        statuses: vec![MailboxStatus::Unverified],
        providers: vec![ProviderLabel::Gmail],
        sending_enabled: Some(false),
        tags: vec!["north".to_owned(), "south".to_owned()],
        untagged: Some(false),
        search: Some("o".to_owned()),
        ..Default::default()
    };
    assert_eq!(tenant.names(filter.clone()).await, ["both"]);
    assert_eq!(tenant.names(MailboxFilter { untagged: Some(true), ..filter }).await, [""; 0]);
}

async fn a_cursor_walks_over_equal_timestamps(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    for n in 0..23 {
        tenant.add(mailbox(&format!("m{n:02}"))).await;
    }
    database.execute("UPDATE mailboxes SET created_at = 1770091506007, updated_at = 1770091506007");
    let mut expected: Vec<String> = (0..23).map(|n| format!("m{n:02}")).collect();
    expected.reverse();
    for limit in [1, 5, 22, 23, 24] {
        let (mut walked, mut after) = (vec![], None);
        loop {
            let found =
                store.list_mailboxes(tenant.workspace, MailboxFilter::default(), page(after, 0, limit)).await.unwrap();
            assert_eq!(found.total, 23, "matches on all pages");
            walked.extend(found.items.iter().map(|m| m.email.local_part().to_owned()));
            assert_eq!(found.has_more, walked.len() < 23);
            assert!(found.items.len() as i64 == limit || !found.has_more);
            after = found.items.last().map(|m| m.id);
            if !found.has_more {
                break;
            }
        }
        assert_eq!(walked, expected, "pages of {limit}");
    }
}

async fn a_cursor_survives_what_happens_meanwhile(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    for name in ["a", "b", "c", "d", "e"] {
        tenant.add(mailbox(name)).await;
    }
    let all = MailboxFilter::default;
    let first = store.list_mailboxes(tenant.workspace, all(), page(None, 0, 2)).await.unwrap();
    let cursor = first.items[1].id;
    assert_eq!(first.items[1].email.local_part(), "d");
    tenant.add(mailbox("new")).await;
    store.delete_mailbox(tenant.workspace, cursor).await.unwrap();
    let rest = store.list_mailboxes(tenant.workspace, all(), page(Some(cursor), 0, 10)).await.unwrap();
    let names: Vec<_> = rest.items.iter().map(|m| m.email.local_part()).collect();
    assert_eq!((names, rest.total, rest.has_more), (vec!["c", "b", "a"], 5, false));
}

async fn offsets_count_from_the_newest(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    for name in ["a", "b", "c", "d", "e"] {
        tenant.add(mailbox(name)).await;
    }
    for (offset, limit, names, has_more) in [
        (0, 2, &["e", "d"][..], true),
        (2, 2, &["c", "b"], true),
        (4, 2, &["a"], false),
        (3, 2, &["b", "a"], false),
        (6, 2, &[], false),
    ] {
        let found =
            store.list_mailboxes(tenant.workspace, MailboxFilter::default(), page(None, offset, limit)).await.unwrap();
        let got: Vec<_> = found.items.iter().map(|m| m.email.local_part()).collect();
        assert_eq!((&got[..], found.has_more, found.total), (names, has_more, 5), "{offset}");
    }
}

/// The local parts in this order.
async fn sorted(tenant: &Tenant, sort: MailboxSort, direction: SortDirection) -> Vec<String> {
    let page = PageRequest { order: MailboxOrder { sort, direction }, after: None, offset: 0, limit: 100 };
    let found = tenant.store.list_mailboxes(tenant.workspace, MailboxFilter::default(), page).await.unwrap();
    found.items.iter().map(|mailbox| mailbox.email.local_part().to_owned()).collect()
}

async fn every_order_both_ways(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    for (name, display_name, limit, created_at) in
        [("b", "Zoe", 9, 3_000), ("a.z", "adam", 100, 1_000), ("a-z", "Émile", 20, 2_000), ("c", "Adam", 20, 2_000)]
    {
        let display_name = display_name.to_owned();
        let id = tenant.add(NewMailbox { display_name, daily_send_limit: limit, ..mailbox(name) }).await.id;
        database.execute(&format!("UPDATE mailboxes SET created_at = {created_at} WHERE id = '{id}'"));
    }
    use SortDirection::{Ascending, Descending};
    for (sort, ascending) in [
        (MailboxSort::Id, ["b", "a.z", "a-z", "c"]),
        (MailboxSort::CreatedAt, ["a.z", "a-z", "c", "b"]),
        (MailboxSort::Email, ["a-z", "a.z", "b", "c"]),
        (MailboxSort::DisplayName, ["a.z", "c", "b", "a-z"]),
        (MailboxSort::DailySendLimit, ["b", "a-z", "c", "a.z"]),
    ] {
        assert_eq!(sorted(&tenant, sort, Ascending).await, ascending, "{sort:?}");
        let mut descending = ascending;
        descending.reverse();
        assert_eq!(sorted(&tenant, sort, Descending).await, descending, "{sort:?}");
    }
    assert_eq!(MailboxOrder::default(), MailboxOrder { sort: MailboxSort::Id, direction: Descending });
}

async fn pages_of_equals_have_no_gaps_and_no_repetitions(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    for n in 0..11 {
        tenant.add(NewMailbox { display_name: "same".to_owned(), ..mailbox(&format!("m{n:02}")) }).await;
    }
    database.execute("UPDATE mailboxes SET created_at = 1770091506007");
    for sort in [MailboxSort::CreatedAt, MailboxSort::DisplayName, MailboxSort::DailySendLimit] {
        for direction in [SortDirection::Ascending, SortDirection::Descending] {
            let mut walked = vec![];
            for offset in (0..11).step_by(4) {
                let page = PageRequest { order: MailboxOrder { sort, direction }, after: None, offset, limit: 4 };
                let found = store.list_mailboxes(tenant.workspace, MailboxFilter::default(), page).await.unwrap();
                walked.extend(found.items.iter().map(|mailbox| mailbox.id));
            }
            if direction == SortDirection::Descending {
                walked.reverse();
            }
            assert!(walked.len() == 11 && walked.is_sorted(), "{sort:?} {direction:?}");
        }
    }
}

async fn a_workspace_sees_its_own_only(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let sibling = tenant.sibling().await;
    tenant.add(mailbox("mine")).await;
    sibling.add(mailbox("theirs")).await;
    assert_eq!(tenant.names(MailboxFilter::default()).await, ["mine"]);
    assert_eq!(sibling.names(MailboxFilter::default()).await, ["theirs"]);
    let nowhere = store.list_mailboxes(WorkspaceId::new(), MailboxFilter::default(), page(None, 0, 10)).await.unwrap();
    assert_eq!((nowhere.total, nowhere.items.len(), nowhere.has_more), (0, 0, false));
}
