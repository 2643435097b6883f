//! The tables of inputs and outputs in the READMEs below `terraform/`, made from the declarations.
//!
//! They stand between the marks that terraform-docs uses, and look like its tables, so whoever has that
//! program can go on with it. All the rest of a README is written by hand.

use std::fs;
use std::path::{Path, PathBuf};

use crate::hcl::{self, Block};
use crate::steps::Outcome;

const BEGIN: &str = "<!-- BEGIN_TF_DOCS -->";
const END: &str = "<!-- END_TF_DOCS -->";

/// Writes the tables anew.
pub(crate) fn write(root: &Path) -> Outcome {
    each(root, |readme, current, wanted| {
        if current == wanted {
            return Ok(());
        }
        fs::write(readme, wanted).map_err(|error| format!("cannot write it: {error}"))
    })
}

/// Whether the tables say what the declarations say.
pub(crate) fn check(root: &Path) -> Outcome {
    each(root, |_, current, wanted| {
        if current == wanted { Ok(()) } else { Err("is not current: run `cargo xtask docs`".to_owned()) }
    })
}

fn each(root: &Path, act: impl Fn(&Path, &str, &str) -> Result<(), String>) -> Outcome {
    let mut problems = Vec::new();
    for folder in modules(&root.join("terraform")) {
        let readme = folder.join("README.md");
        let result = fs::read_to_string(&readme)
            .map_err(|error| format!("cannot be read: {error}"))
            .and_then(|current| Ok((renewed(&current, &tables(&folder)?)?, current)))
            .and_then(|(wanted, current)| act(&readme, &current, &wanted));
        if let Err(why) = result {
            problems.push(format!("{}: {why}", readme.strip_prefix(root).unwrap_or(&readme).display()));
        }
    }
    if problems.is_empty() { Outcome::Passed } else { Outcome::Failed(problems.join("\n")) }
}

/// Every folder with a configuration: this one and all below it, but for what tests need.
pub(crate) fn modules(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut entries: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    entries.sort();
    let mut found = Vec::new();
    if entries.iter().any(|path| is_configuration(path)) {
        found.push(folder.to_owned());
    }
    for below in entries.iter().filter(|path| path.is_dir()) {
        let name = below.file_name().unwrap_or_default().to_string_lossy();
        if !name.starts_with('.') && name != "tests" {
            found.extend(modules(below));
        }
    }
    found
}

fn is_configuration(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "tf")
}

/// The README with new tables.
fn renewed(readme: &str, tables: &str) -> Result<String, String> {
    let between = readme.split_once(BEGIN).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(END)?;
        Some((before, after))
    });
    let (before, after) = between.ok_or_else(|| format!("lacks the marks {BEGIN} and {END}"))?;
    Ok(format!("{before}{BEGIN}\n{tables}{END}{after}"))
}

/// Inputs and outputs of the module in a folder.
fn tables(folder: &Path) -> Result<String, String> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .map_err(|error| error.to_string())?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| is_configuration(path))
        .collect();
    files.sort();
    let (mut inputs, mut outputs) = (String::new(), String::new());
    for file in files {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text = fs::read_to_string(&file).map_err(|error| format!("{name}: {error}"))?;
        for block in hcl::blocks(&text).map_err(|why| format!("{name}: {why}"))? {
            match block.kind {
                "variable" => inputs.push_str(&input(&block)?),
                "output" => outputs.push_str(&output(&block)?),
                _ => {}
            }
        }
    }
    let mut tables = String::new();
    if !inputs.is_empty() {
        tables.push_str(
            "## Inputs\n\n| Name | Description | Type | Default | Required |\n|------|-------------|------|---------|:--------:|\n",
        );
        tables.push_str(&inputs);
        tables.push('\n');
    }
    if !outputs.is_empty() {
        tables.push_str("## Outputs\n\n| Name | Description |\n|------|-------------|\n");
        tables.push_str(&outputs);
    }
    Ok(format!("{}\n", tables.trim_end()))
}

fn input(block: &Block) -> Result<String, String> {
    let kind = block.get("type").ok_or_else(|| format!("the variable {} has no type", block.name))?;
    let (default, required) = match block.get("default") {
        Some(default) => (code(default), "no"),
        None => ("n/a".to_owned(), "yes"),
    };
    Ok(format!("| {} | {} | {} | {default} | {required} |\n", block.name, description(block)?, code(kind)))
}

fn output(block: &Block) -> Result<String, String> {
    let sensitive = if block.get("sensitive") == Some("true") { " Sensitive." } else { "" };
    Ok(format!("| {} | {}{sensitive} |\n", block.name, description(block)?))
}

fn description(block: &Block) -> Result<String, String> {
    let text = block.text("description").filter(|text| !text.is_empty());
    let text = text.ok_or_else(|| format!("{} {} has no description", block.kind, block.name))?;
    Ok(text.replace('|', "\\|").replace('\n', "<br/>"))
}

/// An expression in a cell of a table.
fn code(expression: &str) -> String {
    if !expression.contains('\n') {
        return format!("`{}`", expression.replace('|', "\\|"));
    }
    // In `<pre>`, Markdown's own signs would still be read as such.
    let text = expression.replace('&', "&amp;").replace('<', "&lt;").replace('|', "&#124;");
    let text = text.replace('*', "&#42;").replace('_', "&#95;").replace('`', "&#96;");
    format!("<pre>{}</pre>", text.replace('\n', "<br/>"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_look_like_those_of_terraform_docs() {
        let text = "variable \"name\" {\n  description = \"One | two.\"\n  type = string\n}\n\
                    variable \"pools\" {\n  description = \"Kinds.\"\n  type = list(object({\n    a_b = string\n  }))\n  default = []\n}\n";
        let blocks = hcl::blocks(text).unwrap();
        assert_eq!(input(&blocks[0]).unwrap(), "| name | One \\| two. | `string` | n/a | yes |\n");
        let want =
            "| pools | Kinds. | <pre>list(object({<br/>    a&#95;b = string<br/>  }))</pre> | `[]` | no |\n";
        assert_eq!(input(&blocks[1]).unwrap(), want);
    }

    #[test]
    fn what_is_not_documented_is_refused() {
        let blocks =
            hcl::blocks("variable \"x\" {\n  type = string\n}\noutput \"y\" {\n  value = 1\n}\n").unwrap();
        assert_eq!(input(&blocks[0]), Err("variable x has no description".to_owned()));
        assert_eq!(output(&blocks[1]), Err("output y has no description".to_owned()));
    }

    #[test]
    fn only_what_is_between_the_marks_changes() {
        let readme = format!("# A\n\n{BEGIN}\nold\n{END}\n\nMore.\n");
        let want = format!("# A\n\n{BEGIN}\nnew\n{END}\n\nMore.\n");
        assert_eq!(renewed(&readme, "new\n").unwrap(), want);
        assert_eq!(renewed(&want, "new\n").unwrap(), want);
        assert!(renewed("# A\n", "new\n").unwrap_err().contains("lacks the marks"));
    }
}
