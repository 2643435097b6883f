//! The results: ratios first, then what they come from.

use crate::common::measure::Spread;
use crate::common::report::{self, Goal, Machine, line, spread};
use crate::launch::{Comparison, Way};
use crate::online::{BEYOND, POLL};
use crate::polls::{Counted, MANY, Polls};

/// How many times less CPU and wall time a start shall need than the seed's way.
const TIMES_FASTER: f64 = 50.0;
/// How many times less memory.
const TIMES_SMALLER: f64 = 5.0;

/// Everything that was measured.
pub(crate) struct Results {
    pub(crate) machine: Machine,
    pub(crate) runs: usize,
    pub(crate) launch: Comparison,
    pub(crate) online: Spread,
    pub(crate) polls: Polls,
}

impl Results {
    fn goals(&self) -> Vec<Goal> {
        let (ours, theirs) = (&self.launch.fleetfoot, &self.launch.seed);
        let times = |what: &str, of: fn(&Way) -> Spread, wanted: f64| {
            let ratio = of(theirs).median / of(ours).median;
            let less = format!("{ratio:.1} times less");
            Goal {
                what: what.into(),
                measured: less,
                wanted: format!("{wanted} times"),
                reached: ratio >= wanted,
            }
        };
        let latest = POLL + BEYOND;
        let same = self.polls.one.fullest == self.polls.many.fullest;
        vec![
            times("Wall time of a start", |way| way.wall, TIMES_FASTER),
            times("CPU time of a start", |way| way.cpu, TIMES_FASTER),
            times("Peak memory of a start", |way| way.memory, TIMES_SMALLER),
            Goal {
                what: "From runner online to the end of the step".into(),
                measured: format!("{:.2} s at most", self.online.most),
                wanted: format!("a poll and {} s: {:.1} s", BEYOND.as_secs_f64(), latest.as_secs_f64()),
                reached: self.online.most <= latest.as_secs_f64(),
            },
            Goal {
                what: "Calls of a poll with 1 and 10,000 runners".into(),
                measured: format!("{} and {}", calls(&self.polls.one), calls(&self.polls.many)),
                wanted: "the same".into(),
                reached: same,
            },
        ]
    }

    /// Whether every goal was reached.
    pub(crate) fn reached(&self) -> bool {
        self.goals().iter().all(|goal| goal.reached)
    }

    /// The page.
    pub(crate) fn page(&self) -> String {
        let mut page = String::from(HEAD);
        page.push_str(&report::goals(&self.goals()));
        page.push_str(&self.machine.sentence(self.runs));
        page.push_str(START);
        for (name, way) in
            [("`fleetfoot start --wait none`", &self.launch.fleetfoot), ("the seed's way", &self.launch.seed)]
        {
            let row = format!(
                "| {name} | {} | {} | {} | {} | {} |",
                spread(way.wall, 0, "ms"),
                spread(way.cpu, 0, "ms"),
                spread(way.memory, 1, "MiB"),
                way.calls,
                spread(way.simulators, 0, "ms"),
            );
            line(&mut page, &row);
        }
        page.push_str(COMPARED);
        line(
            &mut page,
            &format!("With the default poll of {} s: {}.", POLL.as_secs(), spread(self.online, 2, "s")),
        );
        page.push_str(POLLS);
        for (runners, counted) in [(1, &self.polls.one), (MANY + 1, &self.polls.many)] {
            let row = format!(
                "| {runners} | {} | {} | {} | {} |",
                counted.rounds,
                calls(counted),
                names(counted),
                counted.largest
            );
            line(&mut page, &row);
        }
        page.push_str(TAIL);
        page
    }
}

fn calls(counted: &Counted) -> usize {
    counted.fullest.values().sum()
}

fn names(counted: &Counted) -> String {
    let name = |((service, operation), count): (&(String, String), &usize)| {
        format!("{count}× {service} `{operation}`")
    };
    counted.fullest.iter().map(name).collect::<Vec<_>>().join(", ")
}

const HEAD: &str = "\
## What a start costs

Written by `cargo xtask bench start --write`.

";

const START: &str = "
### A start

Whole processes with their children, from the start of the first to its end, in turns. The services are the simulated \
GitHub and AWS of this repository, on the same machine, so what is compared is the work of the clients: no network is in it.

| way | wall | CPU | peak memory | calls | CPU of the simulators |
|---|---|---|---|---|---|
";

const COMPARED: &str = "
The seed's way is the shell script of the project that Fleetfoot grew from (`crates/cli/benches/start/seed.sh`): `aws sts \
get-caller-identity`, `uuidgen`, `aws ecs run-task`. The token that registers the runner stands in the task's environment, \
and the task has to register itself. `fleetfoot start --wait none` does more in the same time: it reads the stack document, \
looks for runners that are there already, asks GitHub whether its token may register runners, starts the task, registers \
the runner and puts the registration into the task's mailbox.

Peak memory is that of the largest process. Neither way gets its AWS credentials through OIDC here; both have static keys. \
The tasks that are started only sleep.

### From online to the end of the step

`fleetfoot start --wait online` with a real agent and a stand-in for GitHub's runner, from the moment in which simulated \
GitHub sees the runner to the end of the process. From run to run the runner comes a little later within a poll.

";

const POLLS: &str = "
### Calls of a poll

What one round of `fleetfoot start --wait online` asks while it waits, from the books of the simulators. Whoever lists \
the runners to find one makes a hundred calls for 10,000 of them, a hundred a page.

| registered runners | rounds | calls of the fullest round | which | largest answer in bytes |
|---|---|---|---|---|
";

const TAIL: &str = "
### What this does not say

How fast AWS and GitHub are: nearly all of a real cold start is ECS finding a place and pulling the image. And how fast \
`aws` of version 2 is, which comes with a Python of its own and is not on PyPI.
";
