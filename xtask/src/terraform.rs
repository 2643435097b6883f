//! The infrastructure: formatted, valid, and really applied, against moto.
//!
//! Terraform writes beside the configuration that it is run in, so it is run in a copy below `target`. All
//! of the copy shares one folder of providers, which stays for the next time. Where the provider comes from
//! is Terraform's own affair: a mirror of this machine (`~/.terraform.d/plugins` and the like, or whatever
//! `TF_CLI_CONFIG_FILE` says) or the public registry. Its version is always the same, so that a release of
//! the provider changes no old commit's result; `FLEETFOOT_AWS_PROVIDER` names another. Nobody must have
//! Terraform to work on the project: without it, or without the provider, the step is skipped and says so.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use crate::module_docs;
use crate::shell;
use crate::steps::Outcome;

/// The oldest provider that is promised.
const PROVIDER: &str = "5.100.0";

/// Where a user takes the modules from, in what `main.tf` shows.
const PUBLISHED: &str = "github.com/OWNER/fleetfoot//";
const REVISION: &str = "?ref=vVERSION";

/// For a call that has little to do. A first download of the provider is some 150 MB.
const PATIENCE: Duration = Duration::from_mins(5);

/// Where the copy is, and what Terraform puts beside it.
struct Workshop<'a> {
    root: &'a Path,
    folder: PathBuf,
}

/// Whether the infrastructure is what it should be. `python` is the folder of the Python programs.
pub(crate) fn check(root: &Path, python: Result<&Path, String>) -> Outcome {
    if let Err(why) = shell::read(&mut shell::program(root, "terraform", &["version"])) {
        return Outcome::Skipped(format!("terraform is not installed: {why}"));
    }
    let workshop = Workshop { root, folder: root.join("target/terraform") };
    match workshop.furnish().and_then(|()| workshop.formatted()).and_then(|()| workshop.validate()) {
        Ok(Outcome::Passed) => {}
        Ok(other) => return other,
        Err(why) => return Outcome::Failed(why),
    }
    match python {
        Ok(python) => workshop.apply(python),
        Err(why) => Outcome::Skipped(format!(
            "everything is formatted and valid; applying it needs moto, which comes with the Python helpers: {why}"
        )),
    }
}

/// What checkov thinks of the modules and examples, without what stands for accounts in tests. An exception stands beside what it excepts, as
/// `#checkov:skip=ID:reason`.
pub(crate) fn checkov(root: &Path, programs: &Path) -> Outcome {
    let args = [
        "--directory",
        "terraform",
        "--skip-path",
        "/tests/",
        "--framework",
        "terraform",
        "--quiet",
        "--compact",
    ];
    let mut command = shell::program(root, programs.join("checkov"), &args);
    // It would ask its maker's service otherwise.
    command.env("BC_SKIP_MAPPING", "TRUE").env("CHECKOV_RUN_SCA_PACKAGE_SCAN", "false");
    shell::run(&mut command)
}

