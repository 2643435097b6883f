//! Reads jobs.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::Permissions;
use super::load::{read_defaults, read_permissions};
use super::load_call::Chain;
use super::load_steps::StepLoader;
use super::model::{Defaults, Job, Strategy};
use super::place::{Place, check_condition};
use super::published::Library;
use super::source::{Fields, Source};
use super::yaml::{Content, Node};

const KEYS: [&str; 13] = [
    "name",
    "needs",
    "if",
    "runs-on",
    "environment",
    "permissions",
    "strategy",
    "continue-on-error",
    "timeout-minutes",
    "env",
    "defaults",
    "outputs",
    "steps",
];

const UNSUPPORTED: [(&str, &str); 3] = [
    ("services", "there is no container engine here; start what you need in a step"),
    ("container", "jobs run on the runner itself"),
    ("concurrency", "jobs do not wait for other runs here; take it out"),
];

pub(super) struct JobLoader<'a, 's> {
    pub(super) source: &'a mut Source<'s>,
    pub(super) library: Library<'a>,
    /// The workflows that call each other down to this one.
    pub(super) chain: &'a Chain,
    /// The workflow's.
    pub(super) defaults: Defaults,
    /// The workflow's.
    pub(super) permissions: Permissions,
}

impl JobLoader<'_, '_> {
    pub(super) fn jobs(&mut self, node: &Node) -> Option<Vec<Job>> {
        let entries = self.source.entries(node, "`jobs`")?;
        if entries.is_empty() {
            self.source.refuse(node.line, "`jobs` is empty");
        }
        let mut jobs = Vec::new();
        let mut lines = Vec::new();
        for (id, line, node) in entries {
            self.source.identifier(id, line, "a job's id");
            if let Some(job) = self.job(id, line, node) {
                jobs.push(job);
                lines.push(line);
            }
        }
        self.check_needs(&jobs, &lines);
        Some(jobs)
    }

    fn job(&mut self, id: &str, line: usize, node: &Node) -> Option<Job> {
        let what = format!("the job `{id}`");
        if self.source.entries(node, &what)?.iter().any(|(name, ..)| *name == "uses") {
            return self.call(id, node);
        }
        let fields = self.source.fields(node, &what, &KEYS, &UNSUPPORTED)?;
        let runs_on = fields.get("runs-on").map(|node| self.runs_on(node));
        for key in ["runs-on", "steps"] {
            if fields.get(key).is_none() {
                self.source.refuse(line, format!("{what} has no `{key}`"));
            }
        }
        let environment = fields.get("environment").and_then(|node| self.environment(node));
        let permissions = match fields.get("permissions") {
            Some(node) => read_permissions(node, self.source),
            None => self.permissions.clone(),
        };
        let strategy = fields.get("strategy").map(|node| self.strategy(node)).unwrap_or_default();
        let defaults = fields
            .get("defaults")
            .map(|node| read_defaults(node, Place::JOB_DEFAULTS, self.source))
            .unwrap_or_default();
        let steps = fields.get("steps").map(|node| StepLoader::of_job(self.source, self.library).steps(node));
        Some(Job {
            id: id.to_owned(),
            name: fields.get("name").and_then(|node| self.source.text(node, "`name`", Place::JOB_HEAD)),
            needs: self.needs(&fields),
            condition: fields.get("if").and_then(|node| self.condition(node)),
            call: None,
            runs_on: runs_on.unwrap_or_default(),
            environment,
            permissions,
            strategy,
            continue_on_error: fields
                .get("continue-on-error")
                .and_then(|node| self.source.boolean(node, "`continue-on-error`", Place::JOB_HEAD)),
            timeout_minutes: fields
                .get("timeout-minutes")
                .and_then(|node| self.source.number(node, "`timeout-minutes`", Place::JOB_HEAD)),
            env: fields
                .get("env")
                .map(|node| self.source.texts(node, "`env`", Place::JOB_ENV))
                .unwrap_or_default(),
            defaults: Defaults {
                shell: defaults.shell.or_else(|| self.defaults.shell.clone()),
                working_directory: defaults
                    .working_directory
                    .or_else(|| self.defaults.working_directory.clone()),
            },
            outputs: fields
                .get("outputs")
                .map(|node| self.source.texts(node, "`outputs`", Place::JOB_OUTPUTS))
                .unwrap_or_default(),
            steps: steps.unwrap_or_default(),
        })
    }

    pub(super) fn needs(&mut self, fields: &Fields<'_>) -> Vec<String> {
        let mut needs: Vec<String> = Vec::new();
        for (need, _) in
            fields.get("needs").map(|node| self.source.one_or_many(node, "`needs`")).unwrap_or_default()
        {
            if !needs.contains(&need) {
                needs.push(need);
            }
        }
        needs
    }

