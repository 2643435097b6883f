//! Reads reusable workflows: `on.workflow_call`, and the jobs that call one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value as Json;

use super::call::{Call, Callable, PassedSecrets};
use super::load::{read, read_permissions};
use super::load_job::JobLoader;
use super::model::{Defaults, Job, Strategy, Workflow};
use super::place::Place;
use super::source::{Fields, Source};
use super::yaml::{self, Content, Node};
use super::{Access, Input, InputKind, Permissions, action};

/// How many workflows may call each other, the first included; GitHub's limit.
const DEEPEST_CALL: usize = 10;

/// Where GitHub wants reusable workflows.
const WORKFLOWS: &str = ".github/workflows";

const KEYS: [&str; 7] = ["name", "uses", "with", "secrets", "needs", "if", "permissions"];

const UNSUPPORTED: [(&str, &str); 2] = [
    ("strategy", "write a job for each call"),
    ("concurrency", "jobs do not wait for other runs here; take it out"),
];

/// The workflows that call each other, down to the one that is read.
#[derive(Debug, Clone)]
pub(super) struct Chain {
    files: Vec<PathBuf>,
    /// What the token of its jobs may do at most, if it was called.
    pub(super) allowed: Option<Permissions>,
}

impl Chain {
    /// A workflow that nobody calls.
    pub(super) fn of(file: &str) -> Self {
        Self { files: vec![file.into()], allowed: None }
    }

    fn calling(&self, file: PathBuf, allowed: Permissions) -> Self {
        let mut files = self.files.clone();
        files.push(file);
        Self { files, allowed: Some(allowed) }
    }

    /// Where `./.github/workflows/NAME` may be, best first. A workflow that lies elsewhere is run as if its folder
    /// were that one, as it will be once both are where GitHub wants them.
    fn places(&self, name: &str) -> Vec<PathBuf> {
        let beside = self.files[0].parent().unwrap_or(Path::new("")).join(name);
        let proper = Path::new(WORKFLOWS).join(name);
        if beside == proper { vec![proper] } else { vec![beside, proper] }
    }
}

/// `on.workflow_call`.
pub(super) fn read_callable(node: &Node, source: &mut Source<'_>) -> Callable {
    let mut callable = Callable::default();
    let Some(fields) = source.fields(node, "`workflow_call`", &["inputs", "secrets", "outputs"], &[]) else {
        return callable;
    };
    for (name, line, node) in entries(&fields, "inputs", source) {
        callable.inputs.extend(read_input(name, line, node, source));
    }
    for (name, line, node) in entries(&fields, "secrets", source) {
        source.identifier(name, line, "a secret");
        let keys = ["description", "required"];
        let fields = if node.is_null() { None } else { source.fields(node, "a secret", &keys, &[]) };
        let required = fields.and_then(|fields| fields.get("required")).is_some_and(is_true);
        callable.secrets.insert(name.to_owned(), required);
    }
    for (name, line, node) in entries(&fields, "outputs", source) {
        let what = format!("the output `{name}`");
        let value = source.fields(node, &what, &["description", "value"], &[]).and_then(|it| it.get("value"));
        match value {
            None => source.refuse(line, format!("{what} has no `value`")),
            Some(value) => {
                if let Some(text) = source.text(value, "`value`", Place::CALL_OUTPUT) {
                    callable.outputs.insert(name.to_owned(), text);
                }
            }
        }
    }
    callable
}

fn entries<'n>(fields: &Fields<'n>, key: &str, source: &mut Source<'_>) -> Vec<(&'n str, usize, &'n Node)> {
    let node = fields.get(key).filter(|node| !node.is_null());
    node.and_then(|node| source.entries(node, &format!("`{key}`"))).unwrap_or_default()
}

fn is_true(node: &Node) -> bool {
    matches!(node.content, Content::Bool(true))
}

fn read_input(name: &str, line: usize, node: &Node, source: &mut Source<'_>) -> Option<Input> {
    source.identifier(name, line, "an input");
    let what = format!("the input `{name}`");
    let fields = source.fields(node, &what, &["description", "type", "default", "required"], &[])?;
    let kind = match fields.get("type").and_then(Node::scalar).as_deref() {
        Some("string") => InputKind::String,
        Some("boolean") => InputKind::Boolean,
        Some("number") => InputKind::Number,
        _ => {
            source.refuse(line, format!("{what} of `workflow_call` needs a type: string, boolean or number"));
            return None;
        }
    };
    Some(Input {
        name: name.to_owned(),
        kind,
        default: fields.get("default").and_then(|node| source.text(node, "`default`", Place::CALL_DEFAULT)),
        required: fields.get("required").is_some_and(is_true),
        description: fields.get("description").and_then(Node::scalar),
    })
}

