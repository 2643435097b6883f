//! Reads the top of a workflow file: triggers, inputs, permissions, defaults.

use std::collections::BTreeMap;
use std::path::Path;

use super::call::Callable;
use super::load_call::{Chain, read_callable};
use super::load_job::JobLoader;
use super::model::{Defaults, Workflow};
use super::permissions::SCOPES;
use super::place::Place;
use super::problem::{LoadError, Problems};
use super::published::Library;
use super::source::Source;
use super::yaml::{self, Content, Node};
use super::{Access, Input, InputKind, Permissions, Published};

/// The events that start workflows (GitHub docs, "Events that trigger workflows").
const EVENTS: [&str; 36] = [
    "branch_protection_rule",
    "check_run",
    "check_suite",
    "create",
    "delete",
    "deployment",
    "deployment_status",
    "discussion",
    "discussion_comment",
    "fork",
    "gollum",
    "image_version",
    "issue_comment",
    "issues",
    "label",
    "merge_group",
    "milestone",
    "page_build",
    "project",
    "project_card",
    "project_column",
    "public",
    "pull_request",
    "pull_request_review",
    "pull_request_review_comment",
    "pull_request_target",
    "push",
    "registry_package",
    "release",
    "repository_dispatch",
    "schedule",
    "status",
    "watch",
    "workflow_call",
    "workflow_dispatch",
    "workflow_run",
];

impl Workflow {
    /// Reads and checks a workflow file, absolute or relative to `repository`, with all that it uses: actions and
    /// workflows below `repository`, and actions of the repositories in `published`.
    ///
    /// # Errors
    /// All refusals at once, each with its file and line.
    pub fn load(path: &Path, repository: &Path, published: &Published) -> Result<Self, LoadError> {
        let full = repository.join(path);
        let shown = full.strip_prefix(repository).unwrap_or(path).display().to_string();
        match std::fs::read_to_string(&full) {
            Ok(text) => Self::parse(&text, &shown, repository, published),
            Err(error) => {
                let mut problems = Problems::default();
                problems.add(&shown, 1, format!("cannot read {}: {error}", full.display()));
                problems.into_result(None)
            }
        }
    }

    /// The same for text at hand; `file` is its name in refusals.
    ///
    /// # Errors
    /// See [`Workflow::load`].
    pub fn parse(
        text: &str,
        file: &str,
        repository: &Path,
        published: &Published,
    ) -> Result<Self, LoadError> {
        let mut problems = Problems::default();
        let library = Library { repository, published };
        let root = yaml::read(text, file, &mut problems);
        let source = Source { file, problems: &mut problems };
        let workflow = root.and_then(|root| read(&root, source, library, &Chain::of(file)));
        problems.into_result(workflow)
    }
}

/// Reads a workflow that was started, or called by the others in the chain.
pub(super) fn read(
    root: &Node,
    mut source: Source<'_>,
    library: Library<'_>,
    chain: &Chain,
) -> Option<Workflow> {
    let fields = source.fields(
        root,
        "a workflow",
        &["name", "run-name", "on", "env", "defaults", "permissions", "jobs"],
        &[("concurrency", "runs do not wait for each other here; take it out")],
    )?;
    let name = fields.get("name").and_then(|node| source.plain(node, "`name`"));
    let run_name = fields.get("run-name").and_then(|node| source.text(node, "`run-name`", Place::RUN_NAME));
    let Triggers { events, inputs, callable } = if let Some(node) = fields.get("on") {
        read_on(node, &mut source)
    } else {
        source.refuse(root.line, "`on` is missing: say what starts the workflow, `on: workflow_dispatch`");
        Triggers::default()
    };
    let env =
        fields.get("env").map(|node| source.texts(node, "`env`", Place::WORKFLOW_ENV)).unwrap_or_default();
    let defaults = fields.get("defaults").map(|node| read_defaults(node, Place::NOWHERE, &mut source));
    let permissions = fields.get("permissions").map(|node| read_permissions(node, &mut source));
    let jobs = fields.get("jobs").and_then(|node| {
        JobLoader {
            source: &mut source,
            library,
            chain,
            defaults: defaults.unwrap_or_default(),
            permissions: permissions.or_else(|| chain.allowed.clone()).unwrap_or_default(),
        }
        .jobs(node)
    });
    if fields.get("jobs").is_none() {
        source.refuse(root.line, "`jobs` is missing");
    }
    let name = name.unwrap_or_else(|| source.file.to_owned());
    Some(Workflow { name, run_name, triggers: events, inputs, callable, env, jobs: jobs? })
}

/// What stands under `on`.
#[derive(Default)]
struct Triggers {
    events: Vec<String>,
    /// Of `workflow_dispatch`.
    inputs: Vec<Input>,
    callable: Option<Callable>,
}

fn read_on(node: &Node, source: &mut Source<'_>) -> Triggers {
    let (mut inputs, mut callable) = (Vec::new(), None);
    let events: Vec<(String, usize)> = match &node.content {
        Content::Map(entries) => entries
            .iter()
            .map(|(key, value)| {
                match key.name.as_str() {
                    "workflow_dispatch" if !value.is_null() => inputs = read_dispatch(value, source),
                    "workflow_call" if !value.is_null() => callable = Some(read_callable(value, source)),
                    _ => {}
                }
                (key.name.clone(), key.line)
            })
            .collect(),
        _ => source.one_or_many(node, "`on`").into_iter().map(|(name, item)| (name, item.line)).collect(),
    };
    for (event, line) in &events {
        if !EVENTS.contains(&event.as_str()) {
            source.refuse(*line, format!("unknown event `{event}`"));
        }
    }
    let events: Vec<String> = events.into_iter().map(|(event, _)| event).collect();
    if events.iter().any(|event| event == "workflow_call") {
        callable.get_or_insert_default();
    }
    Triggers { events, inputs, callable }
}

