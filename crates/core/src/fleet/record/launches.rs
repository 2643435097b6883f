//! What came of launches.

use jiff::Timestamp;

use super::UNTIL_MENDED;
use crate::fault::{Class, Fault};
use crate::fleet::state::AWS;
use crate::fleet::{Fleet, Launch, News, PoolIndex, Role, Task};
use crate::ids::TaskArn;
use crate::patience::Service;
use crate::ports::Launched;
use crate::verdict::Verdict;

impl Fleet {
    /// What came of a launch.
    pub fn launched(
        &mut self,
        pool: PoolIndex,
        number: u64,
        answer: Result<Launched, Fault>,
        now: Timestamp,
    ) -> Vec<News> {
        let Some(launches) = self.pool_mut(pool).map(|state| &mut state.launches) else { return Vec::new() };
        let Some(launch) = launches.remove(&number) else { return Vec::new() };
        match answer {
            Ok(begun) => self.started(pool, &launch, begun, now),
            Err(fault) => {
                match fault.class {
                    // Only the very same call tells what came of it.
                    Class::Unknown => {
                        launches.insert(number, Launch { under_way: false, lost: true, ..launch.clone() });
                    }
                    // It was turned away, which tells nothing of an earlier call whose answer was lost.
                    Class::Throttled { .. } if launch.lost => {
                        launches.insert(number, Launch { under_way: false, ..launch.clone() });
                    }
                    // That is the first call's answer, too.
                    Class::NoCapacity | Class::Throttled { .. } => {}
                    // Whatever was started, or holds the token, a look at the pool shows it.
                    Class::Conflict => self.doubt(pool, now),
                    _ if launch.lost => self.doubt(pool, now),
                    _ => {}
                }
                self.not_launched(pool, &launch, &fault, now)
            }
        }
    }

    fn doubt(&mut self, pool: PoolIndex, now: Timestamp) {
        if let Some(state) = self.pool_mut(pool) {
            state.survey.doubted_at = now;
        }
    }

    fn started(&mut self, pool: PoolIndex, launch: &Launch, launched: Launched, now: Timestamp) -> Vec<News> {
        let (mut news, capacity) = (Vec::new(), launch.capacity);
        self.answers(AWS, Service::Ecs);
        let tasks: Vec<TaskArn> = launched.tasks.iter().map(|task| task.arn.clone()).collect();
        for view in launched.tasks {
            self.add(&view.arn, || Task::started(pool, capacity, now));
            self.tasks.change(&view.arn, |task| {
                task.capacity = Some(capacity);
                // It may have been found before the answer came: nobody else knows its mailbox.
                if task.role == Role::Unknown && task.doing.is_none() {
                    task.role = Role::Unbound;
                }
            });
            news.extend(self.see(view, now));
        }
        if !launched.held.is_empty() {
            self.doubt(pool, now);
        }
        if !tasks.is_empty() {
            let took = now.duration_since(launch.asked_at);
            news.push(News::Launched { pool, capacity, tasks, took });
        }
        for fault in &launched.failures {
            news.extend(self.not_launched(pool, launch, fault, now));
        }
        news
    }

    /// Tasks were not started.
    fn not_launched(&mut self, pool: PoolIndex, launch: &Launch, fault: &Fault, now: Timestamp) -> Vec<News> {
        let (capacity, took) = (launch.capacity, now.duration_since(launch.asked_at));
        let why = Verdict::from(fault);
        let Some(state) = self.pool_mut(pool) else { return Vec::new() };
        match fault.class {
            Class::NoCapacity => {
                if let Some(cooldown) = state.cooldowns.get_mut(capacity) {
                    cooldown.failed(now, None);
                }
            }
            Class::Throttled { .. } | Class::Unknown => return self.fails(AWS, Service::Ecs, fault, now),
            Class::Conflict | Class::NotFound | Class::Busy | Class::Denied | Class::Invalid => {
                state.setback.failed(now, Some(UNTIL_MENDED));
            }
        }
        state.trouble = Some(why.clone());
        vec![News::NotLaunched { pool, capacity, why, took }]
    }
}
