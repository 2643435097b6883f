//! A start that takes a warm task of a pool for itself, as it may.

use fleetfoot::engine::Clock;
use fleetfoot_core::assignment::Assignment;
use fleetfoot_core::fleet::PoolIndex;
use fleetfoot_core::ids::{RunnerName, StartedBy};
use fleetfoot_core::ports::{Outbox, RunnerRequest, Runners, Tasks};
use fleetfoot_core::task::TaskState;
use jiff::SignedDuration;

use crate::cloud::{Client, Cloud, Who};

/// Takes one, if there is one that nobody is faster to take.
pub(crate) async fn take_a_warm_task(cloud: &Cloud, number: usize, pool: PoolIndex, at: SignedDuration) {
    cloud.time.sleep(at).await;
    let client = Client::new(cloud, Who(number + 1), None);
    let started_by = StartedBy::of_pool(&"s".parse().unwrap(), &format!("pool-{}", pool.0).parse().unwrap());
    let Ok(found) = Tasks::find(&client, &started_by).await else { return };
    let Ok(tasks) = client.describe(&found).await else { return };
    for task in tasks.iter().filter(|task| task.state == TaskState::Running && task.end.is_none()) {
        let name = RunnerName::of_task(&task.arn);
        let Some(mailbox) = &task.mailbox else { continue };
        // Whoever registers the name first has the task.
        if !matches!(Runners::find(&client, &name).await, Ok(None)) {
            continue;
        }
        let request =
            RunnerRequest { name: name.clone(), labels: vec!["of-a-start".parse().unwrap()], group: 1 };
        let Ok(minted) = client.mint(&request).await else { continue };
        let assignment = Assignment {
            version: 1,
            runner: name,
            jit_config: minted.jit_config,
            idle_timeout: 60,
            max_lifetime: 3600,
        };
        if client.put(&mailbox.of_task(&task.arn), &assignment).await.is_ok() {
            cloud.note(|| format!("a start has taken {}", task.arn.id()));
            return;
        }
        // Nobody is that runner.
        while client.delete(minted.id).await.is_err() {
            cloud.time.sleep(SignedDuration::from_secs(1)).await;
        }
    }
}
