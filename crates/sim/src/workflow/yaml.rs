//! YAML with line numbers, as GitHub reads it.
//!
//! The rest of the interpreter wants to name the line of everything it refuses, so the tree of the YAML
//! crate becomes one of our own in which every node and key knows its line. Merge keys and tags are
//! refused, as GitHub does; anchors are resolved.

use saphyr::{LoadableYamlNode, MarkedYaml, Scalar, YamlData};

use super::expression::format_number;
use super::problem::Problems;

/// GitHub's limit for a workflow file.
const LONGEST: usize = 512 * 1024;
/// Nobody nests deeper; the limit keeps hostile input off the stack.
const DEEPEST: usize = 64;

/// A node and its line, from 1.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) line: usize,
    /// The line of the first line of text: one below `line` for block scalars (`|`, `>`).
    pub(crate) text_line: usize,
    pub(crate) content: Content,
}

#[derive(Debug, Clone)]
pub(crate) enum Content {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// The key of a mapping.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(crate) line: usize,
    pub(crate) name: String,
}

impl Node {
    /// A scalar as text, the way GitHub writes it: `1.10` is `1.1`, nothing is the empty string.
    pub(crate) fn scalar(&self) -> Option<String> {
        match &self.content {
            Content::Null => Some(String::new()),
            Content::Bool(value) => Some(value.to_string()),
            Content::Number(value) => Some(format_number(*value)),
            Content::Text(text) => Some(text.clone()),
            Content::List(_) | Content::Map(_) => None,
        }
    }

    /// What it is, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self.content {
            Content::Null => "nothing",
            Content::Bool(_) => "a boolean",
            Content::Number(_) => "a number",
            Content::Text(_) => "a string",
            Content::List(_) => "a list",
            Content::Map(_) => "a mapping",
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self.content, Content::Null)
    }
}

/// Reads a file that holds one document. `None` means that the problems say why.
pub(crate) fn read(text: &str, file: &str, problems: &mut Problems) -> Option<Node> {
    if text.len() > LONGEST {
        problems.add(
            file,
            1,
            format!("the file has {} bytes; GitHub reads no more than {LONGEST}", text.len()),
        );
        return None;
    }
    if let Some(line) = text.lines().position(nests_too_deep) {
        problems.add(file, line + 1, format!("more than {DEEPEST} levels on one line"));
        return None;
    }
    match MarkedYaml::load_from_str(text) {
        Err(error) => {
            problems.add(file, error.marker().line().max(1), format!("no valid YAML: {}", error.info()));
            None
        }
        Ok(documents) => match documents.as_slice() {
            [document] => Reader { file, lines: text.lines().collect(), problems }.node(document, 0),
            [] => {
                problems.add(file, 1, "the file is empty");
                None
            }
            [_, second, ..] => {
                problems.add(file, second.span.start.line(), "the file holds more than one YAML document");
                None
            }
        },
    }
}

/// `- - - - …` nests once per two characters; the YAML crate bounds brackets, but not these.
fn nests_too_deep(line: &str) -> bool {
    line.split([' ', '\t'])
        .filter(|word| !word.is_empty())
        .take_while(|word| matches!(*word, "-" | "?" | ":"))
        .count()
        > DEEPEST
}

struct Reader<'a> {
    file: &'a str,
    lines: Vec<&'a str>,
    problems: &'a mut Problems,
}

impl Reader<'_> {
    fn node(&mut self, yaml: &MarkedYaml<'_>, depth: usize) -> Option<Node> {
        let line = yaml.span.start.line().max(1);
        if depth > DEEPEST {
            self.problems.add(self.file, line, format!("nested deeper than {DEEPEST} levels"));
            return None;
        }
        let content = match &yaml.data {
            YamlData::Value(scalar) => match scalar {
                Scalar::Null => Content::Null,
                Scalar::Boolean(value) => Content::Bool(*value),
                #[expect(clippy::cast_precision_loss, reason = "GitHub's numbers are doubles too")]
                Scalar::Integer(value) => Content::Number(*value as f64),
                Scalar::FloatingPoint(value) => Content::Number(value.into_inner()),
                Scalar::String(text) => Content::Text(text.to_string()),
            },
            YamlData::Sequence(items) => {
                Content::List(items.iter().map(|item| self.node(item, depth + 1)).collect::<Option<_>>()?)
            }
            YamlData::Mapping(entries) => {
                let mut map = Vec::with_capacity(entries.len());
                for (key, value) in entries {
                    let key = self.key(key, depth)?;
                    map.push((key, self.node(value, depth + 1)?));
                }
                Content::Map(map)
            }
            YamlData::Tagged(tag, _) => {
                let tag = format!("{}{}", tag.handle, tag.suffix);
                self.problems.add(self.file, line, format!("the YAML tag `{tag}` is not supported"));
                return None;
            }
            YamlData::Representation(..) | YamlData::Alias(_) | YamlData::BadValue => {
                self.problems.add(self.file, line, "a value that is no valid YAML, or an alias of no anchor");
                return None;
            }
        };
        let block = self
            .lines
            .get(line - 1)
            .and_then(|text| text.chars().nth(yaml.span.start.col()))
            .is_some_and(|first| matches!(first, '|' | '>'));
        Some(Node { line, text_line: line + usize::from(block), content })
    }

    fn key(&mut self, key: &MarkedYaml<'_>, depth: usize) -> Option<Key> {
        let key = self.node(key, depth + 1)?;
        match key.scalar() {
            Some(name) if name == "<<" => {
                self.problems.add(self.file, key.line, "YAML merge keys (`<<`) are not supported");
                None
            }
            Some(name) => Some(Key { line: key.line, name }),
            None => {
                self.problems.add(self.file, key.line, format!("{} cannot be a key", key.kind()));
                None
            }
        }
    }
}
