//! The world as the engine sees it: what was observed, and what its own actions brought.
//!
//! Observations may be late or missing, so nothing here is deleted and no transition is impossible: the
//! [plan](crate::plan) reads whatever is there.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::ending::{Ending, Prospect};
use crate::exit::AgentExit;
use crate::fate::AtGitHub;
use crate::fault::{Class, Fault};
use crate::ids::{RunnerId, RunnerName, TaskArn};
use crate::patience::{Patience, Service};
use crate::phase::{Phase, PhaseTimes};
use crate::ports::RunnerView;
use crate::task::{TaskState, TaskView};
use crate::verdict::Verdict;

/// Everything that is known about one start.
#[derive(Debug, Default, Clone)]
pub struct World {
    /// Whether somebody has looked for tasks that exist already. Nothing is started before.
    pub adopted: bool,
    /// Its tasks, also those that have stopped.
    pub members: BTreeMap<TaskArn, Member>,
    /// Choices of the pool's capacity that have refused, by their place in the list, with what they said.
    pub refused: BTreeMap<usize, Verdict>,
    /// Launches whose answer was lost. Only the very same call tells what came of them.
    pub unanswered: Vec<Batch>,
    /// Batches of the start that have had their answer, by their numbers: what they have started is known.
    pub settled: BTreeSet<usize>,
    /// Batches that another launcher holds while ECS names no task of them, and how often it said so.
    pub conflicts: BTreeMap<usize, u32>,
    /// Tasks that ECS has named and not shown yet, and when: it is eventually consistent.
    pub named: BTreeMap<TaskArn, Timestamp>,
    /// Services that have to be left alone for a while.
    pub patience: BTreeMap<Service, Patience>,
    /// What services have said last that did not do what they were asked for; it explains a timeout.
    pub troubles: BTreeMap<Service, Verdict>,
    /// A failure that no further round can mend.
    pub fatal: Option<Verdict>,
}

/// One RunTask call of a start. Repeated as it is, it starts nothing more.
///
/// The batches of a start are numbered, whoever launches them, and the number makes the client token. So ECS
/// lets one launcher have a number and tells the others what came of it, and nobody goes on to further
/// numbers before he knows what the lower ones brought: launchers that race never start more than is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batch {
    /// Which of the pool's capacity choices.
    pub capacity: usize,
    /// How many, 1 to [`MOST_PER_LAUNCH`](crate::ports::MOST_PER_LAUNCH).
    pub count: u32,
    /// Its number.
    pub number: usize,
}

/// One task and the runner in it.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, each with its own source")]
pub struct Member {
    /// The task, as last seen.
    pub task: TaskView,
    /// Which of the pool's capacity choices it was started on, if this process started it.
    pub capacity: Option<usize>,
    /// Its registration at GitHub.
    pub registration: Registration,
    /// The most that GitHub has ever shown of it. Unlike the registration it outlasts a deletion.
    pub at_github: AtGitHub,
    /// Whether its assignment was put into its mailbox, by us or by the launcher before us.
    pub assigned: bool,
    /// Whether this process has put its assignment into its mailbox, so that somebody can be the runner.
    pub handed_over: bool,
    /// Whether an assignment that this process has put into its mailbox may lie there still.
    pub posted: bool,
    /// Whether it was started by this process.
    pub ours: bool,
    /// Whether it is another launcher's to stop: of it only the binding is taken away.
    pub borrowed: bool,
    /// Whether it was a warm task of the pool, which this start has taken for itself.
    pub claimed: bool,
    /// Whether it was over when it was found: whatever it has done was for somebody else.
    pub late: bool,
    /// Whether an answer to minting was lost: a registration may exist that nobody holds the secret of.
    pub doubtful: bool,
    /// Whether StopTask was accepted.
    pub stop_asked: bool,
    /// Whether its mailbox was emptied.
    pub emptied: bool,
    /// When GitHub has last told of its runner.
    pub looked_at: Option<Timestamp>,
    /// The phases seen so far.
    pub phases: PhaseTimes,
}

