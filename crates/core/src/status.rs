//! How a stack is: its tasks, joined with the runners that GitHub knows of the same names.
//!
//! A pure function of what ECS and GitHub show at one time, so it is true whoever started the tasks and whether
//! anybody is listening to the queues.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::ids::{RunnerName, StartedBy, TaskArn};
use crate::label::Label;
use crate::phase::Phase;
use crate::ports::Registered;
use crate::stack::{ScaleSet, Stack};
use crate::task::{TaskState, TaskView, tag};
use crate::verdict::Verdict;

/// One task and its runner.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunnerStatus {
    /// The runner's name, which it has or would have.
    pub name: RunnerName,
    /// Its task.
    pub task: TaskArn,
    /// Its pool, if the stack still has it.
    pub pool: Option<String>,
    /// What it is for: `<run>-<attempt>/<key>`, the name of a scale set, or nothing yet.
    #[serde(rename = "for")]
    pub purpose: Option<String>,
    /// Where it is registered, if it is.
    pub url: Option<String>,
    /// How far it is.
    pub phase: Phase,
    /// Since when, if ECS knows.
    pub since: Option<Timestamp>,
    /// When its task was made.
    pub created: Option<Timestamp>,
    /// Where it runs.
    pub capacity: Option<String>,
}

/// One pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PoolStatus {
    /// Its name.
    pub name: String,
    /// Tasks that are not running yet.
    pub coming: usize,
    /// Running tasks that are bound to nobody.
    pub warm: usize,
    /// Runners that are registered and not connected.
    pub bound: usize,
    /// Runners without a job.
    pub idle: usize,
    /// Runners with a job.
    pub busy: usize,
    /// Tasks on their way out.
    pub leaving: usize,
    /// How many tasks it may have.
    pub max: u32,
}

/// One scale set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SetStatus {
    /// Its name.
    pub name: String,
    /// Where it is at GitHub.
    pub url: String,
    /// Where its runners come from.
    pub pool: String,
    /// Runners that are registered; nothing if GitHub does not say.
    pub registered: Option<usize>,
    /// Those of them with a job.
    pub busy: Option<usize>,
    /// Runners it keeps.
    pub min: u32,
    /// The most runners.
    pub max: u32,
}

/// All of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Status {
    /// The stack.
    pub stack: String,
    /// Where.
    pub region: String,
    /// When.
    pub at: Timestamp,
    /// Its scale sets.
    pub scale_sets: Vec<SetStatus>,
    /// Its pools.
    pub pools: Vec<PoolStatus>,
    /// Its tasks that have not stopped, the oldest first.
    pub runners: Vec<RunnerStatus>,
    /// What could not be seen.
    pub notes: Vec<Verdict>,
}

/// What GitHub shows in one place, or why it does not.
pub type Shown = Result<Vec<Registered>, Verdict>;

/// A registration, and in which of the stack's places.
type At<'a> = (usize, &'a Registered);

/// Joins what was seen. `tasks` may be those of other stacks, too; `shown` is what GitHub shows in each of the
/// [stack's places](Stack::places).
pub fn status(now: Timestamp, stack: &Stack, tasks: &[TaskView], shown: &[Shown]) -> Status {
    let everywhere = shown.iter().enumerate().flat_map(|(place, shown)| {
        let seen = shown.as_deref().unwrap_or_default();
        seen.iter().map(move |seen| (&seen.runner.name, (place, seen)))
    });
    let by_name: BTreeMap<&RunnerName, At<'_>> = everywhere.collect();
    let prefix = StartedBy::prefix_of_stack(&stack.name);
    let own = |task: &&TaskView| task.started_by.as_deref().is_some_and(|by| by.starts_with(&prefix));
    let mut all: Vec<RunnerStatus> = tasks
        .iter()
        .filter(own)
        .filter(|task| task.state != TaskState::Stopped)
        .map(|task| one(stack, task, by_name.get(&RunnerName::of_task(&task.arn)).copied()))
        .collect();
    all.sort_by(|a, b| (a.created, &a.task).cmp(&(b.created, &b.task)));
    let pools = stack.pools.iter().map(|pool| of_pool(pool.name.as_str(), pool.max, &all)).collect();
    let scale_sets = stack.scale_sets.iter().map(|set| {
        let of_set = |seen: &&Registered| answers_to(&seen.labels, &set.name);
        let there = shown.get(stack.place_of(set)).and_then(|shown| shown.as_deref().ok());
        let registered = there.map(|there| there.iter().filter(of_set));
        SetStatus {
            name: set.name.clone(),
            url: stack.url_of(set).to_owned(),
            pool: set.pool.to_string(),
            registered: registered.clone().map(Iterator::count),
            busy: registered.map(|registered| registered.filter(|seen| seen.runner.busy).count()),
            min: set.min,
            max: set.max,
        }
    });
    Status {
        stack: stack.name.to_string(),
        region: stack.region.clone(),
        at: now,
        scale_sets: scale_sets.collect(),
        pools,
        runners: all,
        notes: shown.iter().filter_map(|shown| shown.as_ref().err()).cloned().collect(),
    }
}

