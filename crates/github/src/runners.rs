//! The runners of one repository, organisation or enterprise, over the REST API.

use fleetfoot_core::fault::{Class, Fault};
use fleetfoot_core::ids::{RunnerId, RunnerName};
use fleetfoot_core::label::Label;
use fleetfoot_core::ports::{Minted, Registered, Registry, RunnerRequest, RunnerView, Runners};
use fleetfoot_net::Network;
use secrecy::SecretString;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use crate::auth::{Clock, Credentials, TokenKind};
use crate::client::{Call, Client};
use crate::refusal::Operation;
use crate::scope::{Scope, Target};

/// The default runner group, the only one of a repository.
const DEFAULT_GROUP: u64 = 1;

/// The folder for jobs below the runner's root, unless another is set; GitHub's own default, sent explicitly.
const WORK_FOLDER: &str = "_work";

/// The most that a list shows on a page.
const PER_PAGE: usize = 100;

/// The [`Runners`] of one [`Scope`].
#[derive(Debug)]
pub struct GitHubRunners {
    pub(crate) client: Client,
    work_folder: String,
}

#[derive(Deserialize)]
struct JitAnswer {
    runner: Runner,
    encoded_jit_config: SecretString,
}

/// A runner as the API shows it, cut to what is used (GitHub REST API, "Self-hosted runners").
#[derive(Deserialize)]
struct Runner {
    id: u64,
    name: RunnerName,
    status: String,
    busy: bool,
}

#[derive(Deserialize)]
struct RegisteredList {
    total_count: usize,
    runners: Vec<RegisteredRunner>,
}

#[derive(Deserialize)]
struct RegisteredRunner {
    #[serde(flatten)]
    runner: Runner,
    labels: Vec<RunnerLabel>,
}

#[derive(Deserialize)]
struct RunnerLabel {
    name: String,
}

#[derive(Deserialize)]
struct GroupList {
    total_count: usize,
    runner_groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    id: u64,
    name: String,
}

impl From<Runner> for RunnerView {
    fn from(runner: Runner) -> Self {
        Self {
            id: RunnerId(runner.id),
            name: runner.name,
            online: runner.status == "online",
            busy: runner.busy,
        }
    }
}

impl From<RegisteredRunner> for Registered {
    fn from(registered: RegisteredRunner) -> Self {
        let label = |label: RunnerLabel| label.name.parse::<Label>().ok();
        Self {
            runner: registered.runner.into(),
            labels: registered.labels.into_iter().filter_map(label).collect(),
        }
    }
}

impl GitHubRunners {
    /// The runners of this scope, as seen with these credentials. Calls nothing yet.
    ///
    /// # Errors
    /// `Invalid` if this machine's TLS settings cannot be used.
    pub fn new(
        scope: Scope,
        credentials: Credentials,
        clock: Clock,
        network: &Network,
    ) -> Result<Self, Fault> {
        let client = Client::new(scope, credentials, clock, network)?;
        Ok(Self { client, work_folder: WORK_FOLDER.to_owned() })
    }

    /// The runners of another scope at the same GitHub, with the same credentials: an App acts there as its
    /// installation there. Calls nothing yet.
    #[must_use]
    pub fn at(&self, scope: Scope) -> Self {
        Self { client: self.client.at(scope), work_folder: self.work_folder.clone() }
    }

    /// The same, but the runners that are registered here keep their jobs in this folder: relative to the
    /// runner's root, or absolute.
    #[must_use]
    pub fn with_work_folder(mut self, folder: impl Into<String>) -> Self {
        self.work_folder = folder.into();
        self
    }

    pub(crate) fn work_folder(&self) -> &str {
        &self.work_folder
    }

    /// Whether the credentials are a fine-grained token, which is good for one owner alone.
    pub fn has_fine_grained_token(&self) -> bool {
        self.client.credentials().kind() == TokenKind::FineGrained
    }

    /// Where they are registered.
    pub fn scope(&self) -> &Scope {
        &self.client.wire.scope
    }

    fn path(&self, rest: &str) -> String {
        format!("{}/{rest}", self.scope().rest_prefix())
    }
}

impl Registry for GitHubRunners {
    async fn look_up(&self, name: &RunnerName) -> Result<Option<Registered>, Fault> {
        let query = [("name", name.as_str()), ("per_page", "100")];
        let call = Call::get(
            Operation::ReadRunner,
            format!("find the runner {name} of {}", self.scope().target()),
            self.path("actions/runners"),
        )
        .query(&query);
        let list: RegisteredList = self.client.call(&call).await?;
        // The filter is documented only as "the name", so that it may well match more.
        let found = list.runners.into_iter().find(|registered| registered.runner.name == *name);
        Ok(found.map(Registered::from))
    }

