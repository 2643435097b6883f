//! What became of a runner: whether it had its job, and if not, why.
//!
//! Three witnesses know a part each. ECS says why the task stopped, for about an hour. The agent's exit code says
//! whether a job ran, if the agent lived to say it. GitHub says whether it knows the runner and whether a job
//! runs on it. Where none of them knows, neither does the fate: it never guesses.
//!
//! The rule, for every command that looks at tasks (`stop`, `reap`):
//!
//! 1. An exit code that tells of a job's end outweighs everything else.
//! 2. A task that has not stopped and was not told to, or on which a job runs, lives.
//! 3. What Fleetfoot itself has stopped was taken away, which is no loss.
//! 4. Whatever else is over was lost: in the middle of its job, before one came, or nobody knows which.
//!
//! Ask with what was seen *before* a registration was deleted: afterwards GitHub knows nothing any more.

use crate::ending::Ending;
use crate::exit::AgentExit;
use crate::ids::RunnerName;
use crate::phase::Phase;
use crate::task::{TaskState, TaskView};
use crate::verdict::{self, Verdict};
use crate::world::Member;

/// What GitHub has shown of a task's runner. What tells more is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum AtGitHub {
    /// Nobody has asked.
    #[default]
    NotAsked,
    /// It knows no runner of this name: a job has used it up, somebody deleted it, or it never was.
    Unknown,
    /// It is registered, and no job runs on it.
    Free,
    /// A job runs on it. Of a task that is killed GitHub goes on to show so for minutes.
    Busy,
}

/// Whether a runner that is over had a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Job {
    /// None came.
    None,
    /// One ran, and did not come to its end.
    CutOff,
    /// Nobody knows.
    Unknown,
}

/// What became of a runner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// Its task is there, or on its way out with a job on it.
    Lives {
        /// Whether a job runs on it.
        busy: bool,
    },
    /// Its job came to an end of its own.
    Ran(AgentExit),
    /// Fleetfoot has stopped it.
    TakenAway(Job),
    /// It ended by itself or by another hand, without having done its job.
    Lost(Job, Ending),
}

impl Fate {
    /// What became of a task, from what ECS and GitHub show of it. `told` is whether this process has told ECS
    /// to stop it.
    pub fn of(task: &TaskView, github: AtGitHub, told: bool) -> Self {
        let exit = task.end.as_ref().and_then(super::task::TaskEnd::agent);
        match (exit, &task.end) {
            (Some(exit), _) if exit.ran_a_job() && exit != AgentExit::JobAbandoned => Self::Ran(exit),
            _ if told => Self::TakenAway(job_of(task, github)),
            _ if !task.is_over() => Self::Lives { busy: github == AtGitHub::Busy },
            (None, Some(end))
                if github == AtGitHub::Busy
                    && end.exit_code.is_none()
                    && task.state != TaskState::Stopped =>
            {
                Self::Lives { busy: true }
            }
            (_, Some(end)) if end.was_ours() => Self::TakenAway(job_of(task, github)),
            (_, Some(end)) => Self::Lost(job_of(task, github), Ending::of(end)),
            // Over, and ECS does not say why.
            (_, None) => Self::Lost(job_of(task, github), Ending::UNEXPLAINED),
        }
    }

    /// What became of a member of the world.
    pub fn of_member(member: &Member) -> Self {
        Self::of(&member.task, member.at_github, member.stop_asked)
    }

    /// Whether somebody should hear of it who did not ask.
    pub const fn is_loss(&self) -> bool {
        matches!(self, Self::Lost(..))
    }

