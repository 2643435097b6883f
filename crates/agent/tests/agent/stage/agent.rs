//! The process that the tests start: the library, with a folder for a mailbox.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use fleetfoot_agent::{Mailbox, Naming, SelfRegistration, Settings, TaskMetadata, WantedName, variable};
use fleetfoot_core::assignment::MailboxAddress;
use fleetfoot_core::fault::{Class, Fault};
use fleetfoot_core::ids::{RunnerId, RunnerName};
use fleetfoot_core::label::Label;
use fleetfoot_core::ports::{Inbox, Minted, RunnerRequest, RunnerView, Runners};
use jiff::Timestamp;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

/// The variable that makes the program the agent.
pub(crate) const ORDERS: &str = "STAGE_ORDERS";

/// What the agent's process is told beside the variables that it would have in a task.
#[derive(Serialize, Deserialize)]
pub(crate) struct Orders {
    pub(crate) mail: PathBuf,
    pub(crate) mail_denied: bool,
    pub(crate) mail_hangs: bool,
    pub(crate) runner_dir: PathBuf,
    pub(crate) runner_user: Option<String>,
    pub(crate) bind_timeout_ms: u64,
    pub(crate) stop_grace_ms: u64,
    pub(crate) job_credentials: bool,
    pub(crate) pass_env: Vec<String>,
    pub(crate) slack_ms: u64,
    pub(crate) registering: Option<Registering>,
}

/// What an agent is told that registers its runner itself.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Registering {
    pub(crate) registry: PathBuf,
    pub(crate) name: Option<String>,
    pub(crate) metadata: Option<String>,
    pub(crate) work_folder: Option<String>,
    pub(crate) packages: Vec<String>,
    pub(crate) packages_timeout_ms: u64,
    pub(crate) idle_timeout: u64,
    pub(crate) max_lifetime: u64,
}

impl Registering {
    fn order(&self) -> SelfRegistration {
        let wanted = match &self.name {
            Some(name) => WantedName::Exactly(name.parse().unwrap()),
            None => WantedName::Own,
        };
        SelfRegistration {
            metadata_uri: self.metadata.clone(),
            naming: Naming { wanted, hostname: "a-host".into(), random: "abcdefghijklm".into() },
            labels: ["self-hosted", "mine"].map(|label| label.parse().unwrap()).into(),
            group: None,
            work_folder: self.work_folder.clone(),
            packages: self.packages.iter().map(|package| package.parse().unwrap()).collect(),
            packages_timeout: Duration::from_millis(self.packages_timeout_ms),
            idle_timeout: Duration::from_secs(self.idle_timeout),
            max_lifetime: Duration::from_secs(self.max_lifetime),
        }
    }
}

/// Files below a folder instead of objects in a bucket.
struct Folder {
    root: PathBuf,
    denied: bool,
}

impl Inbox for Folder {
    async fn read(&self, address: &MailboxAddress) -> Result<Option<SecretString>, Fault> {
        if self.denied {
            return Err(Fault::new(Class::Denied, "read the mailbox", "ExpiredToken"));
        }
        match std::fs::read_to_string(self.root.join(&address.bucket).join(&address.key)) {
            Ok(text) => Ok(Some(text.into())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Fault::new(Class::Unknown, "read the mailbox", error.to_string())),
        }
    }

    async fn delete(&self, address: &MailboxAddress) -> Result<(), Fault> {
        std::fs::remove_file(self.root.join(&address.bucket).join(&address.key))
            .map_err(|error| Fault::new(Class::Unknown, "empty the mailbox", error.to_string()))
    }
}

/// A file for each registration below a folder, instead of GitHub: its name is the runner's, its content the
/// id and, if so, `online` and `busy`. The calls are written down beside them.
struct Registry {
    root: PathBuf,
}

impl Registry {
    fn write_down(&self, call: &str) {
        let mut log = OpenOptions::new().create(true).append(true).open(self.root.join("calls")).unwrap();
        writeln!(log, "{call}").unwrap();
    }

