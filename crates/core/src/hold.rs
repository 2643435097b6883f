//! What a start that holds comes to: it stays until its runners have had their jobs, and ends as those did.
//!
//! "Re-run failed jobs" at GitHub runs again what failed and what depends on it, never what that needs. A start that
//! succeeded is left out, and the job that it brought a runner for would wait for a runner that is gone. A start that
//! ends as its jobs do fails with them, and so GitHub runs it again with them.

use crate::exit::AgentExit;
use crate::fate::Fate;
use crate::task::TaskEnd;
use crate::verdict::Verdict;
use crate::world::{Member, World};

/// The runners whose end a start waits for: those that were there when it had reached its goal, and came later.
pub fn held(world: &World) -> impl Iterator<Item = &Member> {
    world.members.values().filter(|member| !member.late)
}

/// Whether all jobs went well, once every runner is over; how many there were.
///
/// Runners without a job are no failure as long as one had a job: of a matrix, "Re-run failed jobs" runs again only
/// what failed, and a start brings as many runners as ever.
pub fn outcome(world: &World) -> Result<usize, Verdict> {
    let mut succeeded = 0;
    let mut failures = Vec::new();
    for member in held(world) {
        match Fate::of_member(member) {
            Fate::Ran(AgentExit::JobSucceeded) => succeeded += 1,
            Fate::Lost(..) if ended_as(member, AgentExit::Idle) => {}
            fate => failures.push((member, fate)),
        }
    }
    if let Some(verdict) =
        failures.into_iter().map(|(member, fate)| failure(member, &fate)).reduce(|a, b| and(a, &b))
    {
        return Err(verdict);
    }
    if succeeded > 0 { Ok(succeeded) } else { Err(no_job()) }
}

fn ended_as(member: &Member, exit: AgentExit) -> bool {
    member.task.end.as_ref().and_then(TaskEnd::agent) == Some(exit)
}

fn failure(member: &Member, fate: &Fate) -> Verdict {
    let verdict = fate.verdict(&member.task);
    let (class, remedy) = match fate {
        Fate::Ran(_) => ("job-failed".to_owned(), "Read the log of that job."),
        Fate::Lost(_, ending) => (verdict.class, ending.remedy),
        Fate::Lives { .. } | Fate::TakenAway(_) => {
            (verdict.class, "Somebody has stopped it: see who called stop.")
        }
    };
    let again = "This one fails with it, so that \"Re-run failed jobs\" runs both again.";
    Verdict { class, sentence: verdict.sentence, remedy: Some(format!("{remedy} {again}")) }
}

/// Several failures: the first one's class and remedy, all sentences.
fn and(first: Verdict, next: &Verdict) -> Verdict {
    Verdict { sentence: format!("{}; {}", first.sentence, next.sentence), ..first }
}

fn no_job() -> Verdict {
    Verdict {
        class: "no-job".into(),
        sentence: "the runners have left, and no job had come for them".into(),
        remedy: Some(
            "Let the jobs run beside this one. A job that needs it waits until it is over: give it a label with \
             --label that the jobs know without it."
                .into(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::TaskState;
    use crate::verdict::tests::task;

    /// A runner whose agent ended with this code; `None`: whose task was killed for its spot capacity.
    fn ended(number: usize, exit_code: Option<i32>) -> Member {
        let mut task = task(Some(TaskEnd {
            stop_code: Some(
                if exit_code.is_some() { "EssentialContainerExited" } else { "SpotInterruption" }.into(),
            ),
            stopped_reason: Some("Your Spot Task was interrupted".into()),
            exit_code,
            container_reason: None,
        }));
        task.arn = format!("arn:aws:ecs:eu-west-1:123456789012:task/ff/{number:032x}").parse().unwrap();
        task.state = TaskState::Stopped;
        Member { late: false, ..Member::found(task) }
    }

    fn world(ends: &[Option<i32>]) -> World {
        let members = ends.iter().enumerate().map(|(number, code)| ended(number, *code));
        World { members: members.map(|m| (m.task.arn.clone(), m)).collect(), ..World::default() }
    }

    #[test]
    fn it_ends_as_its_jobs_do() {
        assert_eq!(outcome(&world(&[Some(0), Some(0)])), Ok(2));
        for failed in [10, 11] {
            let verdict = outcome(&world(&[Some(0), Some(failed)])).unwrap_err();
            assert_eq!(verdict.class, "job-failed", "{failed}");
            assert!(
                verdict.sentence.starts_with("ff-00000000000000000000000000000001 had its job: "),
                "{verdict}"
            );
        }
        let lost = outcome(&world(&[None, Some(10)])).unwrap_err();
        assert_eq!(lost.class, "spot-interruption");
        assert_eq!(lost.sentence.matches("; ff-").count(), 1, "both are told: {lost}");
    }

    #[test]
    fn runners_that_nobody_needed_are_no_failure_unless_nobody_needed_any() {
        assert_eq!(outcome(&world(&[Some(20), Some(0)])), Ok(1));
        assert_eq!(outcome(&world(&[Some(20), Some(10)])).unwrap_err().class, "job-failed");
        assert_eq!(outcome(&world(&[Some(20)])).unwrap_err().class, "no-job");
    }

    #[test]
    fn what_was_over_before_was_somebody_else_s() {
        let mut world = world(&[Some(10), Some(0)]);
        world.members.values_mut().next().unwrap().late = true;
        assert_eq!(outcome(&world), Ok(1));
    }
}
