//! Files as customers upload them.

use reqwest::Method;
use reqwest::header::CONTENT_TYPE;

use crate::client::{Client, Reply};

const BOUNDARY: &str = "mailmoor-e2e-boundary";

impl Client {
    /// `POST /v1/mailboxes/import/smtp` with this file and these other parts; see [`Client::send`].
    pub fn upload(&self, file: &str, parts: &[(&str, &str)]) -> reqwest::RequestBuilder {
        let mut body = String::new();
        for (name, value) in parts {
            body += &format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        }
        body += &format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"mailboxes.csv\"\r\n\
             Content-Type: text/csv\r\n\r\n{file}\r\n--{BOUNDARY}--\r\n"
        );
        self.request(Method::POST, "/v1/mailboxes/import/smtp")
            .header(CONTENT_TYPE, format!("multipart/form-data; boundary={BOUNDARY}"))
            .body(body)
    }

    /// Uploads a file and waits for all of it.
    pub async fn import(&self, file: &str, parts: &[(&str, &str)]) -> Reply {
        self.send(self.upload(file, parts)).await.expect("an answer")
    }

    /// Uploads a file without waiting; the import's id.
    pub async fn start_import(&self, file: &str) -> String {
        let reply = self.send(self.upload(file, &[]).header("Prefer", "respond-async")).await.expect("an answer");
        reply.data(202)["importId"].as_str().expect("an id").to_owned()
    }

    /// Waits until an import is finished; what it came to.
    pub async fn import_finished(&self, id: &str) -> serde_json::Value {
        crate::eventually("the import to finish", || async {
            let reply = self.try_get(&format!("/v1/mailboxes/import/{id}")).await.map_err(|error| error.to_string())?;
            // While the system is down or its database away.
            if reply.status != 200 {
                return Err(reply.text);
            }
            if reply.data(200)["status"] == "finished" { Ok(reply.data(200).clone()) } else { Err(reply.text) }
        })
        .await
    }
}
