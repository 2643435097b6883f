//! Registers the runner at GitHub, and takes the registration away again if no job came of it.
//!
//! `generate-jitconfig` must not be repeated blindly: whether its answer says that the name is taken or
//! does not come at all, the name is looked up first. What holds it offline is removed; what is at work
//! keeps it, and this runner takes another name: jobs find a runner by its labels. A stop signal ends all
//! waiting, but not the call that is on its way, because that one may yet register a runner.

use std::time::Duration;

use fleetfoot_core::fault::{Class, Fault};
use fleetfoot_core::ids::{RunnerId, RunnerName};
use fleetfoot_core::ports::{RunnerRequest, RunnerView, Runners};
use secrecy::SecretString;
use tokio::pin;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout_at};
use tracing::{debug, error, info, warn};

use crate::registration::{Name, SelfRegistration};
use crate::signals::{self, StopSignal};
use crate::unready::{Unready, chain};

/// GitHub's id of the default runner group.
const DEFAULT_GROUP: u64 = 1;
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How long to look for a registration that may have been made when time was over.
const CLEAN_UP: Duration = Duration::from_secs(5);

/// A runner that GitHub knows.
#[derive(Debug)]
pub(crate) struct Registered {
    pub(crate) id: RunnerId,
    pub(crate) name: RunnerName,
    pub(crate) jit_config: SecretString,
}

/// How long to try.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// From now.
    pub(crate) timeout: Duration,
    /// Of it, what is left from a stop signal on.
    pub(crate) stop_grace: Duration,
    /// The first pause before another try.
    pub(crate) pause: Duration,
    /// How long a runner that somebody else may have registered is given to come online.
    pub(crate) benefit_of_doubt: Duration,
}

impl Pace {
    pub(crate) fn new(timeout: Duration, stop_grace: Duration) -> Self {
        let pause = Duration::from_millis(500);
        Self { timeout, stop_grace, pause, benefit_of_doubt: Duration::from_secs(10) }
    }
}

/// Registers a runner. `None`: a stop signal came first, and nothing is left at GitHub that could be removed.
pub(crate) async fn register<R: Runners>(
    runners: &R,
    order: &SelfRegistration,
    name: Name,
    pace: Pace,
    stops: &mut mpsc::Receiver<StopSignal>,
) -> Result<Option<Registered>, Unready> {
    let deadline = Instant::now() + pace.timeout;
    let mut desk = Desk {
        runners,
        order,
        pace,
        name,
        names_tried: 0,
        doubt: false,
        last: None,
        hours: Hours { stops, deadline, stop_grace: pace.stop_grace, stopped: false },
    };
    let end = match desk.mint().await {
        Ok(registered) => return Ok(Some(registered)),
        Err(end) => end,
    };
    if desk.doubt {
        desk.find_and_forget().await;
    }
    match end {
        End::Over if desk.hours.stopped => Ok(None),
        End::Over => Err(Unready::NotRegistered { waited_s: pace.timeout.as_secs(), last: desk.last }),
        End::Refused(fault) => Err(Unready::RegistrationRefused(Box::new(fault))),
    }
}

