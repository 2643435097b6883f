//! Drives one road in a world of its own and asks afterwards what is true.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use fleetfoot::demo::world::REPOSITORY;
use fleetfoot_sim::events::{Event, JobStatus};
use fleetfoot_sim::faults::{FaultPlan, Faults};
use fleetfoot_sim::github::{JobSnapshot, RunSnapshot};
use fleetfoot_sim::protocol::Conclusion;
use jiff::Timestamp;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::common::process::Ran;
use crate::common::{Running, Stage};
use crate::host::Host;
use crate::lanes;
use crate::road::{Road, Stop};
use crate::{argv, secrets, truths};

/// How long jobs may take, with everything that GitHub has to find out about lost runners.
const PATIENCE: Duration = Duration::from_secs(50);

/// How long an agent waits for its assignment.
const BIND_TIMEOUT: &str = "6s";

/// How long a job may wait while no runner for it is online: longer than their idle timeout, so that they leave
/// first and say why.
const IN_VAIN: Duration = Duration::from_secs(26);

/// A trip that is over.
pub(crate) struct Trip<'a> {
    pub(crate) stage: &'a Stage,
    pub(crate) road: &'a Road,
    /// The faults of its world.
    pub(crate) faults: &'a Faults,
    pub(crate) host: &'a Host<'a>,
    /// Every command in its order, by its first argument.
    pub(crate) commands: Vec<(&'static str, Ran)>,
    /// The run of the jobs, when it was over.
    pub(crate) run: Option<RunSnapshot>,
    /// Names of the runners that were online at some time of the start.
    pub(crate) online: BTreeSet<String>,
    /// What has not been true.
    pub(crate) lies: Vec<String>,
    /// What was done, for a reader who looks for the reason.
    diary: Vec<String>,
    began: Timestamp,
}

/// What came of a trip.
pub(crate) struct Told {
    /// What has not been true, each in a sentence.
    pub(crate) lies: Vec<String>,
    /// How the start ended.
    pub(crate) outcome: Outcome,
    /// Whether each fault of the plan fired.
    pub(crate) fired: Vec<bool>,
    /// All that may explain it.
    pub(crate) diary: String,
}

/// How a start ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    Runners,
    Fallback,
    Verdict,
    Cancelled,
    Killed,
}

impl Outcome {
    /// All of them.
    pub(crate) const ALL: [Self; 5] =
        [Self::Runners, Self::Fallback, Self::Verdict, Self::Cancelled, Self::Killed];
}

/// Drives the road with these faults.
pub(crate) async fn take(plan: &FaultPlan, road: &Road) -> Told {
    let _lane = lanes::enter().await;
    argv::watch();
    let faults = Faults::new(FaultPlan { faults: Vec::new(), ..plan.clone() });
    let stage = Stage::hurried(faults.clone(), BIND_TIMEOUT).await;
    let host = Host::enter(&stage).await;
    plan.faults.iter().for_each(|fault| faults.inject(fault.clone()));
    let mut trip = Trip {
        stage: &stage,
        road,
        faults: &faults,
        host: &host,
        commands: Vec::new(),
        run: None,
        online: BTreeSet::new(),
        lies: Vec::new(),
        diary: Vec::new(),
        began: Timestamp::now(),
    };
    trip.go().await;
    let fired = faults.armed().iter().map(|armed| armed.fired > 0).collect();
    trip.end().await;
    truths::of_the_books(&mut trip);
    let diary = trip.diary();
    let told = Told { outcome: trip.outcome(), lies: trip.lies, fired, diary };
    stage.close().await;
    told
}

