//! The program of the simulated tasks: it only notes what ECS has put into its environment, and sleeps.
//!
//! So an agent can be started with everything that a task has, at a moment of the benchmark's choice.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use fleetfoot_sim::aws::LocalImage;

use crate::common::Result;

/// The first argument by which this program is told to be one.
pub(crate) const TASK: &str = "task";

/// Its image. The environments are noted in this folder.
pub(crate) fn image(notes: &Path) -> Result<LocalImage> {
    let program = std::env::current_exe()?.display().to_string();
    let argv = vec![program, TASK.to_owned(), notes.display().to_string()];
    Ok(LocalImage { argv, env: BTreeMap::new(), files: None })
}

/// The environment of the only task that has come up since the last time.
pub(crate) async fn environment(notes: &Path) -> Result<Vec<(String, String)>> {
    for _ in 0..1000 {
        let entries = std::fs::read_dir(notes)?.collect::<std::io::Result<Vec<_>>>()?;
        if let Some(note) =
            entries.iter().map(std::fs::DirEntry::path).find(|path| path.extension().is_none())
        {
            let environment: BTreeMap<String, String> = serde_json::from_slice(&std::fs::read(&note)?)?;
            std::fs::remove_file(note)?;
            return Ok(environment.into_iter().collect());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Err("no task came up".into())
}

/// The program.
pub(crate) fn main(folder: Option<&str>) -> ExitCode {
    let done = folder.ok_or_else(|| "no folder is named".into()).and_then(|folder| note(Path::new(folder)));
    if let Err(error) = done {
        eprintln!("error: {error}");
        return ExitCode::FAILURE;
    }
    loop {
        std::thread::sleep(Duration::from_hours(1));
    }
}

fn note(notes: &Path) -> Result<()> {
    let environment: BTreeMap<String, String> = std::env::vars().collect();
    let file: PathBuf = notes.join(std::process::id().to_string());
    // It is there as a whole or not at all.
    let draft = file.with_extension("draft");
    std::fs::write(&draft, serde_json::to_vec(&environment)?)?;
    std::fs::rename(draft, file)?;
    Ok(())
}
