//! What must be true whatever happens.

use std::collections::BTreeSet;
use std::time::Duration;

use fleetfoot::demo::world::BUCKET;
use fleetfoot_sim::aws::StopCode;
use fleetfoot_sim::faults::FaultKind;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::common::Stage;
use crate::trip::{Trip, succeeded, verdict};
use crate::{rates, secrets};

/// How long tasks may take to be gone once they were told to.
const GOING: Duration = Duration::from_secs(20);

/// Of what is there, the number of each kind.
pub(crate) fn left(stage: &Stage) -> String {
    let (tasks, runners) = (stage.live_tasks().len(), stage.world.github.runners().len());
    format!(
        "{tasks} tasks, {runners} registrations and {} assignments",
        stage.world.aws.objects(BUCKET).len()
    )
}

/// Whether all tasks have stopped.
pub(crate) fn is_over(stage: &Stage) -> bool {
    stage.world.aws.tasks().iter().all(|task| task.times.stopped.is_some())
}

/// Waits for a while until something is so; false if it is not.
pub(crate) async fn soon(so: impl Fn() -> bool) -> bool {
    let deadline = Instant::now() + GOING;
    while !so() {
        if Instant::now() > deadline {
            return false;
        }
        sleep(Duration::from_millis(20)).await;
    }
    true
}

/// Whether there is neither task nor registration nor assignment.
pub(crate) fn is_empty(stage: &Stage) -> bool {
    let nobody = stage.live_tasks().is_empty() && stage.world.github.runners().is_empty();
    nobody && stage.world.aws.objects(BUCKET).is_empty()
}

/// A start brings what it was asked for, or says why not and leaves nothing it does not name.
pub(crate) async fn of_a_start(trip: &mut Trip<'_>) {
    let Some((_, start)) = trip.commands.last() else { return };
    let (code, json, said) = (start.code, trip.last_json(), verdict(&start.stderr).map(str::to_owned));
    let names_what_is_left = said.as_ref().is_some_and(|said| said.contains("not taken away"));
    match code {
        // Killed: it could say nothing, and what it leaves is for others to find.
        -1 => return,
        0 if json["fallback"].is_null() => return of_runners(trip, &json),
        0 => {
            let why = &json["fallback"];
            if why["class"].as_str().is_none_or(str::is_empty) || why["sentence"].as_str().is_none() {
                trip.lies.push(format!("a start fell back without a reason: {json}"));
            }
        }
        1 | 2 | 4 => {
            let helps = said.as_ref().is_some_and(|said| said.contains("%0A"));
            if !helps {
                trip.lies.push(format!("a start failed without a sentence and a remedy: {said:?}"));
            }
        }
        130 | 143 => {}
        other => trip.lies.push(format!("a start ended with {other}")),
    }
    if !names_what_is_left && !soon(|| is_empty(trip.stage)).await {
        trip.lies.push(format!("a start that failed left {} without a word", left(trip.stage)));
    }
}