impl JobLoader<'_, '_> {
    /// A job that calls a workflow.
    pub(super) fn call(&mut self, id: &str, node: &Node) -> Option<Job> {
        let fields = self.source.fields(node, &format!("the call `{id}`"), &KEYS, &UNSUPPORTED)?;
        let permissions = match fields.get("permissions") {
            Some(node) => read_permissions(node, self.source),
            None => self.permissions.clone(),
        };
        let (line, uses) = fields.line_and("uses")?;
        let path = self.source.plain(uses, "`uses`")?;
        let called = self.called(&path, line, permissions.clone());
        let with = fields
            .get("with")
            .map(|node| self.source.texts(node, "`with`", Place::CALL_WITH))
            .unwrap_or_default();
        let secrets = match fields.get("secrets") {
            Some(node) if node.scalar().as_deref() == Some("inherit") => PassedSecrets::Inherit,
            Some(node) => PassedSecrets::Named(self.source.texts(node, "`secrets`", Place::CALL_SECRETS)),
            None => PassedSecrets::Named(BTreeMap::new()),
        };
        let (file, workflow) = called?;
        let call = Call { path: file, workflow: Arc::new(workflow), with, secrets };
        self.check_call(&path, &call, line);
        self.check_permissions(&path, &call, &permissions, line);
        Some(Job {
            id: id.to_owned(),
            name: fields.get("name").and_then(|node| self.source.text(node, "`name`", Place::JOB_HEAD)),
            needs: self.needs(&fields),
            condition: fields.get("if").and_then(|node| self.condition(node)),
            call: Some(call),
            runs_on: Json::Null,
            environment: None,
            permissions,
            strategy: Strategy::default(),
            continue_on_error: None,
            timeout_minutes: None,
            env: BTreeMap::new(),
            defaults: Defaults::default(),
            outputs: BTreeMap::new(),
            steps: Vec::new(),
        })
    }

    /// Reads the workflow that is called; gives its file, too.
    fn called(&mut self, path: &str, line: usize, allowed: Permissions) -> Option<(String, Workflow)> {
        let name = path.strip_prefix("./").and_then(|path| path.strip_prefix(WORKFLOWS)?.strip_prefix('/'));
        let Some(name) = name.filter(|name| !name.contains(['/', '@'])) else {
            let how = format!("write ./{WORKFLOWS}/FILE");
            let what = if path.starts_with("./") { "is no workflow" } else { "is not in this repository" };
            self.source.refuse(line, format!("`{path}` {what}, so it cannot be called here: {how}"));
            return None;
        };
        let places = self.chain.places(name);
        let file = places.iter().find(|file| self.library.repository.join(file).is_file());
        let Some(file) = file else {
            self.source.refuse(line, format!("there is no workflow at `{path}`"));
            return None;
        };
        if self.chain.files.contains(file) {
            self.source.refuse(line, format!("`{path}` calls itself"));
            return None;
        }
        if self.chain.files.len() >= DEEPEST_CALL {
            let message = format!("workflows call each other more than {DEEPEST_CALL} levels deep");
            self.source.refuse(line, message);
            return None;
        }
        let full = self.library.repository.join(file);
        let text = match std::fs::read_to_string(&full) {
            Ok(text) => text,
            Err(error) => {
                self.source.refuse(line, format!("cannot read {}: {error}", full.display()));
                return None;
            }
        };
        let shown = action::shown(&full, self.library.repository);
        let root = yaml::read(&text, &shown, self.source.problems)?;
        let source = Source { file: &shown, problems: self.source.problems };
        let workflow = read(&root, source, self.library, &self.chain.calling(file.clone(), allowed))?;
        if workflow.callable.is_none() {
            let message = format!("`{path}` cannot be called: it would need `on: workflow_call`");
            self.source.refuse(line, message);
            return None;
        }
        Some((shown, workflow))
    }

    /// What is passed must be declared, and what is required must be passed.
    fn check_call(&mut self, path: &str, call: &Call, line: usize) {
        let Some(callable) = &call.workflow.callable else { return };
        let mut refuse = |message: String| self.source.refuse(line, format!("calling `{path}`: {message}"));
        for name in call.with.keys().filter(|name| callable.input(name).is_none()) {
            refuse(format!("it has no input `{name}`"));
        }
        for input in callable.inputs.iter().filter(|input| input.required && input.default.is_none()) {
            if !call.with.keys().any(|name| name.eq_ignore_ascii_case(&input.name)) {
                refuse(format!("it requires the input `{}`: add it under `with`", input.name));
            }
        }
        let PassedSecrets::Named(passed) = &call.secrets else { return };
        for name in passed.keys().filter(|name| !callable.secrets.contains_key(*name)) {
            refuse(format!("it has no secret `{name}`"));
        }
        for (name, _) in
            callable.secrets.iter().filter(|(name, required)| **required && !passed.contains_key(*name))
        {
            refuse(format!(
                "it requires the secret `{name}`: add it under `secrets`, or write `secrets: inherit`"
            ));
        }
    }

    /// A called workflow may ask for less than its caller has, never for more.
    fn check_permissions(&mut self, path: &str, call: &Call, allowed: &Permissions, line: usize) {
        let word = |access| match access {
            Access::None => "none",
            Access::Read => "read",
            Access::Write => "write",
        };
        for job in &call.workflow.jobs {
            for (scope, asked) in job.permissions.iter().filter(|(scope, asked)| *asked > allowed.get(scope))
            {
                self.source.refuse(
                    line,
                    format!(
                        "calling `{path}`: the nested job `{}` is requesting `{scope}: {}`, but is only allowed \
                         `{scope}: {}`: add it to `permissions` of this job",
                        job.id,
                        word(asked),
                        word(allowed.get(scope)),
                    ),
                );
            }
        }
    }
}
