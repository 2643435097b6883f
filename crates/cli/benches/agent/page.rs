//! The results: goals first, then what they come from.

use crate::common::measure::Spread;
use crate::common::report::{self, Goal, Machine, line, spread};
use crate::during::{During, SECONDS};
use crate::race::{Passed, Race};
use crate::way::Way;

/// How many times faster the agent shall be than a shell that acts as an App.
const TIMES_FASTER: f64 = 10.0;
/// How much later than by itself the runner may be started, in milliseconds.
const BEYOND: f64 = 10.0;
/// How much memory the agent may have, in MiB.
const MEMORY: f64 = 10.0;

/// Everything that was measured.
pub(crate) struct Results {
    pub(crate) machine: Machine,
    pub(crate) runs: usize,
    pub(crate) races: Vec<Race>,
    pub(crate) during: During,
}

impl Results {
    fn goals(&self) -> Vec<Goal> {
        let time = |way| {
            let race = self.races.iter().find(|race| race.delay.is_zero());
            race.and_then(|race| race.of(way)).map_or(f64::NAN, |passed| passed.until_runner.median)
        };
        let (bare, ours, theirs) = (time(Way::Bare), time(Way::Assigned), time(Way::ShellApp));
        let During { processes, resident, .. } = &self.during;
        vec![
            Goal {
                what: "From start to runner, against a shell that acts as an App".into(),
                measured: format!("{:.1} times faster", theirs / ours),
                wanted: format!("{TIMES_FASTER} times"),
                reached: theirs / ours >= TIMES_FASTER,
            },
            Goal {
                what: "From start to runner, against the runner alone".into(),
                measured: format!("{:.1} ms later", ours - bare),
                wanted: format!("{BEYOND} ms at most"),
                reached: ours - bare <= BEYOND,
            },
            Goal {
                what: "Resident memory during a job".into(),
                measured: format!("{:.1} MiB at most", resident.most),
                wanted: format!("{MEMORY} MiB at most"),
                reached: resident.most <= MEMORY,
            },
            Goal {
                what: "Processes during a job, beside the runner's".into(),
                measured: format!("{} at most", processes.most),
                wanted: "1".into(),
                reached: processes.most <= 1.0,
            },
        ]
    }

    /// Whether every goal was reached.
    pub(crate) fn reached(&self) -> bool {
        self.goals().iter().all(|goal| goal.reached)
    }

    /// This benchmark's part of the page.
    pub(crate) fn page(&self) -> String {
        let mut page = String::from(HEAD);
        page.push_str(&report::goals(&self.goals()));
        page.push_str(&self.machine.sentence(self.runs));
        page.push_str(RACE);
        line(&mut page, &heads(&self.races));
        for way in Way::ALL {
            line(&mut page, &self.row(way));
        }
        page.push_str(RACED);
        for (what, value, digits, unit) in [
            ("processes", self.during.processes, 0, ""),
            ("threads", self.during.threads, 0, ""),
            ("resident", self.during.resident, 1, "MiB"),
            ("of it the agent's alone", self.during.private, 1, "MiB"),
            ("most until then", self.during.peak, 1, "MiB"),
            ("CPU", self.during.cpu, 1, "ms"),
        ] {
            line(&mut page, &format!("| {what} | {} |", with_unit(value, digits, unit)));
        }
        line(
            &mut page,
            &format!("\nThe job takes {SECONDS} seconds and writes ten lines a second. {DURING}"),
        );
        page
    }

    fn row(&self, way: Way) -> String {
        let cells =
            self.races.iter().filter_map(|race| race.of(way)).map(|Passed { until_runner, cpu, .. }| {
                format!(" {} | {} |", spread(*until_runner, 1, "ms"), spread(*cpu, 0, "ms"))
            });
        format!("| {} |{}", way.name(), cells.collect::<String>())
    }
}

fn heads(races: &[Race]) -> String {
    let names: Vec<String> =
        races.iter().map(|race| format!(" APIs take {} ms | CPU |", race.delay.as_millis())).collect();
    format!("| way |{}\n|---|{}", names.concat(), "---|---|".repeat(races.len()))
}

fn with_unit(value: Spread, digits: usize, unit: &str) -> String {
    if unit.is_empty() { format!("{:.digits$}", value.median) } else { spread(value, digits, unit) }
}

const HEAD: &str = "\
## What the agent costs

Written by `cargo xtask bench agent --write`.

";

const RACE: &str = "
### From start to runner

From the start of the task's first process (the container's is not in it) to the first instruction of the program that \
stands in for GitHub's runner. The services are the simulated GitHub and AWS of this repository, on the same machine and \
without TLS; the APIs of GitHub and S3 then take as long as said to answer, in addition to their work.

";

const RACED: &str = "
The shell is `crates/cli/benches/agent/entrypoint.sh`: curl, jq and, for an App, openssl, and then `exec`. It is shorter \
than what it stands for; a real one also runs `config.sh`. With an assignment waiting, the agent asks the metadata endpoint \
and the credentials endpoint, reads its mailbox and empties it; the registration was made meanwhile, by `fleetfoot start`. \
By itself it asks GitHub what the shell asks. CPU is that of all processes from the start to the end, the runner's among it.

### During a job

| | |
|---|---|
";

const DURING: &str = "\
Resident memory counts the pages of the program's file that were used, too, which all tasks of a machine share. After its \
`exec` the shell is gone and needs nothing; nobody then supervises the runner, answers SIGTERM, or tells how it ended.
";
