//! ECS, S3 and GitHub in memory, as far as the engine's ports reach, with troubles at a word.
//!
//! It keeps the ports' contracts, so a test asserts on what is there in the end and not on who called whom.
//! Tasks come up by being looked at: the first look shows one running, and its agent takes what lies in
//! its mailbox.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use fleetfoot_core::assignment::{Assignment, MailboxAddress};
use fleetfoot_core::fault::{Class, Fault};
use fleetfoot_core::ids::{RunnerId, RunnerName, StartedBy, TaskArn};
use fleetfoot_core::phase::{Phase, PhaseTimes};
use fleetfoot_core::ports::{
    LaunchRequest, Launched, Minted, Outbox, RunnerRequest, RunnerView, Runners, Tasks,
};
use fleetfoot_core::task::{TaskEnd, TaskState, TaskView};
use jiff::Timestamp;
use secrecy::ExposeSecret;

/// What befalls one call.
#[derive(Debug, Clone)]
pub(crate) enum Trouble {
    /// It took effect, and nobody hears of it.
    AnswerLost,
    /// It never arrived, and nobody hears of that either.
    CallLost,
    /// It is refused.
    Refused(Class),
    /// None: the trouble behind it in the line is for a later call.
    Spared,
}

/// A call of the ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Call {
    Launch,
    Describe,
    FindTasks,
    Stop,
    Put,
    Empty,
    Mint,
    Get,
    FindRunner,
    Delete,
}

#[derive(Default)]
struct State {
    tasks: BTreeMap<TaskArn, TaskView>,
    /// RunTask's memory: what was asked with a token, and what came of it.
    tokens: BTreeMap<String, (LaunchRequest, Vec<TaskArn>)>,
    /// Name, secret and whether it is busy, by id.
    registered: BTreeMap<u64, (RunnerName, String, bool)>,
    online: Vec<u64>,
    mail: BTreeMap<String, String>,
    troubles: BTreeMap<Call, VecDeque<Trouble>>,
    calls: BTreeMap<Call, usize>,
    next_id: u64,
}

/// All three services.
#[derive(Default)]
pub(crate) struct Cloud(Mutex<State>);

impl Cloud {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the next call of this kind meet trouble; several stand in line.
    pub(crate) fn trouble(&self, call: Call, trouble: Trouble) {
        self.state().troubles.entry(call).or_default().push_back(trouble);
    }

    /// How often it was called.
    pub(crate) fn count(&self, call: Call) -> usize {
        self.state().calls.get(&call).copied().unwrap_or_default()
    }

    pub(crate) fn tasks(&self) -> Vec<TaskView> {
        self.state().tasks.values().cloned().collect()
    }

    /// Names of all registrations, and whether each is online.
    pub(crate) fn registered(&self) -> Vec<(RunnerName, bool)> {
        let state = self.state();
        let online = |id: &u64| state.online.contains(id);
        state.registered.iter().map(|(id, (name, ..))| (name.clone(), online(id))).collect()
    }

    pub(crate) fn mail(&self) -> usize {
        self.state().mail.len()
    }

    /// Gives every runner a job.
    pub(crate) fn make_busy(&self) {
        self.state().registered.values_mut().for_each(|(.., busy)| *busy = true);
    }

    /// Does what a call does, unless trouble befalls it. On its way there and back others may be served.
    async fn call<T: Send>(
        &self,
        call: Call,
        act: impl FnOnce(&mut State) -> Result<T, Fault> + Send,
    ) -> Result<T, Fault> {
        tokio::task::yield_now().await;
        let answer = self.serve(call, act);
        tokio::task::yield_now().await;
        answer
    }

    fn serve<T>(&self, call: Call, act: impl FnOnce(&mut State) -> Result<T, Fault>) -> Result<T, Fault> {
        let mut state = self.state();
        *state.calls.entry(call).or_default() += 1;
        let lost = || Fault::new(Class::Unknown, format!("{call:?}"), "no answer came");
        match state.troubles.get_mut(&call).and_then(VecDeque::pop_front) {
            None | Some(Trouble::Spared) => act(&mut state),
            Some(Trouble::AnswerLost) => act(&mut state).and_then(|_| Err(lost())),
            Some(Trouble::CallLost) => Err(lost()),
            Some(Trouble::Refused(class)) => Err(Fault::new(class, format!("{call:?}"), "refused")),
        }
    }
}

impl State {
    fn launch(&mut self, request: &LaunchRequest) -> Launched {
        let token = request.token.as_str().to_owned();
        if let Some((first, arns)) = self.tokens.get(&token) {
            return if first == request {
                let tasks = arns.iter().map(|arn| self.tasks[arn].clone()).collect();
                Launched { tasks, ..Launched::default() }
            } else {
                Launched { held: arns.clone(), ..Launched::default() }
            };
        }
        let tasks: Vec<TaskView> = (0..request.count).map(|_| self.new_task(request)).collect();
        let arns = tasks.iter().map(|task| task.arn.clone()).collect();
        self.tokens.insert(token, (request.clone(), arns));
        Launched { tasks, ..Launched::default() }
    }

    fn new_task(&mut self, request: &LaunchRequest) -> TaskView {
        self.next_id += 1;
        let arn: TaskArn =
            format!("arn:aws:ecs:us-east-1:123456789012:task/ff/{:032x}", self.next_id).parse().unwrap();
        let mut phases = PhaseTimes::default();
        phases.reach(Phase::Provisioning, Timestamp::now());
        let task = TaskView {
            arn: arn.clone(),
            state: TaskState::Coming,
            status: "PENDING".into(),
            phases,
            started_by: Some(request.started_by.to_string()),
            capacity: Some(request.capacity.clone()),
            cpu: None,
            memory: None,
            ephemeral_storage: None,
            tags: request.tags.clone(),
            mailbox: Some(request.mailbox.clone()),
            end: None,
            billed_from: None,
            stopped_at: None,
        };
        self.tasks.insert(arn, task.clone());
        task
    }

