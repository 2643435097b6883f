//! Reading a checked shape out of a YAML tree: every surprise becomes a refusal with its line.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::expression::{Value, whole_expression};
use super::place::{Place, check_text};
use super::problem::Problems;
use super::yaml::{Content, Node};

/// One file that is being read.
pub(crate) struct Source<'a> {
    pub(crate) file: &'a str,
    pub(crate) problems: &'a mut Problems,
}

/// A mapping whose keys were checked.
pub(crate) struct Fields<'n>(Vec<(&'n str, usize, &'n Node)>);

impl<'n> Fields<'n> {
    /// The value of a key.
    pub(crate) fn get(&self, key: &str) -> Option<&'n Node> {
        self.line_and(key).map(|(_, node)| node)
    }

    /// The line of a key, and its value.
    pub(crate) fn line_and(&self, key: &str) -> Option<(usize, &'n Node)> {
        self.0.iter().find(|(name, ..)| *name == key).map(|(_, line, node)| (*line, *node))
    }
}

impl Source<'_> {
    pub(crate) fn refuse(&mut self, line: usize, message: impl Into<String>) {
        self.problems.add(self.file, line, message);
    }

    /// A mapping with these keys at most. `unsupported` are keys that GitHub has and this interpreter has
    /// not, with what to say about them.
    pub(crate) fn fields<'n>(
        &mut self,
        node: &'n Node,
        what: &str,
        known: &[&str],
        unsupported: &[(&str, &str)],
    ) -> Option<Fields<'n>> {
        let entries = self.entries(node, what)?;
        let mut fields = Vec::with_capacity(entries.len());
        for (name, line, value) in entries {
            if known.contains(&name) {
                fields.push((name, line, value));
            } else if let Some((_, why)) = unsupported.iter().find(|(key, _)| *key == name) {
                self.refuse(line, format!("`{name}` is not supported in {what}: {why}"));
            } else {
                self.refuse(
                    line,
                    format!("unknown key `{name}` in {what}: it may have {}", known.join(", ")),
                );
            }
        }
        Some(Fields(fields))
    }

    /// A mapping with any keys: name, line of the name, value.
    pub(crate) fn entries<'n>(
        &mut self,
        node: &'n Node,
        what: &str,
    ) -> Option<Vec<(&'n str, usize, &'n Node)>> {
        let Content::Map(entries) = &node.content else {
            self.refuse(node.line, format!("{what} must be a mapping, not {}", node.kind()));
            return None;
        };
        Some(entries.iter().map(|(key, value)| (key.name.as_str(), key.line, value)).collect())
    }

    /// A text, its expressions checked for the place.
    pub(crate) fn text(&mut self, node: &Node, what: &str, place: Place) -> Option<String> {
        let Some(text) = node.scalar() else {
            self.refuse(node.line, format!("{what} must be a string, not {}", node.kind()));
            return None;
        };
        check_text(&text, place, self.file, node.text_line, self.problems);
        Some(text)
    }

    /// A text in which GitHub takes no expression.
    pub(crate) fn plain(&mut self, node: &Node, what: &str) -> Option<String> {
        let text = node.scalar();
        match text {
            None => self.refuse(node.line, format!("{what} must be a string, not {}", node.kind())),
            Some(ref text) if text.contains("${{") => {
                self.refuse(node.text_line, format!("{what} cannot hold an expression"));
            }
            Some(_) => return text,
        }
        None
    }

    /// A boolean, or an expression; as text.
    pub(crate) fn boolean(&mut self, node: &Node, what: &str, place: Place) -> Option<String> {
        match &node.content {
            Content::Bool(value) => Some(value.to_string()),
            Content::Text(text) if whole_expression(text).is_some() => self.text(node, what, place),
            _ => {
                self.refuse(node.line, format!("{what} must be true, false or one expression"));
                None
            }
        }
    }

    /// A number above zero, or an expression; as text.
    pub(crate) fn number(&mut self, node: &Node, what: &str, place: Place) -> Option<String> {
        match &node.content {
            Content::Number(value) if *value > 0.0 => node.scalar(),
            Content::Text(text) if whole_expression(text).is_some() => self.text(node, what, place),
            _ => {
                self.refuse(node.line, format!("{what} must be a number above zero or one expression"));
                None
            }
        }
    }

    /// A mapping of names to texts.
    pub(crate) fn texts(&mut self, node: &Node, what: &str, place: Place) -> BTreeMap<String, String> {
        if node.is_null() {
            return BTreeMap::new();
        }
        let mut texts = BTreeMap::new();
        for (name, _, value) in self.entries(node, what).unwrap_or_default() {
            if let Some(text) = self.text(value, &format!("`{name}` in {what}"), place) {
                texts.insert(name.to_owned(), text);
            }
        }
        texts
    }

    /// One text, or a list of them.
    pub(crate) fn one_or_many<'n>(&mut self, node: &'n Node, what: &str) -> Vec<(String, &'n Node)> {
        let items: Vec<&Node> = match &node.content {
            Content::List(items) => items.iter().collect(),
            _ => vec![node],
        };
        items.into_iter().filter_map(|item| Some((self.plain(item, what)?, item))).collect()
    }

    /// Anything, as JSON in which texts may hold expressions.
    pub(crate) fn json(&mut self, node: &Node, place: Place) -> Json {
        match &node.content {
            Content::Null => Json::Null,
            Content::Bool(value) => Json::Bool(*value),
            Content::Number(value) => Value::Number(*value).to_json(),
            Content::Text(text) => {
                check_text(text, place, self.file, node.text_line, self.problems);
                Json::String(text.clone())
            }
            Content::List(items) => items.iter().map(|item| self.json(item, place)).collect(),
            Content::Map(entries) => entries
                .iter()
                .map(|(key, value)| (key.name.clone(), self.json(value, place)))
                .collect::<Map<_, _>>()
                .into(),
        }
    }

    /// An identifier of a job, a step or an input.
    pub(crate) fn identifier(&mut self, name: &str, line: usize, what: &str) {
        let mut bytes = name.bytes();
        let starts = bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
        if !starts || !bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-') {
            self.refuse(
                line,
                format!("`{name}` cannot be {what}: it must begin with a letter or `_` and hold letters, digits, `-` and `_` only"),
            );
        }
    }
}
