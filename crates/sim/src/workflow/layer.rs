//! The jobs of one workflow within a run: of the one that was started, or of one that it calls.
//!
//! A call is a layer in a layer. Jobs of a called workflow see its inputs, the secrets that it was passed and the
//! jobs beside them; `github` and `vars` are the caller's (GitHub docs, "Reusing workflow configurations").

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::expression::{self, EvaluateError, Scope, Status};
use super::head;
use super::model::Job;
use super::{JobKey, JobView, QueuedJob, Ready, ReadyState, Start, Workflow};
use crate::protocol::Conclusion;

/// What all layers of a run share.
pub(super) struct Ambient<'a> {
    pub(super) start: &'a Start,
    pub(super) cancelled: bool,
    /// What the next [`super::Run::take_ready`] tells.
    pub(super) news: &'a mut Vec<Ready>,
}

/// The jobs of one workflow.
pub(super) struct Layer {
    pub(super) workflow: Arc<Workflow>,
    /// `github`, `inputs` and `vars`.
    pub(super) contexts: Map<String, Value>,
    /// What its jobs see as `secrets`, less those of their environments.
    pub(super) secrets: BTreeMap<String, String>,
    /// The file of a workflow that was called.
    pub(super) path: Option<String>,
    /// Ids of the calls that lead here, each with a slash behind it.
    ids: String,
    /// The same with their names, as they stand before those of the jobs.
    names: String,
    /// Beside `workflow.jobs`.
    pub(super) jobs: Vec<Progress>,
}

/// A job of the file, on its way.
#[derive(Default)]
pub(super) struct Progress {
    /// Empty while the job waits.
    pub(super) instances: Vec<Instance>,
    /// The workflow that it calls, once it does.
    pub(super) called: Option<Box<Layer>>,
    pub(super) fail_fast: bool,
    pub(super) max_parallel: usize,
    pub(super) conclusion: Option<Conclusion>,
    pub(super) outputs: BTreeMap<String, String>,
}

impl Progress {
    pub(super) fn has_begun(&self) -> bool {
        !self.instances.is_empty() || self.called.is_some()
    }
}

pub(super) struct Instance {
    pub(super) name: String,
    continue_on_error: bool,
    /// Here until it is handed out.
    pub(super) queued: Option<Box<QueuedJob>>,
    pub(super) conclusion: Option<Conclusion>,
    /// It shall run once more: its head is to be evaluated anew.
    pub(super) again: bool,
}

impl Instance {
    pub(super) fn waiting(head: head::Instance) -> Self {
        let head::Instance { name, continue_on_error, queued } = head;
        let queued = Some(Box::new(queued));
        Self { name, continue_on_error, queued, conclusion: None, again: false }
    }

    pub(super) fn over(name: String, conclusion: Conclusion) -> Self {
        let conclusion = Some(conclusion);
        Self { name, continue_on_error: false, queued: None, conclusion, again: false }
    }

    pub(super) fn running(&self) -> bool {
        self.queued.is_none() && self.conclusion.is_none() && !self.again
    }
}

impl Layer {
    /// The workflow that was started.
    pub(super) fn top(
        workflow: Arc<Workflow>,
        contexts: Map<String, Value>,
        secrets: BTreeMap<String, String>,
    ) -> Self {
        Self::new(workflow, contexts, secrets, String::new(), String::new())
    }

    /// A workflow that is called; `ids` and `names` lead to it.
    pub(super) fn new(
        workflow: Arc<Workflow>,
        contexts: Map<String, Value>,
        secrets: BTreeMap<String, String>,
        ids: String,
        names: String,
    ) -> Self {
        let jobs = workflow.jobs.iter().map(|_| Progress::default()).collect();
        Self { workflow, contexts, secrets, path: None, ids, names, jobs }
    }

    pub(super) fn job(&self, position: usize) -> &Job {
        &self.workflow.jobs[position]
    }

