//! The state machine under a clock of its own: GitHub's long times pass at once.

use std::path::Path;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::super::accounts::{RepositorySpec, Scope};
use super::super::config::{Acquisition, GithubConfig, Urls};
use super::super::runs::Dispatch;
use super::super::state::State;
use super::manage::Wish;
use super::queue::Statistics;
use super::{ScaleSet, ServiceError};
use crate::events::JobStatus;
use crate::protocol::{Completion, Conclusion, SessionRequest};
use crate::workflow::{Published, Workflow};

struct World {
    state: State,
    now: Timestamp,
    scope: Scope,
}

/// An open queue.
struct Reader {
    session: String,
    token: String,
    last: u64,
}

impl World {
    fn new(acquisition: Acquisition) -> Self {
        let urls = Urls { server: "http://127.0.0.1:1".into() };
        let config = GithubConfig { acquisition, ..GithubConfig::new("/nowhere") };
        let mut state = State::new(config, urls, 7).unwrap();
        let now = Timestamp::UNIX_EPOCH;
        state.add_account("mona", None).unwrap();
        let id = state.add_repository(RepositorySpec::new("mona/demo", "/nowhere"), now).unwrap();
        Self { state, now, scope: Scope::Repository(id) }
    }

    fn pass(&mut self, time: SignedDuration) {
        self.now += time;
        self.state.tick(self.now);
    }

    fn set(&mut self, name: &str) -> u64 {
        let wish = Wish { name: Some(name.into()), ..Wish::default() };
        self.state.create_scale_set(self.scope, &wish, self.now).unwrap()
    }

    fn open(&mut self, set: u64) -> Result<Reader, ServiceError> {
        let shape = self.state.open_queue(self.scope, set, "one", self.now)?;
        let text = |key: &str| shape[key].as_str().unwrap().to_owned();
        Ok(Reader { session: text("sessionId"), token: text("messageQueueAccessToken"), last: 0 })
    }

    /// Polls, and acknowledges what comes: the kinds of its events, and how many jobs are assigned.
    fn poll(&mut self, reader: &mut Reader, capacity: usize) -> (Vec<String>, u64) {
        self.state.poll_arrives(&reader.session, Some(&reader.token), capacity, self.now).unwrap();
        let Some(message) = self.state.next_message(&reader.session, reader.last).unwrap() else {
            return (Vec::new(), 0);
        };
        reader.last = message["messageId"].as_u64().unwrap();
        let set = self.state.queue_of(&reader.session, Some(&reader.token), self.now).unwrap();
        self.state.acknowledge(set, reader.last);
        let events: Vec<Value> = serde_json::from_str(message["body"].as_str().unwrap()).unwrap();
        let kind = |event: &Value| {
            let result = event["result"].as_str().map(|result| format!(" {result}")).unwrap_or_default();
            format!("{}{result}", event["messageType"].as_str().unwrap())
        };
        (events.iter().map(kind).collect(), message["statistics"]["totalAssignedJobs"].as_u64().unwrap())
    }

    /// Starts a run with so many jobs for these labels; returns their ids.
    fn jobs(&mut self, labels: &str, count: usize) -> Vec<u64> {
        let job = |n| format!("  j{n}: {{ runs-on: {labels}, steps: [{{ run: echo }}] }}");
        let jobs = (0..count).map(job).collect::<Vec<_>>().join("\n");
        let text = format!("on: push\njobs:\n{jobs}");
        let workflow = Workflow::parse(&text, "a.yml", Path::new("/nowhere"), &Published::default()).unwrap();
        let dispatch = Dispatch { event: "push".into(), ..Dispatch::new("mona/demo", "a.yml", "mona") };
        let run = self.state.dispatch(&dispatch, Arc::new(workflow), self.now).unwrap();
        self.state.runs.jobs_of(run).map(|job| job.id).collect()
    }

    fn mint(&mut self, set: u64, name: &str) -> u64 {
        let minted = self.state.mint_for_scale_set(self.scope, set, name, "", self.now).unwrap();
        minted["runner"]["id"].as_u64().unwrap()
    }

