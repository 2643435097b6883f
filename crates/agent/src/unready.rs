//! Why the agent could not even start a runner.

use std::error::Error as StdError;
use std::path::PathBuf;

use fleetfoot_core::assignment::MailboxAddress;
use fleetfoot_core::exit::AgentExit;
use fleetfoot_core::fault::Fault;
use fleetfoot_core::ids::RunnerName;
use thiserror::Error;
use tracing::error;

use crate::journal::word;

/// Why there is no runner. None of them holds a secret.
#[derive(Debug, Error)]
pub(crate) enum Unready {
    #[error("the image does not fit: {missing}")]
    ImageUnfit { missing: String, remedy: String },
    #[error("the task metadata endpoint {uri} gave no answer within {waited_s} s: {why}")]
    NoIdentity { uri: String, waited_s: u64, why: String },
    #[error("nothing was put into the mailbox {address} within {waited_s} s{}", last_fault(.last.as_deref()))]
    NothingCame { address: MailboxAddress, waited_s: u64, last: Option<Box<Fault>> },
    #[error("{0}")]
    Refused(#[source] Box<Fault>),
    #[error("the document in the mailbox {address} cannot be used: {why}")]
    Document { address: MailboxAddress, why: String },
    #[error("the assignment in the mailbox {address} is for the runner {found}, and this task is {wanted}")]
    WrongRunner { address: MailboxAddress, found: RunnerName, wanted: RunnerName },
    #[error("GitHub did not register a runner within {waited_s} s{}", last_try(.last.as_deref()))]
    NotRegistered { waited_s: u64, last: Option<Box<Fault>> },
    #[error("{0}")]
    RegistrationRefused(#[source] Box<Fault>),
    #[error("cannot install packages: {why}")]
    Packages { why: String, remedy: String },
    #[error("cannot start {program}")]
    NotStarted { program: PathBuf, source: std::io::Error },
    #[error("cannot {what} for the runner's user {user}")]
    Identity { what: &'static str, user: String, source: nix::Error },
}

fn last_fault(last: Option<&Fault>) -> String {
    last.map(|fault| format!("; the last look failed: {fault}")).unwrap_or_default()
}

fn last_try(last: Option<&Fault>) -> String {
    last.map(|fault| format!("; the last try: {fault}")).unwrap_or_default()
}

impl Unready {
    pub(crate) fn exit(&self) -> AgentExit {
        match self {
            Self::ImageUnfit { .. }
            | Self::Packages { .. }
            | Self::NotStarted { .. }
            | Self::Identity { .. } => AgentExit::ImageUnfit,
            Self::NoIdentity { .. } | Self::NothingCame { .. } | Self::NotRegistered { .. } => {
                AgentExit::NoAssignment
            }
            Self::Refused(_)
            | Self::RegistrationRefused(_)
            | Self::Document { .. }
            | Self::WrongRunner { .. } => AgentExit::BadAssignment,
        }
    }

    fn remedy(&self) -> String {
        match self {
            Self::ImageUnfit { remedy, .. } | Self::Packages { remedy, .. } => remedy.clone(),
            Self::NoIdentity { .. } => {
                "run the agent in an ECS task, or point ECS_CONTAINER_METADATA_URI_V4 at a stand-in".into()
            }
            Self::NothingCame { .. } => "see whether the launcher is alive and may write to the mailbox; \
                                         FLEETFOOT_BIND_TIMEOUT sets how long the agent waits"
                .into(),
            Self::Refused(fault) => fault.remedy.clone().unwrap_or_else(|| {
                "give the task role s3:GetObject and s3:DeleteObject below the mailbox prefix".into()
            }),
            Self::NotRegistered { last, .. } => last
                .as_ref()
                .and_then(|fault| fault.remedy.clone())
                .unwrap_or_else(|| "let the task's network reach GitHub's API on port 443".into()),
            Self::RegistrationRefused(fault) => fault
                .remedy
                .clone()
                .unwrap_or_else(|| "correct the variables that say where and as whom to register".into()),
            Self::Document { .. } => "use the same version of fleetfoot to launch and in the image".into(),
            Self::WrongRunner { .. } => {
                "see what else writes to the mailbox; only the launcher should".into()
            }
            Self::NotStarted { .. } => {
                "build the image for the task's architecture, with what .NET needs installed".into()
            }
            Self::Identity { .. } => "leave the task the capabilities SETUID and SETGID, or set \
                                      FLEETFOOT_RUNNER_USER to the empty text"
                .into(),
        }
    }

    /// Logs it, once, with its sources, and says how the agent ends.
    pub(crate) fn report(&self) -> AgentExit {
        let exit = self.exit();
        error!(error = chain(self), remedy = self.remedy(), exit = word(exit), "cannot become a runner");
        exit
    }
}

/// An error and its sources in one line. A source whose text its parent repeats is not said twice.
pub(crate) fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(below) = source {
        let below_text = below.to_string();
        if !text.ends_with(&below_text) {
            text.push_str(": ");
            text.push_str(&below_text);
        }
        source = below.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use fleetfoot_core::fault::Class;

    #[test]
    fn a_chain_says_each_thing_once() {
        let fault = Fault::new(Class::Denied, "read the mailbox", "403").because("token expired");
        assert_eq!(chain(&Unready::Refused(Box::new(fault))), "cannot read the mailbox: 403: token expired");
    }
}
