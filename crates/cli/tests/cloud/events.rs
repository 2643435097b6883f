//! What ECS tells of tasks by itself: a queue of changes, each told some time later, in no order, and again if
//! whoever has it dies before he asks for more.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use fleetfoot::engine::Clock;
use fleetfoot_core::fault::Fault;
use fleetfoot_core::ids::TaskArn;
use fleetfoot_core::task_events::{TaskChange, TaskEvents};
use jiff::{SignedDuration, Timestamp};

use super::State;
use super::ports::{Client, befalls, lost};
use super::weather::{Call, Trouble};

/// How long a question waits for an answer.
const WAITS: SignedDuration = SignedDuration::from_secs(20);

/// After how long a change is told again that nobody has taken in.
const HIDDEN: SignedDuration = SignedDuration::from_secs(30);

/// How many changes one answer holds.
const MOST: usize = 10;

/// A change in the queue.
#[derive(Debug, Clone)]
pub(super) struct Change {
    task: TaskArn,
    version: usize,
    visible: Timestamp,
}

/// The queue, as one process reads it.
#[derive(Debug)]
pub(crate) struct Events {
    client: Client,
    had: Mutex<Had>,
}

#[derive(Debug, Default)]
struct Had {
    /// What was given last, to be taken off the queue.
    last: Vec<(TaskArn, usize)>,
    /// The newest change of each task that was given.
    newest: BTreeMap<TaskArn, usize>,
}

impl State {
    /// Puts what has changed of a task into the queue, if there is one.
    pub(super) fn tell_changes(&mut self, arn: &TaskArn) {
        let Some(task) = self.tasks.get_mut(arn).filter(|_| self.has_events) else { return };
        let (told, all) = (task.told, task.history.len());
        task.told = all;
        for version in told..all {
            let visible = self.now + self.weather.dice.pause(100..3000);
            self.changes.push(Change { task: arn.clone(), version, visible });
        }
        if told < all {
            self.changed.notify_waiters();
        }
    }

    /// What the queue gives now; if that is nothing, when it may.
    fn take_changes(&mut self) -> Result<Vec<(TaskArn, usize)>, Option<Timestamp>> {
        let now = self.now;
        let mut taken = Vec::new();
        for change in &mut self.changes {
            if change.visible <= now && taken.len() < MOST {
                change.visible = now + HIDDEN;
                taken.push((change.task.clone(), change.version));
            }
        }
        if taken.is_empty() { Err(self.changes.iter().map(|change| change.visible).min()) } else { Ok(taken) }
    }
}

impl Events {
    pub(crate) fn new(client: &Client) -> Self {
        Self { client: client.clone(), had: Mutex::default() }
    }

    async fn wait(&self) -> Vec<(TaskArn, usize)> {
        let cloud = &self.client.cloud;
        let until = cloud.time.now() + WAITS;
        loop {
            let (taken, bell) = {
                let mut state = cloud.state();
                (state.take_changes(), Arc::clone(&state.changed))
            };
            let next = match taken {
                Ok(taken) => return taken,
                Err(_) if cloud.time.now() >= until => return Vec::new(),
                Err(next) => next.map_or(until, |next| next.min(until)),
            };
            tokio::select! {
                biased;
                () = bell.notified() => {}
                () = cloud.time.until(next) => {}
            }
        }
    }

    /// What of this is news, as the port promises it.
    fn news(&self, taken: &[(TaskArn, usize)]) -> Vec<TaskChange> {
        let state = self.client.cloud.state();
        let mut had = self.had.lock().unwrap_or_else(PoisonError::into_inner);
        had.last = taken.to_vec();
        let mut news = Vec::new();
        for (arn, version) in taken {
            if had.newest.get(arn).is_some_and(|newest| version <= newest) {
                continue;
            }
            had.newest.insert(arn.clone(), *version);
            let mut view = state.tasks[arn].history[*version].1.clone();
            view.tags.clear();
            news.push(TaskChange { view, version: *version as u64 });
        }
        news
    }
}

impl TaskEvents for Events {
    async fn next(&self) -> Result<Vec<TaskChange>, Fault> {
        let call = Call::Hear;
        let befallen = self.client.depart(call, "").await;
        let answer = match befallen {
            None | Some(Trouble::AnswerLost) => {
                let had = std::mem::take(&mut self.had.lock().unwrap_or_else(PoisonError::into_inner).last);
                let taken_in = |change: &Change| had.contains(&(change.task.clone(), change.version));
                self.client.cloud.state().changes.retain(|change| !taken_in(change));
                let taken = self.wait().await;
                if befallen.is_none() { Ok(taken) } else { Err(lost(call)) }
            }
            Some(trouble) => Err(befalls(call, trouble)),
        };
        let taken = self.client.arrive(call, "", answer).await?;
        Ok(self.news(&taken))
    }
}