/// What is known of a runner's registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Registration {
    /// Nobody has looked yet: the task was found, not started.
    Unknown,
    /// GitHub has none under the task's name.
    None,
    /// It exists.
    Present {
        /// Its id.
        id: RunnerId,
        /// Connected.
        online: bool,
        /// Running a job, as far as GitHub shows.
        busy: bool,
        /// GitHub has refused to delete it because a job runs on it.
        refused: bool,
    },
    /// It existed; GitHub does not know it any more: its one job is over, or it was deleted.
    Gone,
}

impl Member {
    /// A task that this process has just started.
    pub fn started(task: TaskView, capacity: usize) -> Self {
        let found = Self::found(task);
        Self { registration: Registration::None, capacity: Some(capacity), ours: true, late: false, ..found }
    }

    /// A task that was found.
    pub fn found(task: TaskView) -> Self {
        Self {
            phases: task.phases.clone(),
            late: task.is_over(),
            task,
            capacity: None,
            registration: Registration::Unknown,
            at_github: AtGitHub::NotAsked,
            assigned: false,
            handed_over: false,
            posted: false,
            ours: false,
            borrowed: false,
            claimed: false,
            doubtful: false,
            stop_asked: false,
            emptied: false,
            looked_at: None,
        }
    }

    /// The runner's name.
    pub fn runner(&self) -> RunnerName {
        RunnerName::of_task(&self.task.arn)
    }

    /// The runner's id, if it has one.
    pub fn runner_id(&self) -> Option<RunnerId> {
        match self.registration {
            Registration::Present { id, .. } => Some(id),
            _ => None,
        }
    }

    /// Takes over a newer view of the task. Tags and mailbox stay known after ECS has dropped them.
    pub fn see_task(&mut self, mut seen: TaskView) {
        self.phases.merge(&seen.phases);
        if seen.tags.is_empty() {
            seen.tags = std::mem::take(&mut self.task.tags);
        }
        if seen.mailbox.is_none() {
            seen.mailbox = self.task.mailbox.take();
        }
        self.task = seen;
    }

    /// Takes over what GitHub says of the runner.
    pub fn see_runner(&mut self, seen: Option<RunnerView>, now: Timestamp) {
        self.looked_at = Some(now);
        let refused = matches!(self.registration, Registration::Present { refused: true, .. });
        self.at_github = self.at_github.max(match &seen {
            None => AtGitHub::Unknown,
            Some(runner) if !runner.busy => AtGitHub::Free,
            Some(_) => AtGitHub::Busy,
        });
        self.registration = match seen {
            Some(runner) => {
                // Whoever registered it has the mailbox in hand, too.
                self.assigned = true;
                // Another one may have come in its place.
                self.handed_over &= self.runner_id() == Some(runner.id);
                if runner.online {
                    self.phases.reach(Phase::Online, now);
                    // It has read its mail.
                    self.posted &= !self.handed_over;
                }
                if runner.busy {
                    self.phases.reach(Phase::Busy, now);
                }
                Registration::Present { id: runner.id, online: runner.online, busy: runner.busy, refused }
            }
            None if matches!(self.registration, Registration::Unknown | Registration::None) => {
                Registration::None
            }
            // Nobody can have used it up.
            None if self.doubtful => Registration::None,
            None => Registration::Gone,
        };
    }

    /// Whether the runner was online at some time: seen so, or proven by its end.
    pub fn was_online(&self) -> bool {
        self.phases.at(Phase::Online).is_some() || self.exit().is_some_and(AgentExit::had_a_job)
    }

    /// Whether the agent's exit code says that a job ran to its end.
    pub fn ran_a_job(&self) -> bool {
        self.exit().is_some_and(AgentExit::ran_a_job)
    }