    /// Registers a runner and connects it; returns its id.
    fn runner(&mut self, set: u64, name: &str) -> u64 {
        let id = self.mint(set, name);
        let request = SessionRequest { version: "2.336.0".into(), os: "linux".into(), arch: "X64".into() };
        self.state.runner_connects(id, &request, self.now).unwrap();
        id
    }

    /// The job that a runner was given.
    fn given(&self, runner: u64) -> Option<u64> {
        self.state.runners.get(runner)?.assignment.as_ref().map(|assignment| assignment.job)
    }

    fn complete(&mut self, runner: u64, job: u64) {
        let completion = Completion {
            conclusion: Conclusion::Success,
            outputs: std::collections::BTreeMap::new(),
            annotations: Vec::new(),
            summary: String::new(),
        };
        self.state.runner_completes(runner, job, completion, self.now).unwrap();
    }

    fn statistics(&self, set: u64) -> Statistics {
        self.state.statistics(self.state.scale_sets.get(set).unwrap())
    }

    fn status(&self, job: u64) -> JobStatus {
        self.state.runs.job(job).unwrap().status
    }
}

#[test]
fn a_job_goes_from_the_set_to_its_runner_and_ends() {
    let mut world = World::new(Acquisition::Automatic);
    let set = world.set("linux");
    let job = world.jobs("Linux", 1)[0];
    let mut reader = world.open(set).unwrap();
    assert_eq!(world.statistics(set), Statistics::default(), "whoever has not polled takes nothing");
    assert_eq!(world.poll(&mut reader, 3), (vec!["JobAssigned".to_owned()], 1));

    let runner = world.runner(set, "r");
    assert_eq!(world.given(runner), Some(job));
    let idle = Statistics { assigned: 1, registered: 1, idle: 1, ..Statistics::default() };
    assert_eq!(world.statistics(set), idle);
    world.state.runner_starts(runner, job, world.now).unwrap();
    let busy = Statistics { assigned: 1, running: 1, registered: 1, busy: 1, ..Statistics::default() };
    assert_eq!(world.statistics(set), busy);
    assert!(world.state.delete_agent(world.scope, runner, world.now).is_err());
    world.complete(runner, job);
    assert_eq!(world.poll(&mut reader, 3), (vec!["JobStarted".into(), "JobCompleted succeeded".into()], 0));
    assert_eq!(world.statistics(set), Statistics::default());
    assert_eq!(world.status(job), JobStatus::Completed(Conclusion::Success));
}

#[test]
fn a_runner_of_a_set_takes_the_sets_jobs_and_no_others() {
    let mut world = World::new(Acquisition::Automatic);
    let (small, big) = (world.set("small"), world.set("big"));
    let (mut of_small, mut of_big) = (world.open(small).unwrap(), world.open(big).unwrap());
    let job = world.jobs("big", 1)[0];
    let runner = world.runner(small, "r");
    world.poll(&mut of_small, 1);
    assert_eq!(world.poll(&mut of_big, 1).1, 1);
    assert_eq!(world.given(runner), None);
    let right = world.runner(big, "s");
    assert_eq!(world.given(right), Some(job));
    // Labels that no set has.
    world.jobs("[big, gpu]", 1);
    assert_eq!(world.poll(&mut of_big, 9), (Vec::new(), 0));
}

#[test]
fn no_more_is_assigned_than_the_client_takes() {
    let mut world = World::new(Acquisition::Automatic);
    let set = world.set("linux");
    let jobs = world.jobs("linux", 120);
    let mut reader = world.open(set).unwrap();
    assert_eq!(world.poll(&mut reader, 2).1, 2);
    let (kinds, assigned) = world.poll(&mut reader, 110);
    assert_eq!((kinds.len(), assigned), (50, 110), "a message holds fifty, the statistics tell all");
    assert_eq!(world.poll(&mut reader, 110).0.len(), 50);
    assert_eq!(world.poll(&mut reader, 110).0.len(), 8);
    world.state.cancel_run(world.state.runs.job(jobs[0]).unwrap().run, world.now);
    assert_eq!(world.statistics(set).assigned, 0);
    assert_eq!(world.poll(&mut reader, 110).0[0], "JobCompleted canceled");
}

