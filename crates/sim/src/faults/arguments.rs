//! The arguments of faults, from and to text.

use std::time::Duration;

use jiff::SignedDuration;

use super::catalogue::catalogue;
use super::error::FaultError;
use super::kind::FaultKind;
use super::target::{self, Target};
use super::words::{Delivery, Moment, Word};

/// Longer than any test waits: a week.
const MAX_SECONDS: f64 = 604_800.0;

/// What the API of ECS, S3 and so on is called in [`target`].
const ECS: &[&str] = &["ecs"];
const S3: &[&str] = &["s3"];
const GITHUB: &[&str] = &["github"];

/// Reads a fault's name and the arguments after it.
pub(super) fn read(name: &str, arguments: &[&str]) -> Result<FaultKind, FaultError> {
    let entry = catalogue()
        .iter()
        .find(|entry| entry.name == name)
        .ok_or_else(|| FaultError::Unknown { name: name.to_owned() })?;
    let mut given = Given { name: entry.name, arguments: arguments.iter() };
    let kind = match entry.name {
        "ecs-throttle" => FaultKind::EcsThrottle { operation: given.operation(ECS)? },
        "ecs-500" => FaultKind::EcsFails { operation: given.operation(ECS)? },
        "no-capacity" => FaultKind::NoCapacity { provider: given.provider() },
        "task-fails-to-start" => {
            FaultKind::TaskFailsToStart { reason: given.word()?, provider: given.provider() }
        }
        "slow-start" => FaultKind::SlowStart { by: given.needed_seconds()?, provider: given.provider() },
        "task-killed" => FaultKind::TaskKilled { moment: given.moment()?, provider: given.provider() },
        "spot-interruption" => FaultKind::SpotInterruption {
            after: given.seconds(Duration::ZERO)?,
            notice: given.seconds(Duration::from_mins(2))?,
        },
        "task-retired" => {
            FaultKind::TaskRetired { after: given.seconds(Duration::ZERO)?, provider: given.provider() }
        }
        "task-event" => FaultKind::TaskEvent { how: given.delivery()? },
        "lost-answer" => FaultKind::LostAnswer { operation: given.needed_operation()?, how: given.word()? },
        "credentials-expire" => FaultKind::CredentialsExpire {
            after: given.seconds(Duration::from_mins(1))?,
            told: given.word()?,
        },
        "oidc-refused" => FaultKind::OidcRefused { how: given.word()? },
        "s3-slow" => FaultKind::S3Slow { by: given.needed_seconds()?, operation: given.operation(S3)? },
        "s3-fails" => FaultKind::S3Fails { how: given.word()?, operation: given.operation(S3)? },
        "clock-skew" => FaultKind::ClockSkew { by: given.needed_offset()?, service: given.service()? },
        "github-500" => FaultKind::Github500 { operation: given.operation(GITHUB)? },
        "github-502" => FaultKind::Github502 { operation: given.operation(GITHUB)? },
        "rate-limit-primary" => FaultKind::RateLimitPrimary {
            status: given.word()?,
            wait: given.seconds(Duration::from_mins(1))?,
            operation: given.operation(GITHUB)?,
        },
        "rate-limit-secondary" => FaultKind::RateLimitSecondary {
            status: given.word()?,
            wait: given.seconds(Duration::from_mins(1))?,
            operation: given.operation(GITHUB)?,
        },
        "jit-409" => FaultKind::Jit409,
        "runner-never-online" => FaultKind::RunnerNeverOnline { how: given.word()? },
        "registration-deleted" => FaultKind::RegistrationDeleted { moment: given.word()? },
        "version-deprecated" => FaultKind::VersionDeprecated,
        "scale-set-deleted" => FaultKind::ScaleSetDeleted,
        "session-conflict" => FaultKind::SessionConflict,
        "empty-queue-url" => FaultKind::EmptyQueueUrl,
        "service-token-ends" => FaultKind::ServiceTokenEnds { which: given.word()? },
        // The catalogue's own test reads every entry.
        other => return Err(FaultError::Unknown { name: other.to_owned() }),
    };
    match given.arguments.next() {
        None => Ok(kind),
        Some(argument) => Err(FaultError::Surplus { name: entry.name, argument: (*argument).to_owned() }),
    }
}

