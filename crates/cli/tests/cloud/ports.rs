//! The ports, as one launcher has them: each call takes its time, may meet trouble, and is in the book.

use std::sync::{Arc, Mutex, PoisonError};

use fleetfoot_core::assignment::{Assignment, MailboxAddress};
use fleetfoot_core::fault::{Class, Fault};
use fleetfoot_core::ids::{RunnerId, RunnerName, StartedBy, TaskArn};
use fleetfoot_core::ports::{
    LaunchRequest, Launched, Minted, Outbox, Registered, Registry, RunnerRequest, RunnerView, Runners, Tasks,
};
use fleetfoot_core::task::TaskView;
use secrecy::ExposeSecret;
use tokio_util::sync::CancellationToken;

use super::book::Who;
use super::time::Time;
use super::weather::{Call, Trouble};
use super::{Cloud, Mail, State};
use fleetfoot::engine::Clock;

/// The moments of a call that a launcher may be cut off at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It is on its way.
    Called,
    /// It has taken effect, and nobody has heard of it yet.
    Effected,
}

/// Something that happens to a launcher in the middle of one of its calls.
#[derive(Debug, Clone)]
pub(crate) struct Cue {
    /// How many calls come before.
    pub(crate) calls: usize,
    /// When exactly.
    pub(crate) stage: Stage,
    /// Tells the story.
    pub(crate) token: CancellationToken,
    /// Whether the launcher dies: then the call never comes back.
    pub(crate) deadly: bool,
}

/// The services, as one launcher calls them.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    pub(crate) cloud: Cloud,
    pub(crate) who: Who,
    /// Which repository or organisation it calls, if it calls GitHub.
    scope: usize,
    cue: Arc<Mutex<Option<Cue>>>,
}

impl Client {
    pub(crate) fn new(cloud: &Cloud, who: Who, cue: Option<Cue>) -> Self {
        Self { cloud: cloud.clone(), who, scope: 0, cue: Arc::new(Mutex::new(cue)) }
    }

    pub(crate) fn time(&self) -> &Time {
        &self.cloud.time
    }

    pub(super) async fn call<T: Send>(
        &self,
        call: Call,
        about: &str,
        act: impl FnOnce(&mut State) -> Result<T, Fault> + Send,
    ) -> Result<T, Fault> {
        let trouble = self.depart(call, about).await;
        let answer = match trouble {
            None => act(&mut self.cloud.state()),
            Some(Trouble::AnswerLost) => act(&mut self.cloud.state()).and_then(|_| Err(lost(call))),
            Some(trouble) => Err(befalls(call, trouble)),
        };
        self.arrive(call, about, answer).await
    }

    /// A call goes on its way. Says what befalls it.
    pub(super) async fn depart(&self, call: Call, about: &str) -> Option<Trouble> {
        let (trouble, there) = {
            let mut state = self.cloud.state();
            let now = state.now;
            state.book.called(now, self.who, call, about);
            state.acts(self.who, call);
            let trouble = state.weather.trouble((self.who, self.scope), call, now);
            state.book.note(now, || {
                let befallen = trouble.as_ref().map(|t| format!(", which is {t:?}")).unwrap_or_default();
                format!("{} calls {call:?} {about}{befallen}", self.who)
            });
            let lost = trouble == Some(Trouble::CallLost);
            (trouble, state.weather.road(lost))
        };
        self.pass(Stage::Called).await;
        self.time().sleep(there).await;
        trouble
    }

    /// An answer goes on its way.
    pub(super) async fn arrive<T: Send>(
        &self,
        call: Call,
        about: &str,
        answer: Result<T, Fault>,
    ) -> Result<T, Fault> {
        let back = {
            let lost = answer.as_ref().is_err_and(|fault| fault.class == Class::Unknown);
            self.cloud.state().weather.road(lost)
        };
        self.pass(Stage::Effected).await;
        self.time().sleep(back).await;
        if let Err(fault) = &answer {
            self.cloud.note(|| format!("{} hears {} of {call:?} {about}", self.who, fault.class.word()));
        }
        answer
    }

