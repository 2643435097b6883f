//! Just enough of Terraform's language to say what a module takes and gives: its blocks and their
//! attributes, as they are written. Nothing is evaluated.

/// A block of the outermost level, such as `variable "region" { … }`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Block<'a> {
    /// `variable`, `output`, …
    pub(crate) kind: &'a str,
    /// What stands between kind and brace: a name, or a type and a name.
    pub(crate) labels: Vec<&'a str>,
    attributes: Vec<(&'a str, &'a str)>,
}

impl<'a> Block<'a> {
    /// The last label; empty if it has none.
    pub(crate) fn name(&self) -> &'a str {
        self.labels.last().copied().unwrap_or_default()
    }

    /// The expression of an attribute of the block itself, as it is written.
    pub(crate) fn get(&self, name: &str) -> Option<&'a str> {
        self.attributes.iter().find(|(known, _)| *known == name).map(|(_, expression)| *expression)
    }

    /// An attribute that is a string or a heredoc, without its quotes.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        let expression = self.get(name)?;
        if let Some(inside) = expression.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
            return Some(inside.replace("\\\"", "\"").replace("\\n", "\n").replace("\\\\", "\\"));
        }
        let (opening, rest) = expression.split_once('\n')?;
        let (lines, _) = rest.rsplit_once('\n')?;
        opening.starts_with("<<").then(|| {
            let lines: Vec<&str> = lines.lines().map(str::trim).collect();
            lines.join("\n")
        })
    }
}

/// What a file opens with, if it is a comment between `/**` and `*/`, each line after a star.
pub(crate) fn header(text: &str) -> Option<String> {
    let (comment, _) = text.strip_prefix("/**\n")?.split_once("\n */")?;
    let lines: Vec<&str> = comment
        .lines()
        .map(|line| line.strip_prefix(" *").unwrap_or(line))
        .map(|line| line.strip_prefix(' ').unwrap_or(line))
        .collect();
    Some(lines.join("\n"))
}

