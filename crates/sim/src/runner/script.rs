//! From a `run` step to a command line.

use std::path::{Path, PathBuf};

use super::process;

/// A shell, and how it is called.
#[derive(Debug)]
pub(crate) struct Shell {
    pub(crate) program: PathBuf,
    /// `{0}` stands for the script's file.
    pub(crate) template: Vec<String>,
    pub(crate) extension: &'static str,
}

impl Shell {
    /// The shell of a step; without a name `bash -e`, or `sh -e` where there is no bash (GitHub docs,
    /// "Workflow syntax", table of `shell`).
    pub(crate) fn find(name: Option<&str>, path: &str) -> Result<Self, String> {
        let (template, extension) = match name {
            None if process::find("bash", path).is_some() => ("bash -e {0}", ".sh"),
            None | Some("sh") => ("sh -e {0}", ".sh"),
            Some("bash") => ("bash --noprofile --norc -e -o pipefail {0}", ".sh"),
            Some("python") if process::find("python", path).is_none() => ("python3 {0}", ".py"),
            Some("python") => ("python {0}", ".py"),
            Some(template) if template.contains("{0}") => (template, ""),
            Some(name) => {
                return Err(format!(
                    "Invalid shell option. Shell must be a valid built-in (bash, sh, python) or a format string containing '{{0}}': {name}"
                ));
            }
        };
        let mut words = template.split_whitespace().map(str::to_owned);
        let program = words.next().ok_or("the shell is empty")?;
        let found = process::find(&program, path).ok_or_else(|| format!("{program}: command not found"))?;
        Ok(Self { program: found, template: words.collect(), extension })
    }

    pub(crate) fn args(&self, script: &Path) -> Vec<String> {
        let script = script.display().to_string();
        self.template.iter().map(|word| word.replace("{0}", &script)).collect()
    }

    /// As the log shows it: `/usr/bin/bash -e {0}`.
    pub(crate) fn shown(&self) -> String {
        let mut words = vec![self.program.display().to_string()];
        words.extend(self.template.iter().cloned());
        words.join(" ")
    }
}
