//! Tasks without processes: each is a function of this process that does what the agent and GitHub's runner do
//! together. It waits for its assignment, connects, takes a job, and ends with it. Ten thousand of them fit.
//!
//! Nothing polls the mailbox here: the simulated S3 tells when an object was put there. What the agent's polls cost
//! is measured by `cargo xtask bench agent`. `fleetfoot demo --serve --jobs` and `cargo xtask bench serve` use them.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fleetfoot_core::assignment::Assignment;
use fleetfoot_core::exit::AgentExit;
use fleetfoot_sim::aws::{AwsSim, Surroundings, TaskFunction};
use fleetfoot_sim::events::Event;
use fleetfoot_sim::protocol::{
    Completion, Conclusion, RunnerCredentials, RunnerSettings, Session, SessionRequest,
};
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use secrecy::ExposeSecret;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Semaphore, oneshot, watch};

use super::world::{IMAGE, World};

/// What may go wrong with a task that is a function.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// The version of GitHub's runner that they claim to be.
const VERSION: &str = "2.336.0";

/// Calls of all runners under way at once.
const AT_ONCE: usize = 32;

/// Polls of all runners under way at once. They are apart: one is answered when there is a job, and must not keep those
/// waiting that have one. Each is two open files of this process.
const POLLS_AT_ONCE: usize = 256;

/// All of them. Clones are the same.
#[derive(Debug, Clone)]
pub struct Troupe(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    http: Client,
    /// How long a job takes that nobody holds.
    job_time: Duration,
    room: Semaphore,
    polls: Semaphore,
    letters: Mutex<HashMap<String, Letter>>,
    /// Whether jobs that begin now wait to be released.
    holds: AtomicBool,
    released: watch::Sender<bool>,
    counts: Counts,
    trouble: Mutex<Option<String>>,
}

/// An assignment, or who waits for it.
#[derive(Debug)]
enum Letter {
    Here(String),
    Awaited(oneshot::Sender<String>),
}

/// What has happened so far.
#[derive(Debug, Default)]
struct Counts {
    launched: AtomicUsize,
    started: AtomicUsize,
    ended: AtomicUsize,
    stopped: AtomicUsize,
}

/// The same at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Counted {
    /// Tasks that RunTask has accepted.
    pub launched: usize,
    /// Jobs that have begun.
    pub started: usize,
    /// Jobs that are over.
    pub ended: usize,
    /// Tasks that have stopped.
    pub stopped: usize,
}

impl Troupe {
    /// Makes the image of the world's tasks, and listens for assignments.
    ///
    /// # Errors
    /// There is no HTTP client to be had.
    pub fn engage(world: &World, job_time: Duration) -> Result<Self> {
        let troupe = Self(Arc::new(Inner {
            http: Client::builder().no_proxy().build()?,
            job_time,
            room: Semaphore::new(AT_ONCE),
            polls: Semaphore::new(POLLS_AT_ONCE),
            letters: Mutex::default(),
            holds: AtomicBool::new(false),
            released: watch::Sender::new(false),
            counts: Counts::default(),
            trouble: Mutex::default(),
        }));
        let member = troupe.clone();
        world.aws.add_function(IMAGE, TaskFunction::new(move |given| member.clone().play(given)));
        let (listener, aws) = (troupe.clone(), world.aws.clone());
        let mut events = world.bus.subscribe();
        tokio::spawn(async move {
            loop {
                match events.recv().await {
                    Ok(event) => listener.hear(event, &aws),
                    Err(RecvError::Lagged(missed)) => listener.fail(format!("{missed} events were missed")),
                    Err(RecvError::Closed) => break,
                }
            }
        });
        Ok(troupe)
    }

    fn hear(&self, event: Event, aws: &AwsSim) {
        let counts = &self.0.counts;
        match event {
            Event::Object { bucket, key } => {
                let Some(mail) = aws.take_object(&bucket, &key) else { return };
                let task = key.rsplit('/').next().unwrap_or_default();
                match Assignment::from_json(&mail) {
                    Ok(assignment) => self.post(task, assignment.jit_config.expose_secret().to_owned()),
                    Err(why) => self.fail(format!("{key}: {why}")),
                }
            }
            Event::Task { status, .. } if status == "PROVISIONING" => {
                counts.launched.fetch_add(1, Ordering::Relaxed);
            }
            Event::Task { status, .. } if status == "STOPPED" => {
                counts.stopped.fetch_add(1, Ordering::Relaxed);
            }
            _ => {}
        }
    }

    /// Gives a task its JIT configuration.
    pub fn post(&self, task: &str, jit: String) {
        let mut letters = self.letters();
        match letters.remove(task) {
            // A task that has just been stopped does not read it.
            Some(Letter::Awaited(reader)) => drop(reader.send(jit)),
            _ => drop(letters.insert(task.to_owned(), Letter::Here(jit))),
        }
    }