fn of_runners(trip: &mut Trip<'_>, json: &Value) {
    let count = |name: &str| json[name].as_array().map_or(0, Vec::len);
    let (names, tasks) = (count("runner-names"), count("task-arns"));
    if (names, tasks) != (trip.road.count, trip.road.count) {
        trip.lies.push(format!("{} runners were wanted: {json}", trip.road.count));
    }
    let offline = json["runner-names"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let offline: Vec<&str> = offline.filter(|name| !trip.online.contains(*name)).collect();
    if trip.road.wait == "online" && !offline.is_empty() {
        trip.lies.push(format!("these runners have never been online: {offline:?}"));
    }
    let known = trip.stage.world.aws.tasks();
    for arn in json["task-arns"].as_array().into_iter().flatten() {
        if !known.iter().any(|task| *arn == *task.arn) {
            trip.lies.push(format!("there never was a task {arn}"));
        }
    }
}

/// A job that did not run had a runner that something befell.
pub(crate) fn of_the_jobs(trip: &mut Trip<'_>) {
    let Some(run) = &trip.run else { return };
    let fired = trip.faults.fired();
    let unlucky = |id: &str| fired.iter().any(|fired| fired.on.contains(id));
    let json = trip.started().json();
    let ours =
        |arn: &str| json["task-arns"].as_array().is_some_and(|arns| arns.iter().any(|own| *own == *arn));
    let tasks = trip.stage.world.aws.tasks();
    // The agent says by its exit code why it could not be a runner.
    let excuses = tasks.iter().filter(|task| {
        let told = task.containers[0].exit_code.is_some_and(|code| code > 12);
        ours(&task.arn) && task.stop_code != Some(StopCode::UserInitiated) && (told || unlucky(&task.id))
    });
    let (failed, excuses) = (run.jobs.iter().filter(|job| !succeeded(job)).count(), excuses.count());
    if failed > excuses {
        trip.lies.push(format!("{failed} jobs did not run though only {excuses} runners failed"));
    }
}

/// A stop takes away all that it speaks of but what is busy, or says why not.
pub(crate) async fn of_a_stop(trip: &mut Trip<'_>) {
    let Some((_, stop)) = trip.commands.last() else { return };
    let (json, said) = (trip.last_json(), verdict(&stop.stderr));
    match stop.code {
        0 => {}
        1 | 2 | 4 if said.is_some_and(|said| said.contains("%0A")) => return,
        code => {
            let lie = format!("a stop ended with {code} and said {said:?}");
            return trip.lies.push(lie);
        }
    }
    tells_what_became_of_each(trip, &json);
    let idle = runners(&json).filter(|runner| runner["busy"] == false);
    let names: Vec<&str> = idle.filter_map(|runner| runner["name"].as_str()).collect();
    let stage = trip.stage;
    let gone = |name: &&str| {
        let id = name.trim_start_matches("ff-");
        let registered = stage.world.github.runners().iter().any(|runner| runner.name == **name);
        let mail = stage.world.aws.objects(BUCKET).iter().any(|key| key.ends_with(id));
        !registered && !mail && !stage.live_tasks().iter().any(|task| task.id == id)
    };
    // GitHub removes a runner after its job when it hears of the job's end.
    if !soon(|| names.iter().all(gone)).await {
        let stays: Vec<&&str> = names.iter().filter(|name| !gone(name)).collect();
        trip.lies.push(format!("a stop did not take away what it speaks of: {stays:?}"));
    }
}

/// Each runner has a verdict, and whoever lost its job or never had one a remedy.
fn tells_what_became_of_each(trip: &mut Trip<'_>, json: &Value) {
    for runner in runners(json) {
        let verdict = &runner["verdict"];
        let says = |part: &str| verdict[part].as_str().is_some_and(|text| !text.is_empty());
        let needs_remedy = is_lost(runner) && verdict["class"] != "taken-away";
        if !says("class") || !says("sentence") || (needs_remedy && !says("remedy")) {
            trip.lies.push(format!("nothing is told of what became of a runner: {runner}"));
        }
    }
    // It says so if ECS does not tell of tasks that have ended.
    if trip.commands.iter().any(|(_, ran)| ran.stderr.contains("cannot tell of runners that had left")) {
        return;
    }
    let stops = trip.commands.iter().filter(|(name, stop)| *name == "stop" && stop.code == 0);
    let told: Vec<Value> = stops.map(|(_, stop)| stop.json()).collect();
    let lost = told.iter().flat_map(runners).filter(|runner| is_lost(runner));
    let lost = lost.filter_map(|runner| runner["name"].as_str()).collect::<BTreeSet<_>>().len();
    let failed = trip.run.iter().flat_map(|run| &run.jobs).filter(|job| !succeeded(job)).count();
    if failed > lost {
        trip.lies.push(format!("{failed} jobs did not run, and {lost} runners are told to have lost theirs"));
    }
}

fn runners(json: &Value) -> impl Iterator<Item = &Value> {
    json["runners"].as_array().into_iter().flatten()
}

fn is_lost(runner: &Value) -> bool {
    ["without-job", "job-cut-off", "job-unknown"].iter().any(|outcome| runner["outcome"] == *outcome)
}

/// While its run goes on a task is wanted, and so is its registration.
pub(crate) fn of_an_early_reap(trip: &mut Trip<'_>) {
    let json = trip.last_json();
    for thing in json["unwanted"].as_array().into_iter().flatten() {
        let is_dead = ["task-stopped", "no-task"].iter().any(|class| thing["class"] == *class);
        if !is_dead {
            trip.lies.push(format!("reap does not want what is wanted: {thing}"));
        }
    }
}

/// Once nobody wants anything any more, `reap` leaves nothing.
pub(crate) async fn of_the_end(trip: &mut Trip<'_>) {
    let ran = trip.stage.reap().run().await;
    trip.ended("reap", ran);
    if !soon(|| is_over(trip.stage)).await {
        trip.lies.push("tasks do not end".into());
    }
    // Of a runner on its way out reap leaves the registration, for a job may come to its end there.
    if !is_empty(trip.stage) {
        let ran = trip.stage.reap().run().await;
        trip.ended("reap", ran);
    }
    if !is_empty(trip.stage) {
        trip.lies.push(format!("after everything there are {}", left(trip.stage)));
    }
}

/// What the books tell of the whole.
pub(crate) fn of_the_books(trip: &mut Trip<'_>) {
    let lies =
        [no_busy_runner_was_stopped(trip), never_too_many(trip), secrets::shown(trip), rates::exceeded(trip)];
    trip.lies.extend(lies.into_iter().flatten());
}

fn no_busy_runner_was_stopped(trip: &Trip<'_>) -> Vec<String> {
    let fired = trip.faults.fired();
    let jobs = trip.run.iter().flat_map(|run| &run.jobs);
    let stopped = |job: &fleetfoot_sim::github::JobSnapshot| {
        let (name, began) = (job.runner.as_ref()?, job.started_at?);
        let task =
            trip.stage.world.aws.tasks().into_iter().find(|task| format!("ff-{}", task.id) == *name)?;
        // A job whose runner GitHub has forgotten is lost already.
        let deleted = fired.iter().any(|fired| {
            fired.on == *name && matches!(fired.fault.kind, FaultKind::RegistrationDeleted { .. })
        });
        let at =
            task.times.stopping.filter(|_| task.stop_code == Some(StopCode::UserInitiated) && !deleted)?;
        let busy = began <= at && job.completed_at.is_none_or(|end| at < end);
        busy.then(|| format!("the task {} was stopped at {at} while {} ran on it", task.id, job.name))
    };
    jobs.filter_map(stopped).collect()
}

/// There are never more tasks at a time than the start was to bring.
fn never_too_many(trip: &Trip<'_>) -> Vec<String> {
    let tasks = trip.stage.world.aws.tasks();
    let most = tasks.iter().map(|task| {
        let at = task.times.created;
        let lives = |other: &&fleetfoot_sim::aws::Task| {
            other.times.created <= at && other.times.stopping.is_none_or(|end| at < end)
        };
        tasks.iter().filter(lives).count()
    });
    let most = most.max().unwrap_or_default();
    let too_many = most > trip.road.count;
    too_many
        .then(|| format!("{most} tasks at a time, and {} were wanted", trip.road.count))
        .into_iter()
        .collect()
}