fn answers_to(labels: &[Label], name: &str) -> bool {
    labels.iter().any(|label| label.as_str().eq_ignore_ascii_case(name))
}

fn one(stack: &Stack, task: &TaskView, at: Option<At<'_>>) -> RunnerStatus {
    let seen = at.map(|(_, seen)| seen);
    let ecs = task.phases.latest().unwrap_or(Phase::Requested);
    let phase = match (task.state, seen) {
        (TaskState::Going | TaskState::Stopped, _) => Phase::Done,
        (_, Some(seen)) if seen.runner.busy => Phase::Busy,
        (_, Some(seen)) if seen.runner.online => Phase::Online,
        (_, Some(_)) => Phase::Bound,
        (_, None) => ecs,
    };
    let by = task.started_by.as_deref().unwrap_or_default();
    let start = StartedBy::origin(by, &stack.name).map(|(run, key)| format!("{run}/{key}"));
    let set = at.and_then(|(place, seen)| {
        let is_its = |set: &&ScaleSet| stack.place_of(set) == place && answers_to(&seen.labels, &set.name);
        stack.scale_sets.iter().find(is_its)
    });
    let url = at.and_then(|(place, _)| stack.places().get(place).map(|&url| url.to_owned()));
    // A start that took a warm task is known by its label alone.
    let taken = || seen?.labels.iter().find_map(Label::origin).map(|(run, key)| format!("{run}/{key}"));
    let pool = task.tags.get(tag::POOL).cloned().or_else(|| {
        let name = by.rsplit('/').next()?;
        stack.pools.iter().find(|pool| pool.name.as_str() == name).map(|pool| pool.name.to_string())
    });
    RunnerStatus {
        name: RunnerName::of_task(&task.arn),
        task: task.arn.clone(),
        pool,
        purpose: set.map(|set| set.name.clone()).or(start).or_else(taken),
        url,
        phase,
        since: task.at(phase),
        created: task.at(Phase::Provisioning).or(task.at(Phase::Requested)),
        capacity: task.capacity.as_ref().map(ToString::to_string),
    }
}

