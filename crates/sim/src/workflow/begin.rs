//! What may begin, begins: conditions, heads of jobs, calls.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::expression::{self, EvaluateError, Scope, Status};
use super::head::{self, Plan};
use super::layer::{Ambient, Instance, Layer};
use super::{JobKey, Ready, ReadyState, Start};
use crate::protocol::Conclusion;

impl Layer {
    /// Begins and hands out whatever can.
    pub(super) fn advance(&mut self, ambient: &mut Ambient<'_>) {
        loop {
            // A job that is skipped may be all that another one waited for.
            while let Some(position) = (0..self.jobs.len()).find(|position| self.may_begin(*position)) {
                self.begin(position, ambient);
            }
            for position in 0..self.jobs.len() {
                self.revive(position, ambient);
                self.hand_out(position, ambient);
            }
            let mut moved = false;
            for position in 0..self.jobs.len() {
                moved |= self.advance_call(position, ambient);
            }
            if !moved {
                return;
            }
        }
    }

    fn may_begin(&self, position: usize) -> bool {
        !self.jobs[position].has_begun()
            && self.job(position).needs.iter().all(|need| self.result(need).is_some())
    }

    /// Evaluates `if` and, if it holds, makes the call, or the head of every job of the matrix.
    fn begin(&mut self, position: usize, ambient: &mut Ambient<'_>) {
        let contexts = self.contexts_of(position);
        let end = match self.condition(position, &contexts, ambient.cancelled) {
            Err(error) => Some(ReadyState::Failed(error.to_string())),
            Ok(false) if ambient.cancelled => Some(ReadyState::Cancelled),
            Ok(false) => Some(ReadyState::Skipped),
            Ok(true) if self.job(position).call.is_some() => {
                self.begin_call(position, &contexts, ambient.start).err().map(ReadyState::Failed)
            }
            Ok(true) => self.unfold(position, &contexts, ambient).err().map(ReadyState::Failed),
        };
        if let Some(state) = end {
            self.end_before_begin(position, state, ambient.news);
        }
    }

    /// Evaluates the head of a job, or of every job of its matrix.
    fn unfold(
        &mut self,
        position: usize,
        contexts: &Map<String, Value>,
        ambient: &mut Ambient<'_>,
    ) -> Result<(), String> {
        let plan = head::plan(self.job(position), contexts).map_err(|error| error.to_string())?;
        self.jobs[position].fail_fast = plan.fail_fast;
        self.jobs[position].max_parallel = plan.max_parallel;
        for index in 0..plan.combinations.as_ref().map_or(1, Vec::len) {
            match self.head(position, contexts.clone(), &plan, index, ambient.start) {
                Ok(head) => self.jobs[position].instances.push(Instance::waiting(head)),
                Err(reason) => self.end_before_begin(position, ReadyState::Failed(reason), ambient.news),
            }
        }
        self.settle(position);
        Ok(())
    }

    fn head(
        &self,
        position: usize,
        contexts: Map<String, Value>,
        plan: &Plan,
        index: usize,
        start: &Start,
    ) -> Result<head::Instance, String> {
        let around = head::Around { workflow: &self.workflow, start, secrets: &self.secrets };
        let mut head =
            head::instance(self.job(position), &around, contexts, plan, index).map_err(|e| e.to_string())?;
        head.name = self.named(&head.name);
        head.queued.called.clone_from(&self.path);
        Ok(head)
    }

    /// Evaluates the heads of those that run once more, as they were when they ran first, but for what has changed
    /// since: the attempt.
    fn revive(&mut self, position: usize, ambient: &mut Ambient<'_>) {
        if !self.jobs[position].instances.iter().any(|instance| instance.again) {
            return;
        }
        let contexts = self.contexts_of(position);
        let plan = head::plan(self.job(position), &contexts).map_err(|error| error.to_string());
        for index in 0..self.jobs[position].instances.len() {
            if !self.jobs[position].instances[index].again {
                continue;
            }
            let head = plan
                .as_ref()
                .map_err(Clone::clone)
                .and_then(|plan| self.head(position, contexts.clone(), plan, index, ambient.start));
            self.jobs[position].instances[index] = match head {
                Ok(head) => Instance::waiting(head),
                Err(reason) => {
                    let name = self.named(&head::plain_name(self.job(position)));
                    let id = self.id(position);
                    let key = JobKey { id: id.clone(), index };
                    let state = ReadyState::Failed(reason);
                    ambient.news.push(Ready { key, id, name: name.clone(), state });
                    Instance::over(name, Conclusion::Failure)
                }
            };
        }
        self.settle(position);
    }

