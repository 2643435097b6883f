//! Runners of somebody else, registered at the simulated GitHub through its API.

use fleetfoot::demo::world::REPOSITORY;
use futures_util::StreamExt;
use reqwest::Client;
use serde_json::{Value, json};

use super::Stage;

impl Stage {
    /// Registers a runner; gives its JIT configuration.
    pub(crate) async fn register(&self, name: &str) -> String {
        self.register_with(&Client::new(), name.to_owned()).await
    }

    /// Registers so many runners that have nothing to do with the test.
    pub(crate) async fn register_others(&self, count: usize) {
        let client = Client::new();
        futures_util::stream::iter(0..count)
            .map(|number| self.register_with(&client, format!("other-{number}")))
            .buffer_unordered(16)
            .for_each(|_| async {})
            .await;
    }

    async fn register_with(&self, client: &Client, name: String) -> String {
        let url =
            format!("{}/repos/{REPOSITORY}/actions/runners/generate-jitconfig", self.world.github.api_url());
        let answer = client
            .post(url)
            .bearer_auth(&self.world.token)
            // GitHub answers nobody who does not say who it is.
            .header("user-agent", "somebody-else")
            .json(&json!({ "name": name, "runner_group_id": 1, "labels": ["other"] }))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 201);
        let answer: Value = answer.json().await.unwrap();
        answer["encoded_jit_config"].as_str().unwrap().to_owned()
    }
}
