//! The process that the tests start: the library, with a folder for a mailbox.

use std::path::PathBuf;
use std::time::Duration;

use fleetfoot_agent::{Settings, variable};
use fleetfoot_core::assignment::MailboxAddress;
use fleetfoot_core::fault::{Class, Fault};
use fleetfoot_core::ports::Inbox;
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
    pub(crate) runner_dir: PathBuf,
    pub(crate) runner_user: Option<String>,
    pub(crate) bind_timeout_ms: u64,
    pub(crate) stop_grace_ms: u64,
    pub(crate) job_credentials: bool,
    pub(crate) pass_env: Vec<String>,
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

/// Does what the binary does. Returns only if this process is not meant to be the agent.
pub(crate) fn main() {
    let Ok(orders) = std::env::var(ORDERS) else { return };
    let orders: Orders = serde_json::from_str(&orders).unwrap();
    let variable = |name| std::env::var(name).unwrap();
    tracing_subscriber::fmt().json().flatten_event(true).with_writer(std::io::stdout).init();
    let mut settings = Settings::new(
        variable(variable::MAILBOX).parse().unwrap(),
        variable(variable::METADATA_URI),
        Timestamp::now(),
    );
    settings.runner_dir = orders.runner_dir;
    settings.runner_user = orders.runner_user;
    settings.bind_timeout = Duration::from_millis(orders.bind_timeout_ms);
    settings.stop_grace = Duration::from_millis(orders.stop_grace_ms);
    settings.poll = Duration::from_millis(100);
    settings.job_credentials = orders.job_credentials;
    settings.pass_env = orders.pass_env;
    settings.environment = std::env::vars_os().collect();
    let folder = Folder { root: orders.mail, denied: orders.mail_denied };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let exit = runtime.block_on(async {
        let stops = fleetfoot_agent::stop_signals().unwrap();
        fleetfoot_agent::run(
            settings,
            async |task: &fleetfoot_agent::TaskMetadata| {
                assert_eq!(task.arn.region(), "eu-west-1");
                Ok(folder)
            },
            stops,
        )
        .await
    });
    std::process::exit(exit.code().into());
}
