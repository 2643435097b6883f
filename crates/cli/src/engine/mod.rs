//! The engine: observe → plan → execute, until the goal is reached or cannot be.
//!
//! The decisions are [`fleetfoot_core::plan`]'s. This module only runs the loop; [`observe`] and
//! [`execute`] are its two hands, [`undo`] is the way back. It works on the ports, time among them, so tests
//! drive it with any implementation.

pub(crate) mod bind;
mod claim;
mod clock;
mod execute;
mod observe;
mod undo;

pub use clock::{Clock, WallClock};
pub use undo::Left;

use std::collections::BTreeMap;

use fleetfoot_core::assignment::MailboxPrefix;
use fleetfoot_core::ids::StartedBy;
use fleetfoot_core::label::Label;
use fleetfoot_core::plan::{self, Outcome, Policy};
use fleetfoot_core::ports::{Outbox, Runners, Tasks};
use fleetfoot_core::stack::Pool;
use fleetfoot_core::task::tag;
use fleetfoot_core::world::World;
use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

/// What the engine makes: everything about the tasks and runners of one start.
#[derive(Debug, Clone)]
pub struct Spec {
    /// Where tasks come from.
    pub pool: Pool,
    /// Whom they are for.
    pub started_by: StartedBy,
    /// Whom the pool's warm tasks are started by, if some may serve as well.
    pub warm: Option<StartedBy>,
    /// Their tags, the label's included.
    pub tags: BTreeMap<String, String>,
    /// Where their assignments go.
    pub mailbox: MailboxPrefix,
    /// CPU units, if other than the pool's.
    pub cpu: Option<u32>,
    /// MiB, if other than the pool's.
    pub memory: Option<u32>,
    /// GiB, if other than the default.
    pub ephemeral_storage: Option<u32>,
    /// The label of this start.
    pub label: Label,
    /// Labels beside it that the user asked for.
    pub extra_labels: Vec<Label>,
    /// Id of the runner group.
    pub runner_group: u64,
    /// How long a runner waits for a job.
    pub idle_timeout: SignedDuration,
    /// How long a runner lives at most.
    pub max_lifetime: SignedDuration,
}

/// The ports, as one value.
#[derive(Debug)]
pub struct Ports<'a, T, O, R> {
    /// ECS.
    pub tasks: &'a T,
    /// The mailbox.
    pub outbox: &'a O,
    /// GitHub.
    pub runners: &'a R,
    /// Time.
    pub clock: &'a dyn Clock,
}

// Derived, they would ask for adapters that can be copied; only the references are.
impl<T, O, R> Clone for Ports<'_, T, O, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, O, R> Copy for Ports<'_, T, O, R> {}

/// How a loop ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// As the plan said.
    Planned(Outcome),
    /// Somebody cancelled it.
    Cancelled,
}

/// The engine for one start.
#[derive(Debug)]
pub struct Engine<'a, T, O, R> {
    /// The world's doors.
    pub ports: Ports<'a, T, O, R>,
    /// What to make; `None` for a loop that only takes away.
    pub spec: Option<Spec>,
}

/// Told of the world after every step.
pub trait Watch: Send {
    /// The world has changed, or at least has been looked at.
    fn look(&mut self, world: &World);
}

impl<T: Tasks, O: Outbox, R: Runners> Engine<'_, T, O, R> {
    /// Runs the loop.
    pub async fn run(
        &mut self,
        policy: &Policy,
        world: &mut World,
        watch: &mut impl Watch,
        cancel: &CancellationToken,
    ) -> End {
        let clock = self.ports.clock;
        // The selections are biased because a simulation must come out the same each time.
        while !cancel.is_cancelled() {
            let left = policy.goal.deadline().map(|deadline| deadline.duration_since(clock.now()));
            tokio::select! {
                biased;
                () = cancel.cancelled() => break,
                () = self.observe(policy, world) => {}
                // Looks at many runners take turns, which may take longer than there is time.
                () = clock.sleep(left.unwrap_or_default()), if left.is_some() => {}
            }
            self.take_label(world);
            watch.look(world);
            let mut plan = plan::plan(clock.now(), policy, world);
            // What was done may open the next step: a task is bound as soon as it is launched, without a look
            // in between. What comes out the same again has failed, and waits for the next round.
            for _ in 0..MOST_STEPS {
                if plan.outcome.is_some() || plan.actions.is_empty() || cancel.is_cancelled() {
                    break;
                }
                // Not raced with the cancellation: an action whose answer nobody reads would leave an orphan.
                self.execute(&plan.actions, world).await;
                self.take_label(world);
                watch.look(world);
                let next = plan::plan(clock.now(), policy, world);
                let same = next.actions == plan.actions;
                plan = next;
                if same {
                    break;
                }
            }
            if let Some(outcome) = plan.outcome {
                return End::Planned(outcome);
            }
            tokio::select! {
                biased;
                () = cancel.cancelled() => {}
                () = clock.sleep(plan.wake_at.duration_since(clock.now())) => {}
            }
        }
        End::Cancelled
    }

    /// All runners of a start share one label: the one of the tasks that are there.
    fn take_label(&mut self, world: &World) {
        let label = world.members.values().filter(|m| !m.task.is_over()).find_map(|m| m.task.label());
        let label = label.and_then(|label| label.parse::<Label>().ok());
        if let (Some(spec), Some(label)) = (&mut self.spec, label) {
            spec.tags.insert(tag::LABEL.to_owned(), label.as_str().to_owned());
            spec.label = label;
        }
    }
}

/// The most steps in one round; more would mean that the world answers nonsense.
const MOST_STEPS: usize = 8;