    /// Why a task could not play its part, if one could not.
    pub fn trouble(&self) -> Option<String> {
        self.0.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What has happened so far.
    ///
    /// # Errors
    /// A task could not play its part.
    pub fn counted(&self) -> Result<Counted> {
        if let Some(why) = self.trouble() {
            return Err(why.into());
        }
        let Counts { launched, started, ended, stopped } = &self.0.counts;
        let read = |count: &AtomicUsize| count.load(Ordering::Relaxed);
        Ok(Counted {
            launched: read(launched),
            started: read(started),
            ended: read(ended),
            stopped: read(stopped),
        })
    }

    /// Jobs that begin from now on do not end before they are released.
    pub fn hold(&self) {
        self.0.holds.store(true, Ordering::Relaxed);
    }

    /// From now on jobs end by themselves; those that were held go on being held.
    pub fn hold_no_more(&self) {
        self.0.holds.store(false, Ordering::Relaxed);
    }

    /// Ends all jobs that are held.
    pub fn release(&self) {
        self.hold_no_more();
        self.0.released.send_replace(true);
    }

    fn letters(&self) -> MutexGuard<'_, HashMap<String, Letter>> {
        self.0.letters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fail(&self, why: String) {
        self.0.trouble.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(why);
    }

    async fn play(self, given: Surroundings) -> i32 {
        let exit = tokio::select! {
            exit = self.perform(&given.env) => exit.unwrap_or_else(|error| {
                self.fail(format!("a runner has failed: {error}"));
                AgentExit::RunnerFailed
            }),
            () = given.stop.cancelled() => AgentExit::Terminated,
        };
        exit.code().into()
    }

    async fn perform(&self, env: &BTreeMap<String, String>) -> Result<AgentExit> {
        let runner = Runner::of(&self.mail(env).await?)?;
        let said = SessionRequest { version: VERSION.into(), os: "linux".into(), arch: "X64".into() };
        let session: Session = self.ask(runner.post(&self.0.http, "/sessions").json(&said)).await?;
        let message = loop {
            let poll = format!("/sessions/{}/message", session.session_id);
            match call(&self.0.polls, runner.get(&self.0.http, &poll)).await {
                Ok(answer) if answer.status() == StatusCode::OK => break answer.json::<Value>().await?,
                Ok(_) => {}
                // It was taken away because there was no job for it.
                Err(error) if is_gone(&error) => return Ok(AgentExit::RegistrationGone),
                Err(error) => return Err(error.into()),
            }
        };
        let job = |verb| format!("/jobs/{}/{verb}", message["job_id"]);
        self.call(runner.post(&self.0.http, &job("start"))).await?;
        self.0.counts.started.fetch_add(1, Ordering::Relaxed);
        if self.0.holds.load(Ordering::Relaxed) {
            let mut released = self.0.released.subscribe();
            released.wait_for(|released| *released).await?;
        } else {
            tokio::time::sleep(self.0.job_time).await;
        }
        let completion = Completion {
            conclusion: Conclusion::Success,
            outputs: BTreeMap::new(),
            annotations: Vec::new(),
            summary: String::new(),
        };
        self.call(runner.post(&self.0.http, &job("complete")).json(&completion)).await?;
        self.0.counts.ended.fetch_add(1, Ordering::Relaxed);
        Ok(AgentExit::JobSucceeded)
    }

    /// Waits for the assignment of the task with this environment.
    async fn mail(&self, env: &BTreeMap<String, String>) -> Result<String> {
        // The container's id begins with that of its task.
        let container = env.get("ECS_CONTAINER_METADATA_URI_V4").and_then(|uri| uri.rsplit('/').next());
        let task = container.and_then(|id| id.split('-').next()).ok_or("a task does not know its id")?;
        let awaited = {
            let mut letters = self.letters();
            if let Some(Letter::Here(jit)) = letters.remove(task) {
                return Ok(jit);
            }
            let (sender, awaited) = oneshot::channel();
            letters.insert(task.to_owned(), Letter::Awaited(sender));
            awaited
        };
        Ok(awaited.await?)
    }

    async fn ask<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T> {
        Ok(self.call(request).await?.json().await?)
    }

    async fn call(&self, request: RequestBuilder) -> reqwest::Result<Response> {
        call(&self.0.room, request).await
    }
}

/// Calls when there is room for it.
async fn call(room: &Semaphore, request: RequestBuilder) -> reqwest::Result<Response> {
    // Nobody closes the semaphore.
    let _room = room.acquire().await;
    request.send().await?.error_for_status()
}

/// Whether GitHub does not know the runner any more.
fn is_gone(error: &reqwest::Error) -> bool {
    error.status() == Some(StatusCode::NOT_FOUND)
}

/// A registration, as its JIT configuration describes it.
struct Runner {
    server: String,
    credential: String,
}

impl Runner {
    fn of(jit: &str) -> Result<Self> {
        let files: BTreeMap<String, String> = serde_json::from_slice(&STANDARD.decode(jit)?)?;
        let settings: RunnerSettings = file(&files, ".runner")?;
        let credentials: RunnerCredentials = file(&files, ".credentials")?;
        Ok(Self { server: settings.server_url, credential: credentials.token })
    }

    fn get(&self, http: &Client, path: &str) -> RequestBuilder {
        http.get(format!("{}{path}", self.server)).bearer_auth(&self.credential)
    }

    fn post(&self, http: &Client, path: &str) -> RequestBuilder {
        http.post(format!("{}{path}", self.server)).bearer_auth(&self.credential)
    }
}

fn file<T: DeserializeOwned>(files: &BTreeMap<String, String>, name: &str) -> Result<T> {
    let text = files.get(name).ok_or_else(|| format!("a JIT configuration has no {name}"))?;
    Ok(serde_json::from_slice(&STANDARD.decode(text)?)?)
}