    /// The id of a job within the whole run.
    pub(super) fn id(&self, position: usize) -> String {
        format!("{}{}", self.ids, self.job(position).id)
    }

    /// The result of the whole, once every job is over.
    pub(super) fn conclusion(&self) -> Option<Conclusion> {
        let all: Vec<_> = self.jobs.iter().map(|job| job.conclusion).collect::<Option<_>>()?;
        Some(joined(&all))
    }

    /// All jobs known so far. A call that waits has none yet.
    pub(super) fn views(&self, views: &mut Vec<JobView>) {
        for (position, progress) in self.jobs.iter().enumerate() {
            if let Some(called) = &progress.called {
                called.views(views);
                continue;
            }
            let job = self.job(position);
            let id = self.id(position);
            if progress.instances.is_empty() && job.call.is_none() {
                let name = self.named(&head::plain_name(job));
                views.push(JobView { key: JobKey { id, index: 0 }, name, ready: false, conclusion: None });
                continue;
            }
            for (index, instance) in progress.instances.iter().enumerate() {
                views.push(JobView {
                    key: JobKey { id: id.clone(), index },
                    name: instance.name.clone(),
                    ready: instance.queued.is_none() && !instance.again,
                    conclusion: instance.conclusion,
                });
            }
        }
    }

    /// Notes the end of a job; gives the jobs that are to be cancelled because of it. Nothing: it is no job of this
    /// layer, was not handed out, or is over already.
    pub(super) fn complete(
        &mut self,
        key: &JobKey,
        conclusion: Conclusion,
        outputs: BTreeMap<String, String>,
        news: &mut Vec<Ready>,
    ) -> Option<Vec<JobKey>> {
        let within = key.id.strip_prefix(&self.ids)?;
        let (id, deeper) = within.split_once('/').map_or((within, false), |(id, _)| (id, true));
        let position = self.workflow.jobs.iter().position(|job| job.id == id)?;
        if deeper {
            let called = self.jobs[position].called.as_mut()?;
            let interrupt = called.complete(key, conclusion, outputs, news);
            self.end_call(position, news);
            return interrupt;
        }
        let job = &mut self.jobs[position];
        let instance = job.instances.get_mut(key.index).filter(|instance| instance.running())?;
        instance.conclusion = Some(conclusion);
        let failed = conclusion == Conclusion::Failure && !instance.continue_on_error;
        // In a matrix the last one to say something wins.
        job.outputs.extend(outputs.into_iter().filter(|(_, value)| !value.is_empty()));
        let mut interrupt = Vec::new();
        if failed && job.fail_fast {
            self.drop_queued(position, news);
            interrupt = self.running(position);
        }
        self.settle(position);
        Some(interrupt)
    }

    /// Cancels what does not ask to run even so; gives the jobs that are to be interrupted.
    pub(super) fn cancel(&mut self, ambient: &mut Ambient<'_>) -> Vec<JobKey> {
        let mut interrupt = Vec::new();
        for position in 0..self.jobs.len() {
            if !self.jobs[position].has_begun() || self.jobs[position].conclusion.is_some() {
                continue;
            }
            if let Some(called) = &mut self.jobs[position].called {
                interrupt.extend(called.cancel(ambient));
                continue;
            }
            let contexts = self.contexts_of(position);
            if !self.condition(position, &contexts, ambient.cancelled).unwrap_or(false) {
                self.drop_queued(position, ambient.news);
                interrupt.extend(self.running(position));
                self.settle(position);
            }
        }
        interrupt
    }

    pub(super) fn position(&self, id: &str) -> Option<usize> {
        self.workflow.jobs.iter().position(|job| job.id == id)
    }

    pub(super) fn result(&self, id: &str) -> Option<Conclusion> {
        self.jobs[self.position(id)?].conclusion
    }

    /// The name of a job, behind those of the calls that lead to it.
    pub(super) fn named(&self, name: &str) -> String {
        format!("{}{name}", self.names)
    }

