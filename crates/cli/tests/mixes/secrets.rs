//! Whether a secret shows where it should not.

use std::fs;

use crate::argv;
use crate::trip::Trip;

/// Of a long secret its middle is looked for: what is cut off at either end gives it away, too.
const MIDDLE: usize = 40;

/// The part of a secret that is looked for.
pub(crate) fn needle(secret: &str) -> &str {
    let start = secret.len().saturating_sub(MIDDLE) / 2;
    secret.get(start..).map_or(secret, |rest| rest.get(..MIDDLE.min(rest.len())).unwrap_or(rest))
}

/// Every place where a secret of this world shows.
pub(crate) fn shown(trip: &Trip<'_>) -> Vec<String> {
    let world = &trip.stage.world;
    let secrets = [world.github.secrets(), world.aws.secrets()].concat();
    let needles: Vec<&str> = secrets.iter().map(|secret| needle(secret)).collect();
    let mut lies = Vec::new();
    for (place, text) in places(trip) {
        for needle in needles.iter().filter(|needle| text.contains(**needle)) {
            let at = text.find(needle).unwrap_or_default();
            let before: String =
                text[..at].chars().rev().take(60).collect::<Vec<_>>().into_iter().rev().collect();
            lies.push(format!("a secret shows in {place}, after {before:?}"));
        }
    }
    lies
}

/// Everything that others can read, with its name.
fn places(trip: &Trip<'_>) -> Vec<(String, String)> {
    let (stage, world) = (trip.stage, &trip.stage.world);
    let mut places = Vec::new();
    for call in world.book.calls() {
        let what = format!("the call {} {}", call.service, call.operation);
        places.push((format!("the request line of {what}"), call.request_line));
        // Overrides and tags are in RunTask's request and in every answer of DescribeTasks.
        for body in [call.request, call.response].into_iter().flatten().filter(|_| call.service == "ecs") {
            places.push((what.clone(), body.to_string()));
        }
    }
    for task in world.aws.tasks() {
        let log = world.aws.log_lines(stage.log_group(), &format!("runner/runner/{}", task.id));
        places.push((format!("the log of the task {}", task.id), log.join("\n")));
        places.push((
            format!("the tags of the task {}", task.id),
            format!("{:?} {}", task.tags, task.overrides),
        ));
    }
    for run in world.github.runs() {
        for job in run.jobs {
            let log = world.github.job_log(job.id).unwrap_or_default().join("\n");
            places.push((format!("the log of the job {}", job.name), log));
            places.push((format!("the summary of the job {}", job.name), job.summary));
        }
    }
    for (name, ran) in &trip.commands {
        places.push((format!("what {name} said"), ran.said()));
    }
    for entry in fs::read_dir(stage.path("")).unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let readable = ["output", "summary.md"].contains(&name.as_str()) || name.starts_with("job-");
        if readable {
            places.push((format!("the file {name}"), fs::read_to_string(entry.path()).unwrap_or_default()));
        }
    }
    places.push(("a process's command line".into(), argv::seen().join("\n")));
    places
}

#[test]
fn a_part_of_a_secret_gives_it_away() {
    let secret: String = ('a'..='z').cycle().take(100).collect();
    assert_eq!(needle(&secret), &secret[30..70]);
    assert_eq!(needle("short"), "short");
}
