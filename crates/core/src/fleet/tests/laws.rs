//! Laws that hold whatever is asked, answered and heard, in whatever order.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::scene::*;
use crate::binding::Unbound;
use crate::fault::Class;
use crate::fleet::{Doing, Fleet, Looked, PoolIndex, Role, ScopeIndex, SetIndex, Step, plan};
use crate::ids::TaskArn;
use crate::ports::Launched;
use crate::scale_sets::Demand;
use crate::task::TaskState;

/// The most tasks of each pool, and runners of each set.
const MOST: usize = 6;

/// A fleet to which anything may happen, and what was asked and not answered.
struct Chaos {
    scene: Scene,
    asked: Vec<(Step, Option<u64>)>,
    tasks: usize,
}

impl Chaos {
    fn new() -> Self {
        let mut scene = Scene::new(2);
        for pool in &mut scene.policy.pools {
            (pool.max, pool.warm) = (MOST, 2);
        }
        for (n, set) in scene.policy.sets.iter_mut().enumerate() {
            (set.max, set.min, set.scope) = (MOST, 1, ScopeIndex(n));
        }
        scene.fleet = Fleet::new(&scene.policy, CLUSTER);
        Self { scene, asked: Vec::new(), tasks: 0 }
    }

    /// One thing happens: which, and which of the many ways it can.
    fn happen(&mut self, what: u8, way: usize) {
        let now = self.scene.now;
        match what {
            0 => self.scene.wait(seconds(1)),
            1 => self.scene.wait(seconds(i64::try_from(way % 100).unwrap())),
            2 => self.demand(SetIndex(way % 2), way / 2 % 12, way / 24 % 3),
            3 => self.progress(way),
            4 => self.hear(way),
            5 if way.is_multiple_of(20) => self.scene.fleet.take_over(now),
            6 if way.is_multiple_of(20) => self.scene.fleet.closed(SetIndex(way / 20 % 2)),
            7 if way.is_multiple_of(20) => self.scene.fleet.opened(SetIndex(way / 20 % 2), Demand::default()),
            8.. if !self.asked.is_empty() => {
                let asked = self.asked.swap_remove(way % self.asked.len());
                self.answer(asked, way / 7);
            }
            _ => {}
        }
    }

    fn demand(&mut self, set: SetIndex, assigned: usize, running: usize) {
        let number = |n: usize| u32::try_from(n).unwrap();
        self.scene.demand(set, number(assigned), number(running));
    }

    fn some_task(&self, way: usize) -> Option<(usize, TaskArn)> {
        let n = way.checked_rem(self.tasks)?;
        Some((n, arn(n)))
    }

    /// A task goes on in its life.
    fn progress(&mut self, way: usize) {
        let Some((n, arn)) = self.some_task(way / 4) else { return };
        // One that ECS does not list does not live, or its pool would have too many.
        let hidden = self.scene.fleet.tasks.get(&arn).is_some_and(|task| task.hidden);
        let end = ["TaskFailedToStart", "SpotInterruption", "EssentialContainerExited"][way % 3];
        let exit = [None, Some(0), Some(20), Some(137)][way / 3 % 4];
        match way % 4 {
            0..3 if hidden => {}
            0 | 1 => drop(self.scene.see(view(n, TaskState::Running))),
            2 => drop(self.scene.see(view(n, TaskState::Going))),
            _ => drop(self.scene.see(ended(n, end, "it is over", exit))),
        }
    }

    /// A queue tells of a job.
    fn hear(&mut self, way: usize) {
        let Some((n, arn)) = self.some_task(way / 4) else { return };
        let known = self.scene.fleet.tasks.get(&arn).and_then(|task| task.runner()).map(|runner| runner.id);
        let runner = known.filter(|_| !way.is_multiple_of(8)).unwrap_or(id(n + 7));
        if way.is_multiple_of(2) {
            self.scene.begins(n, runner)
        } else {
            self.scene.is_done(n, runner)
        };
    }

