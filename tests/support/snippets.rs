//! Workflows that the documentation shows: readers copy them, so they are held to what files are held to.

use std::path::Path;
use std::{fs, io};

/// A block of YAML in a page, completed to a workflow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Snippet {
    /// The page, from the root of the repository.
    pub(crate) page: String,
    /// The line of the page on which its text begins.
    pub(crate) line: usize,
    /// The workflow. Each line has the number that it has in the page, so what is said of it can be found there.
    pub(crate) workflow: String,
}

/// What stands before `jobs:`.
const JOBS: &[&str] = &["on: workflow_dispatch", "permissions: {}"];

/// What stands before a list of steps.
const STEPS: &[&str] = &[
    "on: workflow_dispatch",
    "permissions: {}",
    "jobs:",
    "  job:",
    "    runs-on: ubuntu-latest",
    "    steps:",
];

/// The snippets of all pages below a folder.
///
/// # Errors
/// A page cannot be read, or shows a part of a workflow that cannot be completed.
pub(crate) fn all(root: &Path) -> Result<Vec<Snippet>, String> {
    let mut pages = Vec::new();
    collect(root, Path::new(""), &mut pages).map_err(|error| format!("cannot look for pages: {error}"))?;
    pages.sort();
    let mut snippets = Vec::new();
    for page in pages {
        let text =
            fs::read_to_string(root.join(&page)).map_err(|error| format!("cannot read {page}: {error}"))?;
        snippets.extend(of_page(&page, &text)?);
    }
    Ok(snippets)
}

/// The Markdown pages below a folder; what is hidden, built or installed is none of ours.
fn collect(root: &Path, folder: &Path, pages: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(root.join(folder))? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str().filter(|name| !name.starts_with('.')) else { continue };
        let path = folder.join(name);
        if entry.file_type()?.is_dir() {
            if !["target", "node_modules"].contains(&name) {
                collect(root, &path, pages)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "md") {
            pages.extend(path.to_str().map(str::to_owned));
        }
    }
    Ok(())
}

/// The snippets of one page.
///
/// # Errors
/// See [`all`].
pub(crate) fn of_page(page: &str, text: &str) -> Result<Vec<Snippet>, String> {
    let mut snippets = Vec::new();
    let mut lines = text.lines().zip(1..);
    while let Some((line, fence)) = lines.next() {
        if !matches!(line.trim_start(), "```yaml" | "```yml") {
            continue;
        }
        let block: Vec<&str> =
            lines.by_ref().map(|(line, _)| line).take_while(|line| line.trim_start() != "```").collect();
        match complete(&dedent(&block), fence) {
            Ok(Some(workflow)) => {
                snippets.push(Snippet { page: page.to_owned(), line: fence + 1, workflow });
            }
            Ok(None) => {}
            Err(why) => return Err(format!("{page}:{fence}: {why}")),
        }
    }
    Ok(snippets)
}

/// Without the indentation that all lines have.
fn dedent<'a>(block: &[&'a str]) -> Vec<&'a str> {
    let indent = |line: &&str| line.len() - line.trim_start().len();
    let least = block.iter().filter(|line| !line.trim().is_empty()).map(indent).min().unwrap_or(0);
    block.iter().map(|line| line.get(least..).unwrap_or_default()).collect()
}

/// Makes a workflow of a block whose fence is on this line; `None`: it is of something else. What it leaves to the
/// reader is taken to be right.
fn complete(block: &[&str], fence: usize) -> Result<Option<String>, String> {
    let has = |key: &str| block.iter().any(|line| line.starts_with(key));
    let (head, indent): (&[&str], &str) = if has("jobs:") {
        (if has("on:") { &[] } else { JOBS }, "")
    } else if has("- ") && block.iter().any(|line| is_of_step(line)) {
        (STEPS, "      ")
    } else if block.iter().any(|line| line.contains("runs-on:") || is_of_step(line)) {
        return Err("show a workflow from `jobs:` on, or as a list of steps".to_owned());
    } else {
        return Ok(None);
    };
    let blank = fence
        .checked_sub(head.len())
        .ok_or_else(|| format!("a snippet can stand behind line {} only", head.len()))?;
    let mut workflow = "\n".repeat(blank);
    for line in head {
        workflow.extend([line, "\n"]);
    }
    for line in block {
        workflow.extend([if line.is_empty() { "" } else { indent }, line, "\n"]);
    }
    Ok(Some(workflow))
}

fn is_of_step(line: &str) -> bool {
    ["uses:", "run:"].iter().any(|key| line.trim_start_matches([' ', '-']).starts_with(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workflows_and_lists_of_steps_are_completed_and_keep_their_lines() {
        let page = "# Page\n\n\n\n\n```yaml\njobs:\n  a: {}\n```\n\n- So:\n\n  ```yml\n  - id: x\n    uses: a/b@v1\n\n  - run: make\n  ```\n";
        let [jobs, steps] = &of_page("a.md", page).unwrap()[..] else { panic!("two") };
        assert_eq!((jobs.page.as_str(), jobs.line, steps.line), ("a.md", 7, 14));
        assert_eq!(jobs.workflow, "\n\n\n\non: workflow_dispatch\npermissions: {}\njobs:\n  a: {}\n");
        let lines: Vec<&str> = steps.workflow.lines().skip(7).collect();
        let expected = [
            "on: workflow_dispatch",
            "permissions: {}",
            "jobs:",
            "  job:",
            "    runs-on: ubuntu-latest",
            "    steps:",
            "      - id: x",
            "        uses: a/b@v1",
            "",
            "      - run: make",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn other_blocks_are_left_alone_and_parts_refused() {
        let yaml = |text: &str| of_page("a.md", &format!("\n\n\n\n\n\n```yaml\n{text}\n```\n"));
        assert_eq!(yaml("pools:\n  - name: x"), Ok(vec![]));
        assert_eq!(of_page("a.md", "```sh\n- run: x\n```\n"), Ok(vec![]));
        let said = yaml("build:\n  runs-on: x\n  steps:\n    - run: make").unwrap_err();
        assert!(said.starts_with("a.md:7: show a workflow from `jobs:` on"), "{said}");
        let said = of_page("a.md", "```yaml\n- run: x\n```\n").unwrap_err();
        assert_eq!(said, "a.md:1: a snippet can stand behind line 6 only");
    }
}