    /// Gives the cue if this is its moment.
    async fn pass(&self, stage: Stage) {
        let cue = {
            let mut cue = self.cue.lock().unwrap_or_else(PoisonError::into_inner);
            match &mut *cue {
                Some(waiting) if waiting.stage != stage => None,
                Some(Cue { calls: 0, .. }) => cue.take(),
                Some(waiting) => {
                    waiting.calls -= 1;
                    None
                }
                None => None,
            }
        };
        if let Some(cue) = cue {
            cue.token.cancel();
            if cue.deadly {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Notes what came of minting. After any answer but these something may be registered that this launcher has
    /// not heard of.
    pub(super) fn minted(&self, runner: &RunnerName, answer: &Result<Minted, Fault>) {
        if answer.as_ref().map_or_else(
            |fault| matches!(fault.class, Class::Throttled { .. } | Class::NotFound | Class::Denied),
            |_| true,
        ) {
            self.knows(runner.clone());
        }
    }

    /// Notes what a launcher knows now.
    pub(super) fn knows(&self, runner: RunnerName) {
        self.cloud.state().book.knows(self.who, runner);
    }
}

/// What is heard when nothing is.
pub(super) fn lost(call: Call) -> Fault {
    Fault::new(Class::Unknown, format!("{call:?}"), "no answer came")
}

/// What is heard of a call that did not come through.
pub(super) fn befalls(call: Call, trouble: Trouble) -> Fault {
    match trouble {
        Trouble::Refused(class) => Fault::new(class, format!("{call:?}"), "refused"),
        _ => lost(call),
    }
}

impl Tasks for Client {
    fn check(&self, _: &LaunchRequest) -> Result<(), Fault> {
        Ok(())
    }

    async fn launch(&self, request: &LaunchRequest) -> Result<Launched, Fault> {
        {
            let mut state = self.cloud.state();
            let now = state.now;
            state.book.launches(now, self.who, request);
        }
        let (who, token) = (self.who, request.token.as_str());
        let answer = self.call(Call::Launch, token, |state| state.launch(who, request)).await;
        self.cloud.state().book.launched(who, request, &answer);
        for task in answer.iter().flat_map(|launched| &launched.tasks) {
            self.knows(RunnerName::of_task(&task.arn));
        }
        answer
    }

    async fn describe(&self, tasks: &[TaskArn]) -> Result<Vec<TaskView>, Fault> {
        self.call(Call::Describe, "", |state| Ok(state.describe(tasks))).await
    }

    async fn find(&self, started_by: &StartedBy) -> Result<Vec<TaskArn>, Fault> {
        self.call(Call::FindTasks, "", |state| Ok(state.find(started_by))).await
    }

    async fn find_under(&self, prefix: &str) -> Result<Vec<TaskView>, Fault> {
        self.call(Call::FindTasks, "", |state| Ok(state.find_under(prefix))).await
    }

    async fn stop(&self, task: &TaskArn, _: &str) -> Result<(), Fault> {
        let who = self.who;
        self.call(Call::Stop, task.id(), |state| {
            state.stop(who, task);
            Ok(())
        })
        .await
    }
}

impl Outbox for Client {
    async fn put(&self, address: &MailboxAddress, assignment: &Assignment) -> Result<(), Fault> {
        let who = self.who;
        self.call(Call::Put, assignment.runner.as_str(), |state| {
            if state.mail.contains_key(&address.to_string()) {
                return Err(Fault::new(Class::Conflict, "put", "another assignment lies there already"));
            }
            let Some((task, _)) = state.task_of(&assignment.runner) else {
                return Err(Fault::new(Class::Invalid, "put", "there is no such task"));
            };
            let (task, secret) = (task.clone(), assignment.jit_config.expose_secret().to_owned());
            state.ring(&task);
            state.mail.insert(address.to_string(), Mail { put_by: who, task, secret });
            Ok(())
        })
        .await
    }

    async fn empty(&self, address: &MailboxAddress) -> Result<(), Fault> {
        self.call(Call::Empty, &address.to_string(), |state| {
            state.mail.remove(&address.to_string());
            Ok(())
        })
        .await
    }
}

impl Runners for Client {
    async fn mint(&self, request: &RunnerRequest) -> Result<Minted, Fault> {
        {
            let mut state = self.cloud.state();
            let now = state.now;
            state.book.mints(now, self.who, &request.name);
        }
        let who = self.who;
        let mint = |state: &mut State| state.mint(who, (0, None), &request.name, request.labels.clone());
        let answer = self.call(Call::Mint, request.name.as_str(), mint).await;
        self.minted(&request.name, &answer);
        answer
    }

    async fn get(&self, id: RunnerId) -> Result<Option<RunnerView>, Fault> {
        self.call(Call::Get, &id.to_string(), |state| Ok(state.view(id))).await
    }

    async fn find(&self, name: &RunnerName) -> Result<Option<RunnerView>, Fault> {
        let found =
            self.call(Call::FindRunner, name.as_str(), |state| Ok(state.find_runner(0, name))).await?;
        self.knows(name.clone());
        Ok(found)
    }

    async fn check(&self) -> Result<(), Fault> {
        Ok(())
    }

    async fn group(&self, _: &str) -> Result<u64, Fault> {
        Ok(1)
    }

    async fn delete(&self, id: RunnerId) -> Result<(), Fault> {
        self.call(Call::Delete, &id.to_string(), |state| state.delete(id)).await
    }
}

/// One repository or organisation at GitHub, as one launcher calls it.
#[derive(Debug, Clone)]
pub(crate) struct At {
    pub(super) client: Client,
    pub(super) scope: usize,
}

impl At {
    pub(crate) fn new(client: &Client, scope: usize) -> Self {
        Self { client: Client { scope, ..client.clone() }, scope }
    }
}

impl Registry for At {
    async fn look_up(&self, name: &RunnerName) -> Result<Option<Registered>, Fault> {
        let scope = self.scope;
        let look_up = |state: &mut State| {
            let runner = state.find_runner(scope, name);
            let labels = runner.as_ref().map(|runner| state.runners[&runner.id].labels.clone());
            Ok(runner.map(|runner| Registered { runner, labels: labels.unwrap_or_default() }))
        };
        let found = self.client.call(Call::LookUp, name.as_str(), look_up).await?;
        self.client.knows(name.clone());
        Ok(found)
    }

    async fn list(&self) -> Result<Vec<Registered>, Fault> {
        let scope = self.scope;
        let all = self.client.call(Call::List, &scope.to_string(), |state| Ok(state.list(scope))).await?;
        // Nobody who is not listed is registered, of the tasks that this launcher knows.
        let names: Vec<RunnerName> =
            self.client.cloud.state().tasks.keys().map(RunnerName::of_task).collect();
        for name in names {
            self.client.knows(name);
        }
        Ok(all)
    }
}
