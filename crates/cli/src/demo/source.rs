//! The workflow that a demo runs, and the repository that it belongs to.

use std::path::{Path, PathBuf};

use fleetfoot_sim::workflow::Workflow;
use tempfile::TempDir;

use super::action;
use crate::failure::Failure;

/// Where workflows are in their repository.
const FOLDER: &str = ".github/workflows";

/// A workflow, and the repository it belongs to.
#[derive(Debug)]
pub struct Source {
    /// The repository's files.
    pub files: PathBuf,
    /// The workflow's path within them.
    pub workflow: PathBuf,
    /// Holds a repository that was made for it.
    _home: Option<TempDir>,
}

impl Source {
    /// A workflow of this program's own, in a repository with nothing else in it.
    ///
    /// # Errors
    /// If the disk takes no more.
    pub fn built_in(name: &str, text: &str) -> Result<Self, Failure> {
        let path = Path::new(FOLDER).join(name);
        let written = tempfile::tempdir().and_then(|home| {
            std::fs::create_dir_all(home.path().join(FOLDER))?;
            std::fs::write(home.path().join(&path), text)?;
            Ok(home)
        });
        let home = written.map_err(|error| {
            Failure::failed(
                "io",
                format!("cannot write the built-in workflow: {error}"),
                "See whether the disk is full.",
            )
        })?;
        Ok(Self { files: home.path().to_owned(), workflow: path, _home: Some(home) })
    }

    /// A workflow file. Its repository is the nearest folder above it with a `.git`, else the one above `.github`,
    /// else the workflow's own.
    ///
    /// # Errors
    /// If there is no such file.
    pub fn of_file(path: &Path) -> Result<Self, Failure> {
        let file = path.canonicalize().map_err(|error| {
            Failure::usage(
                format!("cannot read the workflow {}: {error}", path.display()),
                "Name an existing workflow file.",
            )
        })?;
        let own = file.parent().unwrap_or(Path::new("/"));
        let root = own
            .ancestors()
            .find(|dir| dir.join(".git").exists())
            .or_else(|| own.ancestors().find(|dir| dir.join(".github").is_dir()))
            .unwrap_or(own);
        let workflow = file.strip_prefix(root).unwrap_or(&file).to_owned();
        Ok(Self { files: root.to_owned(), workflow, _home: None })
    }

    /// Refuses what cannot run before anything is started, with file and line; else gives the event that starts it.
    ///
    /// # Errors
    /// If the interpreter does not support it, or it starts by nothing itself.
    pub fn check(&self) -> Result<String, Failure> {
        let published = tempfile::tempdir().and_then(|home| Ok((action::publish(home.path())?, home)));
        let (published, _home) = published.map_err(|error| {
            Failure::failed(
                "io",
                format!("cannot unpack the Action: {error}"),
                "See whether the disk is full.",
            )
        })?;
        let workflow = Workflow::load(&self.workflow, &self.files, &published).map_err(|error| {
            Failure::usage(
                format!("the workflow cannot be run here:\n{error}"),
                "The demo runs jobs with shell steps, local composite actions, OWNER/fleetfoot and actions/checkout, \
                 and calls of the repository's own workflows.",
            )
        })?;
        event(&workflow)
    }
}

/// The event that starts the workflow: by hand if that can be, else by a push, else by whatever else it waits for.
fn event(workflow: &Workflow) -> Result<String, Failure> {
    let triggers = workflow.triggers();
    let usual = ["workflow_dispatch", "push"].into_iter().find(|event| triggers.iter().any(|it| it == event));
    let any = triggers.iter().map(String::as_str).find(|event| *event != "workflow_call");
    usual.or(any).map(str::to_owned).ok_or_else(|| {
        Failure::usage(
            format!("the workflow {} starts by nothing itself: it has `on: workflow_call`", workflow.name()),
            "Name a workflow that calls it.",
        )
    })
}