/// The arguments that are still to be read.
struct Given<'a> {
    name: &'static str,
    arguments: std::slice::Iter<'a, &'a str>,
}

impl Given<'_> {
    fn refuse(&self, argument: &str, wanted: impl Into<String>) -> FaultError {
        FaultError::Argument { name: self.name, argument: argument.to_owned(), wanted: wanted.into() }
    }

    fn word<W: Word>(&mut self) -> Result<W, FaultError> {
        let Some(text) = self.arguments.next() else {
            return Ok(W::ALL[0].0);
        };
        let words = || W::ALL.iter().map(|(_, word)| *word).collect::<Vec<_>>().join(", ");
        W::of(text).ok_or_else(|| self.refuse(text, format!("it takes one of {}", words())))
    }

    fn seconds(&mut self, usual: Duration) -> Result<Duration, FaultError> {
        self.arguments.next().map_or(Ok(usual), |text| self.read_seconds(text))
    }

    fn needed_seconds(&mut self) -> Result<Duration, FaultError> {
        let text = self.arguments.next().ok_or(FaultError::Missing { name: self.name, what: "SECONDS" })?;
        self.read_seconds(text)
    }

    fn read_seconds(&self, text: &str) -> Result<Duration, FaultError> {
        number(text).and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).ok_or_else(|| {
            self.refuse(text, format!("write seconds from 0 to {MAX_SECONDS}, such as 20 or 0.5"))
        })
    }

    fn needed_offset(&mut self) -> Result<SignedDuration, FaultError> {
        let text = *self.arguments.next().ok_or(FaultError::Missing { name: self.name, what: "SECONDS" })?;
        let (sign, digits) = match text.strip_prefix('-') {
            Some(digits) => (-1.0, digits),
            None => (1.0, text),
        };
        number(digits).and_then(|seconds| SignedDuration::try_from_secs_f64(sign * seconds).ok()).ok_or_else(
            || self.refuse(text, "write seconds, negative for a clock that is behind: 3600 or -600"),
        )
    }

    fn moment(&mut self) -> Result<Moment, FaultError> {
        match self.arguments.next() {
            None | Some(&"running") => Ok(Moment::Running(Duration::ZERO)),
            Some(&"starting") => Ok(Moment::Starting),
            Some(&"busy") => Ok(Moment::Busy),
            Some(text) => number(text)
                .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
                .map(Moment::Running)
                .ok_or_else(|| {
                    self.refuse(text, "it takes running, starting, busy, or seconds after RUNNING")
                }),
        }
    }

    fn delivery(&mut self) -> Result<Delivery, FaultError> {
        match self.arguments.next() {
            None | Some(&"twice") => Ok(Delivery::Twice),
            Some(&"lost") => Ok(Delivery::Lost),
            Some(text) => number(text)
                .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
                .map(Delivery::Late)
                .ok_or_else(|| self.refuse(text, "it takes twice, lost, or seconds of delay")),
        }
    }

    /// Providers have names of their own: every one is taken.
    fn provider(&mut self) -> Target {
        match self.arguments.next() {
            None | Some(&"any") => Target::any(),
            Some(name) => Target::only(*name),
        }
    }

    fn operation(&mut self, services: &[&str]) -> Result<Target, FaultError> {
        match self.arguments.next() {
            None | Some(&"any") => Ok(Target::any()),
            Some(text) => self.known(text, &target::names(services, false)),
        }
    }

    fn needed_operation(&mut self) -> Result<Target, FaultError> {
        let text = self.arguments.next().ok_or(FaultError::Missing { name: self.name, what: "OPERATION" })?;
        self.known(text, &target::names(&target::services(), true))
    }

    fn service(&mut self) -> Result<Target, FaultError> {
        let mut services = target::services();
        services.push("oidc");
        match self.arguments.next() {
            None | Some(&"any") => Ok(Target::any()),
            Some(text) => self.known(text, &services),
        }
    }

    /// A name that nothing has would never be hit, which nobody would notice.
    fn known(&self, text: &str, names: &[&'static str]) -> Result<Target, FaultError> {
        names
            .iter()
            .find(|name| name.eq_ignore_ascii_case(text))
            .map(|name| Target::only(*name))
            .ok_or_else(|| self.refuse(text, format!("it takes one of {}", names.join(", "))))
    }
}

