//! The plan: what to do next, from what is wanted and what is.
//!
//! A pure function. Given the same world it says the same; called again after a crash it goes on from
//! what it finds. The executor does what it says and decides nothing.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::ending::{Ending, Prospect};
use crate::hold;
use crate::ids::{RunnerId, TaskArn};
use crate::patience::{Patience, Service};
use crate::phase::Phase;
use crate::ports::MOST_PER_LAUNCH;
use crate::task::TaskState;
use crate::verdict::Verdict;
use crate::world::{BINDING, Batch, Member, Registration, World};

/// What is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// So many runners, each at least this far.
    Have {
        /// How many.
        count: usize,
        /// How far.
        until: Until,
        /// When to give up.
        deadline: Timestamp,
    },
    /// The runners that are there have had their jobs, and nothing is left of them.
    Over,
    /// No runner, no registration, no mail.
    Nothing {
        /// Stop tasks even though a job runs on them.
        force: bool,
        /// Be content only when the tasks have stopped.
        wait: bool,
    },
}

impl Goal {
    /// When it is given up.
    pub const fn deadline(&self) -> Option<Timestamp> {
        match self {
            Self::Have { deadline, .. } => Some(*deadline),
            Self::Over | Self::Nothing { .. } => None,
        }
    }
}

/// How far a runner has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// Its assignment lies in its mailbox.
    Assigned,
    /// Its task runs.
    Running,
    /// GitHub sees it.
    Online,
}

/// What holds for the whole loop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// What is wanted.
    pub goal: Goal,
    /// How many capacity choices the pool has.
    pub capacities: usize,
    /// How many tasks that ended before their runner was online may be replaced.
    pub replacements: usize,
    /// How long to wait between two looks at the world.
    pub poll: SignedDuration,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Start tasks.
    Launch(Batch),
    /// Register a runner for the task and put the assignment into its mailbox.
    Bind(TaskArn),
    /// Delete the registration. A refusal means that a job runs.
    Unregister(TaskArn, RunnerId),
    /// Stop the task.
    Stop(TaskArn),
    /// Empty the task's mailbox.
    Empty(TaskArn),
}

impl Action {
    /// The services that it calls.
    pub const fn services(&self) -> &'static [Service] {
        match self {
            Self::Launch(_) => &[Service::Ecs],
            Self::Stop(_) => &[Service::EcsStops],
            Self::Bind(_) => &[Service::GitHub, Service::Mailbox],
            Self::Unregister(..) => &[Service::GitHubDeletions],
            Self::Empty(_) => &[Service::Mailbox],
        }
    }
}

/// How the loop ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// What was wanted is so.
    Reached,
    /// It cannot be reached.
    Failed(Verdict),
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// To be done now, in any order, concurrently; each with its reason.
    pub actions: Vec<(Action, &'static str)>,
    /// When to look again, if there is no outcome.
    pub wake_at: Timestamp,
    /// Set when the loop is over; there are no actions then.
    pub outcome: Option<Outcome>,
}

impl Plan {
    /// Leaves out what would call a service that asked for patience.
    fn keep_to_services_that_answer(&mut self, now: Timestamp, world: &World) {
        let answers = |service: &Service| world.quiet(*service, now).is_none();
        self.actions.retain(|(action, _)| action.services().iter().all(answers));
    }
}

/// Plans the next round.
pub fn plan(now: Timestamp, policy: &Policy, world: &World) -> Plan {
    let mut plan = Plan { actions: Vec::new(), wake_at: now + policy.poll, outcome: None };
    match policy.goal {
        Goal::Have { count, until, deadline } => {
            tidy(&mut plan, world);
            plan.keep_to_services_that_answer(now, world);
            // Nothing is left behind for having been in a hurry.
            let tidied = plan.actions.is_empty();
            plan.outcome = failure(policy, world).or_else(|| reached(count, until, world).filter(|_| tidied));
            if plan.outcome.is_none() && now >= deadline {
                plan.outcome = Some(Outcome::Failed(timeout(count, until, world)));
            }
            if plan.outcome.is_none() {
                if world.adopted {
                    launch(&mut plan, now, count, policy.capacities, world);
                }
                bind(&mut plan, now, world);
                plan.keep_to_services_that_answer(now, world);
                plan.wake_at = plan.wake_at.min(deadline);
            }
            if plan.outcome.is_some() {
                plan.actions.clear();
            }
        }
        Goal::Over => {
            tidy(&mut plan, world);
            plan.keep_to_services_that_answer(now, world);
            let over = hold::held(world).all(|m| m.task.is_over() && m.has_told_its_end());
            if plan.actions.is_empty() {
                plan.outcome = world.fatal.clone().map(Outcome::Failed).or(over.then_some(Outcome::Reached));
            }
        }
        Goal::Nothing { force, wait } => {
            plan.actions = world.members.values().flat_map(|member| withdraw(member, force, now)).collect();
            plan.keep_to_services_that_answer(now, world);
            plan.outcome = if world.members.values().all(|m| is_withdrawn(m, force, wait, now)) {
                Some(Outcome::Reached)
            } else {
                // What can be done in spite of it is done first.
                world.fatal.clone().filter(|_| plan.actions.is_empty()).map(Outcome::Failed)
            };
        }
    }
    plan
}