    async fn list(&self) -> Result<Vec<Registered>, Fault> {
        let what = format!("list the runners of {}", self.scope().target());
        let mut all: Vec<Registered> = Vec::new();
        for page in 1_usize.. {
            let (per_page, number) = (PER_PAGE.to_string(), page.to_string());
            let query = [("per_page", per_page.as_str()), ("page", number.as_str())];
            let call = Call::get(Operation::ListRunners, &what, self.path("actions/runners")).query(&query);
            let answer: RegisteredList = self.client.call(&call).await?;
            let last = answer.runners.len() < PER_PAGE || page * PER_PAGE >= answer.total_count;
            all.extend(answer.runners.into_iter().map(Registered::from));
            if last {
                break;
            }
        }
        // A runner that goes lets the others move up, and one that comes lets them move down: into a list twice.
        all.sort_unstable_by_key(|entry| entry.runner.id);
        all.dedup_by_key(|entry| entry.runner.id);
        Ok(all)
    }
}

impl Runners for GitHubRunners {
    async fn mint(&self, request: &RunnerRequest) -> Result<Minted, Fault> {
        let call = Call::post(
            Operation::Mint,
            format!("register the runner {} at {}", request.name, self.scope().target()),
            self.path("actions/runners/generate-jitconfig"),
            json!({
                "name": request.name,
                "runner_group_id": request.group,
                "labels": request.labels,
                "work_folder": self.work_folder,
            }),
        );
        let answer: JitAnswer = self.client.call(&call).await?;
        Ok(Minted { id: RunnerId(answer.runner.id), jit_config: answer.encoded_jit_config })
    }

    async fn get(&self, id: RunnerId) -> Result<Option<RunnerView>, Fault> {
        let call = Call::get(
            Operation::ReadRunner,
            format!("read the runner {id} of {}", self.scope().target()),
            self.path(&format!("actions/runners/{id}")),
        );
        match self.client.call::<Runner>(&call).await {
            Ok(runner) => Ok(Some(runner.into())),
            Err(fault) if fault.class == Class::NotFound => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    async fn find(&self, name: &RunnerName) -> Result<Option<RunnerView>, Fault> {
        Ok(self.look_up(name).await?.map(|registered| registered.runner))
    }

    async fn check(&self) -> Result<(), Fault> {
        // A registration token needs the very permission that a JIT config needs, and makes nothing. It
        // ends by itself after an hour; here it is dropped unread.
        let call = Call::post(
            Operation::Mint,
            format!("register runners at {}", self.scope().target()),
            self.path("actions/runners/registration-token"),
            Value::Null,
        )
        .repeatable();
        self.client.call::<IgnoredAny>(&call).await.map(drop)
    }

    async fn group(&self, name: &str) -> Result<u64, Fault> {
        let what = format!("find the runner group {name:?} of {}", self.scope().target());
        if matches!(self.scope().target(), Target::Repository { .. }) {
            return if name.eq_ignore_ascii_case("default") {
                Ok(DEFAULT_GROUP)
            } else {
                Err(Fault::new(Class::NotFound, what, "a repository has no runner group but Default")
                    .remedy("register at the organisation, or leave the runner group out"))
            };
        }
        let mut seen: Vec<String> = Vec::new();
        for page in 1_usize.. {
            let (per_page, number) = (PER_PAGE.to_string(), page.to_string());
            let query = [("per_page", per_page.as_str()), ("page", number.as_str())];
            let path = self.path("actions/runner-groups");
            let call = Call::get(Operation::ReadGroups, &what, path).query(&query);
            let answer: GroupList = self.client.call(&call).await?;
            if let Some(group) = answer.runner_groups.iter().find(|g| g.name.eq_ignore_ascii_case(name)) {
                return Ok(group.id);
            }
            let last = answer.runner_groups.len() < PER_PAGE || page * PER_PAGE >= answer.total_count;
            seen.extend(answer.runner_groups.into_iter().map(|group| group.name));
            if last {
                break;
            }
        }
        Err(Fault::new(Class::NotFound, what, format!("there is none; there are: {}", seen.join(", ")))
            .remedy("correct the runner group's name, or leave it out for Default"))
    }

    async fn delete(&self, id: RunnerId) -> Result<(), Fault> {
        let call = Call::delete(
            Operation::DeleteRunner,
            format!("remove the runner {id} of {}", self.scope().target()),
            self.path(&format!("actions/runners/{id}")),
        );
        match self.client.call::<IgnoredAny>(&call).await {
            Err(fault) if fault.class != Class::NotFound => Err(fault),
            _ => Ok(()),
        }
    }
}
