//! Which task this is: the task metadata endpoint, version 4 (ECS Developer Guide, "Amazon ECS task
//! metadata endpoint version 4").

use std::time::Duration;

use fleetfoot_core::ids::TaskArn;
use jiff::Timestamp;
use serde::Deserialize;
use tokio::time::{Instant, sleep, timeout_at};
use tracing::debug;

use crate::unready::{Unready, chain};

/// What the endpoint says of the task, as far as the agent cares.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct TaskMetadata {
    /// The task's ARN; it holds the region.
    #[serde(rename = "TaskARN")]
    pub arn: TaskArn,
    /// The cluster's name or ARN.
    #[serde(rename = "Cluster")]
    pub cluster: Option<String>,
    /// The task definition's family.
    #[serde(rename = "Family")]
    pub family: Option<String>,
    /// The task definition's revision.
    #[serde(rename = "Revision")]
    pub revision: Option<String>,
    /// `FARGATE` or `EC2`.
    #[serde(rename = "LaunchType")]
    pub launch_type: Option<String>,
    /// Where it runs.
    #[serde(rename = "AvailabilityZone")]
    pub availability_zone: Option<String>,
    /// When the image pull began.
    #[serde(rename = "PullStartedAt")]
    pub pull_started_at: Option<Timestamp>,
    /// When the image was there.
    #[serde(rename = "PullStoppedAt")]
    pub pull_stopped_at: Option<Timestamp>,
}

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
const ONE_CALL: Duration = Duration::from_secs(2);

/// Asks until there is an answer or the deadline has passed. `waited` is told in the error.
pub(crate) async fn fetch(uri: &str, deadline: Instant, waited: Duration) -> Result<TaskMetadata, Unready> {
    let address = format!("{}/task", uri.trim_end_matches('/'));
    let gave_up = |why: String| Unready::NoIdentity { uri: address.clone(), waited_s: waited.as_secs(), why };
    // The endpoint is link-local plain HTTP: no proxy reaches it, and no certificates are needed for it,
    // which a slim image may not have.
    let client = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([])
        .timeout(ONE_CALL)
        .build()
        .map_err(|error| gave_up(chain(&error)))?;
    let mut pause = FIRST_PAUSE;
    let mut why = "no answer".to_owned();
    loop {
        match timeout_at(deadline, ask(&client, &address)).await {
            Ok(Ok(task)) => return Ok(task),
            Ok(Err(error)) => why = error,
            Err(_) => return Err(gave_up(why)),
        }
        debug!(why, "the task metadata endpoint does not answer yet");
        if Instant::now() + pause >= deadline {
            return Err(gave_up(why));
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn ask(client: &reqwest::Client, address: &str) -> Result<TaskMetadata, String> {
    let answer = client.get(address).send().await.map_err(|e| chain(&e))?;
    let status = answer.status();
    if !status.is_success() {
        return Err(format!("status {status}"));
    }
    let body = answer.bytes().await.map_err(|e| chain(&e))?;
    serde_json::from_slice(&body).map_err(|error| format!("not what ECS answers: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_of_fargate_is_read() {
        let task: TaskMetadata = serde_json::from_value(serde_json::json!({
            "Cluster": "arn:aws:ecs:us-west-2:111122223333:cluster/default",
            "TaskARN": "arn:aws:ecs:us-west-2:111122223333:task/default/e9028f8d5d8e4f258373e7b93ce9a3c3",
            "Family": "ff", "Revision": "3", "DesiredStatus": "RUNNING", "KnownStatus": "RUNNING",
            "Limits": { "CPU": 0.25, "Memory": 512 },
            "PullStartedAt": "2020-10-08T20:47:05.053330955Z", "PullStoppedAt": "2020-10-08T20:47:19.592684631Z",
            "AvailabilityZone": "us-west-2a", "Containers": [], "LaunchType": "FARGATE"
        }))
        .unwrap();
        assert_eq!((task.arn.region(), task.launch_type.as_deref()), ("us-west-2", Some("FARGATE")));
        assert!(task.pull_stopped_at > task.pull_started_at);
    }

    #[tokio::test]
    async fn a_silent_endpoint_is_given_up_at_the_deadline() {
        let waited = Duration::from_millis(300);
        let error = fetch("http://127.0.0.1:9/v4/", Instant::now() + waited, waited).await.unwrap_err();
        let text = error.to_string();
        assert!(text.contains("http://127.0.0.1:9/v4/task") && text.contains("onnect"), "{text}");
    }
}