    fn answer(&mut self, (step, number): (Step, Option<u64>), way: usize) {
        let (now, listed) = (self.scene.now, self.some_task(way));
        let fleet = &mut self.scene.fleet;
        let class = match way % 12 {
            0 => Some(Class::Throttled { retry_after: None }),
            1 => Some(Class::Unknown),
            2 => Some(Class::Denied),
            3 => Some(Class::Busy),
            4 => Some(Class::NoCapacity),
            5 => Some(Class::Conflict),
            _ => None,
        };
        let done = || class.clone().map_or(Ok(()), |class| Err(fault(class)));
        match step {
            Step::Launch { pool, count, .. } => {
                let lost = number.is_some_and(|number| fleet.pools[pool.0].launches[&number].lost);
                let answer = match class {
                    // What was started before is not told by another answer.
                    Some(class) if !lost || class == Class::Unknown => Err(fault(class)),
                    _ => {
                        let first = self.tasks;
                        self.tasks += count;
                        let tasks = (first..self.tasks).map(|n| view(n, TaskState::Coming)).collect();
                        Ok(Launched { tasks, ..Launched::default() })
                    }
                };
                fleet.launched(pool, number.unwrap(), answer, now);
            }
            Step::Bind { task, set, .. } => {
                let runner = id(self.tasks + way % 1000);
                let answer = match class {
                    None => Ok(runner),
                    Some(Class::Unknown) => Err(Unbound::Doubtful(fault(Class::Unknown))),
                    Some(Class::Conflict) => Err(Unbound::Another),
                    Some(Class::Busy) => Err(Unbound::Undelivered {
                        fault: fault(Class::Unknown),
                        id: runner,
                        unregistered: way.is_multiple_of(5),
                        emptied: way.is_multiple_of(3),
                    }),
                    Some(class) => Err(Unbound::Refused(fault(class))),
                };
                fleet.bound(&task, set, ScopeIndex(set.0), answer, now);
            }
            Step::Unregister { task, set, .. } => {
                fleet.unregistered(&task, ScopeIndex(set.0), &done(), now);
            }
            Step::Stop(task) => drop(fleet.stopped(&task, done(), now)),
            Step::Empty(task) => drop(fleet.emptied(&task, done(), now)),
            Step::Look { task, scopes } => {
                let n: usize = task.id().parse().unwrap();
                let seen = [None, Some(SetIndex(way % 2))][way / 3 % 2];
                let seen = seen.map(|set| sighting(n, Some(set), way % 5 < 3, way % 7 < 2));
                let looked = match class {
                    Some(class) => Looked { faults: vec![(scopes[0], fault(class))], ..Looked::default() },
                    None if seen.is_some() => Looked { seen, ..Looked::default() },
                    None => Looked { absent: scopes, ..Looked::default() },
                };
                fleet.looked(&task, looked, now);
            }
            Step::Describe(asked) => drop(fleet.described(&asked, done().map(|()| Vec::new()), now)),
            Step::Sweep(pool) => drop(fleet.swept(pool, &[], done().map(|()| Vec::new()), now)),
            Step::CallRoll(scope) => {
                let seen = listed.map(|(n, _)| sighting(n, Some(SET), way.is_multiple_of(2), false));
                let answer = done().map(|()| seen.into_iter().collect());
                fleet.roll_called(scope, answer, now, now);
            }
        }
    }

