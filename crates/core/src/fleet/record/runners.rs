//! What came of making, deleting and looking at registrations.

use std::collections::HashMap;

use jiff::Timestamp;

use super::LEAVES_WITHIN;
use crate::binding::Unbound;
use crate::fault::{Class, Fault};
use crate::fleet::state::AWS;
use crate::fleet::{
    Doing, Fleet, Looked, News, Role, Roll, Runner, ScopeIndex, SetIndex, Sighting, Task, Wish,
};
use crate::ids::{RunnerId, RunnerName, TaskArn};
use crate::patience::Service;
use crate::task::TaskState;
use crate::verdict::Verdict;

impl Fleet {
    /// What came of binding a task to a set.
    pub fn bound(
        &mut self,
        arn: &TaskArn,
        set: SetIndex,
        scope: ScopeIndex,
        answer: Result<RunnerId, Unbound>,
        now: Timestamp,
    ) -> Vec<News> {
        let Some(task) = self.tasks.get(arn) else { return Vec::new() };
        let (pool, warm) = (task.pool, task.running_at.is_some());
        let wish = match task.doing {
            Some(Doing::Bind(wish)) => wish,
            _ => Wish { set, since: now },
        };
        let was_doubtful = matches!(task.role, Role::Doubtful(_));
        let mut turn = |role, posted: bool| {
            self.tasks.change(arn, |task| {
                task.doing = None;
                task.role = task.role_after_binding(role);
                task.not_in.clear();
                // Whoever is online has read it.
                task.posted = (task.posted || posted) && task.runner().is_none_or(Runner::is_awaited);
            });
        };
        match answer {
            Ok(id) => {
                turn(Role::Runner(Runner::registered(set, id, now)), true);
                self.gives_away(pool);
                self.answers(scope, Service::GitHub);
                self.answers(AWS, Service::Mailbox);
                if let Some(state) = self.set_mut(set) {
                    state.setback.succeeded();
                }
                let waited = now.duration_since(wish.since);
                vec![News::Bound { task: arn.clone(), set, waited, warm }]
            }
            Err(Unbound::Another) => {
                turn(Role::Unknown, false);
                self.gives_away(pool);
                self.give_back(Some(wish));
                Vec::new()
            }
            Err(Unbound::Refused(fault)) => {
                // What was lost before stays so until it is found or minted anew.
                turn(if was_doubtful { Role::Doubtful(wish) } else { Role::Unbound }, false);
                self.give_back(Some(wish).filter(|_| !was_doubtful));
                self.refuses(set, scope, &fault, now)
            }
            Err(Unbound::Doubtful(fault)) => {
                turn(Role::Doubtful(wish), false);
                self.refuses(set, scope, &fault, now)
            }
            Err(Unbound::Undelivered { fault, unregistered, emptied, .. }) => {
                turn(if unregistered { Role::Unbound } else { Role::Doubtful(wish) }, !emptied);
                self.give_back(Some(wish).filter(|_| unregistered));
                self.fails(AWS, Service::Mailbox, &fault, now)
            }
        }
    }

    /// GitHub refused a registration: for a reason of the set's own, or of all in its scope.
    fn refuses(&mut self, set: SetIndex, scope: ScopeIndex, fault: &Fault, now: Timestamp) -> Vec<News> {
        if matches!(fault.class, Class::NotFound | Class::Invalid | Class::Denied) {
            if let Some(state) = self.set_mut(set) {
                state.setback.failed(now, None);
            }
            return vec![News::Trouble { scope, service: Service::GitHub, why: Verdict::from(fault) }];
        }
        self.fails(scope, Service::GitHub, fault, now)
    }