impl Trip<'_> {
    /// From the start to the last `stop`.
    async fn go(&mut self) {
        self.start().await;
        if let Some(label) = self.own_label().filter(|_| self.road.jobs > 0) {
            self.work(&label).await;
        }
        match self.road.stop {
            Stop::ByKey | Stop::Early => self.stop(&["stop", "--key", "k", "--output", "json"]).await,
            Stop::OfRun => self.stop(&["stop", "--wait", "--output", "json"]).await,
            Stop::Never => {}
        }
    }

    async fn start(&mut self) {
        let mut arguments = self.road.start();
        if self.road.foul {
            arguments.extend(["--label".into(), secrets::needle(&self.stage.world.token).into()]);
        }
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let mut events = self.stage.world.bus.subscribe();
        let mut start = self.host.call(&arguments).env("FLEETFOOT_LOG", "debug").spawn();
        if let Some(calls) = self.road.reaped {
            self.wait_for_calls(&mut start, calls).await;
            let ran = self.stage.reap().run().await;
            self.ended("reap", ran);
            truths::of_an_early_reap(self);
        }
        if let Some((signal, calls)) = self.road.signal {
            self.wait_for_calls(&mut start, calls).await;
            if start.child().try_wait().unwrap().is_none() {
                start.signal(signal);
                self.note(&format!("start gets {signal}"));
            }
        }
        let ran = start.end().await;
        while let Ok(event) = events.try_recv() {
            if let Event::Runner { name, status: "online", .. } = event {
                self.online.insert(name);
            }
        }
        self.ended("start", ran);
        truths::of_a_start(self).await;
    }

    /// Waits until the simulators have answered so many more calls, or the command is over.
    async fn wait_for_calls(&self, command: &mut Running, calls: usize) {
        let wanted = self.stage.world.book.len() + calls;
        while self.stage.world.book.len() < wanted && command.child().try_wait().unwrap().is_none() {
            sleep(Duration::from_millis(2)).await;
        }
    }

    /// Lets jobs run on the label, and perhaps a `stop` come too early.
    async fn work(&mut self, label: &str) {
        let folder = self.stage.path("");
        let parts: Vec<String> = (0..self.road.jobs).map(|part| part.to_string()).collect();
        let hold = if self.road.stop == Stop::Early { "until [ -e go ]; do sleep 0.1; done" } else { "" };
        let run = self.stage.dispatch(&format!(
            "  build:
    runs-on: [self-hosted, {label}]
    strategy: {{ fail-fast: false, matrix: {{ part: [{}] }} }}
    steps:
      - run: |
          cd {}
          env > job-${{{{ matrix.part }}}}.env
          {hold}
",
            parts.join(", "),
            folder.display()
        ));
        let id = run.id;
        self.note(&format!("{} jobs", self.road.jobs));
        if self.road.stop == Stop::Early {
            let none_waits = |run: &RunSnapshot, hopeless: bool| {
                hopeless || run.jobs.iter().all(|job| job.status != JobStatus::Queued)
            };
            self.watch(id, none_waits).await;
            self.note("the jobs run, and stop comes");
            let force = self.road.foul.then_some("--force");
            let stop: Vec<&str> =
                ["stop", "--key", "k", "--output", "json"].into_iter().chain(force).collect();
            self.stop(&stop).await;
            fs::write(folder.join("go"), "").unwrap();
        }
        self.watch(id, |run, _| run.conclusion.is_some()).await;
        let run = self.stage.world.github.run(id).unwrap();
        self.note(&format!("the jobs are over: {}", conclusions(&run.jobs)));
        self.run = Some(run);
        truths::of_the_jobs(self);
    }

    /// Waits until the run is so far. Jobs that are left without hope, because their runners have died, are
    /// cancelled in the end.
    async fn watch(&mut self, id: u64, far: impl Fn(&RunSnapshot, bool) -> bool) {
        let github = &self.stage.world.github;
        let deadline = Instant::now() + PATIENCE;
        let mut hope = Instant::now() + IN_VAIN;
        loop {
            let run = github.run(id).unwrap();
            let of = |status| run.jobs.iter().filter(move |job| job.status == status);
            let (waiting, running) = (of(JobStatus::Queued).count(), of(JobStatus::InProgress).count());
            let busy = |id: &str| {
                of(JobStatus::InProgress).any(|job| job.runner.as_deref() == Some(&format!("ff-{id}")))
            };
            let may_come = self.stage.live_tasks().iter().any(|task| !busy(&task.id));
            if waiting == 0 || github.runners().iter().any(|runner| runner.online && !runner.busy) {
                hope = Instant::now() + IN_VAIN;
            }
            let hopeless = waiting > 0 && (!may_come || Instant::now() > hope);
            if run.conclusion.is_some() || far(&run, hopeless) {
                return;
            }
            if hopeless && running == 0 {
                self.note(&format!("{waiting} jobs wait in vain"));
                github.cancel_run(id);
            } else if Instant::now() > deadline {
                self.lies.push(format!("jobs neither end nor wait in vain: {}", conclusions(&run.jobs)));
                github.cancel_run(id);
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    async fn stop(&mut self, arguments: &[&str]) {
        let stop = self.host.call(arguments).env("FLEETFOOT_LOG", "debug").env("FLEETFOOT_TIMEOUT", "15s");
        let ran = stop.run().await;
        self.ended("stop", ran);
        truths::of_a_stop(self).await;
    }

    /// Nothing goes wrong any more, the run is over, and everything is swept up.
    async fn end(&mut self) {
        self.note(&format!("before the end there are {}", truths::left(self.stage)));
        self.faults.clear();
        self.host.leave().await;
        if self.road.foul {
            self.stage.world.github.add_runner(REPOSITORY, "somebody-else", &["other"]).unwrap();
        }
        truths::of_the_end(self).await;
    }

    /// The start, when it is over.
    pub(crate) fn started(&self) -> &Ran {
        self.commands.iter().find_map(|(name, ran)| (*name == "start").then_some(ran)).unwrap()
    }

    /// How the start ended.
    fn outcome(&self) -> Outcome {
        match self.started().code {
            0 if self.own_label().is_some() => Outcome::Runners,
            0 => Outcome::Fallback,
            -1 => Outcome::Killed,
            130 | 143 => Outcome::Cancelled,
            _ => Outcome::Verdict,
        }
    }

    /// The label of the runners, if the start has brought any.
    fn own_label(&self) -> Option<String> {
        let json = Some(self.started()).filter(|start| start.code == 0)?.json();
        json["fallback"].is_null().then(|| json["label"].as_str().unwrap().to_owned())
    }

    /// What the last command said on standard output, as JSON.
    pub(crate) fn last_json(&self) -> Value {
        self.commands
            .last()
            .map_or(Value::Null, |(_, ran)| serde_json::from_str(&ran.stdout).unwrap_or_default())
    }

    pub(crate) fn ended(&mut self, name: &'static str, ran: Ran) {
        let last = verdict(&ran.stderr).unwrap_or_default();
        self.note(&format!("{name} ends with {}: {} {last}", ran.code, ran.stdout.trim_end()));
        self.commands.push((name, ran));
    }

    pub(crate) fn note(&mut self, what: &str) {
        let seconds = Timestamp::now().duration_since(self.began).as_secs_f64();
        self.diary.push(format!("{seconds:6.2} s  {what}"));
    }

    fn diary(&self) -> String {
        let mut text = format!("{:?}\n{}\n", self.road, self.diary.join("\n"));
        for fired in self.faults.fired() {
            let seconds = fired.at.duration_since(self.began).as_secs_f64();
            let _ = writeln!(text, "{seconds:6.2} s  {} fired on {}", fired.fault, fired.on);
        }
        for task in self.stage.world.aws.tasks() {
            let exit = task.containers[0].exit_code;
            let (id, status, code) = (&task.id, task.status.as_str(), task.stop_code);
            let _ = writeln!(text, "task {id}: {status} {code:?} {exit:?} {:?}", task.stopped_reason);
        }
        text
    }
}

/// The line with which a command says why it failed.
pub(crate) fn verdict(stderr: &str) -> Option<&str> {
    stderr.lines().rev().find(|line| line.starts_with("::error ") || line.starts_with("::warning "))
}

fn conclusions(jobs: &[JobSnapshot]) -> String {
    jobs.iter().map(|job| format!("{:?}", job.status)).collect::<Vec<_>>().join(", ")
}

/// Whether a job has done what it should.
pub(crate) fn succeeded(job: &JobSnapshot) -> bool {
    job.status == JobStatus::Completed(Conclusion::Success)
}