/// The blocks of a file, in their order.
///
/// # Errors
/// What is wrong with the text, and in which line.
pub(crate) fn blocks(text: &str) -> Result<Vec<Block<'_>>, String> {
    let mut reader = Reader { text, at: 0 };
    let mut blocks = Vec::new();
    loop {
        reader.trivia();
        if reader.rest().is_empty() {
            return Ok(blocks);
        }
        let kind = reader.word()?;
        let labels = reader.labels()?;
        let attributes = reader.body()?;
        blocks.push(Block { kind, labels, attributes });
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn error<T>(&self, what: &str) -> Result<T, String> {
        Err(format!("line {}: {what}", self.text[..self.at].matches('\n').count() + 1))
    }

    /// Goes on past the next character.
    fn step(&mut self) {
        self.at += self.rest().chars().next().map_or(0, char::len_utf8);
    }

    fn take(&mut self, token: &str) -> bool {
        let there = self.rest().starts_with(token);
        if there {
            self.at += token.len();
        }
        there
    }

    fn spaces(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start_matches([' ', '\t']).len();
    }

    /// Skips a comment, if there is one. The end of its line stays.
    fn comment(&mut self) -> bool {
        let rest = self.rest();
        if rest.starts_with('#') || rest.starts_with("//") {
            self.at += rest.find('\n').unwrap_or(rest.len());
            return true;
        }
        if rest.starts_with("/*") {
            self.at += rest.find("*/").map_or(rest.len(), |end| end + 2);
            return true;
        }
        false
    }

    /// Skips white space and comments.
    fn trivia(&mut self) {
        loop {
            self.at += self.rest().len() - self.rest().trim_start().len();
            if !self.comment() {
                return;
            }
        }
    }

    fn word(&mut self) -> Result<&'a str, String> {
        let rest = self.rest();
        let length =
            rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-')).unwrap_or(rest.len());
        if length == 0 {
            return self.error("a name is expected");
        }
        self.at += length;
        Ok(&rest[..length])
    }

    /// The labels of a block, up to its brace.
    fn labels(&mut self) -> Result<Vec<&'a str>, String> {
        let mut labels = Vec::new();
        loop {
            self.spaces();
            if self.take("{") {
                return Ok(labels);
            }
            if !self.rest().starts_with('"') {
                return self.error("a label or { is expected");
            }
            labels.push(self.string()?.trim_matches('"'));
        }
    }

    /// The attributes of a body whose brace has been read. Blocks in it are skipped.
    fn body(&mut self) -> Result<Vec<(&'a str, &'a str)>, String> {
        let mut attributes = Vec::new();
        loop {
            self.trivia();
            if self.take("}") {
                return Ok(attributes);
            }
            let name = self.word()?;
            self.spaces();
            if self.take("=") {
                self.spaces();
                attributes.push((name, self.expression()?));
            } else {
                self.labels()?;
                self.body()?;
            }
        }
    }

    /// An expression: it ends with its line, unless something is open there.
    fn expression(&mut self) -> Result<&'a str, String> {
        let start = self.at;
        let mut open = 0;
        loop {
            let rest = self.rest();
            match rest.chars().next() {
                None => return self.error("the file ends within an expression"),
                Some('"') => drop(self.string()?),
                Some('<') if rest.starts_with("<<") => self.heredoc()?,
                Some('#' | '/') if open > 0 && self.comment() => {}
                Some('(' | '[' | '{') => {
                    open += 1;
                    self.step();
                }
                Some('}' | '\n' | '#') if open == 0 => break,
                Some(')' | ']' | '}') => {
                    open -= 1;
                    self.step();
                }
                Some(_) => self.step(),
            }
        }
        Ok(self.text[start..self.at].trim_end())
    }

    /// A string with its quotes, and whatever is interpolated in it.
    fn string(&mut self) -> Result<&'a str, String> {
        let start = self.at;
        self.step();
        loop {
            let rest = self.rest();
            if rest.is_empty() || rest.starts_with('\n') {
                return self.error("a string does not end");
            }
            if self.take("\"") {
                return Ok(&self.text[start..self.at]);
            }
            if rest.starts_with('\\') {
                self.step();
                self.step();
            } else if self.take("$${") || self.take("%%{") {
                // Escaped: the brace is plain text.
            } else if self.take("${") || self.take("%{") {
                self.expression()?;
                if !self.take("}") {
                    return self.error("an interpolation does not end");
                }
            } else {
                self.step();
            }
        }
    }

    fn heredoc(&mut self) -> Result<(), String> {
        let rest = self.rest();
        let (opening, body) = rest.split_once('\n').unwrap_or((rest, ""));
        let mark = opening.trim_start_matches(['<', '-']).trim();
        let mut length = opening.len() + 1;
        for line in body.lines() {
            length += line.len() + 1;
            if line.trim() == mark {
                // The end of the line ends the expression, too.
                self.at += length - 1;
                return Ok(());
            }
        }
        self.error("a heredoc does not end")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"# Heads.
terraform {
  required_version = ">= 1.9" # why
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

/* A
   comment */
variable "pools" {
  description = "Kinds of \"task\"."
  type = map(object({
    cpu = number # units }
    max = optional(number, 100)
  }))
  default = {}

  validation {
    condition     = alltrue([for p in var.pools : p.cpu > 0])
    error_message = "A pool of ${join(", ", ["x}"])} is too small, or $${not}."
  }
}

output "text" {
  value       = { a = "b" }
  description = <<-EOT
    Two
    lines.
  EOT
}
"#;

    #[test]
    fn blocks_and_their_own_attributes_are_read() {
        let blocks = blocks(FILE).unwrap();
        let kinds: Vec<_> = blocks.iter().map(|block| (block.kind, block.name())).collect();
        assert_eq!(kinds, [("terraform", ""), ("variable", "pools"), ("output", "text")]);
        assert_eq!(blocks[0].get("required_version"), Some("\">= 1.9\""));
        assert_eq!(blocks[1].text("description").as_deref(), Some("Kinds of \"task\"."));
        assert!(blocks[1].get("type").unwrap().starts_with("map(object({\n"));
        assert!(blocks[1].get("type").unwrap().ends_with("}))"));
        assert_eq!(blocks[1].get("default"), Some("{}"));
        assert_eq!(blocks[1].get("condition"), None);
        assert_eq!(blocks[2].get("value"), Some("{ a = \"b\" }"));
        assert_eq!(blocks[2].text("description").as_deref(), Some("Two\nlines."));
    }

    #[test]
    fn a_file_opens_with_its_header() {
        let text = "/**\n * What.\n *\n * ```hcl\n *   a = 1\n * ```\n */\n\nlocals {}\n";
        assert_eq!(header(text).as_deref(), Some("What.\n\n```hcl\n  a = 1\n```"));
        assert_eq!(header("# What.\n"), None);
    }

    #[test]
    fn what_cannot_be_read_is_named_with_its_line() {
        for (text, want) in [
            ("variable \"x\" {\n  type = list(", "line 2: the file ends within an expression"),
            ("variable \"x\" {\n  default = \"a\n}", "line 2: a string does not end"),
            ("\n= 1", "line 2: a name is expected"),
            ("variable x {}", "line 1: a label or { is expected"),
            ("output \"x\" {\n  description = <<EOT\n  a\n}\n", "line 2: a heredoc does not end"),
        ] {
            assert_eq!(blocks(text), Err(want.to_owned()), "{text}");
        }
    }
}