    /// Plans, asks whether that is lawful, and begins.
    fn plan(&mut self) -> Result<(), TestCaseError> {
        let fleet = &mut self.scene.fleet;
        fleet.settle(&self.scene.policy, self.scene.now);
        prop_assert!(fleet.tasks.adds_up(), "what is counted beside the tasks is what there is");
        let plan = self.scene.plan();
        prop_assert!(plan.wake_at >= self.scene.now);
        prop_assert_eq!(&plan, &self.scene.plan(), "to plan changes nothing");
        let mut touched = BTreeSet::new();
        for (step, _) in &plan.steps {
            self.is_lawful(step, &mut touched)?;
        }
        for (step, _) in plan.steps {
            let nonce = format!("nonce-{}", self.scene.fleet.next_launch);
            let number = self.scene.fleet.begin(&step, || nonce, self.scene.now);
            self.asked.push((step, number));
        }
        let again = plan_again(&self.scene);
        prop_assert_eq!(again, vec![], "what is begun is not planned again");
        for n in 0..2 {
            let launching = self.scene.fleet.pools[n].launching();
            let tasks = self.scene.fleet.tasks.pool(PoolIndex(n)).tasks;
            prop_assert!(tasks + launching <= MOST, "{tasks} tasks and {launching} coming");
        }
        Ok(())
    }

    fn is_lawful(&self, step: &Step, touched: &mut BTreeSet<TaskArn>) -> Result<(), TestCaseError> {
        let (arn, doing) = match step {
            Step::Bind { task, set, .. } => {
                let live = self.scene.fleet.tasks.set(*set).live;
                let doubtful = matches!(self.scene.fleet.tasks.get(task).unwrap().role, Role::Doubtful(_));
                prop_assert!(doubtful || live < MOST, "a set has {live} runners and gets another");
                (task, true)
            }
            Step::Unregister { task, .. } | Step::Empty(task) | Step::Look { task, .. } => (task, true),
            Step::Stop(task) => {
                let role = self.scene.fleet.tasks.get(task).unwrap().role;
                prop_assert!(matches!(role, Role::Unbound | Role::Spent { .. }), "{role:?} is stopped");
                (task, true)
            }
            Step::Describe(tasks) => {
                for task in tasks {
                    prop_assert!(self.scene.fleet.tasks.get(task).is_some());
                }
                return Ok(());
            }
            _ => return Ok(()),
        };
        let task = self.scene.fleet.tasks.get(arn);
        prop_assert!(
            task.is_some_and(|task| task.doing.is_none()),
            "{step:?} of what is busy with another step"
        );
        prop_assert!(touched.insert(arn.clone()) && doing, "two steps of one task");
        let busy = task.is_some_and(|task| task.is_busy() && task.state != TaskState::Stopped);
        prop_assert!(!busy || matches!(step, Step::Look { .. }), "{step:?} of a runner with a job");
        Ok(())
    }
}

fn plan_again(scene: &Scene) -> Vec<(Step, &'static str)> {
    plan(scene.now, &scene.policy, &scene.fleet).steps
}

/// Anything that may happen, and in which of many ways.
fn happenings() -> impl Strategy<Value = Vec<(u8, usize)>> {
    prop::collection::vec((0..16_u8, 0..100_000_usize), 1..200)
}

proptest! {
    #[test]
    fn whatever_happens_the_plan_is_lawful(happenings in happenings()) {
        let mut chaos = Chaos::new();
        for (what, way) in happenings {
            chaos.happen(what, way);
            chaos.plan()?;
        }
    }

    #[test]
    fn what_is_begun_comes_to_an_end(happenings in happenings()) {
        let mut chaos = Chaos::new();
        for (what, way) in happenings {
            chaos.happen(what, way);
            chaos.plan()?;
        }
        while let Some(asked) = chaos.asked.pop() {
            chaos.answer(asked, 6 + 12 * 4);
        }
        let fleet = &chaos.scene.fleet;
        let doing: Vec<Doing> = fleet.tasks.values().filter_map(|task| task.doing).collect();
        prop_assert_eq!(doing, vec![]);
        prop_assert!(fleet.rolls.values().all(|roll| !roll.calling) && fleet.pools.iter().all(|pool| pool.survey.looking_since.is_none()));
        prop_assert!(fleet.pools.iter().all(|pool| pool.launches.values().all(|launch| !launch.under_way)));
    }
}
