//! One run of a workflow: which jobs may start, and what the whole comes to.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::expression::{self, EvaluateError, Scope, Status};
use super::{JobKey, JobView, QueuedJob, Ready, ReadyState, Start, StartError, Workflow, head};
use crate::protocol::Conclusion;

/// One run of a workflow.
pub struct Run {
    workflow: Arc<Workflow>,
    start: Start,
    /// `github`, `inputs` and `vars`.
    contexts: Map<String, Value>,
    name: String,
    /// Beside `workflow.jobs`.
    jobs: Vec<Progress>,
    /// What the next [`Run::take_ready`] tells.
    news: Vec<Ready>,
    cancelled: bool,
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The contexts are the caller's and may hold a token.
        f.debug_struct("Run").field("name", &self.name).field("jobs", &self.jobs()).finish_non_exhaustive()
    }
}

/// A job of the file, on its way.
#[derive(Default)]
struct Progress {
    /// Empty while the job waits.
    instances: Vec<Instance>,
    fail_fast: bool,
    max_parallel: usize,
    conclusion: Option<Conclusion>,
    outputs: BTreeMap<String, String>,
}

struct Instance {
    name: String,
    continue_on_error: bool,
    /// Here until it is handed out.
    queued: Option<Box<QueuedJob>>,
    conclusion: Option<Conclusion>,
}

impl Instance {
    fn over(name: String, conclusion: Conclusion) -> Self {
        Self { name, continue_on_error: false, queued: None, conclusion: Some(conclusion) }
    }

    fn running(&self) -> bool {
        self.queued.is_none() && self.conclusion.is_none()
    }
}

impl Run {
    /// Begins a run.
    ///
    /// # Errors
    /// The event is none of the workflow's triggers, or an input is missing, unknown or of the wrong type.
    pub fn new(workflow: Arc<Workflow>, start: Start) -> Result<Self, StartError> {
        let inputs = start.inputs(&workflow)?;
        let mut github = start.github.clone();
        github.insert("event_name".to_owned(), start.event_name.clone().into());
        github.insert("workflow".to_owned(), workflow.name().into());
        if start.event_name == "workflow_dispatch" {
            let event = github.entry("event").or_insert_with(|| Map::new().into());
            if let Some(event) = event.as_object_mut() {
                event.insert("inputs".to_owned(), inputs.texts.into());
            }
        }
        let mut contexts = Map::new();
        contexts.insert("github".to_owned(), github.into());
        contexts.insert("inputs".to_owned(), inputs.typed.into());
        head::insert_vars(&mut contexts, &start, None);
        let scope = Scope { contexts: &contexts, status: Status::Success, workspace: None };
        let name = workflow.run_name.as_ref().and_then(|text| expression::render(text, &scope).ok());
        let name = name.unwrap_or_else(|| workflow.name().to_owned());
        let jobs = workflow.jobs.iter().map(|_| Progress::default()).collect();
        Ok(Self { workflow, start, contexts, name, jobs, news: Vec::new(), cancelled: false })
    }

    /// `run-name`, or the workflow's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Jobs whose turn has come since the last call. Call it after [`Run::new`], and again after every
    /// [`Run::complete`] and [`Run::cancel`].
    pub fn take_ready(&mut self) -> Vec<Ready> {
        // A job that is skipped may be all that another one waited for.
        while let Some(position) = (0..self.jobs.len()).find(|position| self.may_begin(*position)) {
            self.begin(position);
        }
        for position in 0..self.jobs.len() {
            self.hand_out(position);
        }
        std::mem::take(&mut self.news)
    }

