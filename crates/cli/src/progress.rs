//! Progress of runners: live lines on a terminal, one plain line per phase elsewhere, and a sentence on each task
//! that another one takes the place of.

use std::collections::{BTreeMap, BTreeSet};
use std::io::IsTerminal;
use std::time::Duration;

use fleetfoot_core::ending::Prospect;
use fleetfoot_core::ids::TaskArn;
use fleetfoot_core::phase::{Phase, PhaseTimes};
use fleetfoot_core::verdict::Verdict;
use fleetfoot_core::world::{Member, World};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use jiff::Timestamp;

use crate::engine::Watch;

/// Shows phases as they pass, on stderr.
#[derive(Debug)]
pub struct Progress {
    began: Timestamp,
    shown: BTreeMap<TaskArn, PhaseTimes>,
    failed: BTreeSet<TaskArn>,
    bars: Option<(MultiProgress, BTreeMap<TaskArn, ProgressBar>)>,
}

impl Progress {
    /// Live if stderr is a terminal.
    pub fn on_stderr() -> Self {
        let bars = std::io::stderr().is_terminal().then(|| (MultiProgress::new(), BTreeMap::new()));
        Self { began: Timestamp::now(), shown: BTreeMap::new(), failed: BTreeSet::new(), bars }
    }

    fn show(&mut self, task: &TaskArn, runner: &str, phase: Phase, at: Timestamp) {
        let seconds = at.duration_since(self.began).as_secs_f64().max(0.0);
        match &mut self.bars {
            Some((all, bars)) => {
                let bar = bars.entry(task.clone()).or_insert_with(|| {
                    let bar = all.add(ProgressBar::new_spinner().with_style(style()));
                    bar.enable_steady_tick(Duration::from_millis(120));
                    bar
                });
                bar.set_message(format!("{runner}  {phase:<12} {seconds:>6.1}s"));
                if phase >= Phase::Online {
                    bar.finish();
                }
            }
            None => anstream::eprintln!("{seconds:>7.1}s  {runner}  {phase}"),
        }
    }

    /// Says why a task of this start did not come up, unless that is the end of the start, which tells it.
    fn show_failure(&mut self, member: &Member) {
        let Some(ending) = member.failure().filter(|ending| ending.prospect != Prospect::Lasting) else {
            return;
        };
        if !member.ours || !self.failed.insert(member.task.arn.clone()) {
            return;
        }
        let say = || anstream::eprintln!("{}", Verdict::of_ended_task(&member.task, ending));
        match &self.bars {
            Some((all, _)) => all.suspend(say),
            None => say(),
        }
    }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{spinner:.cyan} {msg}").unwrap_or_else(|_| ProgressStyle::default_spinner())
}

impl Watch for Progress {
    fn look(&mut self, world: &World) {
        for (arn, member) in &world.members {
            let mut shown = self.shown.remove(arn).unwrap_or_default();
            for (phase, at) in member.phases.iter() {
                // What happened before this command began is no progress of it.
                if shown.reach(phase, at) && at >= self.began {
                    self.show(arn, member.runner().as_str(), phase, at);
                }
            }
            self.shown.insert(arn.clone(), shown);
            self.show_failure(member);
        }
    }
}
