//! `events.md`, from the list of events.

use shared_models::events::{Event, queues_for};

use super::markdown::{Page, code};

pub(super) fn page() -> String {
    let mut page = Page::new("Events", "`shared-models/src/events/mod.rs`");
    let row = |event_type: &&str| {
        let queues: Vec<String> = queues_for(event_type).iter().map(|queue| code(queue)).collect();
        vec![code(event_type), queues.join(", ")]
    };
    page.table(&["type", "queues"], Event::TYPES.iter().map(row));
    page.finish()
}