/// Removes a registration that no job has used up.
pub(crate) async fn deregister<R: Runners>(runners: &R, registered: &Registered, within: Duration) {
    let (id, runner) = (registered.id.0, registered.name.as_str());
    let deadline = Instant::now() + within;
    let mut pause = Duration::from_millis(200);
    loop {
        let fault = match timeout_at(deadline, runners.delete(registered.id)).await {
            Ok(Ok(())) => {
                info!(id, runner, "the registration is removed");
                return;
            }
            Ok(Err(fault)) if fault.class == Class::Busy => {
                warn!(
                    id,
                    runner, "GitHub still sees a job on the runner; it removes the registration itself"
                );
                return;
            }
            Ok(Err(fault)) => Some(fault),
            Err(_) => None,
        };
        let again =
            fault.as_ref().and_then(|fault| fault.again_after(pause)).map(|wait| Instant::now() + wait);
        match again {
            Some(again) if again < deadline => sleep_until(again).await,
            _ => {
                error!(
                    id,
                    runner,
                    error = fault.as_ref().map_or_else(|| "no answer in time".to_owned(), |f| chain(f)),
                    remedy = "remove it in the settings of the repository or organisation; GitHub does so after \
                              a day",
                    "cannot remove the registration"
                );
                return;
            }
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Why there is no registration.
enum End {
    /// No time is left.
    Over,
    /// Trying again cannot help.
    Refused(Fault),
}

/// One attempt to become a runner.
struct Desk<'a, R> {
    runners: &'a R,
    order: &'a SelfRegistration,
    pace: Pace,
    name: Name,
    names_tried: usize,
    /// Whether a call may have registered the name without our knowing.
    doubt: bool,
    last: Option<Box<Fault>>,
    hours: Hours<'a>,
}

impl<R: Runners> Desk<'_, R> {
    async fn mint(&mut self) -> Result<Registered, End> {
        let group = match self.order.group.as_deref() {
            Some(name) => self.ask(async |runners| runners.group(name).await).await?,
            None => DEFAULT_GROUP,
        };
        let mut pause = self.pace.pause;
        loop {
            let name = self.name.runner.clone();
            let request = RunnerRequest { name: name.clone(), labels: self.order.labels.clone(), group };
            self.doubt = true;
            let fault = match self.hours.call(self.runners.mint(&request)).await? {
                Ok(minted) => {
                    self.doubt = false;
                    let registered = Registered { id: minted.id, name, jit_config: minted.jit_config };
                    if self.hours.stopped {
                        deregister(self.runners, &registered, self.hours.left()).await;
                        return Err(End::Over);
                    }
                    return Ok(registered);
                }
                Err(fault) => fault,
            };
            self.doubt = fault.class == Class::Unknown;
            let wait = match fault.class {
                Class::Conflict | Class::Unknown => pause,
                _ => match fault.again_after(pause) {
                    Some(wait) => wait,
                    None => return Err(End::Refused(fault)),
                },
            };
            let taken = matches!(fault.class, Class::Conflict | Class::Unknown);
            self.note(fault);
            if taken {
                self.clear_name().await?;
                self.doubt = false;
            }
            self.hours.pause(wait).await?;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Sees to it that the name is free, or takes another one.
    async fn clear_name(&mut self) -> Result<(), End> {
        let Some(mut holder) = self.find().await? else { return Ok(()) };
        if !self.name.ours && idle(&holder) {
            // Perhaps a sibling with the same name that has registered this moment.
            self.hours.pause(self.pace.benefit_of_doubt).await?;
            match self.find().await? {
                Some(now) if now.id == holder.id => holder = now,
                Some(_) => return self.take_other_name(),
                None => return Ok(()),
            }
        }
        if !idle(&holder) {
            return self.take_other_name();
        }
        match self.ask(async |runners| runners.delete(holder.id).await).await {
            Ok(()) => {
                warn!(runner = %self.name.runner, id = holder.id.0, "removed the offline runner of this name");
                Ok(())
            }
            Err(End::Refused(fault)) if fault.class == Class::Busy => self.take_other_name(),
            Err(end) => Err(end),
        }
    }

    fn take_other_name(&mut self) -> Result<(), End> {
        let other = self.order.naming.other(&self.name.runner, self.names_tried).map_err(|invalid| {
            End::Refused(Fault::new(Class::Invalid, "take another runner name", invalid.to_string()))
        })?;
        warn!(taken = %self.name.runner, instead = %other.runner, "another runner of this name is at work");
        self.names_tried += 1;
        self.name = other;
        Ok(())
    }

    /// Looks for what a call may have registered whose answer did not come, and removes it if it is ours.
    async fn find_and_forget(&mut self) {
        self.hours.extend();
        let name = self.name.runner.clone();
        let holder = match self.find().await {
            Ok(None) => return debug!(runner = %name, "no registration is left"),
            Ok(Some(holder)) => holder,
            Err(_) => {
                return error!(runner = %name, "whether a registration of this name is left is not known");
            }
        };
        if self.name.ours {
            let left = Registered { id: holder.id, name, jit_config: SecretString::from("") };
            deregister(self.runners, &left, self.hours.left()).await;
        } else {
            warn!(
                runner = %name,
                id = holder.id.0,
                "a registration of this name is there; it may be another's, so it stays"
            );
        }
    }

    async fn find(&mut self) -> Result<Option<RunnerView>, End> {
        let name = self.name.runner.clone();
        self.ask(async |runners| runners.find(&name).await).await
    }

    /// Makes a call that does no harm when it is repeated, until GitHub answers it.
    async fn ask<T>(&mut self, call: impl AsyncFn(&R) -> Result<T, Fault>) -> Result<T, End> {
        let mut pause = self.pace.pause;
        loop {
            let fault = match self.hours.call(call(self.runners)).await? {
                Ok(answer) => return Ok(answer),
                Err(fault) => fault,
            };
            let Some(wait) = fault.again_after(pause) else { return Err(End::Refused(fault)) };
            self.note(fault);
            self.hours.pause(wait).await?;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn note(&mut self, fault: Fault) {
        warn!(error = chain(&fault), class = fault.class.word(), "GitHub did not do it; trying again");
        self.last = Some(Box::new(fault));
    }
}

/// Whether nothing seems to run behind a registration. That a job runs on it is only known for sure when
/// GitHub refuses to remove it.
fn idle(runner: &RunnerView) -> bool {
    !runner.online && !runner.busy
}

/// The time there is: until the deadline, or, once the agent was told to stop, a part of the grace.
struct Hours<'a> {
    stops: &'a mut mpsc::Receiver<StopSignal>,
    deadline: Instant,
    stop_grace: Duration,
    stopped: bool,
}

impl Hours<'_> {
    /// The answer of a call, which is not broken off by a stop signal: what it does to the world must be known.
    async fn call<T>(&mut self, call: impl Future<Output = T>) -> Result<T, End> {
        pin!(call);
        loop {
            tokio::select! {
                answer = &mut call => return Ok(answer),
                signal = signals::next(self.stops), if !self.stopped => self.stop(signal),
                () = sleep_until(self.deadline) => return Err(End::Over),
            }
        }
    }

    /// Waits, unless there is no time to, or a stop signal comes.
    async fn pause(&mut self, pause: Duration) -> Result<(), End> {
        let until = Instant::now() + pause;
        if self.stopped || until >= self.deadline {
            return Err(End::Over);
        }
        tokio::select! {
            () = sleep_until(until) => Ok(()),
            signal = signals::next(self.stops) => {
                self.stop(signal);
                Err(End::Over)
            }
        }
    }

    fn stop(&mut self, signal: StopSignal) {
        info!(signal = signal.name(), "told to stop before the runner was registered");
        self.stopped = true;
        // Half of it for the call that is on its way, the rest to take back what it did.
        self.deadline = self.deadline.min(Instant::now() + self.stop_grace / 2);
    }

    /// Opens once more, to clean up.
    fn extend(&mut self) {
        let more = if self.stopped { self.stop_grace / 4 } else { CLEAN_UP };
        self.deadline = self.deadline.max(Instant::now() + more);
    }

    fn left(&self) -> Duration {
        let least = if self.stopped { self.stop_grace / 4 } else { Duration::ZERO };
        self.deadline.saturating_duration_since(Instant::now()).max(least)
    }
}

#[cfg(test)]
#[path = "register_tests.rs"]
mod tests;
