//! The scale sets of one repository, organisation or enterprise, over the crate `scaleset`.
//!
//! The crate speaks the protocol: addresses, admin tokens, the queue's token. Its lower layers are used and
//! not its listener, because that acknowledges by itself and drops what it runs when it shuts down. It is
//! young, so it is pinned and nothing of it shows outside of this folder. What is ours: who signs
//! ([`connection`]), what is repeated, and what a failure means ([`refusal`]).
//!
//! The crate reads the wall clock, to see when its tokens end, and `GITHUB_ACTIONS_FORCE_GHES`.

mod connection;
mod refusal;
mod session;
mod words;

use std::sync::Arc;

use fleetfoot_core::fault::{Class, Fault};
use fleetfoot_core::ids::{RunnerId, RunnerName};
use fleetfoot_core::ports::Minted;
use fleetfoot_core::scale_sets::{RunnerRef, ScaleSetId, ScaleSetSpec, ScaleSets};
use scaleset::{JitRunnerSetting, RunnerGroupId, RunnerScaleSet, RunnerScaleSetSpec};

use crate::runners::GitHubRunners;
use crate::scope::Target;
use connection::Connection;
pub use session::GitHubSession;

/// The [`ScaleSets`] of where some [`GitHubRunners`] are registered.
#[derive(Debug, Clone)]
pub struct GitHubScaleSets {
    connection: Arc<Connection>,
}

impl GitHubScaleSets {
    /// The scale sets there, with the same credentials. Calls nothing yet.
    ///
    /// # Errors
    /// `Invalid` if the REST API has an address of its own that GitHub does not derive from its own, or this
    /// machine's TLS settings cannot be used.
    pub fn new(runners: Arc<GitHubRunners>) -> Result<Self, Fault> {
        Ok(Self { connection: Arc::new(Connection::new(runners)?) })
    }

    fn target(&self) -> &Target {
        self.connection.target()
    }

    /// The id of the group, or `None` where there is none of this name.
    async fn group(&self, name: &str) -> Result<Option<RunnerGroupId>, Fault> {
        if name.eq_ignore_ascii_case(scaleset::DEFAULT_RUNNER_GROUP) {
            return Ok(Some(RunnerGroupId::DEFAULT));
        }
        let what = format!("find the runner group {name:?} of {}", self.target());
        let client = self.connection.client(&what).await?;
        let group = self.connection.again(&what, || client.get_runner_group_by_name(name)).await?;
        Ok(group.map(|group| group.id))
    }

    async fn find(&self, group: RunnerGroupId, spec: &ScaleSetSpec) -> Result<Option<RunnerScaleSet>, Fault> {
        let what = format!("find the scale set {} of {}", spec.name, self.target());
        let (client, name) = (self.connection.client(&what).await?, spec.name.as_str());
        self.connection.again(&what, || client.get_runner_scale_set_by_name(group, name)).await
    }

    /// Creates the scale set or, if it appears meanwhile, finds it.
    async fn create(&self, group: RunnerGroupId, spec: &ScaleSetSpec) -> Result<RunnerScaleSet, Fault> {
        let what = format!("create the scale set {} at {}", spec.name, self.target());
        let (client, wish) = (self.connection.client(&what).await?, wish(group, spec));
        match self.connection.again(&what, || client.create_runner_scale_set(&wish)).await {
            // A rival was first, or the first of two attempts came through and its answer did not.
            Err(fault) if fault.class == Class::Conflict => {
                self.find(group, spec).await.and_then(|found| found.ok_or(fault))
            }
            other => other,
        }
    }
}

impl ScaleSets for GitHubScaleSets {
    type Session = GitHubSession;

    async fn ensure(&self, spec: &ScaleSetSpec) -> Result<ScaleSetId, Fault> {
        let Some(group) = self.group(&spec.runner_group).await? else {
            let what = format!("make the scale set {} at {}", spec.name, self.target());
            let why = format!("there is no runner group {:?}", spec.runner_group);
            return Err(Fault::new(Class::NotFound, what, why).remedy(
                "correct the runner group's name in the stack document, or leave it out for Default",
            ));
        };
        let mut set = match self.find(group, spec).await? {
            Some(found) => found,
            None => self.create(group, spec).await?,
        };
        if !is_as_wished(&set, spec) {
            let what = format!("change the scale set {} of {}", spec.name, self.target());
            let (client, id, wish) = (self.connection.client(&what).await?, set.id, wish(group, spec));
            set = self.connection.again(&what, || client.update_runner_scale_set(id, &wish)).await?;
            if !is_as_wished(&set, spec) {
                let has: Vec<&str> = set.labels.iter().map(|label| label.name.as_str()).collect();
                tracing::warn!(scale_set = %spec.name, ?has, "GitHub has not taken all labels of the scale set");
            }
        }
        Ok(ScaleSetId(set.id.get()))
    }