    /// A word for scripts and tables.
    pub const fn outcome(&self) -> &'static str {
        match self {
            Self::Lives { busy: true } => "busy",
            Self::Lives { busy: false } => "there",
            Self::Ran(_) => "ran-its-job",
            Self::TakenAway(Job::CutOff) | Self::Lost(Job::CutOff, _) => "job-cut-off",
            Self::TakenAway(_) => "stopped",
            Self::Lost(Job::None, _) => "without-job",
            Self::Lost(Job::Unknown, _) => "job-unknown",
        }
    }

    /// The sentence on it, with what can be done.
    pub fn verdict(&self, task: &TaskView) -> Verdict {
        let name = RunnerName::of_task(&task.arn);
        let (class, sentence, remedy) = match self {
            Self::Lives { busy: false } => ("there", format!("{name} waits for a job"), None),
            Self::Lives { busy: true } => {
                let leaving =
                    task.end.as_ref().map(|_| format!("; its task is about to end: {}", verdict::why(task)));
                let sentence =
                    format!("{name} was left alone because a job runs on it{}", leaving.unwrap_or_default());
                ("busy", sentence, Some("Stop it when its job is over; --force stops it now.".to_owned()))
            }
            Self::Ran(exit) => ("job-ran", format!("{name} had its job: {}", exit.sentence()), None),
            Self::TakenAway(job) => {
                ("taken-away", format!("{name} was stopped {}", while_stopped(*job)), None)
            }
            Self::Lost(job, ending) => {
                let sentence = format!("{name} ended {}: {}", without_its_job(*job), verdict::why(task));
                (ending.class, sentence, Some(remedy(*job, ending)))
            }
        };
        Verdict { class: class.to_owned(), sentence, remedy }
    }
}

/// Whether a task that is over had a job that did not come to its end.
fn job_of(task: &TaskView, github: AtGitHub) -> Job {
    let shown = match github {
        AtGitHub::Busy => Job::CutOff,
        AtGitHub::Free => Job::None,
        AtGitHub::Unknown | AtGitHub::NotAsked => Job::Unknown,
    };
    match task.end.as_ref().and_then(super::task::TaskEnd::agent) {
        Some(AgentExit::MaxLifetime) => match github {
            // Its runner was registered for certain, so a job has used that up.
            AtGitHub::Unknown => Job::CutOff,
            _ => shown,
        },
        Some(exit) if exit.had_a_job() => Job::CutOff,
        Some(_) => Job::None,
        // No process of it has ever run.
        None if task.at(Phase::Starting).is_none() => Job::None,
        None => shown,
    }
}

const fn while_stopped(job: Job) -> &'static str {
    match job {
        Job::None => "before a job came",
        Job::CutOff => "in the middle of its job",
        Job::Unknown => "when GitHub knew no runner of it any more: its job was just over, or none had come",
    }
}

const fn without_its_job(job: Job) -> &'static str {
    match job {
        Job::None => "without its job",
        Job::CutOff => "in the middle of its job",
        Job::Unknown => "and nobody knows whether it had done its job",
    }
}

/// How a job gets a new runner. "Re-run failed jobs" leaves out a start that has succeeded, and its label has no runner
/// any more.
pub const RUN_AGAIN: &str = "To run it again, re-run the job that started its runner, and this one goes with it: \"Re-run \
    failed jobs\" leaves that out, and then it waits for a runner that is gone.";

