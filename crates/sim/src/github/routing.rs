//! Which machine a queued job goes to.
//!
//! Source: GitHub documentation, "Choosing the runner for a job": a runner must have all labels of the job,
//! and be of the group where one is named. GitHub does not say who comes first where a runner and a scale set
//! both would do; here it is the runner, if it is idle.

use jiff::Timestamp;

use super::accounts::{Repository, Scope};
use super::job::{Job, Place};
use super::scale_sets::ScaleSet;
use super::state::{Effect, State};
use crate::events::JobStatus;

/// Labels of GitHub's own machines that this simulator can stand in for.
const HOSTED: [&str; 6] =
    ["ubuntu-latest", "ubuntu-26.04", "ubuntu-24.04", "ubuntu-22.04", "ubuntu-slim", "ubuntu-24.04-arm"];
/// Beginnings of the labels of those that it cannot.
const UNAVAILABLE: [&str; 2] = ["windows-", "macos-"];

/// Where a job wants to run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    Hosted,
    SelfHosted,
    /// On a machine that is not simulated, by this label.
    Unavailable(String),
}

/// Reads `runs-on`.
pub(crate) fn destination(labels: &[String], group: Option<&str>) -> Destination {
    let lower: Vec<String> = labels.iter().map(|label| label.to_lowercase()).collect();
    if group.is_some() || lower.is_empty() {
        return Destination::SelfHosted;
    }
    if lower.iter().all(|label| HOSTED.contains(&label.as_str())) {
        return Destination::Hosted;
    }
    match lower.as_slice() {
        [only] if UNAVAILABLE.iter().any(|prefix| only.starts_with(prefix)) => {
            Destination::Unavailable(labels[0].clone())
        }
        _ => Destination::SelfHosted,
    }
}

impl State {
    /// Gives every queued job that has none a machine or a scale set, if there is one.
    pub(crate) fn route(&mut self, now: Timestamp) {
        self.runners.forget_busy();
        // Where nobody looks for a job, only a job that is new can find somebody.
        let jobs = if self.somebody_seeks() { self.runs.unplaced() } else { self.runs.fresh() };
        for id in jobs {
            let Some(job) = self.runs.job(id) else { continue };
            match destination(&job.labels, job.group.as_deref()) {
                Destination::Hosted => {
                    if let Some(message) = self.place_hosted(id, now) {
                        self.effect(Effect::RunHosted(message));
                    }
                }
                Destination::SelfHosted => {
                    if let Some(runner) = self.idle_runner_for(job) {
                        self.withdraw_offer(id);
                        self.assign(runner, id, now);
                        self.place_on_runner(id, runner, now);
                    } else {
                        self.share(id, now);
                    }
                }
                Destination::Unavailable(label) => {
                    let reason = format!("The simulated GitHub has no machine with the label `{label}`.");
                    self.fail_unstarted(id, &reason, now);
                }
            }
        }
        self.serve_scale_sets(now);
    }

    /// Whether a runner is idle that belongs to no scale set, or a scale set has room.
    fn somebody_seeks(&self) -> bool {
        self.runners.idle().any(|runner| runner.scale_set.is_none())
            || self.scale_sets.all().any(ScaleSet::seeks)
    }

    /// Takes a job that has not started from the runner that it was given to: it waits again.
    pub(crate) fn give_back(&mut self, id: u64) {
        let Some(job) = self.runs.job_mut(id).filter(|job| job.status == JobStatus::Queued) else { return };
        (job.place, job.taken_at, job.message) = (Place::None, None, None);
        if job.is_unplaced() {
            self.runs.note_unplaced(id);
        } else {
            self.wait_first(id);
        }
    }

    fn idle_runner_for(&self, job: &Job) -> Option<u64> {
        let repository = self.accounts.repositories.get(&job.repository)?;
        self.runners
            .idle()
            .filter(|runner| runner.scale_set.is_none() && runner.has_labels(&job.labels))
            .filter(|runner| self.serves(runner.scope, runner.group_id, repository, job.group.as_deref()))
            .min_by_key(|runner| runner.passed_at)
            .map(|runner| runner.id)
    }

    /// Whether what is registered at this scope, in this group, may run a job of a repository that names a
    /// group or none.
    pub(crate) fn serves(
        &self,
        scope: Scope,
        group_id: u64,
        repository: &Repository,
        group: Option<&str>,
    ) -> bool {
        match scope {
            Scope::Repository(id) => {
                id == repository.id && group.is_none_or(|name| name.eq_ignore_ascii_case("default"))
            }
            Scope::Organization(id) => {
                id == repository.owner_id
                    && self.accounts.groups_of(id).any(|it| {
                        it.id == group_id
                            && it.admits(repository.id)
                            && group.is_none_or(|name| name.eq_ignore_ascii_case(&it.name))
                    })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn only_hosted_labels_go_to_hosted_machines() {
        assert_eq!(destination(&labels(&["Ubuntu-Latest"]), None), Destination::Hosted);
        assert_eq!(destination(&labels(&["ubuntu-latest", "ff-1"]), None), Destination::SelfHosted);
        assert_eq!(destination(&labels(&["self-hosted", "linux"]), None), Destination::SelfHosted);
        assert_eq!(destination(&labels(&["ubuntu-latest"]), Some("big")), Destination::SelfHosted);
    }

    #[test]
    fn machines_that_are_not_simulated_are_named() {
        let wanted = Destination::Unavailable("windows-latest".into());
        assert_eq!(destination(&labels(&["windows-latest"]), None), wanted);
        assert_eq!(destination(&labels(&["self-hosted", "windows-latest"]), None), Destination::SelfHosted);
    }
}
