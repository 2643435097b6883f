//! One run of a workflow: which jobs may start, and what the whole comes to.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde_json::Map;

use super::expression::{self, Scope, Status};
use super::layer::{Ambient, Layer};
use super::{Again, JobKey, JobView, Ready, Start, StartError, Workflow, head};
use crate::protocol::Conclusion;

/// One run of a workflow.
pub struct Run {
    start: Start,
    name: String,
    layer: Layer,
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
        let layer = Layer::top(workflow, contexts, start.secrets.clone());
        Ok(Self { start, name, layer, news: Vec::new(), cancelled: false })
    }

    /// `run-name`, or the workflow's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Jobs whose turn has come since the last call. Call it after [`Run::new`], and again after every
    /// [`Run::complete`], [`Run::cancel`] and [`Run::rerun`].
    pub fn take_ready(&mut self) -> Vec<Ready> {
        let mut ambient = Ambient { start: &self.start, cancelled: self.cancelled, news: &mut self.news };
        self.layer.advance(&mut ambient);
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
        self.layer.complete(key, conclusion, outputs, &mut self.news).unwrap_or_default()
    }

    /// Cancels the run. Returns the jobs that were handed out and are to be cancelled now: all but those
    /// whose `if` holds even so (`always()`). Jobs that wait end cancelled in the next [`Run::take_ready`]
    /// unless their `if` holds even so.
    #[must_use = "the jobs named are to be cancelled"]
    pub fn cancel(&mut self) -> Vec<JobKey> {
        self.cancelled = true;
        self.layer.cancel(&mut Ambient { start: &self.start, cancelled: true, news: &mut self.news })
    }

    /// Runs every job once more, as if none had run.
    pub fn restart(&mut self, attempt: u64, triggering_actor: &str) {
        let contexts = self.layer.contexts.clone();
        let workflow = Arc::clone(&self.layer.workflow);
        self.layer = Layer::top(workflow, contexts, self.start.secrets.clone());
        self.begin_attempt(attempt, triggering_actor);
    }

    /// Runs jobs of a run that is over once more. `attempt` and who asks for it become `github.run_attempt` and
    /// `github.triggering_actor`. False: no job is meant, and nothing has changed.
    pub fn rerun(&mut self, again: &Again, attempt: u64, triggering_actor: &str) -> bool {
        if !self.layer.forget(again) {
            return false;
        }
        self.begin_attempt(attempt, triggering_actor);
        true
    }

    fn begin_attempt(&mut self, attempt: u64, triggering_actor: &str) {
        self.cancelled = false;
        self.layer.renew(&[
            ("run_attempt", attempt.to_string().into()),
            ("triggering_actor", triggering_actor.into()),
        ]);
    }

    /// The result of the whole, once every job is over.
    pub fn conclusion(&self) -> Option<Conclusion> {
        self.layer.conclusion()
    }

    /// All jobs known so far, in the order of the file; those that wait included, but for those of workflows that
    /// are not called yet.
    pub fn jobs(&self) -> Vec<JobView> {
        let mut views = Vec::new();
        self.layer.views(&mut views);
        views
    }
}
