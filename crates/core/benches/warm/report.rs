//! The part of `docs/benchmarks.md` that this benchmark writes.

use std::fmt::Write;

use fleetfoot_core::cost::PRICES_OF;

use crate::policies::{Kind, Policy};
use crate::score::{READY, Score};
use crate::trace::Assumed;

/// The part, as Markdown. `plot` is where the picture is, as seen from the page.
pub(crate) fn report(assumed: Assumed, plot: &str, scores: &[(Policy, Score)]) -> String {
    let mut page = String::from(HEAD);
    let (jobs, nothing) = scores.first().map_or((0.0, 0.0), |(_, score)| (score.jobs, score.cost));
    let Assumed { jobs: per_push, minutes } = assumed;
    // A String takes everything, here and below.
    let _ = write!(
        page,
        "\n{jobs:.0} jobs in 32 days. When somebody pushes is real; that a push sets off {per_push} jobs in the mean, 1 to \
         {most}, and that a job runs {minutes} minutes in the mean is assumed. A task has 2 vCPU and 4 GB on Fargate \
         ({PRICES_OF}), and runs 35 to 70 s after RunTask, as published for images of 400 to 900 MB. The tasks of \
         the jobs themselves cost ${nothing:.0} a month. The idle cost is what a policy costs beyond that; a job that waited \
         less than {READY} s found a task ready. An adaptive pool has learnt nothing when the month begins.\n\n\
         ![The frontier: how long jobs wait, against what it costs]({plot})\n",
        most = 2 * per_push - 1,
    );
    for kind in Kind::ALL {
        let _ = write!(page, "\nWith {}:\n\n{TABLE}", kind.name());
        for (policy, score) in scores.iter().filter(|(policy, _)| policy.kind == kind) {
            let beaten = scores.iter().any(|(_, other)| other.beats(score));
            let _ = writeln!(
                page,
                "| `{}` | {:.0} % | {:.1} s | {:.1} s | ${:.0} | ${:.3} | {} |",
                policy.label,
                score.ready * 100.0,
                score.mean,
                score.p95,
                score.idle,
                score.idle / (score.jobs * 30.0 / 32.0),
                if beaten { "" } else { "●" },
            );
        }
    }
    page.push_str(FRONTIER);
    page.push_str("\nWhat a fixed number costs that has the same mean wait, between the two next ones:");
    for (policy, score) in scores.iter().filter(|(policy, _)| policy.kind == Kind::Adaptive) {
        if let Some(fixed) = fixed_cost(scores, score.mean) {
            let _ = write!(page, " `{}` ${fixed:.0}, {:.2} times as much;", policy.label, fixed / score.idle);
        }
    }
    page.truncate(page.trim_end_matches(';').len());
    page.push_str(TAIL);
    page
}

/// What the policy costs that always keeps as many ready as make a job wait so long in the mean. There is no such
/// number of tasks; the cost lies between those of the next two.
fn fixed_cost(scores: &[(Policy, Score)], mean: f64) -> Option<f64> {
    let plain: Vec<&Score> =
        scores.iter().filter(|(policy, _)| policy.kind == Kind::Plain).map(|(_, score)| score).collect();
    let (less, more) =
        plain.iter().zip(plain.iter().skip(1)).find(|(less, more)| less.mean >= mean && mean >= more.mean)?;
    let share = (less.mean - mean) / (less.mean - more.mean);
    Some(less.idle + share * (more.idle - less.idle))
}

const HEAD: &str = "\
## Warm tasks

`cargo xtask bench warm` runs policies for a warm pool through a month of a busy open-source repository, in virtual time: \
the fleet's own plan and profile, against a simulated ECS and GitHub on which nothing goes wrong.
";

const TABLE: &str = "\
| | found a task ready | mean wait | p95 wait | idle cost a month | of it for a job | |
|---|---|---|---|---|---|---|
";

const FRONTIER: &str = "
● is on the frontier: no other policy here has both a shorter p95 wait and a lower idle cost.
";

const TAIL: &str = ".

What to take from it: a warm pool is dear where jobs are few, since a task that waits costs as much as one that works. \
People all over the world push to this repository, so jobs come outside of any working hours. An adaptive pool knows its \
hours, and that pushes come in company, so it pays for the hours that are worth it. For the last few jobs in a hundred \
something has to be ready always, and that costs much the same however it is arrived at.
";
