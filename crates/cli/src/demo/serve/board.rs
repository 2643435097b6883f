//! How things stand: a small table for a terminal that is drawn in place, and the same in a line elsewhere.

use std::time::Duration;

use comfy_table::Table;

use super::pools::{Pools, Stage};
use super::stack::Served;
use super::tally::Counts;
use crate::report;

/// All that is shown.
#[derive(Debug)]
pub struct Board<'a> {
    /// The jobs.
    pub jobs: Counts,
    /// How many jobs there will be, where that is known beforehand.
    pub of: Option<usize>,
    /// How many jobs have begun in a second lately.
    pub rate: f64,
    /// Since the first job was there.
    pub elapsed: Duration,
    /// The tasks.
    pub pools: &'a Pools,
    /// What the stack wants.
    pub served: &'a Served,
}

impl Board<'_> {
    /// For a terminal.
    pub fn table(&self) -> String {
        let mut table = Table::new();
        let header = ["pool"].into_iter().chain(Stage::ALL.map(Stage::word));
        table.load_style(report::FOR_TERMINAL).set_header(header.chain(["warm wanted", "max"]));
        for pool in &self.served.pools {
            let mut row = vec![pool.name.to_owned()];
            row.extend(Stage::ALL.iter().map(|stage| self.pools.at(pool.name, *stage).to_string()));
            row.extend([pool.warm, pool.max].map(|number| number.to_string()));
            table.add_row(row);
        }
        format!("\n{}; {:.0} s\n{}", self.jobs(), self.elapsed.as_secs_f64(), table.trim_fmt())
    }

    /// For a log; without the pools in which there is nothing.
    pub fn line(&self) -> String {
        let pools = self.served.pools.iter().filter_map(|pool| {
            let at = |stage: Stage| self.pools.at(pool.name, stage);
            let there = |stage: &Stage| *stage != Stage::Warm && at(*stage) > 0;
            let stages = Stage::ALL.into_iter().filter(there);
            let mut parts: Vec<String> =
                stages.map(|stage| format!("{} {}", at(stage), stage.word())).collect();
            let (warm, wanted) = (at(Stage::Warm), pool.warm);
            match (warm, wanted) {
                (0, 0) => {}
                (_, 0) => parts.push(format!("{warm} warm")),
                _ => parts.push(format!("{warm} of {wanted} warm")),
            }
            (!parts.is_empty()).then(|| format!(" | {} {}", pool.name, parts.join(", ")))
        });
        format!("{}{}", self.jobs(), pools.collect::<String>())
    }

    fn jobs(&self) -> String {
        let Counts { waiting, running, done, failed } = self.jobs;
        let of = self.of.map(|of| format!(" of {of}")).unwrap_or_default();
        let failed = if failed > 0 { format!(" ({failed} failed)") } else { String::new() };
        let rate = self.rate;
        format!(
            "Jobs: {waiting} waiting, {running} running, {done}{of} done{failed}; {rate:.1} begun a second"
        )
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_leaves_out_what_is_empty_and_the_table_does_not() {
        let served = Served::new(&json!({ "pools": [] }), "queue", 100);
        let busy = [("Fargate", Stage::Busy); 3];
        let others = [("Fargate", Stage::Warm), ("EC2", Stage::Coming), ("linux-arm64", Stage::Warm)];
        let pools: Pools = busy.into_iter().chain(others).collect();
        let board = Board {
            jobs: Counts { waiting: 4, running: 3, done: 2, failed: 1 },
            of: Some(9),
            rate: 1.25,
            elapsed: Duration::from_millis(3400),
            pools: &pools,
            served: &served,
        };
        assert_eq!(
            board.line(),
            "Jobs: 4 waiting, 3 running, 2 of 9 done (1 failed); 1.2 begun a second \
             | Fargate 3 busy, 1 of 2 warm | EC2 1 coming | linux-arm64 1 warm"
        );
        let table = board.table();
        let row = |pool: &str| -> Vec<&str> {
            table.lines().find(|line| line.trim().starts_with(pool)).unwrap().split_whitespace().collect()
        };
        assert_eq!(row("Fargate"), ["Fargate", "0", "1", "0", "0", "3", "0", "2", "100"]);
        assert_eq!(row("Fargate-Spot"), ["Fargate-Spot", "0", "0", "0", "0", "0", "0", "0", "100"]);
        assert_eq!(row("EC2"), ["EC2", "1", "0", "0", "0", "0", "0", "0", "4"]);
    }
}