    /// A queued job is over. Returns the jobs that were handed out before and are to be cancelled now
    /// because their matrix has `fail-fast`; report their end with this method too. A key that was not
    /// handed out, or is over already, changes nothing.
    #[must_use = "the jobs named are to be cancelled"]
    pub fn complete(
        &mut self,
        key: &JobKey,
        conclusion: Conclusion,
        outputs: BTreeMap<String, String>,
    ) -> Vec<JobKey> {
        let Some(position) = self.workflow.jobs.iter().position(|job| job.id == key.id) else {
            return Vec::new();
        };
        let job = &mut self.jobs[position];
        let Some(instance) = job.instances.get_mut(key.index).filter(|instance| instance.running()) else {
            return Vec::new();
        };
        instance.conclusion = Some(conclusion);
        let failed = conclusion == Conclusion::Failure && !instance.continue_on_error;
        // In a matrix the last one to say something wins.
        job.outputs.extend(outputs.into_iter().filter(|(_, value)| !value.is_empty()));
        let mut interrupt = Vec::new();
        if failed && job.fail_fast {
            self.drop_queued(position);
            interrupt = self.running(position);
        }
        self.settle(position);
        interrupt
    }

    /// Cancels the run. Returns the jobs that were handed out and are to be cancelled now: all but those
    /// whose `if` holds even so (`always()`). Jobs that wait end cancelled in the next [`Run::take_ready`]
    /// unless their `if` holds even so.
    #[must_use = "the jobs named are to be cancelled"]
    pub fn cancel(&mut self) -> Vec<JobKey> {
        self.cancelled = true;
        let mut interrupt = Vec::new();
        for position in 0..self.jobs.len() {
            if self.jobs[position].instances.is_empty() || self.jobs[position].conclusion.is_some() {
                continue;
            }
            let contexts = self.contexts_of(position);
            if !self.condition(position, &contexts).unwrap_or(false) {
                self.drop_queued(position);
                interrupt.extend(self.running(position));
                self.settle(position);
            }
        }
        interrupt
    }

    /// The result of the whole, once every job is over.
    pub fn conclusion(&self) -> Option<Conclusion> {
        let all: Vec<_> = self.jobs.iter().map(|job| job.conclusion).collect::<Option<_>>()?;
        Some(joined(&all))
    }

    /// All jobs known so far, in the order of the file; those that wait included.
    pub fn jobs(&self) -> Vec<JobView> {
        let mut views = Vec::new();
        for (job, progress) in self.workflow.jobs.iter().zip(&self.jobs) {
            if progress.instances.is_empty() {
                let key = JobKey { id: job.id.clone(), index: 0 };
                views.push(JobView { key, name: head::plain_name(job), ready: false, conclusion: None });
            }
            for (index, instance) in progress.instances.iter().enumerate() {
                views.push(JobView {
                    key: JobKey { id: job.id.clone(), index },
                    name: instance.name.clone(),
                    ready: instance.queued.is_none(),
                    conclusion: instance.conclusion,
                });
            }
        }
        views
    }

    fn may_begin(&self, position: usize) -> bool {
        self.jobs[position].instances.is_empty()
            && self.workflow.jobs[position].needs.iter().all(|need| self.result(need).is_some())
    }

    fn result(&self, id: &str) -> Option<Conclusion> {
        let position = self.workflow.jobs.iter().position(|job| job.id == id)?;
        self.jobs[position].conclusion
    }

    /// Evaluates `if` and, if it holds, the head of the job and of every job of its matrix.
    fn begin(&mut self, position: usize) {
        let workflow = Arc::clone(&self.workflow);
        let job = &workflow.jobs[position];
        let contexts = self.contexts_of(position);
        match self.condition(position, &contexts) {
            Err(error) => return self.end_before_begin(position, ReadyState::Failed(error.to_string())),
            Ok(false) if self.cancelled => return self.end_before_begin(position, ReadyState::Cancelled),
            Ok(false) => return self.end_before_begin(position, ReadyState::Skipped),
            Ok(true) => {}
        }
        let plan = match head::plan(job, &contexts) {
            Ok(plan) => plan,
            Err(error) => return self.end_before_begin(position, ReadyState::Failed(error.to_string())),
        };
        self.jobs[position].fail_fast = plan.fail_fast;
        self.jobs[position].max_parallel = plan.max_parallel;
        for index in 0..plan.combinations.as_ref().map_or(1, Vec::len) {
            match head::instance(job, &workflow, &self.start, contexts.clone(), &plan, index) {
                Ok(head) => self.jobs[position].instances.push(Instance {
                    name: head.name,
                    continue_on_error: head.continue_on_error,
                    queued: Some(Box::new(head.queued)),
                    conclusion: None,
                }),
                Err(error) => self.end_before_begin(position, ReadyState::Failed(error.to_string())),
            }
        }
        self.settle(position);
    }

