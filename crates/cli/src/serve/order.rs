//! What the autoscaler makes: everything about the tasks and runners of a stack that stays the same.

use std::collections::BTreeMap;

use fleetfoot_core::assignment::MailboxPrefix;
use fleetfoot_core::fleet::{PoolIndex, ScopeIndex, SetIndex};
use fleetfoot_core::ids::{ClientToken, StartedBy};
use fleetfoot_core::label::Label;
use fleetfoot_core::ports::LaunchRequest;
use fleetfoot_core::scale_sets::ScaleSetSpec;
use fleetfoot_core::stack::{MailboxPlace, Pool, Stack};
use fleetfoot_core::task::tag;
use jiff::SignedDuration;

/// Everything that is ordered.
#[derive(Debug, Clone)]
pub struct Order {
    /// The pools.
    pub pools: Vec<PoolOrder>,
    /// The scale sets.
    pub sets: Vec<SetOrder>,
    /// What the places at GitHub are called, by scope: `acme`, `acme/shop`.
    pub places: Vec<String>,
    /// Where assignments go.
    pub mailbox: MailboxPlace,
    /// How long a task waits for its assignment, in seconds.
    pub bind_timeout: u64,
    /// The cluster as the stack document calls it. If that is its ARN, it tells the tasks of runners that ECS shows
    /// no task of.
    pub cluster: String,
}

/// A pool's tasks.
#[derive(Debug, Clone)]
pub struct PoolOrder {
    /// Where they come from.
    pub pool: Pool,
    /// What they are called.
    pub started_by: StartedBy,
    /// Their tags.
    pub tags: BTreeMap<String, String>,
}

/// A scale set's runners.
#[derive(Debug, Clone)]
pub struct SetOrder {
    /// The set at GitHub.
    pub spec: ScaleSetSpec,
    /// Where at GitHub.
    pub scope: ScopeIndex,
    /// Where its runners come from.
    pub pool: PoolIndex,
    /// The most runners it may ever have; GitHub assigns no more jobs than that.
    pub max: u32,
    /// How long a runner waits for a job.
    pub idle_timeout: SignedDuration,
    /// How long a runner lives at most.
    pub max_lifetime: SignedDuration,
}

impl PoolOrder {
    /// The tasks of this pool of the stack.
    pub fn of(stack: &Stack, pool: &Pool, max_lifetime: SignedDuration) -> Self {
        let tags = [
            (tag::STACK, stack.name.to_string()),
            (tag::POOL, pool.name.to_string()),
            (tag::MAX_LIFETIME, max_lifetime.as_secs().to_string()),
        ];
        Self {
            started_by: StartedBy::of_pool(&stack.name, &pool.name),
            tags: tags.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
            pool: pool.clone(),
        }
    }
}

impl Order {
    /// The RunTask call of a launch. The same arguments always make the same call, as its token demands.
    pub(super) fn request(
        &self,
        pool: PoolIndex,
        capacity: usize,
        count: usize,
        nonce: &str,
    ) -> Option<LaunchRequest> {
        let PoolOrder { pool, started_by, tags } = self.pools.get(pool.0)?;
        Some(LaunchRequest {
            task_definition: pool.task_definition.clone(),
            container: pool.container.clone(),
            capacity: pool.capacity.get(capacity)?.clone(),
            network: pool.network.clone(),
            count: u32::try_from(count).ok()?,
            started_by: started_by.clone(),
            tags: tags.clone(),
            mailbox: MailboxPrefix::new(&self.mailbox.bucket, &self.mailbox.prefix, nonce),
            cpu: None,
            memory: None,
            ephemeral_storage: None,
            bind_timeout: Some(self.bind_timeout),
            token: ClientToken::of_nonce(nonce),
        })
    }

    /// What a place at GitHub is called.
    pub(super) fn place(&self, scope: ScopeIndex) -> &str {
        self.places.get(scope.0).map_or("", String::as_str)
    }

    /// Where a set is at GitHub.
    pub(super) fn scope_of(&self, set: SetIndex) -> ScopeIndex {
        self.sets.get(set.0).map_or(ScopeIndex(0), |order| order.scope)
    }

    /// Which set of this scope a runner with these labels belongs to.
    pub(super) fn set_of(&self, scope: ScopeIndex, labels: &[Label]) -> Option<SetIndex> {
        let answers_to =
            |name: &Label| labels.iter().any(|label| label.as_str().eq_ignore_ascii_case(name.as_str()));
        let set = self.sets.iter().position(|set| set.scope == scope && answers_to(&set.spec.name));
        set.map(SetIndex)
    }
}