fn read_dispatch(node: &Node, source: &mut Source<'_>) -> Vec<Input> {
    let Some(inputs) =
        source.fields(node, "`workflow_dispatch`", &["inputs"], &[]).and_then(|fields| fields.get("inputs"))
    else {
        return Vec::new();
    };
    let entries = source.entries(inputs, "`inputs`").unwrap_or_default();
    entries.into_iter().filter_map(|(name, line, node)| read_input(name, line, node, source)).collect()
}

fn read_input(name: &str, line: usize, node: &Node, source: &mut Source<'_>) -> Option<Input> {
    source.identifier(name, line, "an input");
    let what = format!("the input `{name}`");
    let mut input = Input {
        name: name.to_owned(),
        kind: InputKind::String,
        default: None,
        required: false,
        description: None,
    };
    if node.is_null() {
        return Some(input);
    }
    let keys = ["description", "type", "default", "required", "options", "deprecationMessage"];
    let fields = source.fields(node, &what, &keys, &[])?;
    input.description = fields.get("description").and_then(Node::scalar);
    input.default = fields.get("default").and_then(|node| source.plain(node, "`default`"));
    if let Some(node) = fields.get("required") {
        match node.content {
            Content::Bool(required) => input.required = required,
            _ => source.refuse(node.line, format!("`required` of {what} must be true or false")),
        }
    }
    let options = fields.get("options").map(|node| {
        source.one_or_many(node, "`options`").into_iter().map(|(text, _)| text).collect::<Vec<_>>()
    });
    let kind = fields.line_and("type").map(|(line, node)| (line, node.scalar().unwrap_or_default()));
    input.kind = match kind.as_ref().map_or("string", |(_, kind)| kind.as_str()) {
        "string" => InputKind::String,
        "boolean" => InputKind::Boolean,
        "number" => InputKind::Number,
        "environment" => InputKind::Environment,
        "choice" => InputKind::Choice(options.clone().unwrap_or_default()),
        other => {
            let line = kind.as_ref().map_or(line, |(line, _)| *line);
            let known = "string, boolean, number, choice, environment";
            source.refuse(line, format!("unknown type `{other}` of {what}: it may be {known}"));
            return None;
        }
    };
    match (&input.kind, &options) {
        (InputKind::Choice(options), _) if options.is_empty() => {
            source.refuse(line, format!("{what} is a choice without `options`"));
        }
        (InputKind::Choice(options), _) => {
            if let Some(default) = input.default.as_ref().filter(|default| !options.contains(default)) {
                source.refuse(line, format!("the default `{default}` of {what} is none of its options"));
            }
        }
        (_, Some(_)) => source.refuse(line, format!("{what} has `options` but is no `choice`")),
        _ => {}
    }
    Some(input)
}

/// `defaults.run`, of the workflow or of a job.
pub(super) fn read_defaults(node: &Node, place: Place, source: &mut Source<'_>) -> Defaults {
    let run = source.fields(node, "`defaults`", &["run"], &[]).and_then(|fields| fields.get("run"));
    let Some(fields) =
        run.and_then(|run| source.fields(run, "`defaults.run`", &["shell", "working-directory"], &[]))
    else {
        return Defaults::default();
    };
    Defaults {
        shell: fields.get("shell").and_then(|node| {
            let shell = source.text(node, "`shell`", place)?;
            super::load_steps::check_shell(&shell, node.line, source);
            Some(shell)
        }),
        working_directory: fields
            .get("working-directory")
            .and_then(|node| source.text(node, "`working-directory`", place)),
    }
}

/// `permissions`, of the workflow or of a job.
pub(super) fn read_permissions(node: &Node, source: &mut Source<'_>) -> Permissions {
    match &node.content {
        Content::Text(text) if text == "read-all" => return Permissions::read_all(),
        Content::Text(text) if text == "write-all" => return Permissions::write_all(),
        Content::Map(entries) => {
            let mut granted: BTreeMap<&str, Access> = BTreeMap::new();
            for (key, value) in entries {
                let scope = key.name.as_str();
                if !SCOPES.contains(&scope) {
                    source.refuse(
                        key.line,
                        format!("unknown permission `{scope}`: there are {}", SCOPES.join(", ")),
                    );
                    continue;
                }
                match value.scalar().as_deref() {
                    Some("none") => granted.insert(scope, Access::None),
                    Some("read") if scope != "id-token" => granted.insert(scope, Access::Read),
                    Some("write") if scope != "models" => granted.insert(scope, Access::Write),
                    _ => {
                        let levels = match scope {
                            "id-token" => "write or none",
                            "models" => "read or none",
                            _ => "read, write or none",
                        };
                        source.refuse(value.line, format!("`{scope}` must be {levels}"));
                        None
                    }
                };
            }
            return Permissions::from_scopes(granted);
        }
        _ => {}
    }
    source.refuse(node.line, "`permissions` must be `read-all`, `write-all` or a mapping of scopes");
    Permissions::default()
}
