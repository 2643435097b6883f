//! What `uses` steps have in common, and the built-in `actions/checkout`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::checkout;
use super::machine::Machine;
use super::steps::{Outcome, Prepared};
use crate::protocol::Conclusion;
use crate::workflow::expression;

/// Evaluates `with`.
pub(crate) fn with(
    machine: &Machine,
    prepared: &Prepared,
    with: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, String> {
    let scope = prepared.scope(machine);
    with.iter()
        .map(|(name, text)| match expression::render(text, &scope) {
            Ok(value) => Ok((name.clone(), value)),
            Err(error) => Err(format!("the input `{name}`: {error}")),
        })
        .collect()
}

/// Copies the repository into the workspace.
pub(crate) async fn checkout(
    machine: &Machine,
    number: u32,
    action: &str,
    with: BTreeMap<String, String>,
    prepared: &Prepared,
) -> Outcome {
    let log = &machine.log;
    log.write(number, &format!("##[group]Run {action}"));
    if !with.is_empty() {
        log.write(number, "with:");
        for (name, value) in &with {
            log.write(number, &format!("  {name}: {value}"));
        }
    }
    log.write(number, "##[endgroup]");
    let path = with.get("path").map_or("", String::as_str);
    let Some(folder) = crate::workflow::folder(path) else {
        log.error(number, &format!("Repository path '{path}' is not under the workspace"));
        return Outcome::failure();
    };
    let clean = with.get("clean").is_none_or(|clean| clean != "false");
    let github = |key: &str| {
        let value = prepared.contexts.get("github").and_then(|github| github.get(key));
        value.and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    log.write(number, &format!("Syncing repository: {}", github("repository")));
    let (from, to) = (machine.repository.clone(), machine.workspace.join(folder));
    let copied = tokio::task::spawn_blocking(move || checkout::copy(&from, &to, clean)).await;
    match copied {
        Ok(Ok(files)) => {
            log.write(number, &format!("Copied {files} files"));
            let outputs = [("ref", github("ref")), ("commit", github("sha"))];
            Outcome {
                conclusion: Conclusion::Success,
                outputs: outputs.map(|(name, value)| (name.to_owned(), value)).into(),
            }
        }
        Ok(Err(error)) => {
            log.error(number, &format!("cannot copy the repository: {error}"));
            Outcome::failure()
        }
        Err(error) => {
            log.error(number, &format!("copying the repository broke off: {error}"));
            Outcome::failure()
        }
    }
}