    async fn look_up(&self, spec: &ScaleSetSpec) -> Result<Option<ScaleSetId>, Fault> {
        let Some(group) = self.group(&spec.runner_group).await? else { return Ok(None) };
        Ok(self.find(group, spec).await?.map(|set| ScaleSetId(set.id.get())))
    }

    async fn remove(&self, id: ScaleSetId) -> Result<(), Fault> {
        let what = format!("remove the scale set {id} of {}", self.target());
        let (client, id) = (self.connection.client(&what).await?, scaleset::ScaleSetId(id.0));
        let removed = self.connection.again(&what, || client.delete_runner_scale_set(id)).await;
        gone_is_fine(removed)
    }

    async fn mint(&self, id: ScaleSetId, name: &RunnerName) -> Result<Minted, Fault> {
        let what = format!("register the runner {name} of the scale set {id} at {}", self.target());
        let mut setting = JitRunnerSetting::new(name.as_str());
        self.connection.work_folder().clone_into(&mut setting.work_folder);
        let (client, id) = (self.connection.client(&what).await?, scaleset::ScaleSetId(id.0));
        let _turn = self.connection.turn_to_register(&what).await?;
        let minted = self.connection.once(&what, client.generate_jit_config(id, &setting)).await?;
        let runner = minted.runner.and_then(|runner| u64::try_from(runner.id.get()).ok());
        let Some(runner) = runner else {
            return Err(Fault::new(Class::Unknown, what, "GitHub's answer does not tell the runner's id"));
        };
        Ok(Minted { id: RunnerId(runner), jit_config: minted.encoded_jit_config })
    }

    async fn find_runner(&self, name: &RunnerName) -> Result<Option<RunnerRef>, Fault> {
        let what = format!("find the runner {name} of {}", self.target());
        let client = self.connection.client(&what).await?;
        let found = self.connection.again(&what, || client.get_runner_by_name(name.as_str())).await?;
        Ok(found.and_then(|runner| words::runner(runner.id, &runner.name)))
    }

    async fn delete_runner(&self, id: RunnerId) -> Result<(), Fault> {
        let what = format!("remove the runner {id} of {}", self.target());
        let Ok(number) = i64::try_from(id.0) else { return Ok(()) };
        let client = self.connection.client(&what).await?;
        let deleted = self.connection.again(&what, || client.remove_runner(scaleset::RunnerId(number))).await;
        gone_is_fine(deleted)
    }

    async fn open(&self, id: ScaleSetId, owner: &str) -> Result<GitHubSession, Fault> {
        let what = format!("open the queue of the scale set {id} of {}", self.target());
        let client = self.connection.client(&what).await?;
        let open = client.create_message_session(scaleset::ScaleSetId(id.0), owner);
        let session = self.connection.once(&what, open).await?;
        GitHubSession::of(Arc::clone(&self.connection), session, id, &what).await
    }
}

/// What is asked of GitHub. A runner lives for one job, so that an update would only delay it.
fn wish(group: RunnerGroupId, spec: &ScaleSetSpec) -> RunnerScaleSetSpec {
    RunnerScaleSetSpec::new(spec.name.as_str())
        .runner_group_id(group)
        .labels(spec.label_set().into_iter().map(|label| label.as_str().to_owned()))
        .disable_update(true)
}

/// Whether a scale set is as it should be. The order and the case of labels mean nothing.
fn is_as_wished(set: &RunnerScaleSet, spec: &ScaleSetSpec) -> bool {
    let folded = |labels: &mut dyn Iterator<Item = &str>| {
        let mut labels: Vec<String> = labels.map(str::to_lowercase).collect();
        labels.sort_unstable();
        labels
    };
    let have = folded(&mut set.labels.iter().map(|label| label.name.as_str()));
    let wished = folded(&mut spec.label_set().into_iter().map(fleetfoot_core::label::Label::as_str));
    have == wished && set.runner_setting.disable_update
}

fn gone_is_fine(result: Result<(), Fault>) -> Result<(), Fault> {
    match result {
        Err(fault) if fault.class != Class::NotFound => Err(fault),
        _ => Ok(()),
    }
}
