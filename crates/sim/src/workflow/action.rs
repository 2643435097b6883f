//! Composite actions: `action.yml`.
//!
//! Read twice: when the workflow is loaded, to refuse what cannot run, and by the runner when a step uses it, as at
//! GitHub. A local action's files may have changed in the job's workspace since.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::Step;
use super::load_steps::StepLoader;
use super::place::Place;
use super::problem::{LoadError, Problems};
use super::published::Library;
use super::source::Source;
use super::yaml::{self, Content, Node};

/// A composite action.
#[derive(Debug, Clone)]
pub(crate) struct CompositeAction {
    pub(crate) inputs: Vec<ActionInput>,
    /// Name and expression.
    pub(crate) outputs: BTreeMap<String, String>,
    pub(crate) steps: Vec<Step>,
}

/// An input of an action.
#[derive(Debug, Clone)]
pub(crate) struct ActionInput {
    pub(crate) name: String,
    pub(crate) default: Option<String>,
    pub(crate) required: bool,
}

impl CompositeAction {
    /// The metadata file in an action's folder.
    pub(crate) fn file(folder: &Path) -> Option<PathBuf> {
        ["action.yml", "action.yaml"].into_iter().map(|name| folder.join(name)).find(|path| path.is_file())
    }

    /// Reads an action at the time a job uses it. Local actions that it uses itself are in the workspace.
    pub(crate) fn open(file: &Path, library: Library<'_>) -> Result<Self, LoadError> {
        let mut problems = Problems::default();
        let action = Self::load(file, &shown(file, library.repository), library, 1, &mut problems);
        problems.into_result(action)
    }

    pub(crate) fn input(&self, name: &str) -> Option<&ActionInput> {
        self.inputs.iter().find(|input| input.name.eq_ignore_ascii_case(name))
    }

    /// Reads and checks an action and those it uses; `shown` names the file, `depth` counts them.
    pub(super) fn load(
        file: &Path,
        shown: &str,
        library: Library<'_>,
        depth: usize,
        problems: &mut Problems,
    ) -> Option<Self> {
        let text = match std::fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) => {
                problems.add(shown, 1, format!("cannot read {}: {error}", file.display()));
                return None;
            }
        };
        let root = yaml::read(&text, shown, problems)?;
        let mut source = Source { file: shown, problems };
        let keys = ["name", "description", "author", "branding", "inputs", "outputs", "runs"];
        let fields = source.fields(&root, "an action", &keys, &[])?;
        for key in ["name", "description", "author"] {
            if let Some(node) = fields.get(key) {
                source.plain(node, &format!("`{key}`"));
            }
        }
        let inputs = fields.get("inputs").map(|node| read_inputs(node, &mut source)).unwrap_or_default();
        let outputs = fields.get("outputs").map(|node| read_outputs(node, &mut source)).unwrap_or_default();
        let Some(runs) = fields.get("runs") else {
            source.refuse(root.line, "an action must have `runs`");
            return None;
        };
        let steps = read_runs(runs, &mut source, library, depth)?;
        Some(Self { inputs, outputs, steps })
    }
}

/// How messages name a file of the repository.
pub(super) fn shown(file: &Path, repository: &Path) -> String {
    file.strip_prefix(repository).unwrap_or(file).display().to_string()
}

fn read_inputs(node: &Node, source: &mut Source<'_>) -> Vec<ActionInput> {
    let mut inputs = Vec::new();
    if node.is_null() {
        return inputs;
    }
    for (name, line, node) in source.entries(node, "`inputs`").unwrap_or_default() {
        source.identifier(name, line, "an input");
        let mut input = ActionInput { name: name.to_owned(), default: None, required: false };
        let keys = ["description", "required", "default", "deprecationMessage"];
        if !node.is_null()
            && let Some(fields) = source.fields(node, &format!("the input `{name}`"), &keys, &[])
        {
            input.default =
                fields.get("default").and_then(|node| source.text(node, "`default`", Place::ACTION_OUTPUTS));
            input.required = match fields.get("required").map(|node| (&node.content, node.line)) {
                None => false,
                Some((Content::Bool(required), _)) => *required,
                Some((Content::Text(text), _)) if text == "true" || text == "false" => text == "true",
                Some((_, line)) => {
                    source.refuse(line, "`required` must be true or false");
                    false
                }
            };
        }
        inputs.push(input);
    }
    inputs
}

fn read_outputs(node: &Node, source: &mut Source<'_>) -> BTreeMap<String, String> {
    let mut outputs = BTreeMap::new();
    if node.is_null() {
        return outputs;
    }
    for (name, line, node) in source.entries(node, "`outputs`").unwrap_or_default() {
        let fields = source.fields(node, &format!("the output `{name}`"), &["description", "value"], &[]);
        match fields.and_then(|fields| fields.get("value")) {
            Some(value) => {
                if let Some(text) = source.text(value, "`value`", Place::ACTION_OUTPUTS) {
                    outputs.insert(name.to_owned(), text);
                }
            }
            None => source.refuse(line, format!("the output `{name}` has no `value`")),
        }
    }
    outputs
}

fn read_runs(node: &Node, source: &mut Source<'_>, library: Library<'_>, depth: usize) -> Option<Vec<Step>> {
    let entries = source.entries(node, "`runs`")?;
    let using =
        entries.iter().find(|(name, ..)| *name == "using").map(|(_, line, node)| (*line, node.scalar()));
    match using {
        Some((_, Some(using))) if using == "composite" => {}
        Some((line, using)) => {
            let using = using.unwrap_or_default();
            source.refuse(
                line,
                format!(
                    "actions with `using: {using}` are not supported: only `composite` ones can run here"
                ),
            );
            return None;
        }
        None => {
            source.refuse(node.line, "`runs` has no `using`");
            return None;
        }
    }
    let fields = source.fields(node, "`runs`", &["using", "steps"], &[])?;
    let Some(steps) = fields.get("steps") else {
        source.refuse(node.line, "`runs` has no `steps`");
        return None;
    };
    Some(StepLoader::of_action(source, library, depth).steps(steps))
}