    pub(super) fn condition(&mut self, node: &Node) -> Option<String> {
        let text = node.scalar();
        match &text {
            Some(text) => {
                check_condition(text, Place::JOB_IF, self.source.file, node.text_line, self.source.problems);
            }
            None => self.source.refuse(node.line, format!("`if` must be an expression, not {}", node.kind())),
        }
        text
    }

    fn runs_on(&mut self, node: &Node) -> Json {
        match &node.content {
            Content::Text(text) if !text.trim().is_empty() => {}
            Content::List(items) if !items.is_empty() => {
                for item in items {
                    self.source.text(item, "a label of `runs-on`", Place::JOB_HEAD);
                }
            }
            Content::Map(_) => {
                if let Some(fields) = self.source.fields(node, "`runs-on`", &["group", "labels"], &[]) {
                    if let Some(group) = fields.get("group") {
                        self.source.text(group, "`group`", Place::JOB_HEAD);
                    }
                    if fields.get("group").is_none() && fields.get("labels").is_none() {
                        self.source.refuse(node.line, "`runs-on` names neither a group nor labels");
                    }
                }
            }
            _ => self.source.refuse(
                node.line,
                format!(
                    "`runs-on` must be a label, a list of labels, or `group` and `labels`, not {}",
                    node.kind()
                ),
            ),
        }
        self.source.json(node, Place::JOB_HEAD)
    }

    fn environment(&mut self, node: &Node) -> Option<String> {
        if !matches!(node.content, Content::Map(_)) {
            return self.source.text(node, "`environment`", Place::JOB_HEAD);
        }
        // The address is only shown on a web page that is not here: checked, then left alone.
        let fields = self.source.fields(node, "`environment`", &["name", "url"], &[])?;
        if let Some(url) = fields.get("url") {
            self.source.text(url, "`url`", Place::ENVIRONMENT_URL);
        }
        let Some(name) = fields.get("name") else {
            self.source.refuse(node.line, "`environment` has no `name`");
            return None;
        };
        self.source.text(name, "`name`", Place::JOB_HEAD)
    }

    fn strategy(&mut self, node: &Node) -> Strategy {
        let Some(fields) =
            self.source.fields(node, "`strategy`", &["matrix", "fail-fast", "max-parallel"], &[])
        else {
            return Strategy::default();
        };
        let matrix = fields.get("matrix").map(|node| {
            self.check_matrix(node);
            self.source.json(node, Place::STRATEGY)
        });
        Strategy {
            matrix,
            fail_fast: fields
                .get("fail-fast")
                .and_then(|node| self.source.boolean(node, "`fail-fast`", Place::STRATEGY)),
            max_parallel: fields
                .get("max-parallel")
                .and_then(|node| self.source.number(node, "`max-parallel`", Place::STRATEGY)),
        }
    }

    fn check_matrix(&mut self, node: &Node) {
        let is_expression = |node: &Node| matches!(&node.content, Content::Text(text) if super::expression::whole_expression(text).is_some());
        if is_expression(node) {
            return;
        }
        for (name, line, value) in self.source.entries(node, "`matrix`").unwrap_or_default() {
            if is_expression(value) {
                continue;
            }
            match &value.content {
                Content::List(items) if matches!(name, "include" | "exclude") => {
                    for item in items.iter().filter(|item| !is_expression(item)) {
                        self.source.entries(item, &format!("an entry of `{name}`"));
                    }
                }
                Content::List(items) if items.is_empty() => {
                    self.source.refuse(line, format!("`{name}` in `matrix` has no values"));
                }
                Content::List(_) => {}
                _ => {
                    self.source
                        .refuse(line, format!("`{name}` in `matrix` must be a list or one expression"));
                }
            }
        }
    }

    /// Every need must exist, and none may lead back to its own job.
    fn check_needs(&mut self, jobs: &[Job], lines: &[usize]) {
        let mut settled: BTreeSet<&str> = BTreeSet::new();
        for (job, line) in jobs.iter().zip(lines) {
            for need in job.needs.iter().filter(|need| !jobs.iter().any(|other| other.id == **need)) {
                self.source
                    .refuse(*line, format!("the job `{}` needs `{need}`, which is no job here", job.id));
                settled.insert(need);
            }
        }
        while let Some(job) = jobs.iter().find(|job| {
            !settled.contains(job.id.as_str()) && job.needs.iter().all(|need| settled.contains(need.as_str()))
        }) {
            settled.insert(&job.id);
        }
        let stuck: Vec<_> =
            jobs.iter().zip(lines).filter(|(job, _)| !settled.contains(job.id.as_str())).collect();
        if let Some((_, line)) = stuck.first() {
            let ids: Vec<_> = stuck.iter().map(|(job, _)| format!("`{}`", job.id)).collect();
            self.source
                .refuse(**line, format!("jobs that need each other can never start: {}", ids.join(", ")));
        }
    }
}