    fn file(&self, name: &str) -> PathBuf {
        self.root.join("runners").join(name)
    }
}

impl Runners for Registry {
    async fn mint(&self, request: &RunnerRequest) -> Result<Minted, Fault> {
        let labels: Vec<&str> = request.labels.iter().map(Label::as_str).collect();
        self.write_down(&format!("mint {} {}", request.name, labels.join(",")));
        if self.root.join("denied").exists() {
            return Err(Fault::new(Class::Denied, "register the runner", "Bad credentials"));
        }
        let file = self.file(request.name.as_str());
        if file.exists() {
            return Err(Fault::new(Class::Conflict, "register the runner", "Already exists"));
        }
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, "42").unwrap();
        Ok(Minted { id: RunnerId(42), jit_config: super::SECRET.into() })
    }

    async fn get(&self, _: RunnerId) -> Result<Option<RunnerView>, Fault> {
        unreachable!("runners are found by name")
    }

    async fn find(&self, name: &RunnerName) -> Result<Option<RunnerView>, Fault> {
        self.write_down(&format!("find {name}"));
        let Ok(text) = std::fs::read_to_string(self.file(name.as_str())) else { return Ok(None) };
        let id = RunnerId(text.split(' ').next().unwrap().parse().unwrap());
        let (online, busy) = (text.contains("online"), text.contains("busy"));
        Ok(Some(RunnerView { id, name: name.clone(), online, busy }))
    }

    async fn check(&self) -> Result<(), Fault> {
        unreachable!("minting is check enough")
    }

    async fn group(&self, _: &str) -> Result<u64, Fault> {
        unreachable!("no test names a group")
    }

    async fn delete(&self, id: RunnerId) -> Result<(), Fault> {
        self.write_down(&format!("delete {id}"));
        for entry in std::fs::read_dir(self.root.join("runners")).unwrap() {
            let path = entry.unwrap().path();
            if std::fs::read_to_string(&path).unwrap().split(' ').next() == Some(id.to_string().as_str()) {
                std::fs::remove_file(path).unwrap();
            }
        }
        Ok(())
    }
}

/// Does what the binary does. Returns only if this process is not meant to be the agent.
pub(crate) fn main() {
    let Ok(orders) = std::env::var(ORDERS) else { return };
    let orders: Orders = serde_json::from_str(&orders).unwrap();
    tracing_subscriber::fmt().json().flatten_event(true).with_writer(std::io::stdout).init();
    let mut settings = Settings::new(Timestamp::now(), |exit| std::process::exit(exit.code().into()));
    settings.runner_dir = orders.runner_dir;
    settings.runner_user = orders.runner_user;
    settings.bind_timeout = Duration::from_millis(orders.bind_timeout_ms);
    settings.stop_grace = Duration::from_millis(orders.stop_grace_ms);
    settings.slack = Duration::from_millis(orders.slack_ms);
    settings.poll = Duration::from_millis(100);
    settings.job_credentials = orders.job_credentials;
    settings.pass_env = orders.pass_env;
    settings.environment = std::env::vars_os().collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let exit = runtime.block_on(async {
        let stops = fleetfoot_agent::stop_signals().unwrap();
        match orders.registering {
            None => {
                let variable = |name| std::env::var(name).unwrap();
                let mailbox = Mailbox {
                    prefix: variable(variable::MAILBOX).parse().unwrap(),
                    metadata_uri: variable(variable::METADATA_URI),
                };
                let folder = Folder { root: orders.mail, denied: orders.mail_denied };
                let connect = async |task: &TaskMetadata| {
                    assert_eq!(task.arn.region(), "eu-west-1");
                    if orders.mail_hangs {
                        std::future::pending::<()>().await;
                    }
                    Ok(folder)
                };
                fleetfoot_agent::run(settings, mailbox, connect, stops).await
            }
            Some(registering) => {
                let registry = Registry { root: registering.registry.clone() };
                let order = registering.order();
                fleetfoot_agent::run_self_registering(settings, order, || Ok(registry), stops).await
            }
        }
    });
    std::process::exit(exit.code().into());
}