fn of_pool(name: &str, max: u32, runners: &[RunnerStatus]) -> PoolStatus {
    let mut pool =
        PoolStatus { name: name.to_owned(), coming: 0, warm: 0, bound: 0, idle: 0, busy: 0, leaving: 0, max };
    for runner in runners.iter().filter(|runner| runner.pool.as_deref() == Some(name)) {
        *match runner.phase {
            Phase::Requested | Phase::Provisioning | Phase::Pulling => &mut pool.coming,
            Phase::Starting => &mut pool.warm,
            Phase::Bound => &mut pool.bound,
            Phase::Online => &mut pool.idle,
            Phase::Busy => &mut pool.busy,
            Phase::Done | Phase::Gone => &mut pool.leaving,
        } += 1;
    }
    pool
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::{Class, Fault};
    use crate::ids::RunnerId;
    use crate::ports::RunnerView;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn stack() -> Stack {
        let document = serde_json::json!({
            "version": 1, "name": "prod", "region": "eu-west-1", "cluster": "ff",
            "mailbox": { "bucket": "b" }, "github": { "url": "https://github.com/acme" },
            "pools": [ { "name": "small", "task_definition": "t", "arch": "x86_64", "cpu": 256, "memory": 512,
                         "capacity": [ { "launch_type": "EC2" } ] } ],
            "scale_sets": [
                { "name": "linux", "pool": "small" },
                { "name": "linux", "pool": "small", "url": "https://github.com/umbrella" }
            ]
        });
        Stack::from_json(&document.to_string()).unwrap()
    }

    fn task(n: u32, by: &str, state: TaskState, phase: Phase) -> TaskView {
        let mut phases = crate::phase::PhaseTimes::default();
        phases.reach(Phase::Provisioning, NOW);
        phases.reach(phase, NOW);
        TaskView {
            arn: format!("arn:aws:ecs:eu-west-1:1:task/ff/{n:032x}").parse().unwrap(),
            state,
            status: "RUNNING".into(),
            phases,
            started_by: Some(by.to_owned()),
            capacity: None,
            cpu: None,
            memory: None,
            ephemeral_storage: None,
            tags: BTreeMap::new(),
            mailbox: None,
            end: None,
            billed_from: None,
            started_at: None,
            stopped_at: None,
        }
    }

    fn runner(task: &TaskView, label: &str, online: bool, busy: bool) -> Registered {
        let name = RunnerName::of_task(&task.arn);
        Registered {
            runner: RunnerView { id: RunnerId(1), name, online, busy },
            labels: vec![label.parse().unwrap()],
        }
    }

    #[test]
    fn each_task_is_told_with_what_it_is_for() {
        let own = "fleetfoot/prod/small";
        let tasks = [
            task(1, own, TaskState::Coming, Phase::Pulling),
            task(2, own, TaskState::Running, Phase::Starting),
            task(3, own, TaskState::Running, Phase::Starting),
            task(4, "fleetfoot/prod/7-1/build", TaskState::Running, Phase::Starting),
            task(5, own, TaskState::Running, Phase::Starting),
            task(6, own, TaskState::Stopped, Phase::Gone),
            task(7, "fleetfoot/other/small", TaskState::Running, Phase::Starting),
        ];
        let runners = [
            runner(&tasks[2], "Linux", true, true),
            runner(&tasks[3], "ff-7-1-build-abc", true, false),
            runner(&tasks[4], "ff-8-1-test-abc", false, false),
        ];
        let nothing_said = Fault::new(Class::Denied, "list the runners of umbrella", "no");
        let shown = [Ok(runners.to_vec()), Err(Verdict::from(&nothing_said))];
        let status = status(NOW, &stack(), &tasks, &shown);
        let told: Vec<(Phase, Option<&str>)> =
            status.runners.iter().map(|r| (r.phase, r.purpose.as_deref())).collect();
        assert_eq!(
            told,
            [
                (Phase::Pulling, None),
                (Phase::Starting, None),
                (Phase::Busy, Some("linux")),
                (Phase::Online, Some("7-1/build")),
                (Phase::Bound, Some("8-1/test")),
            ]
        );
        let pool = &status.pools[0];
        // The start's own task has no tag here that says its pool.
        assert_eq!((pool.coming, pool.warm, pool.busy, pool.bound, pool.idle), (1, 1, 1, 1, 0));
        let counts: Vec<_> = status.scale_sets.iter().map(|set| (set.registered, set.busy)).collect();
        assert_eq!(counts, [(Some(1), Some(1)), (None, None)]);
        assert_eq!(status.notes[0].sentence, "cannot list the runners of umbrella: no");
    }

    #[test]
    fn sets_of_one_name_are_told_apart_by_where_they_are() {
        let own = "fleetfoot/prod/small";
        let tasks = [1, 2].map(|n| task(n, own, TaskState::Running, Phase::Starting));
        let shown = [
            Ok(vec![runner(&tasks[0], "linux", true, true)]),
            Ok(vec![runner(&tasks[1], "linux", true, false)]),
        ];
        let status = status(NOW, &stack(), &tasks, &shown);
        let counts: Vec<_> =
            status.scale_sets.iter().map(|set| (set.url.as_str(), set.registered, set.busy)).collect();
        let (acme, umbrella) = ("https://github.com/acme", "https://github.com/umbrella");
        assert_eq!(counts, [(acme, Some(1), Some(1)), (umbrella, Some(1), Some(0))]);
        let at: Vec<_> = status.runners.iter().map(|r| (r.purpose.as_deref(), r.url.as_deref())).collect();
        assert_eq!(at, [(Some("linux"), Some(acme)), (Some("linux"), Some(umbrella))]);
    }
}