/// A number of seconds in plain digits.
fn number(text: &str) -> Option<f64> {
    let plain = text.chars().all(|c| c.is_ascii_digit() || c == '.');
    text.parse().ok().filter(|seconds: &f64| plain && *seconds <= MAX_SECONDS)
}

/// The arguments of a kind, without those at the end that are the usual ones.
pub(super) fn write(kind: &FaultKind) -> Vec<String> {
    let mut arguments = match kind {
        FaultKind::EcsThrottle { operation }
        | FaultKind::EcsFails { operation }
        | FaultKind::Github500 { operation }
        | FaultKind::Github502 { operation } => vec![aim(operation)],
        FaultKind::NoCapacity { provider } => vec![aim(provider)],
        FaultKind::TaskFailsToStart { reason, provider } => vec![choice(*reason), aim(provider)],
        FaultKind::SlowStart { by, provider } => vec![time(*by, None), aim(provider)],
        FaultKind::TaskKilled { moment, provider } => {
            let moment = match moment {
                Moment::Running(Duration::ZERO) => Argument { text: "running".to_owned(), usual: true },
                Moment::Running(after) => time(*after, None),
                Moment::Starting => Argument { text: "starting".to_owned(), usual: false },
                Moment::Busy => Argument { text: "busy".to_owned(), usual: false },
            };
            vec![moment, aim(provider)]
        }
        FaultKind::SpotInterruption { after, notice } => {
            vec![time(*after, Some(Duration::ZERO)), time(*notice, Some(Duration::from_mins(2)))]
        }
        FaultKind::TaskRetired { after, provider } => vec![time(*after, Some(Duration::ZERO)), aim(provider)],
        FaultKind::TaskEvent { how } => match how {
            Delivery::Twice => vec![Argument { text: "twice".to_owned(), usual: true }],
            Delivery::Lost => vec![Argument { text: "lost".to_owned(), usual: false }],
            Delivery::Late(by) => vec![time(*by, None)],
        },
        FaultKind::LostAnswer { operation, how } => vec![aim(operation), choice(*how)],
        FaultKind::CredentialsExpire { after, told } => {
            vec![time(*after, Some(Duration::from_mins(1))), choice(*told)]
        }
        FaultKind::OidcRefused { how } => vec![choice(*how)],
        FaultKind::S3Slow { by, operation } => vec![time(*by, None), aim(operation)],
        FaultKind::S3Fails { how, operation } => vec![choice(*how), aim(operation)],
        FaultKind::ClockSkew { by, service } => {
            vec![Argument { text: by.as_secs_f64().to_string(), usual: false }, aim(service)]
        }
        FaultKind::RateLimitPrimary { status, wait, operation }
        | FaultKind::RateLimitSecondary { status, wait, operation } => {
            vec![choice(*status), time(*wait, Some(Duration::from_mins(1))), aim(operation)]
        }
        FaultKind::RunnerNeverOnline { how } => vec![choice(*how)],
        FaultKind::RegistrationDeleted { moment } => vec![choice(*moment)],
        FaultKind::ServiceTokenEnds { which } => vec![choice(*which)],
        FaultKind::Jit409
        | FaultKind::VersionDeprecated
        | FaultKind::ScaleSetDeleted
        | FaultKind::SessionConflict
        | FaultKind::EmptyQueueUrl => Vec::new(),
    };
    while arguments.last().is_some_and(|argument| argument.usual) {
        arguments.pop();
    }
    arguments.into_iter().map(|argument| argument.text).collect()
}

struct Argument {
    text: String,
    /// Whether it is what no argument means.
    usual: bool,
}

fn aim(target: &Target) -> Argument {
    Argument { text: target.as_str().to_owned(), usual: target.is_any() }
}

fn choice<W: Word>(word: W) -> Argument {
    Argument { text: word.word().to_owned(), usual: word == W::ALL[0].0 }
}

fn time(duration: Duration, usual: Option<Duration>) -> Argument {
    Argument { text: duration.as_secs_f64().to_string(), usual: usual == Some(duration) }
}

/// Whether the end of credentials is told.
impl Word for bool {
    const ALL: &'static [(Self, &'static str)] = &[(true, "told"), (false, "untold")];
}
