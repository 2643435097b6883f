//! Undo: a start that failed or was cancelled takes back what it has brought, and names what it could not.
//!
//! Only its own: tasks that an earlier start with this key has left stay, and so do a rival's.

use std::fmt;

use fleetfoot_core::ids::TaskArn;
use fleetfoot_core::plan::{Goal, Policy, is_withdrawn};
use fleetfoot_core::ports::{Outbox, Runners, Tasks};
use fleetfoot_core::world::{Member, Registration, World};
use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

use super::{Engine, Watch};

/// How often to look, with so little time.
const POLL: SignedDuration = SignedDuration::from_millis(200);

/// What may still be there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Left {
    /// Tasks; a registration and an assignment may be with them.
    pub tasks: Vec<TaskArn>,
    /// How many tasks a RunTask call that was never answered may have started, beyond those.
    pub unseen: usize,
}

impl Left {
    /// Whether everything is gone.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts: Vec<String> = self.tasks.iter().map(TaskArn::to_string).collect();
        if self.unseen > 0 {
            parts.push(format!("up to {} of a RunTask call that ECS has not answered", self.unseen));
        }
        f.write_str(&parts.join(", "))
    }
}

impl<T: Tasks, O: Outbox, R: Runners> Engine<'_, T, O, R> {
    /// Takes back what this engine has brought into the world, for as long as the limit allows.
    pub async fn undo(&mut self, world: &mut World, limit: SignedDuration) -> Left {
        // What was refused then is another call now.
        world.forgive();
        self.keep_own(world);
        // Somebody may have registered another runner there than the one that is known here.
        let hidden = |m: &&mut Member| match m.registration {
            Registration::None => m.doubtful,
            Registration::Gone => !m.was_online(),
            _ => false,
        };
        for member in world.members.values_mut().filter(hidden) {
            member.registration = Registration::Unknown;
        }
        let clock = self.ports.clock;
        if clock.within(limit, self.take_back(world)).await.is_none() {
            tracing::debug!("not everything was taken back in time");
        }
        let left = world.members.values().filter(|m| !is_withdrawn(m, false, false, clock.now()));
        Left { tasks: left.map(|m| m.task.arn.clone()).collect(), unseen: unseen(world) }
    }

    async fn take_back(&mut self, world: &mut World) {
        let policy = Policy {
            goal: Goal::Nothing { force: false, wait: false },
            capacities: 0,
            replacements: 0,
            poll: POLL,
        };
        loop {
            // Known ones first: looking for the others may take all the time there is.
            self.run(&policy, world, &mut Unwatched, &CancellationToken::new()).await;
            if unseen(world) == 0 {
                return;
            }
            self.adopt(world).await;
            self.look_for_named(world).await;
            self.keep_own(world);
            self.ports.clock.sleep(POLL).await;
        }
    }

    /// Forgets what this engine has neither started nor bound. The nonce of the mailbox tells its tasks from all
    /// others.
    fn keep_own(&self, world: &mut World) {
        let Some(spec) = &self.spec else { return };
        world.named.clear();
        world.members.retain(|_, member| {
            member.borrowed = !member.ours && member.task.mailbox.as_ref() != Some(&spec.mailbox);
            !member.borrowed || member.handed_over || member.posted || member.doubtful
        });
    }
}

/// How many tasks the calls without an answer may have started that nobody has seen yet.
fn unseen(world: &World) -> usize {
    let asked: usize = world.unanswered.iter().map(|batch| batch.count as usize).sum();
    let seen = world.members.values().filter(|m| !m.ours).count();
    asked.saturating_sub(seen)
}

struct Unwatched;

impl Watch for Unwatched {
    fn look(&mut self, _: &World) {}
}
