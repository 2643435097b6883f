//! Reads steps, of jobs and of composite actions.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::action::{self, CompositeAction};
use super::place::{Place, check_condition};
use super::published::Library;
use super::reference::{Reference, Remote};
use super::source::{Fields, Source};
use super::yaml::{Content, Node};
use super::{Step, StepAction};

/// Inputs of `actions/checkout` that the built-in one honours, or that change nothing about a copy.
const CHECKOUT_INPUTS: [&str; 6] =
    ["path", "fetch-depth", "fetch-tags", "persist-credentials", "clean", "show-progress"];

/// How deep composite actions may use each other; GitHub's limit.
pub(crate) const DEEPEST_ACTION: usize = 10;

pub(super) struct StepLoader<'a, 's> {
    source: &'a mut Source<'s>,
    /// Where actions are looked for.
    library: Library<'a>,
    text: Place,
    condition: Place,
    /// Absent in a job; in an action, how many actions lead to it.
    action_depth: Option<usize>,
}

impl<'a, 's> StepLoader<'a, 's> {
    pub(super) fn of_job(source: &'a mut Source<'s>, library: Library<'a>) -> Self {
        Self { source, library, text: Place::STEP, condition: Place::STEP_IF, action_depth: None }
    }

    pub(super) fn of_action(source: &'a mut Source<'s>, library: Library<'a>, depth: usize) -> Self {
        let (text, condition) = (Place::ACTION_STEP, Place::ACTION_STEP_IF);
        Self { source, library, text, condition, action_depth: Some(depth) }
    }

    pub(super) fn steps(mut self, node: &Node) -> Vec<Step> {
        let Content::List(items) = &node.content else {
            self.source.refuse(node.line, format!("`steps` must be a list, not {}", node.kind()));
            return Vec::new();
        };
        if items.is_empty() && self.action_depth.is_none() {
            self.source.refuse(node.line, "`steps` is empty");
        }
        let mut ids = BTreeSet::new();
        items
            .iter()
            .filter_map(|item| {
                let step = self.step(item)?;
                if let Some(id) = &step.id
                    && !ids.insert(id.to_ascii_lowercase())
                {
                    self.source.refuse(item.line, format!("two steps have the id `{id}`"));
                }
                Some(step)
            })
            .collect()
    }

    fn step(&mut self, node: &Node) -> Option<Step> {
        let mut known =
            vec!["id", "name", "if", "env", "continue-on-error", "run", "shell", "working-directory"];
        known.extend(["uses", "with"]);
        let mut unsupported = Vec::new();
        if self.action_depth.is_none() {
            known.push("timeout-minutes");
        } else {
            unsupported.push((
                "timeout-minutes",
                "composite actions have none; set it on the step that uses the action",
            ));
        }
        let fields = self.source.fields(node, "a step", &known, &unsupported)?;
        let id = fields.line_and("id").and_then(|(line, node)| {
            let id = self.source.plain(node, "`id`")?;
            self.source.identifier(&id, line, "a step's id");
            Some(id)
        });
        let condition = fields.get("if").and_then(|node| self.step_condition(node));
        let action = match (fields.get("run"), fields.get("uses")) {
            (Some(run), None) => self.run(run, node.line, &fields),
            (None, Some(uses)) => self.uses(uses, &fields),
            _ => {
                self.source.refuse(node.line, "a step must have either `run` or `uses`");
                None
            }
        };
        let text = self.text;
        Some(Step {
            id,
            name: fields.get("name").and_then(|node| self.source.text(node, "`name`", text)),
            condition,
            env: fields.get("env").map(|node| self.source.texts(node, "`env`", text)).unwrap_or_default(),
            continue_on_error: fields
                .get("continue-on-error")
                .and_then(|node| self.source.boolean(node, "`continue-on-error`", text)),
            timeout_minutes: fields
                .get("timeout-minutes")
                .and_then(|node| self.source.number(node, "`timeout-minutes`", text)),
            line: node.line,
            action: action?,
        })
    }

    fn step_condition(&mut self, node: &Node) -> Option<String> {
        let text = node.scalar();
        match &text {
            Some(text) => {
                check_condition(text, self.condition, self.source.file, node.text_line, self.source.problems);
            }
            None => self.source.refuse(node.line, format!("`if` must be an expression, not {}", node.kind())),
        }
        text
    }

    fn run(&mut self, run: &Node, line: usize, fields: &Fields<'_>) -> Option<StepAction> {
        let script = self.source.text(run, "`run`", self.text)?;
        if let Some((line, _)) = fields.line_and("with") {
            self.source.refuse(line, "`with` belongs to `uses`, not to `run`");
        }
        let shell = fields.get("shell").and_then(|node| {
            let shell = self.source.text(node, "`shell`", self.text)?;
            check_shell(&shell, node.line, self.source);
            Some(shell)
        });
        if self.action_depth.is_some() && shell.is_none() {
            self.source.refuse(line, "a `run` step of a composite action must have a `shell`");
        }
        let working_directory = fields
            .get("working-directory")
            .and_then(|node| self.source.text(node, "`working-directory`", self.text));
        Some(StepAction::Run { script, shell, working_directory })
    }

