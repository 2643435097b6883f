//! The functions of expressions, but for the status functions.

use std::path::Path;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use sha2::{Digest, Sha256};

use super::Value;
use super::value::fold;

/// In a list: whether an element equals the item. Otherwise: whether the text holds the item.
pub(super) fn contains(search: &Value, item: &Value) -> bool {
    match search {
        Value::List(items) => items.iter().any(|element| element.loosely_equals(item)),
        Value::Object(_) => false,
        _ => item.is_primitive() && fold(&search.text()).contains(&fold(&item.text())),
    }
}

pub(super) fn starts_with(text: &Value, prefix: &Value) -> bool {
    text.is_primitive() && prefix.is_primitive() && fold(&text.text()).starts_with(&fold(&prefix.text()))
}

pub(super) fn ends_with(text: &Value, suffix: &Value) -> bool {
    text.is_primitive() && suffix.is_primitive() && fold(&text.text()).ends_with(&fold(&suffix.text()))
}

/// Replaces `{0}` and so on; `{{` and `}}` stand for single braces.
pub(super) fn format(template: &str, values: &[Value]) -> Result<String, String> {
    let invalid = || format!("the format string is invalid: {template}");
    let mut out = String::new();
    let mut rest = template;
    while let Some(at) = rest.find(['{', '}']) {
        out.push_str(&rest[..at]);
        let brace = &rest[at..=at];
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix(brace) {
            out.push_str(brace);
            rest = after;
            continue;
        }
        let (number, after) = rest.split_once('}').filter(|_| brace == "{").ok_or_else(invalid)?;
        if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(invalid());
        }
        let value = number.parse::<usize>().ok().and_then(|index| values.get(index)).ok_or_else(|| {
            format!("the format string refers to more arguments than there are: {template}")
        })?;
        out.push_str(&value.text());
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

/// The elements as texts; a single value is its own list. Without a usable separator a comma.
pub(super) fn join(list: &Value, separator: Option<&Value>) -> String {
    let separator =
        separator.filter(|separator| separator.is_primitive()).map_or(",".to_owned(), Value::text);
    match list {
        Value::List(items) => items.iter().map(Value::text).collect::<Vec<_>>().join(&separator),
        value if value.is_primitive() => value.text(),
        _ => String::new(),
    }
}

pub(super) fn to_json(value: &Value) -> Result<String, String> {
    serde_json::to_string_pretty(&value.to_json()).map_err(|error| error.to_string())
}

pub(super) fn from_json(text: &str) -> Result<Value, String> {
    if text.trim().is_empty() {
        return Err("`fromJSON` was given an empty text".to_owned());
    }
    match serde_json::from_str::<serde_json::Value>(text) {
        Ok(json) => Ok(Value::from(&json)),
        // The text may hold a secret: say where, not what.
        Err(error) => Err(format!("`fromJSON` was given a text that is no JSON: {error}")),
    }
}

/// SHA-256 over the SHA-256 of every file that matches, in the order of their paths; empty if none does.
/// A pattern that begins with `!` takes files out again.
pub(super) fn hash_files(workspace: &Path, patterns: &[String]) -> Result<String, String> {
    let patterns: Vec<_> = patterns.iter().flat_map(|pattern| pattern.lines()).map(str::trim).collect();
    let wanted =
        globs(patterns.iter().copied().filter(|pattern| !pattern.is_empty() && !pattern.starts_with('!')))?;
    let unwanted = globs(patterns.iter().filter_map(|pattern| pattern.strip_prefix('!')))?;
    let mut files = Vec::new();
    walk(workspace, workspace, &mut |relative| {
        if wanted.is_match(relative) && !unwanted.is_match(relative) {
            files.push(relative.to_owned());
        }
    })?;
    if files.is_empty() {
        return Ok(String::new());
    }
    files.sort();
    let mut outer = Sha256::new();
    for file in files {
        let path = workspace.join(&file);
        let bytes = std::fs::read(&path)
            .map_err(|error| format!("`hashFiles` cannot read {}: {error}", path.display()))?;
        outer.update(Sha256::digest(&bytes));
    }
    Ok(hex::encode(outer.finalize()))
}

fn globs<'a>(patterns: impl Iterator<Item = &'a str>) -> Result<GlobSet, String> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        let pattern = pattern.trim_start_matches("./").trim_start_matches('/');
        let glob = GlobBuilder::new(pattern)
            .literal_separator(true)
            .build()
            .map_err(|error| format!("`{pattern}` is no pattern for `hashFiles`: {error}"))?;
        set.add(glob);
    }
    set.build().map_err(|error| error.to_string())
}

fn walk(root: &Path, folder: &Path, visit: &mut dyn FnMut(&Path)) -> Result<(), String> {
    let problem = |error| format!("`hashFiles` cannot read {}: {error}", folder.display());
    for entry in std::fs::read_dir(folder).map_err(problem)? {
        let entry = entry.map_err(problem)?;
        let kind = entry.file_type().map_err(problem)?;
        if kind.is_dir() {
            walk(root, &entry.path(), visit)?;
        } else if let (true, Ok(relative)) = (kind.is_file(), entry.path().strip_prefix(root)) {
            visit(relative);
        }
    }
    Ok(())
}
