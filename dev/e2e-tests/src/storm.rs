//! Requests that a kill breaks off.

use reqwest::RequestBuilder;
use tokio::task::JoinSet;

use crate::{Client, Deployment, Reply};

impl Deployment {
    /// Sends all requests at once, and kills the gateway (embedded: the system) with the first answer, while the
    /// others are anywhere between arriving and being answered. Starts it again and gives the answers, in the order
    /// of the requests; `None` = it broke off.
    pub async fn break_off(&mut self, api: &Client, requests: Vec<RequestBuilder>) -> Vec<Option<Reply>> {
        let mut asked = JoinSet::new();
        for (index, request) in requests.into_iter().enumerate() {
            let api = api.clone();
            asked.spawn(async move { (index, api.send(request).await) });
        }
        let first = asked.join_next().await.expect("a request").unwrap();
        self.kill9_one("api-gateway", 0).await;
        let mut answers = asked.join_all().await;
        answers.push(first);
        answers.sort_by_key(|(index, _)| *index);
        self.start_one("api-gateway", 0);
        self.ready().await;
        answers.into_iter().map(|(_, answer)| answer.ok()).collect()
    }
}
