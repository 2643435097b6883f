//! The state machine under a clock of its own: GitHub's long times pass at once.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::super::accounts::{RepositorySpec, Scope};
use super::super::reruns::{Rerun, RerunError};
use super::super::runners::{Registration, Runner};
use super::super::runs::Dispatch;
use super::*;
use crate::events::JobStatus;
use crate::protocol::{Conclusion, SessionRequest};
use crate::workflow::{Published, Workflow};

struct World {
    state: State,
    now: Timestamp,
    scope: Scope,
}

impl World {
    fn new() -> Self {
        let urls = Urls { server: "http://127.0.0.1:1".into() };
        let mut state = State::new(GithubConfig::new("/nowhere"), urls, 7).unwrap();
        let now = Timestamp::UNIX_EPOCH;
        state.add_account("mona", None).unwrap();
        let id = state.add_repository(RepositorySpec::new("mona/demo", "/nowhere"), now).unwrap();
        Self { state, now, scope: Scope::Repository(id) }
    }

    fn pass(&mut self, time: SignedDuration) {
        self.now += time;
        self.state.tick(self.now);
    }

    /// Registers a runner and connects it; returns its id and session.
    fn runner(&mut self, name: &str) -> (u64, String) {
        let registration = Registration {
            name: name.into(),
            labels: vec!["x".into()],
            group_id: 1,
            work_folder: "_work".into(),
            scale_set: None,
        };
        let id = self.state.register_runner(self.scope, registration, self.now).unwrap().0.id;
        let request = SessionRequest { version: "2.336.0".into(), os: "linux".into(), arch: "X64".into() };
        (id, self.state.runner_connects(id, &request, self.now).unwrap().session_id)
    }

    fn dispatch(&mut self) -> u64 {
        let text = "on: push\njobs: { a: { runs-on: x, steps: [{ run: echo }] } }\n";
        let workflow =
            Workflow::parse(text, "a.yml", std::path::Path::new("/nowhere"), &Published::default()).unwrap();
        let dispatch = Dispatch { event: "push".into(), ..Dispatch::new("mona/demo", "a.yml", "mona") };
        self.state.dispatch(&dispatch, Arc::new(workflow), self.now).unwrap()
    }

    fn job(&self, run: u64) -> (u64, JobStatus) {
        let job = self.state.runs.jobs_of(run).next().unwrap();
        (job.id, job.status)
    }

    fn poll(&mut self, runner: &(u64, String)) -> Option<u64> {
        self.state.runner_polls(runner.0, &runner.1, self.now).unwrap().map(|message| message.job_id)
    }
}

#[test]
fn a_job_is_given_back_after_a_minute_and_not_before() {
    let mut world = World::new();
    let lazy = world.runner("lazy");
    let run = world.dispatch();
    let (job, _) = world.job(run);
    world.pass(SignedDuration::from_secs(59));
    let eager = world.runner("eager");
    assert_eq!(world.poll(&eager), None);
    assert_eq!(world.poll(&lazy), Some(job));
    world.pass(SignedDuration::from_secs(1));
    assert_eq!(world.poll(&eager), Some(job));
}

#[test]
fn each_new_message_of_a_job_ends_the_token_of_the_one_before() {
    let mut world = World::new();
    let first = world.runner("first");
    let run = world.dispatch();
    let (job, _) = world.job(run);
    let token = |world: &World| world.state.runs.job(job).unwrap().token.clone().unwrap();
    let old = token(&world);
    world.state.remove_runner(first.0, world.now);
    world.runner("second");
    let new = token(&world);
    assert_ne!(old, new);
    assert!(world.state.tokens.grant(&old, world.now).is_none());
    assert!(world.state.tokens.grant(&new, world.now).is_some());
}

#[test]
fn a_queued_job_lives_for_a_day() {
    let mut world = World::new();
    let run = world.dispatch();
    world.pass(SignedDuration::from_hours(24) - SignedDuration::from_secs(1));
    assert_eq!(world.job(run).1, JobStatus::Queued);
    world.pass(SignedDuration::from_secs(1));
    assert_eq!(world.job(run).1, JobStatus::Completed(Conclusion::Cancelled));
    assert_eq!(world.state.runs.run(run).unwrap().conclusion, Some(Conclusion::Cancelled));
}

#[test]
fn a_silent_runner_goes_offline_comes_back_and_is_forgotten_after_a_day() {
    let mut world = World::new();
    let runner = world.runner("r");
    let online = |world: &World| world.state.runners.get(runner.0).map(Runner::is_online);
    world.pass(SignedDuration::from_secs(89));
    assert_eq!(online(&world), Some(true));
    world.pass(SignedDuration::from_secs(1));
    assert_eq!(online(&world), Some(false));
    assert_eq!(world.poll(&runner), None);
    assert_eq!(online(&world), Some(true));
    world.pass(SignedDuration::from_secs(90));
    world.pass(SignedDuration::from_hours(24));
    assert_eq!(online(&world), None);
}

#[test]
fn a_running_job_survives_its_runners_silence_for_ten_minutes() {
    let mut world = World::new();
    let runner = world.runner("r");
    let run = world.dispatch();
    let (job, _) = world.job(run);
    world.state.runner_starts(runner.0, job, world.now).unwrap();
    world.pass(SignedDuration::from_secs(599));
    world.state.runner_renews(runner.0, job, world.now).unwrap();
    world.pass(SignedDuration::from_secs(599));
    assert_eq!(world.job(run).1, JobStatus::InProgress);
    world.pass(SignedDuration::from_secs(1));
    assert_eq!(world.job(run).1, JobStatus::Completed(Conclusion::Failure));
    assert!(world.state.runners.get(runner.0).is_none());
}

#[test]
fn a_run_can_be_run_again_for_thirty_days_and_fifty_times() {
    let mut world = World::new();
    let fail = |world: &mut World, run: u64| {
        let job = world.job(run).0;
        world.state.fail_unstarted(job, "for the test", world.now);
    };
    let run = world.dispatch();
    fail(&mut world, run);
    let rerun = |world: &mut World| world.state.rerun(run, Rerun::Failed, ("mona", 1), world.now);
    for _ in 0..50 {
        assert_eq!(rerun(&mut world), Ok(()));
        fail(&mut world, run);
    }
    assert_eq!(rerun(&mut world), Err(RerunError::TooOften));

    let run = world.dispatch();
    fail(&mut world, run);
    world.pass(SignedDuration::from_hours(30 * 24) + SignedDuration::from_secs(1));
    assert_eq!(world.state.rerun(run, Rerun::Failed, ("mona", 1), world.now), Err(RerunError::TooOld));
}