fn remedy(job: Job, ending: &Ending) -> String {
    match job {
        Job::None => ending.remedy.to_owned(),
        Job::CutOff => format!("{} {RUN_AGAIN}", ending.remedy),
        Job::Unknown => format!("{} See the run's jobs at GitHub.", ending.remedy),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ending::NOT_WANTED;
    use crate::task::TaskEnd;
    use crate::verdict::tests::task;

    const STARTED: bool = true;

    fn over(stop_code: &str, reason: &str, exit_code: Option<i32>, started: bool) -> TaskView {
        let mut task = task(Some(TaskEnd {
            stop_code: Some(stop_code.into()),
            stopped_reason: Some(reason.into()),
            exit_code,
            container_reason: None,
        }));
        if started {
            task.phases.reach(Phase::Starting, jiff::Timestamp::UNIX_EPOCH);
        }
        task
    }

    fn exited(code: i32) -> TaskView {
        over("EssentialContainerExited", "Essential container in task exited", Some(code), STARTED)
    }

    fn outcome(task: &TaskView, github: AtGitHub) -> (&'static str, String) {
        let fate = Fate::of(task, github, false);
        (fate.outcome(), fate.verdict(task).class)
    }

    #[test]
    fn the_agent_s_code_tells_of_the_job() {
        use AtGitHub::{Free, NotAsked, Unknown};
        for (code, github, wanted) in [
            (0, NotAsked, ("ran-its-job", "job-ran")),
            (10, NotAsked, ("ran-its-job", "job-ran")),
            (11, Unknown, ("ran-its-job", "job-ran")),
            (12, Unknown, ("job-cut-off", "job-abandoned")),
            (13, Unknown, ("job-cut-off", "terminated")),
            (20, Free, ("without-job", "idle")),
            (21, Unknown, ("without-job", "no-assignment")),
            (23, Unknown, ("without-job", "registration-gone")),
            (24, Free, ("without-job", "version-deprecated")),
            (25, Unknown, ("job-cut-off", "max-lifetime")),
            (25, Free, ("without-job", "max-lifetime")),
            (25, NotAsked, ("job-unknown", "max-lifetime")),
            (143, Free, ("without-job", "terminated")),
        ] {
            let (word, class) = outcome(&exited(code), github);
            assert_eq!((word, class.as_str()), wanted, "{code} {github:?}");
        }
    }

    #[test]
    fn where_the_agent_was_killed_github_tells_or_nobody() {
        use AtGitHub::{Busy, Free, NotAsked, Unknown};
        for (github, wanted) in [
            (Busy, "job-cut-off"),
            (Free, "without-job"),
            (Unknown, "job-unknown"),
            (NotAsked, "job-unknown"),
        ] {
            assert_eq!(outcome(&exited(137), github).0, wanted, "{github:?}");
        }
        let unstarted =
            over("TaskFailedToStart", "CannotPullContainerError: manifest unknown", None, !STARTED);
        assert_eq!(outcome(&unstarted, Unknown), ("without-job", "image-missing".into()));
    }

    #[test]
    fn a_spot_interruption_in_a_job_is_told_in_one_sentence() {
        let task = over("SpotInterruption", "Your Spot Task was interrupted.", Some(13), STARTED);
        let verdict = Fate::of(&task, AtGitHub::Unknown, false).verdict(&task);
        assert_eq!(
            verdict.sentence,
            "ff-0123abcd ended in the middle of its job: Your Spot Task was interrupted (the agent's exit code 13)"
        );
        assert_eq!(verdict.class, "spot-interruption");
        assert!(verdict.remedy.unwrap().ends_with(RUN_AGAIN));
    }

    #[test]
    fn a_job_in_its_last_minutes_still_runs() {
        let mut task = over("SpotInterruption", "Your Spot Task was interrupted.", None, STARTED);
        task.state = TaskState::Going;
        let fate = Fate::of(&task, AtGitHub::Busy, false);
        assert_eq!(fate, Fate::Lives { busy: true });
        assert!(fate.verdict(&task).sentence.ends_with("about to end: Your Spot Task was interrupted"));
        task.state = TaskState::Stopped;
        assert_eq!(outcome(&task, AtGitHub::Busy).0, "job-cut-off");
    }

    #[test]
    fn what_fleetfoot_took_away_is_no_loss() {
        let now = Fate::of(&task(None), AtGitHub::Free, true);
        assert_eq!(now, Fate::TakenAway(Job::None));
        let before = over("UserInitiated", NOT_WANTED, Some(143), STARTED);
        assert_eq!(Fate::of(&before, AtGitHub::Unknown, false), Fate::TakenAway(Job::None));
        let forced = over("UserInitiated", NOT_WANTED, Some(13), STARTED);
        assert_eq!(Fate::of(&forced, AtGitHub::Unknown, false).outcome(), "job-cut-off");
        let late = over("UserInitiated", NOT_WANTED, Some(10), STARTED);
        assert_eq!(Fate::of(&late, AtGitHub::Unknown, true), Fate::Ran(AgentExit::JobFailed));
        let by_another = over("UserInitiated", "Task stopped by user", Some(143), STARTED);
        assert!(Fate::of(&by_another, AtGitHub::Free, false).is_loss());
    }

    #[test]
    fn a_task_that_is_there_lives() {
        let mut task = task(None);
        task.state = TaskState::Running;
        assert_eq!(Fate::of(&task, AtGitHub::Free, false), Fate::Lives { busy: false });
        assert_eq!(Fate::of(&task, AtGitHub::Busy, false).outcome(), "busy");
        task.state = TaskState::Stopped;
        assert_eq!(outcome(&task, AtGitHub::NotAsked), ("without-job", "task-failed".into()));
    }
}