    /// How the agent ended, if it lived to say so.
    fn exit(&self) -> Option<AgentExit> {
        self.task.end.as_ref()?.agent()
    }

    /// Whether ECS has said why it ended. Of a task that is on its way out it may not know yet how the
    /// container did.
    pub fn has_told_its_end(&self) -> bool {
        self.task.end.as_ref().is_some_and(|end| {
            let exited = end.stop_code.as_deref() == Some("EssentialContainerExited");
            self.is_stopped() || end.exit_code.is_some() || !exited
        })
    }

    /// Why it ended before its runner was online, if it did and ECS has said why.
    pub fn failure(&self) -> Option<Ending> {
        let over = self.task.is_over() && self.has_told_its_end() && !self.was_online();
        let end = self.task.end.as_ref().filter(|_| over)?;
        Some(Ending::of(end))
    }

    /// Whether another launcher may have registered a runner for it since anybody has looked.
    pub fn may_belong_to_another(&self, now: Timestamp) -> bool {
        let made_at = self.phases.at(Phase::Provisioning).or(self.phases.at(Phase::Requested));
        let meddled_with = made_at.is_none_or(|at| now.duration_since(at) >= BINDING);
        let looked = self.looked_at.is_some_and(|at| now.duration_since(at) < FRESH);
        let none = matches!(self.registration, Registration::None | Registration::Gone);
        none && !self.task.is_over() && meddled_with && !looked
    }

    /// Whether the task has stopped.
    pub fn is_stopped(&self) -> bool {
        self.task.state == TaskState::Stopped
    }
}

/// How long a launcher may take to bind what it has just started; meanwhile no other one meddles with it.
pub const BINDING: SignedDuration = SignedDuration::from_secs(15);

/// How long a look at GitHub is good for. A runner takes longer to connect and to be given a job.
const FRESH: SignedDuration = SignedDuration::from_secs(3);

/// How often a batch may be another launcher's without a task before that counts as its answer: ECS may only
/// be slow to name them.
const MOST_CONFLICTS: u32 = 3;

/// How long ECS may take to show a task that it has named.
const CONSISTENT: SignedDuration = SignedDuration::from_mins(1);

/// What an action brought, written back by the executor.
impl World {
    /// Notes what a batch of this process has started.
    pub fn started(&mut self, task: TaskView, batch: Batch, asked_at: Timestamp) {
        self.named.remove(&task.arn);
        let member =
            self.members.entry(task.arn.clone()).or_insert_with(|| Member::started(task, batch.capacity));
        // It may have been found before the answer came.
        (member.ours, member.late, member.capacity) = (true, false, Some(batch.capacity));
        member.phases.reach(Phase::Requested, asked_at);
    }

    /// Notes tasks that ECS shows, whoever has started them.
    pub fn found(&mut self, task: TaskView) {
        self.named.remove(&task.arn);
        match self.members.get_mut(&task.arn) {
            Some(member) => member.see_task(task),
            None => drop(self.members.insert(task.arn.clone(), Member::found(task))),
        }
    }

    /// Notes a warm task that is nobody's runner, to be bound.
    pub fn claim(&mut self, task: TaskView, now: Timestamp) {
        let mut member = Member::found(task);
        member.claimed = true;
        member.see_runner(None, now);
        self.members.entry(member.task.arn.clone()).or_insert(member);
    }

    /// Notes tasks that ECS names, and may not show yet.
    pub fn named(&mut self, tasks: impl IntoIterator<Item = TaskArn>, now: Timestamp) {
        for arn in tasks {
            if !self.members.contains_key(&arn) {
                self.named.entry(arn).or_insert(now);
            }
        }
    }

    /// Notes that ECS has shown what it can: what it has named long ago is no more.
    pub fn shown(&mut self, now: Timestamp) {
        self.named.retain(|_, at| now.duration_since(*at) < CONSISTENT);
    }