    fn begin_call(
        &mut self,
        position: usize,
        contexts: &Map<String, Value>,
        start: &Start,
    ) -> Result<(), String> {
        let job = &self.workflow.jobs[position];
        let Some(call) = &job.call else { return Ok(()) };
        let name = head::call_name(job, contexts).map_err(|error| error.to_string())?;
        let inputs = call.inputs(contexts).map_err(|error| error.to_string())?;
        let secrets = call.secrets(contexts, &self.secrets).map_err(|error| error.to_string())?;
        let mut own = Map::new();
        own.insert("github".to_owned(), self.contexts.get("github").cloned().unwrap_or_default());
        own.insert("inputs".to_owned(), inputs.into());
        head::insert_vars(&mut own, start, None);
        let (ids, names) = (format!("{}/", self.id(position)), format!("{} / ", self.named(&name)));
        let mut called = Self::new(Arc::clone(&call.workflow), own, secrets, ids, names);
        called.path = Some(call.path.clone());
        self.jobs[position].called = Some(Box::new(called));
        Ok(())
    }

    /// Lets the called workflow go on; whether it is over by that.
    fn advance_call(&mut self, position: usize, ambient: &mut Ambient<'_>) -> bool {
        let job = &mut self.jobs[position];
        let Some(called) = job.called.as_mut().filter(|_| job.conclusion.is_none()) else { return false };
        called.advance(ambient);
        self.end_call(position, ambient.news)
    }

    /// Draws the conclusion of a call once all of its jobs are over; whether they are.
    pub(super) fn end_call(&mut self, position: usize, news: &mut Vec<Ready>) -> bool {
        let job = &mut self.jobs[position];
        let Some(called) = job.called.as_ref().filter(|_| job.conclusion.is_none()) else { return false };
        let Some(conclusion) = called.conclusion() else { return false };
        match called.outputs() {
            Ok(outputs) => {
                job.outputs = outputs;
                job.conclusion = Some(conclusion);
            }
            Err(error) => {
                job.conclusion = Some(Conclusion::Failure);
                let id = self.id(position);
                let key = JobKey { id: id.clone(), index: 0 };
                let name = self.named(&head::plain_name(self.job(position)));
                let state = ReadyState::Failed(format!("an output of the called workflow: {error}"));
                news.push(Ready { key, id, name, state });
            }
        }
        true
    }

    /// What the called workflow gives its caller.
    fn outputs(&self) -> Result<BTreeMap<String, String>, EvaluateError> {
        let Some(callable) = &self.workflow.callable else { return Ok(BTreeMap::new()) };
        let jobs: Map<String, Value> = self
            .workflow
            .jobs
            .iter()
            .zip(&self.jobs)
            .map(|(job, progress)| {
                let entry = json!({ "result": progress.conclusion, "outputs": progress.outputs });
                (job.id.clone(), entry)
            })
            .collect();
        let mut contexts = self.contexts.clone();
        contexts.insert("jobs".to_owned(), jobs.into());
        let scope = Scope { contexts: &contexts, status: Status::Success, workspace: None };
        let mut outputs = BTreeMap::new();
        for (name, text) in &callable.outputs {
            let value = expression::render(text, &scope)?;
            if !value.is_empty() {
                outputs.insert(name.clone(), value);
            }
        }
        Ok(outputs)
    }

    /// A job, or one of its matrix, is over before a runner saw it.
    fn end_before_begin(&mut self, position: usize, state: ReadyState, news: &mut Vec<Ready>) {
        let conclusion = match &state {
            ReadyState::Skipped => Conclusion::Skipped,
            ReadyState::Cancelled => Conclusion::Cancelled,
            ReadyState::Failed(_) | ReadyState::Queued(_) => Conclusion::Failure,
        };
        let id = self.id(position);
        let key = JobKey { id: id.clone(), index: self.jobs[position].instances.len() };
        let name = self.named(&head::plain_name(self.job(position)));
        self.jobs[position].instances.push(Instance::over(name.clone(), conclusion));
        news.push(Ready { key, id, name, state });
        self.settle(position);
    }

    /// Queues as many as `max-parallel` allows.
    fn hand_out(&mut self, position: usize, ambient: &mut Ambient<'_>) {
        let id = self.id(position);
        let job = &mut self.jobs[position];
        let busy = job.instances.iter().filter(|instance| instance.running()).count();
        let free = job.max_parallel.saturating_sub(busy);
        let waiting = job.instances.iter_mut().enumerate().filter(|(_, instance)| instance.queued.is_some());
        for (index, instance) in waiting.take(free) {
            if let Some(queued) = instance.queued.take() {
                ambient.news.push(Ready {
                    key: JobKey { id: id.clone(), index },
                    id: id.clone(),
                    name: instance.name.clone(),
                    state: ReadyState::Queued(queued),
                });
            }
        }
    }
}