impl Workshop<'_> {
    /// The copy of the project in which Terraform runs.
    fn copy(&self) -> PathBuf {
        self.folder.join("project")
    }

    /// Copies `terraform/`, writes down what its modules show of their use, and holds all of it to one
    /// version of the provider.
    fn furnish(&self) -> Result<(), String> {
        let copy = self.copy();
        let made = || -> std::io::Result<()> {
            if copy.exists() {
                fs::remove_dir_all(&copy)?;
            }
            for folder in [&copy, &self.folder.join("providers"), &self.folder.join("logs")] {
                fs::create_dir_all(folder)?;
            }
            copy_folder(&self.root.join("terraform"), &copy.join("terraform"))
        };
        made().map_err(|error| format!("cannot copy terraform/ to {}: {error}", copy.display()))?;
        for (name, text) in self.usages()? {
            let folder = copy.join("usage").join(&name);
            fs::create_dir_all(&folder)
                .and_then(|()| fs::write(folder.join("main.tf"), text))
                .map_err(|error| format!("cannot write what {name} shows of its use: {error}"))?;
        }
        let version = std::env::var("FLEETFOOT_AWS_PROVIDER").unwrap_or_else(|_| PROVIDER.to_owned());
        let pin = format!(
            "terraform {{\n  required_providers {{\n    aws = {{\n      source  = \"hashicorp/aws\"\n      version = \"{version}\"\n    }}\n  }}\n}}\n"
        );
        module_docs::modules(&copy)
            .iter()
            .try_for_each(|folder| fs::write(folder.join("provider_override.tf"), &pin))
            .map_err(|error| format!("cannot pin the provider: {error}"))
    }

    /// What each module shows of its use, with the folder here as its source.
    fn usages(&self) -> Result<Vec<(String, String)>, String> {
        let mut usages = Vec::new();
        for folder in module_docs::modules(&self.copy().join("terraform")) {
            let place = folder.strip_prefix(self.copy()).unwrap_or(&folder).display().to_string();
            if place.contains("/examples/") {
                continue;
            }
            let shown = module_docs::usage(&folder).unwrap_or_default();
            let published = format!("\"{PUBLISHED}{place}{REVISION}\"");
            if !shown.contains(&published) {
                return Err(format!("{place}/main.tf does not open with how to use {published}"));
            }
            let here = shown.replace(PUBLISHED, "../../").replace(REVISION, "");
            usages.push((place.replace('/', "-"), here));
        }
        Ok(usages)
    }

    fn formatted(&self) -> Result<(), String> {
        self.run(&self.copy().join("terraform"), &["fmt", "-check", "-diff", "-recursive", "-no-color"])
            .map_err(|why| format!("{why}\nRun `terraform fmt -recursive terraform`"))
    }

    fn terraform(&self, folder: &Path, args: &[&str]) -> Command {
        let mut command = shell::program(folder, "terraform", args);
        command
            .env("TF_PLUGIN_CACHE_DIR", self.folder.join("providers"))
            // Lock files are thrown away with the copy; without this, the cache would be passed by.
            .env("TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE", "1")
            .env("TF_IN_AUTOMATION", "1")
            .env("CHECKPOINT_DISABLE", "1")
            .env("AWS_EC2_METADATA_DISABLED", "true");
        command
    }

    /// Initialises every folder, and validates every module, in its use, and every example.
    fn validate(&self) -> Result<Outcome, String> {
        let folders = module_docs::modules(&self.copy());
        // The first one alone: it may have to fetch the provider, and only then is the cache safe to share.
        let Some((first, others)) = folders.split_first() else {
            return Err("terraform/ holds no configuration".to_owned());
        };
        if let Err(why) = self.init(first) {
            // A configuration that is wrong fails in other words.
            return if why.contains("registry.terraform.io")
                && why.contains("query available provider packages")
            {
                Ok(Outcome::Skipped(format!("terraform finds no provider hashicorp/aws: {why}")))
            } else {
                Err(why)
            };
        }
        println!("validating every module and example");
        let left = Mutex::new(others.iter());
        let mut problems: Vec<String> = self.validate_one(first).err().into_iter().collect();
        let found = std::thread::scope(|scope| {
            let take_turns = || {
                let next = || left.lock().ok()?.next();
                let mut problems = Vec::new();
                while let Some(folder) = next() {
                    problems.extend(self.init(folder).and_then(|()| self.validate_one(folder)).err());
                }
                problems
            };
            let workers = [scope.spawn(take_turns), scope.spawn(take_turns)];
            workers.map(|worker| worker.join().unwrap_or_else(|_| vec!["a thread panicked".to_owned()]))
        });
        problems.extend(found.into_iter().flatten());
        if problems.is_empty() { Ok(Outcome::Passed) } else { Err(problems.join("\n")) }
    }

    fn init(&self, folder: &Path) -> Result<(), String> {
        self.run(folder, &["init", "-backend=false", "-input=false", "-no-color"])
    }

    /// A module's own folder is left out: nothing says there what its variables are.
    fn validate_one(&self, folder: &Path) -> Result<(), String> {
        let modules = self.copy().join("terraform");
        if folder.starts_with(&modules) && !folder.starts_with(modules.join("examples")) {
            return Ok(());
        }
        self.run(folder, &["validate", "-no-color"])
    }

    fn run(&self, folder: &Path, args: &[&str]) -> Result<(), String> {
        let name = folder.strip_prefix(self.copy()).unwrap_or(folder).display().to_string();
        let log = self.folder.join("logs").join(format!("{}-{}", args[0], name.replace('/', "-")));
        let unusable = |error: std::io::Error| format!("cannot write {}: {error}", log.display());
        let out = File::create(&log).map_err(unusable)?;
        let err = out.try_clone().map_err(unusable)?;
        let mut command = self.terraform(folder, args);
        command.stdout(out).stderr(err);
        shell::run_within(&mut command, PATIENCE).map_err(|why| {
            let said = fs::read_to_string(&log).unwrap_or_default();
            format!("{name}: {why}\n{}", said.trim())
        })
    }

    /// Applies every example, in the tests that also see whether Fleetfoot can use what comes of it.
    fn apply(&self, python: &Path) -> Outcome {
        let test = ["test", "--quiet", "--workspace", "--locked", "--test", "terraform"];
        // Most of the time is waiting for the provider, which waits for AWS to settle. So all at once: an
        // example takes some 30 s of a core in three minutes, and 1.5 GB.
        let how = ["--", "--ignored", "--test-threads", "8"];
        let mut command = shell::cargo(self.root, &[&test[..], &how[..]].concat());
        command
            .env("FLEETFOOT_TERRAFORM", self.copy().join("terraform"))
            .env("FLEETFOOT_PYTHON", python.join("python"));
        shell::run(&mut command)
    }
}

fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name());
        // What Terraform left there when somebody ran it in place.
        if name.to_string_lossy().starts_with(".terraform") || name.to_string_lossy().contains(".tfstate") {
            continue;
        }
        if path.is_dir() {
            copy_folder(&path, &to.join(name))?;
        } else {
            fs::copy(&path, to.join(name))?;
        }
    }
    Ok(())
}