    /// A look at a task that comes lets it come up; its agent reads its mail.
    fn look(&mut self, arn: &TaskArn) -> Option<TaskView> {
        let task = self.tasks.get_mut(arn)?;
        if task.state == TaskState::Coming {
            (task.state, task.status) = (TaskState::Running, "RUNNING".into());
        }
        let address = task.mailbox.as_ref().map(|prefix| prefix.of_task(arn).to_string())?;
        if task.state == TaskState::Running
            && let Some(secret) = self.mail.remove(&address)
        {
            match self.registered.iter().find(|(_, (_, own, _))| *own == secret) {
                Some((id, _)) => self.online.push(*id),
                None => end(task, 23),
            }
        }
        self.tasks.get(arn).cloned()
    }

    fn view(&self, id: u64) -> Option<RunnerView> {
        let (name, _, busy) = self.registered.get(&id)?;
        let online = self.online.contains(&id);
        Some(RunnerView { id: RunnerId(id), name: name.clone(), online, busy: *busy })
    }
}

fn end(task: &mut TaskView, exit_code: i32) {
    (task.state, task.status) = (TaskState::Stopped, "STOPPED".into());
    task.stopped_at = Some(Timestamp::now());
    task.end = Some(TaskEnd {
        stop_code: Some("EssentialContainerExited".into()),
        stopped_reason: None,
        exit_code: Some(exit_code),
        container_reason: None,
    });
}

impl Tasks for Cloud {
    fn check(&self, _: &LaunchRequest) -> Result<(), Fault> {
        Ok(())
    }

    async fn launch(&self, request: &LaunchRequest) -> Result<Launched, Fault> {
        self.call(Call::Launch, |state| Ok(state.launch(request))).await
    }

    async fn describe(&self, tasks: &[TaskArn]) -> Result<Vec<TaskView>, Fault> {
        self.call(Call::Describe, |state| Ok(tasks.iter().filter_map(|arn| state.look(arn)).collect())).await
    }

    async fn find(&self, started_by: &StartedBy) -> Result<Vec<TaskArn>, Fault> {
        self.call(Call::FindTasks, |state| {
            let ours = |task: &&TaskView| task.started_by.as_deref() == Some(started_by.as_str());
            Ok(state.tasks.values().filter(ours).filter(|t| !t.is_over()).map(|t| t.arn.clone()).collect())
        })
        .await
    }

    async fn find_under(&self, prefix: &str) -> Result<Vec<TaskView>, Fault> {
        let under = |task: &TaskView| task.started_by.as_deref().is_some_and(|by| by.starts_with(prefix));
        Ok(self.tasks().into_iter().filter(under).collect())
    }

    async fn stop(&self, task: &TaskArn, _: &str) -> Result<(), Fault> {
        self.call(Call::Stop, |state| {
            if let Some(task) = state.tasks.get_mut(task) {
                end(task, 143);
            }
            Ok(())
        })
        .await
    }
}

impl Outbox for Cloud {
    async fn put(&self, address: &MailboxAddress, assignment: &Assignment) -> Result<(), Fault> {
        self.call(Call::Put, |state| {
            if state.mail.contains_key(&address.to_string()) {
                return Err(Fault::new(Class::Conflict, "put", "another assignment lies there already"));
            }
            state.mail.insert(address.to_string(), assignment.jit_config.expose_secret().to_owned());
            Ok(())
        })
        .await
    }

    async fn empty(&self, address: &MailboxAddress) -> Result<(), Fault> {
        self.call(Call::Empty, |state| {
            state.mail.remove(&address.to_string());
            Ok(())
        })
        .await
    }
}

impl Runners for Cloud {
    async fn mint(&self, request: &RunnerRequest) -> Result<Minted, Fault> {
        self.call(Call::Mint, |state| {
            if state.registered.values().any(|(name, ..)| *name == request.name) {
                return Err(Fault::new(Class::Conflict, "mint", "the name is taken"));
            }
            state.next_id += 1;
            let (id, secret) = (state.next_id, format!("secret {}", state.next_id));
            state.registered.insert(id, (request.name.clone(), secret.clone(), false));
            Ok(Minted { id: RunnerId(id), jit_config: secret.into() })
        })
        .await
    }

    async fn get(&self, id: RunnerId) -> Result<Option<RunnerView>, Fault> {
        self.call(Call::Get, |state| Ok(state.view(id.0))).await
    }

    async fn find(&self, name: &RunnerName) -> Result<Option<RunnerView>, Fault> {
        self.call(Call::FindRunner, |state| {
            let id = state.registered.iter().find(|(_, (own, ..))| own == name).map(|(id, _)| *id);
            Ok(id.and_then(|id| state.view(id)))
        })
        .await
    }

    async fn check(&self) -> Result<(), Fault> {
        Ok(())
    }

    async fn group(&self, _: &str) -> Result<u64, Fault> {
        Ok(1)
    }

    async fn delete(&self, id: RunnerId) -> Result<(), Fault> {
        self.call(Call::Delete, |state| {
            if state.registered.get(&id.0).is_some_and(|(.., busy)| *busy) {
                return Err(Fault::new(Class::Busy, "delete", "a job runs on it"));
            }
            state.registered.remove(&id.0);
            state.online.retain(|online| *online != id.0);
            Ok(())
        })
        .await
    }
}
