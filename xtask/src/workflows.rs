//! Workflows and actions, and zizmor, which looks for what an attacker could use in them.

use std::fs;
use std::path::Path;

use crate::shell;
use crate::snippets;
use crate::steps::Outcome;

/// The Action, its half that stops, and where workflows are.
const PLACES: [&str; 4] = ["action.yml", "stop/action.yml", ".github/workflows", "examples"];

/// Where the workflows of the documentation are written to.
const SNIPPETS: &str = "target/snippets";

/// Files that zizmor must find unsafe, each by the audit that its first line names.
const UNSAFE: &str = "tests/workflows/unsafe";

/// All workflows and actions, from the root. Those that pages show are written to files first.
pub(crate) fn all(root: &Path) -> Result<Vec<String>, String> {
    let mut files = Vec::new();
    for place in PLACES {
        files.extend(below(root, place)?);
    }
    files.extend(write_snippets(root)?);
    Ok(files)
}

/// The YAML files of a folder and of the folders in it, sorted; or the one that is named.
pub(crate) fn below(root: &Path, place: &str) -> Result<Vec<String>, String> {
    let full = root.join(place);
    if !full.is_dir() {
        return if full.is_file() { Ok(vec![place.to_owned()]) } else { Err(format!("there is no {place}")) };
    }
    let entries = fs::read_dir(&full).map_err(|error| format!("cannot read {place}: {error}"))?;
    let mut files = Vec::new();
    for name in entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()) {
        let path = format!("{place}/{name}");
        if full.join(&name).is_dir() {
            files.extend(below(root, &path)?);
        } else if matches!(Path::new(&name).extension().and_then(|e| e.to_str()), Some("yml" | "yaml")) {
            files.push(path);
        }
    }
    files.sort();
    if files.is_empty() { Err(format!("{place} holds no workflow")) } else { Ok(files) }
}

/// Each keeps its page's name and its line numbers.
fn write_snippets(root: &Path) -> Result<Vec<String>, String> {
    let folder = root.join(SNIPPETS);
    let failed = |error| format!("cannot write {SNIPPETS}: {error}");
    // Of snippets that the pages do not show any more nothing is left.
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(failed)?;
    }
    fs::create_dir_all(&folder).map_err(failed)?;
    let mut files = Vec::new();
    for snippet in snippets::all(root)? {
        let page = snippet.page.trim_end_matches(".md").replace('/', "-");
        let file = format!("{SNIPPETS}/{page}-{}.yml", snippet.line);
        fs::write(root.join(&file), &snippet.workflow).map_err(failed)?;
        files.push(file);
    }
    if files.is_empty() { Err("no page shows a workflow".to_owned()) } else { Ok(files) }
}

/// Runs zizmor on all of them, and on some that it must not let pass.
pub(crate) fn zizmor(root: &Path, programs: &Path) -> Outcome {
    let (files, unsafe_ones) = match (all(root), below(root, UNSAFE)) {
        (Ok(files), Ok(unsafe_ones)) => (files, unsafe_ones),
        (Err(why), _) | (_, Err(why)) => return Outcome::Failed(why),
    };
    for file in unsafe_ones {
        if let Err(why) = must_be_found(root, programs, &file) {
            return Outcome::Failed(why);
        }
    }
    println!("{} files", files.len());
    shell::run(&mut shell::program(root, programs.join("zizmor"), &arguments(&files)))
}

fn arguments(files: &[String]) -> Vec<&str> {
    // Given a folder, zizmor would take only those below `.github/workflows`.
    let mut arguments = vec!["--offline", "--quiet", "--config", ".github/zizmor.yml"];
    arguments.extend(files.iter().map(String::as_str));
    arguments
}

/// A check that finds nothing anywhere would pass for ever.
fn must_be_found(root: &Path, programs: &Path, file: &str) -> Result<(), String> {
    let text = fs::read_to_string(root.join(file)).map_err(|error| format!("cannot read {file}: {error}"))?;
    let audit = text
        .lines()
        .next()
        .and_then(|line| line.strip_prefix("# unsafe: "))
        .ok_or_else(|| format!("the first line of {file} does not say what is unsafe"))?;
    let files = [file.to_owned()];
    let output = shell::program(root, programs.join("zizmor"), &arguments(&files))
        .output()
        .map_err(|error| format!("cannot run zizmor: {error}"))?;
    let said = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() && said.contains(&format!("[{audit}]")) {
        Ok(())
    } else {
        Err(format!("zizmor does not find {audit} in {file}: {}", said.trim()))
    }
}