/// A member that counts towards the goal: it may still come up, has been up meanwhile, or has not told its end yet.
fn counts(member: &Member) -> bool {
    let untold = member.ours && !member.has_told_its_end();
    !member.task.is_over() || (member.was_online() && !member.late) || untold
}

/// The tasks of this process that ended before their runner was online.
fn failed(world: &World) -> impl Iterator<Item = (&Member, Ending)> {
    world.members.values().filter(|m| m.ours).filter_map(|m| Some((m, m.failure()?)))
}

fn is_ready(member: &Member, until: Until) -> bool {
    let comes_on = member.assigned && !member.task.is_over();
    member.was_online()
        || match until {
            Until::Assigned => comes_on,
            Until::Running => comes_on && member.task.state == TaskState::Running,
            Until::Online => false,
        }
}

/// A failure that another task would not mend, or one too many.
fn failure(policy: &Policy, world: &World) -> Option<Outcome> {
    let verdict = |(member, ending): (&Member, Ending)| Verdict::of_ended_task(&member.task, ending);
    let lasting = || failed(world).find(|(_, ending)| ending.prospect == Prospect::Lasting).map(verdict);
    let unlucky = || failed(world).filter(|(_, ending)| ending.prospect == Prospect::Passing);
    let too_many = || unlucky().nth(policy.replacements).map(verdict);
    world.fatal.clone().or_else(lasting).or_else(too_many).map(Outcome::Failed)
}

fn reached(count: usize, until: Until, world: &World) -> Option<Outcome> {
    let ready = world.members.values().filter(|m| counts(m) && is_ready(m, until)).count();
    (ready >= count).then_some(Outcome::Reached)
}

fn timeout(count: usize, until: Until, world: &World) -> Verdict {
    let mut waiting: BTreeMap<String, usize> = BTreeMap::new();
    let mut ready = 0;
    for member in world.members.values().filter(|m| counts(m)) {
        if is_ready(member, until) {
            ready += 1;
        } else if member.task.state == TaskState::Running {
            *waiting.entry("the task runs and its runner is not online".to_owned()).or_default() += 1;
        } else {
            *waiting.entry(format!("the task is still {}", member.task.status)).or_default() += 1;
        }
    }
    let missing = count.saturating_sub(ready + waiting.values().sum::<usize>());
    if missing > 0 {
        waiting.insert("no task could be started".to_owned(), missing);
    }
    let mut missing: Vec<String> = waiting.iter().map(|(why, n)| format!("{n}× {why}")).collect();
    missing.extend(world.troubles.values().map(|trouble| format!("last trouble: {trouble}")));
    let verdict = Verdict::timeout(ready, count, &missing.join(", "));
    // Without a task there is no log to look at; the trouble that was had knows what to do.
    let no_task = world.members.is_empty();
    let remedy = world.troubles.values().find_map(|trouble| trouble.remedy.clone()).filter(|_| no_task);
    Verdict { remedy: remedy.or(verdict.remedy), ..verdict }
}

fn launch(plan: &mut Plan, now: Timestamp, count: usize, capacities: usize, world: &World) {
    for batch in &world.unanswered {
        plan.actions.push((Action::Launch(*batch), "the answer to this launch was lost"));
    }
    let unanswered: usize = world.unanswered.iter().map(|batch| batch.count as usize).sum();
    let unseen = world.named.len();
    let there = world.members.values().filter(|m| counts(m)).count() + unanswered + unseen;
    let missing = count.saturating_sub(there);
    if missing == 0 {
        return;
    }
    let without_room = world.without_room();
    let Some(capacity) = (0..capacities).find(|i| !without_room.contains_key(i)) else {
        let said: Vec<&str> = without_room.values().map(String::as_str).collect();
        plan.actions.clear();
        plan.outcome = Some(Outcome::Failed(Verdict {
            class: "no-capacity".into(),
            sentence: format!("no capacity of the pool could start the task: {}", said.join("; ")),
            remedy: Some("Try again later, or add another capacity to the pool.".into()),
        }));
        return;
    };
    if let Some(later) = replace_at(world).filter(|at| *at > now) {
        plan.wake_at = plan.wake_at.min(later);
        return;
    }
    // Another launcher may have started more there than this one has asked for.
    if unanswered + unseen > 0 {
        return;
    }
    // All runners answer to the label of the first task, so one batch settles whose that is.
    let agreed = world.members.values().any(|m| !m.task.is_over() && !m.claimed);
    let most_batches = if agreed { usize::MAX } else { 1 };
    let most = MOST_PER_LAUNCH as usize;
    let counts = (0..missing).step_by(most).map(|done| (missing - done).min(most));
    for (count, number) in counts.zip(world.free_numbers()).take(most_batches) {
        let count = u32::try_from(count).unwrap_or(MOST_PER_LAUNCH);
        plan.actions.push((Action::Launch(Batch { capacity, count, number }), "fewer tasks than wanted"));
    }
}