    fn uses(&mut self, uses: &Node, fields: &Fields<'_>) -> Option<StepAction> {
        for key in ["shell", "working-directory"] {
            if let Some((line, _)) = fields.line_and(key) {
                self.source.refuse(line, format!("`{key}` belongs to `run`, not to `uses`"));
            }
        }
        let action = self.source.plain(uses, "`uses`")?;
        let with =
            fields.get("with").map(|node| self.source.texts(node, "`with`", self.text)).unwrap_or_default();
        let lines: Vec<_> = fields
            .get("with")
            .and_then(|node| match &node.content {
                Content::Map(entries) => {
                    Some(entries.iter().map(|(key, _)| (key.name.as_str(), key.line)).collect())
                }
                _ => None,
            })
            .unwrap_or_default();
        let loaded = match Reference::of(&action) {
            Reference::Checkout => {
                for (name, line) in lines.iter().filter(|(name, _)| !CHECKOUT_INPUTS.contains(name)) {
                    self.source.refuse(
                        *line,
                        format!("the input `{name}` of actions/checkout is not supported: it copies the one repository there is"),
                    );
                }
                return Some(StepAction::Uses { action, with });
            }
            Reference::Local(folder) => {
                let Some(folder) = folder else {
                    self.source.refuse(uses.line, format!("`{action}` leads out of the repository"));
                    return None;
                };
                self.composite(&action, &self.library.repository.join(folder), None, uses.line)?
            }
            Reference::Repository(remote) => {
                let Some(files) = remote.files(self.library.published) else {
                    self.not_at_hand(&action, "it would have to be downloaded", uses.line);
                    return None;
                };
                self.composite(&action, &files.join(&remote.folder), Some(&remote), uses.line)?
            }
            Reference::Image => {
                self.not_at_hand(&action, "containers cannot run here", uses.line);
                return None;
            }
            Reference::Unknown => {
                self.source.refuse(
                    uses.line,
                    format!("`{action}` names no action: write ./FOLDER or OWNER/REPOSITORY@VERSION"),
                );
                return None;
            }
        };
        self.check_with(&action, &loaded, &with, &lines, uses.line);
        Some(StepAction::Uses { action, with })
    }

    fn not_at_hand(&mut self, action: &str, why: &str, line: usize) {
        let mut instead = vec!["a local composite action (`./…`)".to_owned(), "actions/checkout".to_owned()];
        instead.extend(self.library.published.names().map(|name| format!("{name}@…")));
        let last = instead.pop().unwrap_or_default();
        self.source.refuse(
            line,
            format!("the action `{action}` is not supported: {why}; use {} or {last}", instead.join(", ")),
        );
    }

    /// What is passed must be an input, and what is required must be passed.
    fn check_with(
        &mut self,
        action: &str,
        loaded: &CompositeAction,
        with: &BTreeMap<String, String>,
        lines: &[(&str, usize)],
        line: usize,
    ) {
        for (name, line) in lines.iter().filter(|(name, _)| loaded.input(name).is_none()) {
            let known: Vec<_> = loaded.inputs.iter().map(|input| input.name.as_str()).collect();
            self.source.refuse(*line, format!("{action} has no input `{name}`: it has {}", known.join(", ")));
        }
        for input in &loaded.inputs {
            let given = with.keys().any(|name| name.eq_ignore_ascii_case(&input.name));
            if input.required && input.default.is_none() && !given {
                self.source.refuse(
                    line,
                    format!("{action} requires the input `{}`: add it under `with`", input.name),
                );
            }
        }
    }

    /// Reads the action, and with it whatever it uses.
    fn composite(
        &mut self,
        action: &str,
        folder: &Path,
        remote: Option<&Remote>,
        line: usize,
    ) -> Option<CompositeAction> {
        let depth = self.action_depth.unwrap_or(0) + 1;
        if depth > DEEPEST_ACTION {
            self.source
                .refuse(line, format!("actions use each other more than {DEEPEST_ACTION} levels deep"));
            return None;
        }
        let Some(file) = CompositeAction::file(folder) else {
            self.source.refuse(
                line,
                format!("there is no action at `{action}`: it would need an action.yml or action.yaml"),
            );
            return None;
        };
        let shown = match remote {
            Some(remote) => {
                let name = file.file_name().unwrap_or_default();
                Path::new(&remote.repository()).join(&remote.folder).join(name).display().to_string()
            }
            None => action::shown(&file, self.library.repository),
        };
        CompositeAction::load(&file, &shown, self.library, depth, self.source.problems)
    }
}

/// Shells: `bash`, `sh`, `python` and templates of one's own.
pub(super) fn check_shell(shell: &str, line: usize, source: &mut Source<'_>) {
    if matches!(shell, "bash" | "sh" | "python") || shell.contains("{0}") || shell.contains("${{") {
        return;
    }
    source.refuse(
        line,
        format!("the shell `{shell}` is not supported: use bash, sh, python, or a command line with `{{0}}` for the script"),
    );
}