    /// What came of deleting a task's registration.
    pub fn unregistered(
        &mut self,
        arn: &TaskArn,
        scope: ScopeIndex,
        answer: &Result<(), Fault>,
        now: Timestamp,
    ) -> Vec<News> {
        self.tasks.change(arn, |task| {
            task.doing = None;
            let over = task.state == TaskState::Stopped;
            let Role::Runner(runner) = &mut task.role else { return };
            match answer {
                Ok(()) => {
                    // Whoever has its secret leaves, now that nobody knows it. Without one, the task serves again.
                    let somebody = runner.handed_over || runner.online;
                    task.looked_at = Some(now);
                    task.role = if somebody || over { Role::Spent { stop_at: now } } else { Role::Unbound };
                }
                Err(fault) if fault.class == Class::Busy => {
                    // Its job may have died with its task. GitHub finds out some minutes later.
                    runner.busy_since = Some(now).filter(|_| over).or(runner.busy_since).or(Some(now));
                    runner.online = true;
                }
                Err(_) => {}
            }
        });
        self.deletes(scope, answer, now)
    }

    fn deletes(&mut self, scope: ScopeIndex, answer: &Result<(), Fault>, now: Timestamp) -> Vec<News> {
        match answer {
            Err(fault) if fault.class != Class::Busy => {
                self.fails(scope, Service::GitHubDeletions, fault, now)
            }
            _ => {
                self.answers(scope, Service::GitHubDeletions);
                Vec::new()
            }
        }
    }

    /// What GitHub says of a task's runner.
    pub fn looked(&mut self, arn: &TaskArn, looked: Looked, now: Timestamp) -> Vec<News> {
        let Looked { seen, absent, faults } = looked;
        let told =
            faults.iter().flat_map(|(scope, fault)| self.fails(*scope, Service::GitHubReads, fault, now));
        let mut told: Vec<News> = told.collect();
        for scope in &absent {
            self.answers(*scope, Service::GitHubReads);
        }
        self.tasks.change(arn, |task| {
            task.doing = None;
            task.not_in.extend(absent);
        });
        let awaits = |fleet: &Self| {
            fleet.tasks.get(arn).and_then(Task::runner).map(|runner| (runner.id, runner.is_awaited()))
        };
        let before = awaits(self);
        match seen {
            Some(seen) => self.see_runner(arn, Some(&seen), now),
            None => self.see_no_runner(arn, now),
        }
        if let (Some((before, true)), Some((id, false))) = (before, awaits(self))
            && before == id
        {
            told.push(News::Online(arn.clone()));
        }
        told
    }

    /// GitHub's list of all runners there, as it was asked for at `began`.
    pub fn roll_called(
        &mut self,
        scope: ScopeIndex,
        answer: Result<Vec<Sighting>, Fault>,
        began: Timestamp,
        now: Timestamp,
    ) -> Vec<News> {
        self.rolls.insert(scope, Roll { calling: false, called: answer.is_ok() });
        let seen = match answer {
            Ok(seen) => seen,
            Err(fault) => return self.fails(scope, Service::GitHubReads, &fault, now),
        };
        self.answers(scope, Service::GitHubReads);
        let by_name: HashMap<&RunnerName, &Sighting> =
            seen.iter().map(|sighting| (&sighting.runner.name, sighting)).collect();
        // What came while the list was read may be missing from it.
        let asked_for =
            |task: &Task| task.role == Role::Unknown && task.doing.is_none() && task.known_since <= began;
        let unknown: Vec<TaskArn> =
            self.tasks.iter().filter(|(_, task)| asked_for(task)).map(|(arn, _)| arn.clone()).collect();
        for arn in unknown {
            if let Some(seen) = by_name.get(&RunnerName::of_task(&arn)) {
                self.see_runner(&arn, Some(seen), now);
            } else {
                self.tasks.change(&arn, |task| task.not_in.insert(scope));
                self.see_no_runner(&arn, now);
            }
        }
        for sighting in &seen {
            self.find_by_runner(sighting, now);
        }
        Vec::new()
    }

