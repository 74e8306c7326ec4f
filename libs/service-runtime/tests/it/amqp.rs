//! An AMQP client as integrators would write one.

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use mail_lab::VirtualHost;

pub(crate) struct Amqp {
    pub(crate) channel: Channel,
    connection: Connection,
}

impl Amqp {
    pub(crate) async fn connect(vhost: &VirtualHost) -> Self {
        let connection = Connection::connect(&vhost.url(), ConnectionProperties::default()).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        Self { channel, connection }
    }

    pub(crate) async fn publish(&self, exchange: &str, key: &str, body: &[u8]) {
        self.publish_with(exchange, key, body, BasicProperties::default()).await;
    }

    /// Returns after the broker confirmed the message; a queue must have received it.
    pub(crate) async fn publish_with(&self, exchange: &str, key: &str, body: &[u8], properties: BasicProperties) {
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let sent = self.channel.basic_publish(exchange.into(), key.into(), options, body, properties).await;
        assert_eq!(sent.unwrap().await.unwrap(), lapin::Confirmation::Ack(None));
    }

    /// Messages that wait in a queue; 0 if there is no such queue.
    pub(crate) async fn ready(&self, queue: &str) -> i64 {
        self.look(queue).await.0
    }

    /// Consumers of a queue.
    pub(crate) async fn consumers(&self, queue: &str) -> i64 {
        self.look(queue).await.1
    }

    async fn look(&self, queue: &str) -> (i64, i64) {
        let look = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        // Asking for a missing queue closes the channel.
        let channel = self.connection.create_channel().await.unwrap();
        let found = channel.queue_declare(queue.into(), look, FieldTable::default()).await;
        found.map_or((0, 0), |queue| (i64::from(queue.message_count()), i64::from(queue.consumer_count())))
    }
}
