//! Which jobs run once more.
//!
//! Source: GitHub docs, "Re-running workflows and jobs": of a run, the failed jobs or one job are run again, and the
//! jobs that depend on them; the others keep their results and outputs. A job that was cancelled counts as failed, and
//! so does one whose failure `continue-on-error` forgives: what counts is how the job itself ended. Nothing that such
//! a job *needs* is run again.
//!
//! In a called workflow the same holds among its own jobs, and whoever needs the call depends on them. (For calls in
//! a matrix, which are not supported here, people report that GitHub forgets the dependents.)

use serde_json::Value;

use super::JobKey;
use super::layer::{Layer, Progress};
use crate::protocol::Conclusion;

/// Where a re-run begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Again {
    /// With every job that failed or was cancelled.
    Failed,
    /// With this job, however it ended.
    Job(JobKey),
}

impl Again {
    fn means(&self, id: &str, index: usize, conclusion: Option<Conclusion>) -> bool {
        match self {
            Self::Failed => matches!(conclusion, Some(Conclusion::Failure | Conclusion::Cancelled)),
            Self::Job(key) => key.id == id && key.index == index,
        }
    }
}

impl Layer {
    /// Forgets the ends of the jobs that are meant, and of those that depend on them; whether there are any.
    pub(super) fn forget(&mut self, again: &Again) -> bool {
        let mut begins = Vec::new();
        for position in 0..self.jobs.len() {
            let id = self.id(position);
            let job = &mut self.jobs[position];
            if let Some(called) = &mut job.called {
                if called.forget(again) {
                    job.conclusion = None;
                    begins.push(position);
                }
                continue;
            }
            let instances = job.instances.iter().enumerate();
            let meant: Vec<usize> = instances
                .filter(|(index, instance)| again.means(&id, *index, instance.conclusion))
                .map(|(index, _)| index)
                .collect();
            if meant.is_empty() {
                continue;
            }
            begins.push(position);
            if meant.len() == job.instances.len() {
                *job = Progress::default();
                continue;
            }
            job.conclusion = None;
            for index in meant {
                job.instances[index].conclusion = None;
                job.instances[index].again = true;
            }
        }
        for position in self.dependents(&begins) {
            self.jobs[position] = Progress::default();
        }
        !begins.is_empty()
    }

    /// The jobs that need one of these, or need one that does.
    fn dependents(&self, of: &[usize]) -> Vec<usize> {
        let mut found: Vec<usize> = Vec::new();
        loop {
            let depends = |position: &usize| {
                let needs = &self.job(*position).needs;
                needs
                    .iter()
                    .filter_map(|need| self.position(need))
                    .any(|it| of.contains(&it) || found.contains(&it))
            };
            match (0..self.jobs.len()).find(|position| !found.contains(position) && depends(position)) {
                Some(position) => found.push(position),
                None => return found,
            }
        }
    }

    /// Changes properties of the `github` context, for the jobs that are still to come.
    pub(super) fn renew(&mut self, properties: &[(&str, Value)]) {
        if let Some(github) = self.contexts.get_mut("github").and_then(Value::as_object_mut) {
            for (name, value) in properties {
                github.insert((*name).to_owned(), value.clone());
            }
        }
        for called in self.jobs.iter_mut().filter_map(|job| job.called.as_mut()) {
            called.renew(properties);
        }
    }
}