    /// GitHub knows no runner of a task, if it was asked wherever there could be one.
    fn see_no_runner(&mut self, arn: &TaskArn, now: Timestamp) {
        let Some(task) = self.tasks.get(arn) else { return };
        let told = match task.role {
            Role::Runner(Runner { set, .. }) | Role::Doubtful(Wish { set, .. }) => {
                self.sets.get(set.0).is_some_and(|state| task.not_in.contains(&state.scope))
            }
            _ => self.rolls.keys().all(|scope| task.not_in.contains(scope)),
        };
        if told {
            self.see_runner(arn, None, now);
        }
        if told || self.tasks.get(arn).is_some_and(|task| task.role != Role::Unknown) {
            self.tasks.change(arn, |task| task.not_in.clear());
        }
    }

    /// A runner may be registered in the name of a task that ECS does not show: not yet, or not any more.
    fn find_by_runner(&mut self, sighting: &Sighting, now: Timestamp) {
        let Some(arn) = self.arn_of(&sighting.runner.name) else { return };
        let Some((set, pool)) = sighting.set.and_then(|set| Some((set, self.sets.get(set.0)?.pool))) else {
            return;
        };
        let runner = Runner::seen(set, &sighting.runner, None, now);
        self.add(&arn, || Task::hidden(pool, runner, now));
    }

    /// Takes over what GitHub says of a task's runner.
    fn see_runner(&mut self, arn: &TaskArn, seen: Option<&Sighting>, now: Timestamp) {
        let was_free = self.tasks.get(arn).is_some_and(|task| task.role == Role::Unbound);
        let gives_back = self.tasks.change(arn, |task| task.see_runner(seen, now)).flatten();
        self.give_back(gives_back);
        if let Some(task) = self.tasks.get(arn).filter(|task| was_free && task.role == Role::Taken) {
            self.gives_away(task.pool);
        }
        if let Some(pool) =
            self.tasks.get(arn).filter(|task| task.runner().is_some_and(|r| r.online)).map(|t| t.pool)
        {
            self.comes_up(pool);
        }
    }
}

impl Task {
    /// What becomes of it when it is bound, or could not be. Meanwhile its job may have been heard of, or that of a
    /// runner before this one: where the two do not fit, GitHub has to be asked.
    fn role_after_binding(&self, bound: Role) -> Role {
        match (self.role, bound) {
            (Role::Unbound | Role::Doubtful(_) | Role::Unknown | Role::Taken, bound) => bound,
            (Role::Runner(heard), Role::Runner(bound)) if heard.id == bound.id => Role::Runner(heard),
            (Role::Spent { .. }, Role::Runner(bound)) => Role::Runner(bound),
            (Role::Runner(_), Role::Runner(_)) | (_, Role::Doubtful(_)) => Role::Unknown,
            (heard, _) => heard,
        }
    }

    /// Takes over what GitHub says of its runner. Says whose wish it does not serve after all.
    fn see_runner(&mut self, seen: Option<&Sighting>, now: Timestamp) -> Option<Wish> {
        self.looked_at = Some(now);
        self.not_in.clear();
        let before = self.role;
        self.role = match (seen, before) {
            (_, role @ Role::Spent { .. }) => role,
            (None, Role::Runner(_)) => Role::Spent { stop_at: now + LEAVES_WITHIN },
            (None, _) if self.is_over() => Role::Spent { stop_at: now },
            (None, _) if self.worked => Role::Spent { stop_at: now + LEAVES_WITHIN },
            (None, _) => Role::Unbound,
            (Some(Sighting { set: None, .. }), _) => Role::Taken,
            (Some(Sighting { set: Some(set), runner: seen }), role) => {
                let known = match role {
                    Role::Runner(runner) if runner.id == seen.id => Some(runner),
                    _ => None,
                };
                Role::Runner(Runner::seen(*set, seen, known, now))
            }
        };
        if let Some(runner) = self.runner() {
            // Whoever has registered it may have posted its assignment, too; whoever is online has read it.
            let is_new = !matches!(before, Role::Runner(known) if known.id == runner.id);
            self.posted = (self.posted || is_new) && runner.is_awaited();
        }
        match (before, self.role) {
            (Role::Doubtful(wish), Role::Unbound | Role::Taken | Role::Spent { .. }) => Some(wish),
            _ => None,
        }
    }
}
