//! The results: goals first, then what they come from.

use crate::book::{Calls, Provider};
use crate::burst::{Burst, number, percentile};
use crate::common::report::{self, Goal, Machine, line};
use crate::standing::{MORE, QUIET, Standing};

/// How much longer than the ideal a burst may take.
const BEYOND: f64 = 1.1;
/// The wait that counts as none where the ideal is none, in seconds.
const NONE: f64 = 1.0;
/// RunTask calls for each that is accepted.
const ATTEMPTS: f64 = 1.1;
/// Resident memory in MiB for up to so many runners.
const MEMORY: [(usize, f64); 4] = [(0, 15.0), (100, 15.0), (1_000, 20.0), (10_000, 40.0)];
/// Percent of a core while nothing happens.
const IDLE: f64 = 0.1;
/// CPU time of a job event, in milliseconds.
const CPU: f64 = 1.0;
/// How many times more calls are as good as none more.
const NO_MORE: f64 = 1.1;

/// Everything that was measured.
pub(crate) struct Results {
    pub(crate) machine: Machine,
    pub(crate) bursts: Vec<Burst>,
    pub(crate) standings: Vec<Standing>,
}

/// What the picture of a burst is called.
pub(crate) fn picture(burst: &Burst) -> String {
    format!("serve-{}.svg", burst.jobs)
}

impl Results {
    fn goals(&self) -> Vec<Goal> {
        let mut goals: Vec<Goal> = self.bursts.iter().flat_map(of_burst).collect();
        goals.extend(self.standings.iter().flat_map(of_standing));
        let few = self.standings.iter().find(|standing| standing.runners > 0);
        if let Some((few, many)) = few.zip(self.standings.last()).filter(|(a, b)| a.runners < b.runners) {
            for (provider, name) in [(Provider::Aws, "AWS"), (Provider::GitHub, "GitHub")] {
                let [less, more] = [few, many].map(|standing| a_job(&standing.calls_of_more, provider));
                goals.push(Goal {
                    what: format!(
                        "Calls of {name} per job, beside {} and {} runners",
                        few.runners, many.runners
                    ),
                    measured: format!("{less:.2} and {more:.2}"),
                    wanted: "no more beside many".into(),
                    reached: more <= less * NO_MORE,
                });
            }
        }
        goals
    }

    /// Whether every goal was reached.
    pub(crate) fn reached(&self) -> bool {
        self.goals().iter().all(|goal| goal.reached)
    }

    /// This benchmark's part of the page.
    pub(crate) fn page(&self) -> String {
        let mut page = String::from(HEAD);
        page.push_str(&report::goals(&self.goals()));
        line(&mut page, &self.machine.place());
        page.push_str(BURSTS);
        for burst in &self.bursts {
            line(&mut page, &burst_row(burst));
        }
        page.push_str(BURST);
        for burst in &self.bursts {
            let (jobs, picture) = (burst.jobs, picture(burst));
            line(&mut page, &format!("\n![{jobs} jobs: ideal and measured](benchmarks/{picture})"));
        }
        page.push_str(STANDINGS);
        for standing in &self.standings {
            line(&mut page, &standing_row(standing));
        }
        let seconds = QUIET.as_secs();
        line(&mut page, &format!("\nA quiet time is {seconds} seconds. {}", STANDING.trim_end()));
        for standing in &self.standings {
            line(&mut page, &calls_row(standing));
        }
        page.push_str(TAIL);
        page
    }
}

fn of_burst(burst: &Burst) -> Vec<Goal> {
    let ideal = Burst::ideal(burst.jobs);
    let mut goals: Vec<Goal> = [50, 99]
        .into_iter()
        .map(|percent| {
            let (wait, best) = (percentile(&burst.waits, percent), percentile(&ideal, percent));
            let (wanted, most) = if best < NONE {
                (format!("{best:.1} s at best, {NONE} s at most"), best + NONE)
            } else {
                (format!("{best:.1} s at best, 10 % more at most"), best * BEYOND)
            };
            Goal {
                what: format!("{} jobs: until RunTask accepts, p{percent}", burst.jobs),
                measured: format!("{wait:.1} s"),
                wanted,
                reached: wait <= most,
            }
        })
        .collect();
    let attempts = attempts(burst);
    goals.push(Goal {
        what: format!("{} jobs: RunTask calls for each that is accepted", burst.jobs),
        measured: format!("{attempts:.2}"),
        wanted: format!("{ATTEMPTS} at most"),
        reached: attempts <= ATTEMPTS,
    });
    goals.push(cpu(format!("{} jobs: CPU of a job event", burst.jobs), burst.cpu_an_event()));
    goals
}

fn of_standing(standing: &Standing) -> Vec<Goal> {
    let runners = standing.runners;
    let limit = MEMORY.iter().find(|(most, _)| runners <= *most).map_or(f64::INFINITY, |(_, limit)| *limit);
    vec![
        Goal {
            what: format!("Resident memory beside {runners} runners"),
            measured: format!("{:.1} MiB", standing.memory.resident),
            wanted: format!("{limit} MiB at most"),
            reached: standing.memory.resident <= limit,
        },
        Goal {
            what: format!("CPU in quiet times beside {runners} runners"),
            measured: format!("{} of a core", idle(standing)),
            wanted: format!("{IDLE} % at most"),
            reached: standing.idle() <= IDLE,
        },
        cpu(format!("CPU of a job event beside {runners} runners"), standing.cpu_an_event()),
    ]
}