#[test]
fn an_assignment_that_no_runner_takes_is_made_three_times() {
    let mut world = World::new(Acquisition::Automatic);
    let set = world.set("linux");
    let mut reader = world.open(set).unwrap();
    let job = world.jobs("linux", 1)[0];
    assert_eq!(world.poll(&mut reader, 1), (vec!["JobAssigned".to_owned()], 1));
    for _ in 0..2 {
        for _ in 0..5 {
            world.pass(SignedDuration::from_mins(1));
            world.state.poll_ends(&reader.session, world.now);
        }
        let again = vec!["JobCompleted canceled".to_owned(), "JobAssigned".to_owned()];
        assert_eq!(world.poll(&mut reader, 1), (again, 1));
    }
    world.pass(SignedDuration::from_mins(5));
    assert_eq!(world.status(job), JobStatus::Completed(Conclusion::Failure));
    let annotation = &world.state.runs.job(job).unwrap().annotations[0].message;
    assert!(annotation.contains("even after multiple attempts"), "{annotation}");
}

#[test]
fn a_runner_that_lets_its_job_lie_loses_it_to_another_of_the_set() {
    let mut world = World::new(Acquisition::Automatic);
    let set = world.set("linux");
    let mut reader = world.open(set).unwrap();
    let job = world.jobs("linux", 1)[0];
    world.poll(&mut reader, 1);
    let lazy = world.runner(set, "lazy");
    let eager = world.runner(set, "eager");
    world.pass(SignedDuration::from_secs(59));
    assert_eq!((world.given(lazy), world.given(eager)), (Some(job), None));
    world.pass(SignedDuration::from_secs(1));
    assert_eq!((world.given(lazy), world.given(eager)), (None, Some(job)));
    world.state.remove_runner(eager, world.now);
    assert_eq!(world.given(lazy), Some(job), "nobody else is left");
}

#[test]
fn a_job_is_offered_and_acquired_where_clients_assign() {
    let mut world = World::new(Acquisition::ByClient);
    let set = world.set("linux");
    let mut reader = world.open(set).unwrap();
    world.jobs("linux", 2);
    let (kinds, assigned) = world.poll(&mut reader, 5);
    assert_eq!((kinds.len(), kinds[0].as_str(), assigned), (2, "JobAvailable", 0));
    assert_eq!(world.statistics(set).available, 2);
    assert_eq!(world.state.acquire(set, &[1, 77], world.now), [1]);
    assert_eq!(world.state.acquire(set, &[1], world.now), [1], "twice is as good as once");
    assert_eq!(world.poll(&mut reader, 5), (vec!["JobAssigned".to_owned()], 1));
    assert_eq!(world.statistics(set).available, 1);
}

#[test]
fn a_session_is_exclusive_until_it_is_closed_or_silent() {
    let mut world = World::new(Acquisition::Automatic);
    let set = world.set("linux");
    let reader = world.open(set).unwrap();
    assert_eq!(world.open(set).err().unwrap().status, 409);
    world.state.close_queue(world.scope, set, &reader.session).unwrap();
    let reader = world.open(set).unwrap();
    world.pass(SignedDuration::from_secs(169));
    world.state.poll_arrives(&reader.session, Some(&reader.token), 1, world.now).unwrap();
    world.pass(SignedDuration::from_secs(169));
    assert_eq!(world.open(set).err().unwrap().status, 409, "it was polled meanwhile");
    world.pass(SignedDuration::from_secs(1));
    let second = world.open(set).unwrap();
    let lost = world.state.poll_arrives(&reader.session, Some(&reader.token), 1, world.now);
    assert_eq!(lost.unwrap_err().status, 404);
    world.pass(SignedDuration::from_hours(1));
    assert_eq!(
        world.state.queue_of(&second.session, Some(&second.token), world.now).unwrap_err().status,
        404
    );
}

