//! What is generated in the READMEs below `terraform/`: what `main.tf` opens with, and the tables of what
//! a module needs, makes, takes and gives.
//!
//! The tables stand between the marks that terraform-docs uses, and look like its tables, so whoever has
//! that program can go on with it. All the rest of a README is written by hand.

use std::fs;
use std::path::{Path, PathBuf};

use crate::hcl::{self, Block};
use crate::steps::Outcome;

/// Where something generated stands in a README.
struct Place {
    begin: &'static str,
    end: &'static str,
}

const HEADER: Place = Place { begin: "<!-- BEGIN_TF_HEADER -->", end: "<!-- END_TF_HEADER -->" };
const TABLES: Place = Place { begin: "<!-- BEGIN_TF_DOCS -->", end: "<!-- END_TF_DOCS -->" };

/// Writes anew what is generated.
pub(crate) fn write(root: &Path) -> Outcome {
    each(root, |readme, current, wanted| {
        if current == wanted {
            return Ok(());
        }
        fs::write(readme, wanted).map_err(|error| format!("cannot write it: {error}"))
    })
}

/// Whether the READMEs say what the configurations say.
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
            .and_then(|current| Ok((renewed(&current, &folder)?, current)))
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

/// How to use a module: the first piece of HCL in what its `main.tf` opens with, if there is one.
pub(crate) fn usage(folder: &Path) -> Option<String> {
    let header = hcl::header(&fs::read_to_string(folder.join("main.tf")).ok()?)?;
    let (_, rest) = header.split_once("```hcl\n")?;
    Some(rest.split_once("```")?.0.to_owned())
}

fn is_configuration(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "tf")
}

/// The README with what is generated made anew.
fn renewed(readme: &str, folder: &Path) -> Result<String, String> {
    let files = configuration(folder)?;
    let opening = files.iter().find(|(name, _)| name == "main.tf").and_then(|(_, text)| hcl::header(text));
    let readme = match opening {
        Some(header) => HEADER.filled(readme, &header)?,
        None => readme.to_owned(),
    };
    TABLES.filled(&readme, &tables(&files)?)
}

impl Place {
    fn filled(&self, readme: &str, text: &str) -> Result<String, String> {
        let Self { begin, end } = self;
        let between = readme.split_once(begin).and_then(|(before, rest)| {
            let (_, after) = rest.split_once(end)?;
            Some((before, after))
        });
        let (before, after) = between.ok_or_else(|| format!("lacks the marks {begin} and {end}"))?;
        Ok(format!("{before}{begin}\n{}\n{end}{after}", text.trim()))
    }
}

/// The files of a module with their names, sorted.
fn configuration(folder: &Path) -> Result<Vec<(String, String)>, String> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| error.to_string())? {
        let path = entry.map_err(|error| error.to_string())?.path();
        if is_configuration(&path) {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let text = fs::read_to_string(&path).map_err(|error| format!("{name}: {error}"))?;
            files.push((name, text));
        }
    }
    files.sort();
    Ok(files)
}

/// What the module needs, makes, takes and gives.
fn tables(files: &[(String, String)]) -> Result<String, String> {
    let (mut needs, mut makes) = (String::new(), Vec::new());
    let (mut inputs, mut outputs) = (String::new(), String::new());
    for (name, text) in files {
        for block in hcl::blocks(text).map_err(|why| format!("{name}: {why}"))? {
            match block.kind {
                "terraform" => needs = requirements(text)?,
                "resource" => makes.push(format!("| {} | resource |\n", block.labels.join("."))),
                "module" => makes.push(format!("| {} | module |\n", block.name())),
                "variable" => inputs.push_str(&input(&block)?),
                "output" => outputs.push_str(&output(&block)?),
                _ => {}
            }
        }
    }
    makes.sort();
    let section = |heading: &str, columns: &str, rows: &str| match rows {
        "" => String::new(),
        rows => format!("## {heading}\n\n{columns}\n{rows}\n"),
    };
    Ok([
        section("Requirements", "| Name | Version |\n|------|---------|", &needs),
        section("Resources", "| Name | Type |\n|------|------|", &makes.concat()),
        section(
            "Inputs",
            "| Name | Description | Type | Default | Required |\n|------|-------------|------|---------|:--------:|",
            &inputs,
        ),
        section("Outputs", "| Name | Description |\n|------|-------------|", &outputs),
    ]
    .concat())
}

/// The versions that a module is made for, as its files say them.
fn requirements(text: &str) -> Result<String, String> {
    let quoted = |name: &str| {
        let (_, rest) = text.split_once(&format!("{name} = \""))?;
        Some(rest.split_once('"')?.0)
    };
    let wanted = |name: &str| quoted(name).ok_or_else(|| format!("a terraform block without {name}"));
    let provider = text.split_once("required_providers").map_or(text, |(_, rest)| rest);
    let version = provider.split_once("version = \"").and_then(|(_, rest)| rest.split_once('"'));
    let (version, _) = version.ok_or("required_providers without a version")?;
    Ok(format!("| terraform | {} |\n| aws | {version} |\n", wanted("required_version")?))
}

fn input(block: &Block) -> Result<String, String> {
    let name = block.name();
    let kind = block.get("type").ok_or_else(|| format!("the variable {name} has no type"))?;
    let (default, required) = match block.get("default") {
        Some(default) => (code(default), "no"),
        None => ("n/a".to_owned(), "yes"),
    };
    Ok(format!("| {name} | {} | {} | {default} | {required} |\n", description(block)?, code(kind)))
}

fn output(block: &Block) -> Result<String, String> {
    let sensitive = if block.get("sensitive") == Some("true") { " Sensitive." } else { "" };
    Ok(format!("| {} | {}{sensitive} |\n", block.name(), description(block)?))
}

fn description(block: &Block) -> Result<String, String> {
    let text = block.text("description").filter(|text| !text.is_empty());
    let text = text.ok_or_else(|| format!("{} {} has no description", block.kind, block.name()))?;
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

    fn file(name: &str, text: &str) -> (String, String) {
        (name.to_owned(), text.to_owned())
    }

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
    fn what_a_module_needs_and_makes_is_told() {
        let versions = "terraform {\n  required_version = \">= 1.9\"\n  required_providers {\n    aws = {\n      source  = \"hashicorp/aws\"\n      version = \">= 5.100, < 7\"\n    }\n  }\n}\n";
        let main =
            "resource \"aws_vpc\" \"this\" {\n}\nmodule \"stack\" {\n}\ndata \"aws_region\" \"x\" {\n}\n";
        let tables = tables(&[file("main.tf", main), file("versions.tf", versions)]).unwrap();
        assert!(tables.contains("| terraform | >= 1.9 |\n| aws | >= 5.100, < 7 |\n"), "{tables}");
        assert!(tables.contains("| aws_vpc.this | resource |\n| stack | module |\n"), "{tables}");
        assert!(!tables.contains("aws_region") && !tables.contains("## Inputs"), "{tables}");
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
        let (begin, end) = (TABLES.begin, TABLES.end);
        let readme = format!("# A\n\n{begin}\nold\n{end}\n\nMore.\n");
        let want = format!("# A\n\n{begin}\nnew\n{end}\n\nMore.\n");
        assert_eq!(TABLES.filled(&readme, "new\n").unwrap(), want);
        assert_eq!(TABLES.filled(&want, "new\n").unwrap(), want);
        assert!(TABLES.filled("# A\n", "new\n").unwrap_err().contains("lacks the marks"));
    }
}