fn cpu(what: String, milliseconds: f64) -> Goal {
    Goal {
        what,
        measured: format!("{milliseconds:.2} ms"),
        wanted: format!("{CPU} ms at most"),
        reached: milliseconds <= CPU,
    }
}

/// Linux counts in hundredths of a second, so less than one of them is seen as none.
fn idle(standing: &Standing) -> String {
    if standing.quiet.is_zero() {
        format!("under {:.3} %", 1.0 / QUIET.as_secs_f64())
    } else {
        format!("{:.3} %", standing.idle())
    }
}

fn attempts(burst: &Burst) -> f64 {
    number(burst.calls.of_ecs("RunTask")) / number(burst.accepted)
}

fn a_job(calls: &Calls, provider: Provider) -> f64 {
    number(calls.of(provider)) / number(MORE)
}

fn burst_row(burst: &Burst) -> String {
    let ideal = Burst::ideal(burst.jobs);
    let both =
        |percent| format!("{:.1} / {:.1} s", percentile(&burst.waits, percent), percentile(&ideal, percent));
    format!(
        "| {} | {} | {} | {} | {} of {} | {} of {} | {:.1} MiB ({:.1}), {} at work | {:.2} ms |",
        burst.jobs,
        both(50),
        both(99),
        both(100),
        burst.accepted,
        burst.calls.of_ecs("RunTask"),
        burst.calls.refused,
        burst.calls.made.values().sum::<usize>(),
        burst.memory.resident,
        burst.memory.own,
        burst.running,
        burst.cpu_an_event(),
    )
}

fn standing_row(standing: &Standing) -> String {
    format!(
        "| {} | {:.1} MiB ({:.1}) | {:.1} MiB ({:.1}) | {:.1} MiB | {:.0} ms | {} | {} | {:.2} ms |",
        standing.runners,
        standing.memory.resident,
        standing.memory.own,
        standing.after.resident,
        standing.after.own,
        standing.after.most,
        standing.found.as_secs_f64() * 1e3,
        idle(standing),
        standing.calls_of_quiet.made.values().sum::<usize>(),
        standing.cpu_an_event(),
    )
}

fn calls_row(standing: &Standing) -> String {
    let calls = &standing.calls_of_more;
    let name = |((service, operation), count): (&(&str, String), &usize)| {
        format!("{count}× {service} `{}`", shorter(operation))
    };
    let names: Vec<String> = calls.made.iter().map(name).collect();
    format!(
        "| {} | {:.2} | {:.2} | {} |",
        standing.runners,
        a_job(calls, Provider::Aws),
        a_job(calls, Provider::GitHub),
        names.join(", ")
    )
}

/// An operation without what all of its service have in common.
fn shorter(operation: &str) -> String {
    operation.replace("/_apis/runtime", "").replace("/_apis/distributedtask", "")
}

const HEAD: &str = "\
## What the autoscaler costs

Written by `cargo xtask bench serve --write`. `fleetfoot serve` is a process of its own, read in `/proc`; the simulated \
GitHub and AWS are in the benchmark's, over HTTP, and refuse what comes faster than the published limits allow. Tasks come \
up as slowly as Fargate's, and are functions of the benchmark that read their assignment, connect, and take a job.

";

const BURSTS: &str = "
### Many jobs at once

From a job's assignment to the acceptance of a task for it, measured and at best: Fargate starts 100 tasks at once and then \
20 a second.

| jobs | p50 | p99 | last | RunTask accepted | calls refused | memory | CPU of a job event |
|---|---|---|---|---|---|---|---|
";

const BURST: &str = "
A job event is a job's assignment, its beginning, or its end; the CPU is that of the whole process. GitHub registers 1,500 \
runners in five minutes, so a burst of more is measured until all tasks are accepted, and its jobs are not seen to their \
end.
";

const STANDINGS: &str = "
### Beside many runners at work

They are at work before the autoscaler starts, which finds them as the next leader does after a crash.

| runners | memory in quiet times | after a hundred jobs more | most ever | CPU until all are found | CPU in quiet times | calls in them | CPU of a job event |
|---|---|---|---|---|---|---|---|
";

const STANDING: &str = "Everything is looked at again every five minutes, and for each thousand runners a minute \
less often; that costs about as much as to find them once, and is not in the quiet time.

Resident memory counts the pages of the program's file that were used, too, which the kernel takes back when it needs \
memory; in parentheses is what the process has of its own.

Calls of a hundred jobs more, from their assignment until their tasks have stopped:

| beside | AWS, a job | GitHub, a job | which |
|---|---|---|---|
";

const TAIL: &str = "
What this does not say: how fast AWS and GitHub are.
";