/// When the next task may be started after others have failed by bad luck: the more, the later.
fn replace_at(world: &World) -> Option<Timestamp> {
    let unlucky = failed(world).filter(|(_, ending)| ending.prospect == Prospect::Passing);
    let mut ends: Vec<Timestamp> = unlucky.filter_map(|(m, _)| m.task.stopped_at).collect();
    ends.sort_unstable();
    let mut patience = Patience::default();
    for at in &ends {
        patience.failed(*at, None);
    }
    patience.until(*ends.last()?)
}

fn is_being_bound(member: &Member, now: Timestamp) -> bool {
    let made_at = member.phases.at(Phase::Provisioning);
    !member.ours && made_at.is_some_and(|at| now.duration_since(at) < BINDING)
}

/// How long a runner in a running task that this process has not bound may take to be online.
///
/// The agent looks into its mailbox every second and the runner connects within a few. A launcher that was
/// killed between registering and handing over leaves a registration that nobody will ever be; so does
/// whatever else took the name.
const HANDED_OVER: SignedDuration = SignedDuration::from_secs(20);

fn was_never_handed_over(member: &Member) -> bool {
    let started = member.phases.at(Phase::Starting);
    // An older look tells nothing: it may have come online since.
    let overdue =
        started.zip(member.looked_at).is_some_and(|(at, seen)| seen.duration_since(at) > HANDED_OVER);
    !member.handed_over && !member.was_online() && member.task.state == TaskState::Running && overdue
}

/// What tasks that are over have left at GitHub and in their mailboxes.
fn tidy(plan: &mut Plan, world: &World) {
    for member in world.members.values().filter(|m| m.task.is_over()) {
        let arn = &member.task.arn;
        // A job that ran to its end has taken the registration with it.
        if let Registration::Present { id, refused: false, .. } = member.registration
            && !member.ran_a_job()
        {
            plan.actions.push((Action::Unregister(arn.clone(), id), "its task is over"));
        }
        if member.posted && member.task.mailbox.is_some() {
            plan.actions.push((Action::Empty(arn.clone()), "its task is over"));
        }
    }
}

fn bind(plan: &mut Plan, now: Timestamp, world: &World) {
    for member in world.members.values() {
        let arn = &member.task.arn;
        match member.registration {
            Registration::None
                if !member.assigned && !member.task.is_over() && !is_being_bound(member, now) =>
            {
                plan.actions.push((Action::Bind(arn.clone()), "the task has no runner yet"));
            }
            Registration::Present { id, refused: false, .. }
                if member.doubtful || was_never_handed_over(member) =>
            {
                plan.actions.push((Action::Unregister(arn.clone(), id), "nobody holds its secret"));
            }
            _ => {}
        }
    }
}

/// The next steps towards nothing: registration first, because only GitHub's refusal tells that a job runs.
fn withdraw(member: &Member, force: bool, now: Timestamp) -> Vec<(Action, &'static str)> {
    let arn = &member.task.arn;
    let mut steps = Vec::new();
    let mut act = |action, reason| steps.push((action, reason));
    match member.registration {
        // Nobody asks GitHub about a runner whose task has stopped after its job: it went with the job.
        Registration::Unknown if !(member.is_stopped() && member.ran_a_job()) => {}
        _ if member.may_belong_to_another(now) => {}
        Registration::Present { refused: true, .. } if !force => {}
        Registration::Present { id, refused: false, .. } => {
            act(Action::Unregister(arn.clone(), id), "the runner is not wanted any more");
        }
        Registration::Present { id, .. } if member.is_stopped() => {
            act(Action::Unregister(arn.clone(), id), "its task has stopped");
        }
        _ => {
            if !(member.task.is_over() || member.stop_asked || member.borrowed) {
                act(Action::Stop(arn.clone()), "its runner takes no job any more");
            }
            // Even of a runner that had a job: if the answer to the first PUT was lost, the agent may have taken its
            // mail before the second one put it there again.
            let may_have_mail = member.posted || !member.emptied;
            if may_have_mail && member.task.mailbox.is_some() {
                act(Action::Empty(arn.clone()), "nobody shall find its assignment");
            }
        }
    }
    steps
}

/// Whether nothing of it is left to take away: it is gone, or stays because a job runs on it.
pub fn is_withdrawn(member: &Member, force: bool, wait: bool, now: Timestamp) -> bool {
    withdraw(member, force, now).is_empty()
        && match member.registration {
            // Nobody asks GitHub about a runner whose task has stopped after its job: it went with the job.
            Registration::Unknown => member.is_stopped() && member.ran_a_job(),
            Registration::Present { refused: true, .. } if !force => true,
            _ if member.borrowed => true,
            _ if wait => member.is_stopped(),
            _ => member.stop_asked || member.task.is_over(),
        }
}

#[cfg(test)]
mod tests;
