//! Runners of somebody else.

use fleetfoot::demo::world::REPOSITORY;
use reqwest::Client;
use serde_json::{Value, json};

use super::Stage;

impl Stage {
    /// Registers a runner through GitHub's API; gives its JIT configuration.
    pub(crate) async fn register(&self, name: &str) -> String {
        let url =
            format!("{}/repos/{REPOSITORY}/actions/runners/generate-jitconfig", self.world.github.api_url());
        let answer = Client::new()
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

    /// Lets so many runners be there that have nothing to do with the test.
    pub(crate) fn add_others(&self, count: usize) {
        for number in 0..count {
            self.world.github.add_runner(REPOSITORY, &format!("other-{number}"), &["other"]).unwrap();
        }
    }
}
