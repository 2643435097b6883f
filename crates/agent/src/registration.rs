//! What an agent is told that registers its runner itself, without a launcher and its mailbox.

use std::env::consts::ARCH;
use std::time::Duration;

use fleetfoot_core::ids::{InvalidName, LONGEST_RUNNER_NAME, RunnerName, TaskArn};
use fleetfoot_core::label::Label;
use fleetfoot_core::stack::Arch;

use crate::packages::Package;

/// Characters of a name's random end.
const SUFFIX: usize = 6;

/// Which runner to register, and what to do before and after.
#[derive(Debug, Clone)]
pub struct SelfRegistration {
    /// Base address of the task metadata endpoint, version 4, in an ECS task.
    pub metadata_uri: Option<String>,
    /// How the runner is called.
    pub naming: Naming,
    /// Its whole label set, 1 to 100: GitHub adds none.
    pub labels: Vec<Label>,
    /// The name of its runner group; `None` for the default group.
    pub group: Option<String>,
    /// The folder for jobs that the runner is registered with, if it is not the default: relative to the
    /// runner's root, or absolute. An absolute one is made if it is not there.
    pub work_folder: Option<String>,
    /// What to install before the runner starts.
    pub packages: Vec<Package>,
    /// How long that may take.
    pub packages_timeout: Duration,
    /// How long the runner waits for a job.
    pub idle_timeout: Duration,
    /// How long the runner may live.
    pub max_lifetime: Duration,
}

impl SelfRegistration {
    /// Default of [`packages_timeout`](Self::packages_timeout).
    pub const PACKAGES_TIMEOUT: Duration = Duration::from_mins(5);
    /// Default of [`idle_timeout`](Self::idle_timeout).
    pub const IDLE_TIMEOUT: Duration = Duration::from_mins(10);
    /// Default of [`max_lifetime`](Self::max_lifetime).
    pub const MAX_LIFETIME: Duration = Duration::from_hours(6);

    /// The labels that GitHub gives to every runner that is not registered by a JIT configuration.
    pub fn default_labels() -> [&'static str; 3] {
        let arch = if ARCH == "aarch64" { Arch::Arm64 } else { Arch::X86_64 };
        ["self-hosted", "linux", arch.github_label()]
    }
}

/// How to call the runner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Naming {
    /// What was asked for.
    pub wanted: WantedName,
    /// The host's name, for want of a better one.
    pub hostname: String,
    /// Letters and digits, at least 13, which nobody else has.
    pub random: String,
}

/// The name that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WantedName {
    /// This one.
    Exactly(RunnerName),
    /// This and a random end.
    Random(String),
    /// This, if any, and the host's name.
    OfHost(Option<String>),
    /// The task's, as for a runner that was assigned; outside a task the host's.
    Own,
}

/// A name, and whether anybody else may have asked for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) runner: RunnerName,
    /// Only this task can have registered it.
    pub(crate) ours: bool,
}

impl Naming {
    /// The name to begin with.
    ///
    /// # Errors
    /// The parts do not make a name.
    pub(crate) fn first(&self, task: Option<&TaskArn>) -> Result<Name, InvalidName> {
        let (text, ours) = match (&self.wanted, task) {
            (WantedName::Exactly(name), _) => return Ok(Name { runner: name.clone(), ours: false }),
            (WantedName::Random(prefix), _) => (format!("{}-{}", cut(prefix, 14), self.random_end(13)), true),
            (WantedName::OfHost(Some(prefix)), _) => (format!("{prefix}-{}", self.hostname), false),
            (WantedName::Own, Some(task)) => {
                return Ok(Name { runner: RunnerName::of_task(task), ours: true });
            }
            (WantedName::OfHost(None), _) | (WantedName::Own, None) => (self.hostname.clone(), false),
        };
        Ok(Name { runner: cut(&text, 0).parse()?, ours })
    }

    /// Another name for a runner whose own is taken; `nth` counts them from 0.
    pub(crate) fn other(&self, taken: &RunnerName, nth: usize) -> Result<Name, InvalidName> {
        let mut end = self.random_end(SUFFIX).to_owned();
        if nth > 0 {
            end.push_str(&nth.to_string());
        }
        let runner = format!("{}-{end}", cut(taken.as_str(), end.len() + 1)).parse()?;
        Ok(Name { runner, ours: true })
    }

    fn random_end(&self, length: usize) -> &str {
        self.random.get(..length).unwrap_or(&self.random)
    }
}

/// The text without what would make a name with `room` more characters too long.
fn cut(text: &str, room: usize) -> &str {
    let end = text.char_indices().nth(LONGEST_RUNNER_NAME - room).map_or(text.len(), |(at, _)| at);
    text.get(..end).unwrap_or(text).trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn naming(wanted: WantedName) -> Naming {
        Naming { wanted, hostname: "ip-10-0-0-1".into(), random: "abcdefghijklmnop".into() }
    }

    fn first(wanted: WantedName, task: Option<&str>) -> (String, bool) {
        let task = task.map(|id| format!("arn:aws:ecs:eu-west-1:1:task/ff/{id}").parse().unwrap());
        let name = naming(wanted).first(task.as_ref()).unwrap();
        (name.runner.to_string(), name.ours)
    }

    #[test]
    fn a_name_is_what_was_asked_for_or_the_tasks_or_the_hosts() {
        let given = |name: &str, ours| (name.to_owned(), ours);
        let exactly = WantedName::Exactly("mine".parse().unwrap());
        assert_eq!(first(exactly, Some("0123")), given("mine", false));
        assert_eq!(first(WantedName::Random("ci".into()), None), given("ci-abcdefghijklm", true));
        assert_eq!(first(WantedName::OfHost(Some("ci".into())), None), given("ci-ip-10-0-0-1", false));
        assert_eq!(first(WantedName::OfHost(None), Some("0123")), given("ip-10-0-0-1", false));
        assert_eq!(first(WantedName::Own, Some("0123")), given("ff-0123", true));
        assert_eq!(first(WantedName::Own, None), given("ip-10-0-0-1", false));
    }

    #[test]
    fn long_parts_are_cut_and_the_random_end_is_kept() {
        let long = "é".repeat(90);
        let (name, _) = first(WantedName::Random(long.clone()), None);
        assert!(name.chars().count() == 64 && name.ends_with("é-abcdefghijklm"), "{name}");
        let (name, _) = first(WantedName::OfHost(Some(long.clone())), None);
        assert_eq!(name.chars().count(), 64);
        let naming = naming(WantedName::Own);
        let taken: RunnerName = "x".repeat(64).parse().unwrap();
        let others: Vec<String> =
            [0, 1, 2].map(|nth| naming.other(&taken, nth).unwrap().runner.to_string()).into();
        assert!(others[0].ends_with("x-abcdef") && others[0].chars().count() == 64);
        assert!(others[1].ends_with("x-abcdef1") && others[2].ends_with("x-abcdef2"), "{others:?}");
    }

    #[test]
    fn nothing_makes_no_name() {
        let naming = Naming { wanted: WantedName::Own, hostname: String::new(), random: "abc".into() };
        assert!(naming.first(None).is_err());
    }
}