    /// A job, or one of its matrix, is over before a runner saw it.
    fn end_before_begin(&mut self, position: usize, state: ReadyState) {
        let job = &self.workflow.jobs[position];
        let conclusion = match &state {
            ReadyState::Skipped => Conclusion::Skipped,
            ReadyState::Cancelled => Conclusion::Cancelled,
            ReadyState::Failed(_) | ReadyState::Queued(_) => Conclusion::Failure,
        };
        let key = JobKey { id: job.id.clone(), index: self.jobs[position].instances.len() };
        let name = head::plain_name(job);
        self.jobs[position].instances.push(Instance::over(name.clone(), conclusion));
        self.news.push(Ready { key, id: job.id.clone(), name, state });
        self.settle(position);
    }

    /// Queues as many as `max-parallel` allows.
    fn hand_out(&mut self, position: usize) {
        let id = &self.workflow.jobs[position].id;
        let job = &mut self.jobs[position];
        let busy = job.instances.iter().filter(|instance| instance.running()).count();
        let free = job.max_parallel.saturating_sub(busy);
        let waiting = job.instances.iter_mut().enumerate().filter(|(_, instance)| instance.queued.is_some());
        for (index, instance) in waiting.take(free) {
            if let Some(queued) = instance.queued.take() {
                self.news.push(Ready {
                    key: JobKey { id: id.clone(), index },
                    id: id.clone(),
                    name: instance.name.clone(),
                    state: ReadyState::Queued(queued),
                });
            }
        }
    }

    /// Ends those that were not handed out yet.
    fn drop_queued(&mut self, position: usize) {
        let id = &self.workflow.jobs[position].id;
        for (index, instance) in self.jobs[position].instances.iter_mut().enumerate() {
            if instance.queued.take().is_some() {
                instance.conclusion = Some(Conclusion::Cancelled);
                self.news.push(Ready {
                    key: JobKey { id: id.clone(), index },
                    id: id.clone(),
                    name: instance.name.clone(),
                    state: ReadyState::Cancelled,
                });
            }
        }
    }

    fn running(&self, position: usize) -> Vec<JobKey> {
        let id = &self.workflow.jobs[position].id;
        let instances = self.jobs[position].instances.iter().enumerate();
        let running = instances.filter(|(_, instance)| instance.running());
        running.map(|(index, _)| JobKey { id: id.clone(), index }).collect()
    }

    /// Draws the conclusion of a job once all of its matrix is over.
    fn settle(&mut self, position: usize) {
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
    fn contexts_of(&self, position: usize) -> Map<String, Value> {
        let job = &self.workflow.jobs[position];
        let mut contexts = self.contexts.clone();
        if let Some(github) = contexts.get_mut("github").and_then(Value::as_object_mut) {
            github.insert("job".to_owned(), job.id.clone().into());
        }
        let mut needs = Map::new();
        for need in &job.needs {
            let outputs = self
                .workflow
                .jobs
                .iter()
                .position(|other| other.id == *need)
                .map(|other| &self.jobs[other].outputs);
            needs.insert(need.clone(), json!({"result": self.result(need), "outputs": outputs}));
        }
        contexts.insert("needs".to_owned(), needs.into());
        contexts
    }

    fn condition(&self, position: usize, contexts: &Map<String, Value>) -> Result<bool, EvaluateError> {
        let text = self.workflow.jobs[position].condition.as_deref().unwrap_or_default();
        let scope = Scope { contexts, status: self.status(position), workspace: None };
        expression::condition(text, &scope)
    }

    /// `success()` looks at all jobs before this one, not only at those it names: a job behind a skipped
    /// one is skipped even if one with `always()` stands between them (actions/runner#491).
    fn status(&self, position: usize) -> Status {
        if self.cancelled {
            return Status::Cancelled;
        }
        let mut before: Vec<&str> = Vec::new();
        let mut next = vec![&self.workflow.jobs[position]];
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