#[test]
fn a_queues_token_ends_after_an_hour_and_can_be_renewed() {
    let mut world = World::new(Acquisition::Automatic);
    let set = world.set("linux");
    let reader = world.open(set).unwrap();
    world.now += SignedDuration::from_hours(1);
    let refused = world.state.queue_of(&reader.session, Some(&reader.token), world.now).unwrap_err();
    assert_eq!(refused.status, 401);
    let renewed = world.state.renew_queue(world.scope, set, &reader.session, world.now).unwrap();
    let token = renewed["messageQueueAccessToken"].as_str().unwrap();
    assert_eq!(world.state.queue_of(&reader.session, Some(token), world.now), Ok(set));
}

#[test]
fn a_message_comes_again_until_it_is_acknowledged_whoever_reads() {
    let mut world = World::new(Acquisition::Automatic);
    let set = world.set("linux");
    let reader = world.open(set).unwrap();
    world.jobs("linux", 1);
    world.state.poll_arrives(&reader.session, Some(&reader.token), 1, world.now).unwrap();
    let first = world.state.next_message(&reader.session, 0).unwrap().unwrap();
    assert_eq!(world.state.next_message(&reader.session, 1).unwrap(), None, "it has been seen");
    world.state.close_queue(world.scope, set, &reader.session).unwrap();
    let other = world.open(set).unwrap();
    assert_eq!(world.state.next_message(&other.session, 0).unwrap().unwrap(), first);
    world.state.acknowledge(set, 1);
    assert_eq!(world.state.next_message(&other.session, 0).unwrap(), None);
}

#[test]
fn the_jobs_of_a_set_that_disappears_wait_for_the_next() {
    let mut world = World::new(Acquisition::Automatic);
    let set = world.set("linux");
    let mut reader = world.open(set).unwrap();
    let [waiting, running] = world.jobs("linux", 2)[..] else { panic!() };
    world.poll(&mut reader, 2);
    let runner = world.runner(set, "r");
    let first = world.given(runner).unwrap();
    assert_eq!(first, waiting);
    world.state.runner_starts(runner, first, world.now).unwrap();
    let idle = world.mint(set, "idle");

    assert!(world.state.remove_scale_set(set, world.now));
    assert_eq!(world.state.scale_set_of(world.scope, set).err().unwrap().status, 404);
    assert!(world.state.runners.get(idle).is_none());
    assert!(world.state.runners.get(runner).is_some(), "it runs a job");
    let next = world.set("linux");
    let mut reader = world.open(next).unwrap();
    assert_eq!(world.poll(&mut reader, 2), (vec!["JobAssigned".to_owned()], 1));
    let other = world.runner(next, "s");
    assert_eq!(world.given(other), Some(running));
    world.complete(runner, first);
    assert_eq!(world.status(first), JobStatus::Completed(Conclusion::Success));
}

#[test]
fn an_idle_runner_of_nobodys_comes_before_a_set() {
    let mut world = World::new(Acquisition::ByClient);
    let set = world.set("linux");
    let mut reader = world.open(set).unwrap();
    let job = world.jobs("linux", 1)[0];
    assert_eq!(world.poll(&mut reader, 1).0, ["JobAvailable"]);
    let registration = super::super::runners::Registration {
        name: "free".into(),
        labels: vec!["linux".into()],
        group_id: 1,
        work_folder: "_work".into(),
        scale_set: None,
    };
    let free = world.state.register_runner(world.scope, registration, world.now).unwrap().0.id;
    let request = SessionRequest { version: "2.336.0".into(), os: "linux".into(), arch: "X64".into() };
    world.state.runner_connects(free, &request, world.now).unwrap();
    assert_eq!(world.given(free), Some(job));
    assert_eq!(world.poll(&mut reader, 1).0, ["JobCompleted canceled"]);
    assert!(world.state.scale_sets.all().all(|set: &ScaleSet| set.offered.is_empty()));
}
