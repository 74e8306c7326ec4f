//! `events.md`, from the table of events and the list of queues.

use shared_models::events::{ALL_QUEUES, Event, EventSpec, Queue};

use super::markdown::{Page, code};

pub(super) fn page() -> String {
    let mut page = Page::new("Events", "`shared-models/src/events`");
    page.paragraph(
        "A message is a [CloudEvents 1.0](https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md) JSON \
         object: `id`, `source` (always `mailmoor`), `specversion` (`1.0`), `type`, `subject`, `time` (RFC 3339, UTC), \
         `datacontenttype` (`application/json`) and `data`. `data` has ids and never a credential. The same event \
         delivered twice has the same `id`. Published members do not change meaning; new ones are added.",
    );
    page.paragraph(
        "With RabbitMQ they go to the durable topic exchange `mailmoor.events`, with the type as routing key; bind \
         queues of your own to it. `deploy/asyncapi.yaml` describes the same for tools.",
    );
    page.heading(2, "Types");
    page.table(&["type", "subject", "data", "queues of ours"], Event::SPECS.iter().map(row));
    page.blank();
    for spec in Event::SPECS {
        page.item(&format!("{}: {}", code(spec.event_type), spec.meaning.trim()));
    }
    page.heading(2, "Queues");
    page.paragraph(
        "Each has queues `.retry.*` for delayed repetition and `.dead` for what the consumer gave up on; see `mailmoor \
         admin dead-letters`.",
    );
    let queue = |queue: &Queue| vec![code(queue.name), code(queue.consumer), queue.purpose.to_owned()];
    page.table(&["queue", "consumer", "purpose"], ALL_QUEUES.iter().map(queue));
    page.finish()
}

fn row(spec: &EventSpec) -> Vec<String> {
    let codes = |names: &[&str]| names.iter().map(|name| code(name)).collect::<Vec<_>>().join(", ");
    vec![code(spec.event_type), code(spec.subject), codes(spec.data), codes(spec.queues)]
}