    /// Ends those that were not handed out yet.
    fn drop_queued(&mut self, position: usize, news: &mut Vec<Ready>) {
        let id = self.id(position);
        for (index, instance) in self.jobs[position].instances.iter_mut().enumerate() {
            if instance.queued.take().is_some() {
                instance.conclusion = Some(Conclusion::Cancelled);
                news.push(Ready {
                    key: JobKey { id: id.clone(), index },
                    id: id.clone(),
                    name: instance.name.clone(),
                    state: ReadyState::Cancelled,
                });
            }
        }
    }

    fn running(&self, position: usize) -> Vec<JobKey> {
        let id = self.id(position);
        let instances = self.jobs[position].instances.iter().enumerate();
        let running = instances.filter(|(_, instance)| instance.running());
        running.map(|(index, _)| JobKey { id: id.clone(), index }).collect()
    }

    /// Draws the conclusion of a job once all of its matrix is over.
    pub(super) fn settle(&mut self, position: usize) {
        let job = &mut self.jobs[position];
        let all: Option<Vec<_>> = job
            .instances
            .iter()
            .map(|instance| match instance.conclusion? {
                Conclusion::Failure if instance.continue_on_error => Some(Conclusion::Success),
                conclusion => Some(conclusion),
            })
            .collect();
        job.conclusion = all.filter(|all| !all.is_empty()).map(|all| joined(&all));
    }

    /// `github` with `job`, `inputs`, `vars` and `needs`.
    pub(super) fn contexts_of(&self, position: usize) -> Map<String, Value> {
        let job = self.job(position);
        let mut contexts = self.contexts.clone();
        if let Some(github) = contexts.get_mut("github").and_then(Value::as_object_mut) {
            github.insert("job".to_owned(), job.id.clone().into());
        }
        let mut needs = Map::new();
        for need in &job.needs {
            let outputs = self.position(need).map(|other| &self.jobs[other].outputs);
            needs.insert(need.clone(), json!({"result": self.result(need), "outputs": outputs}));
        }
        contexts.insert("needs".to_owned(), needs.into());
        contexts
    }

    pub(super) fn condition(
        &self,
        position: usize,
        contexts: &Map<String, Value>,
        cancelled: bool,
    ) -> Result<bool, EvaluateError> {
        let text = self.job(position).condition.as_deref().unwrap_or_default();
        let status = if cancelled { Status::Cancelled } else { self.status(position) };
        expression::condition(text, &Scope { contexts, status, workspace: None })
    }

    /// `success()` looks at all jobs before this one, not only at those it names: a job behind a skipped
    /// one is skipped even if one with `always()` stands between them (actions/runner#491).
    fn status(&self, position: usize) -> Status {
        let mut before: Vec<&str> = Vec::new();
        let mut next = vec![self.job(position)];
        while let Some(job) = next.pop() {
            for need in job.needs.iter().filter(|need| !before.contains(&need.as_str())).collect::<Vec<_>>() {
                before.push(need);
                next.extend(self.workflow.job(need));
            }
        }
        let results: Vec<_> = before.into_iter().filter_map(|id| self.result(id)).collect();
        if results.contains(&Conclusion::Failure) {
            Status::Failure
        } else if results.iter().all(|result| *result == Conclusion::Success) {
            Status::Success
        } else {
            Status::Skipped
        }
    }
}

/// The conclusion of several: the worst counts, and what was skipped counts only if nothing else is there.
fn joined(all: &[Conclusion]) -> Conclusion {
    let any = |wanted| all.contains(&wanted);
    if any(Conclusion::Failure) {
        Conclusion::Failure
    } else if any(Conclusion::Cancelled) {
        Conclusion::Cancelled
    } else if any(Conclusion::Success) {
        Conclusion::Success
    } else {
        Conclusion::Skipped
    }
}