    /// Notes that a batch has had its answer.
    pub fn settle(&mut self, batch: Batch) {
        self.unanswered.retain(|other| other.number != batch.number);
        self.settled.insert(batch.number);
    }

    /// Notes that a batch is another launcher's, of which ECS names no task.
    pub fn conflict(&mut self, batch: Batch) {
        let conflicts = self.conflicts.entry(batch.number).or_default();
        *conflicts += 1;
        if *conflicts >= MOST_CONFLICTS {
            self.settle(batch);
        }
    }

    /// The numbers that a batch may have next, the lowest first.
    pub fn free_numbers(&self) -> impl Iterator<Item = usize> + '_ {
        let lost = |number: &usize| self.unanswered.iter().any(|batch| batch.number == *number);
        (0..).filter(move |number| !self.settled.contains(number) && !lost(number))
    }

    /// Notes that a capacity choice refused.
    pub fn refuse(&mut self, capacity: usize, verdict: Verdict) {
        self.refused.entry(capacity).or_insert(verdict);
    }

    /// Notes a failed call: fatal if no later round can mend it, else a reason to be patient.
    pub fn failed(&mut self, service: Service, fault: &Fault, now: Timestamp) {
        match &fault.class {
            Class::Denied | Class::Invalid | Class::NotFound => {
                self.fatal = Some(Verdict::from(fault));
                self.patience.entry(service).or_default().lost();
            }
            class => {
                let retry_after = match class {
                    Class::Throttled { retry_after } => *retry_after,
                    _ => None,
                };
                self.patience.entry(service).or_default().failed(now, retry_after);
                self.troubles.insert(service, Verdict::from(fault));
            }
        }
    }

    /// Notes that a service answers.
    pub fn answered(&mut self, service: Service) {
        self.troubles.remove(&service);
        if let Some(patience) = self.patience.get_mut(&service) {
            patience.succeeded();
        }
    }

    /// Gives everything that no round could mend another chance: what is to be done now is something else.
    pub fn forgive(&mut self) {
        self.fatal = None;
        self.patience.retain(|_, patience| !patience.is_lost());
    }

    /// Until when a service has to be left alone.
    pub fn quiet(&self, service: Service, now: Timestamp) -> Option<Timestamp> {
        self.patience.get(&service)?.until(now)
    }

    /// The capacity choices that have no room: refused by RunTask, or told by a task's end.
    pub fn without_room(&self) -> BTreeMap<usize, String> {
        let ended = self.members.values().filter_map(|member| {
            let ending = member.failure().filter(|ending| ending.prospect == Prospect::NoCapacity)?;
            let sentence = Verdict::of_ended_task(&member.task, ending).sentence;
            Some((member.capacity?, sentence))
        });
        let refused = self.refused.iter().map(|(capacity, verdict)| (*capacity, verdict.sentence.clone()));
        ended.chain(refused).collect()
    }

    /// Notes the answer to deleting a runner.
    pub fn deleted(&mut self, task: &TaskArn, refusal: Option<&Class>, now: Timestamp) {
        let Some(member) = self.members.get_mut(task) else { return };
        if refusal.is_none() {
            member.looked_at = Some(now);
        }
        if refusal == Some(&Class::Busy) {
            member.at_github = AtGitHub::Busy;
        }
        match (refusal, &mut member.registration) {
            (None, registration) => {
                // The task, if it still runs, can be bound again.
                *registration = Registration::None;
                (member.assigned, member.handed_over, member.doubtful) = (false, false, false);
            }
            // Its job has died with its task. GitHub finds out by itself, and removes both.
            (Some(Class::Busy), registration) if member.task.state == TaskState::Stopped => {
                *registration = Registration::Gone;
            }
            (Some(Class::Busy), Registration::Present { refused, busy, .. }) => {
                (*refused, *busy) = (true, true);
            }
            _ => {}
        }
    }
}
