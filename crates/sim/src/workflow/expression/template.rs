//! Texts with `${{ … }}` in them.

use super::{EvaluateError, Scope, Value, evaluate};

/// A piece of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part<'a> {
    /// Stands for itself.
    Literal(&'a str),
    /// The inside of `${{ … }}`, with its offset in the text.
    Expression(&'a str, usize),
}

/// Cuts a text into its parts. The error is the offset of a `${{` that is never closed.
pub(crate) fn parts(text: &str) -> Result<Vec<Part<'_>>, usize> {
    let mut parts = Vec::new();
    let mut at = 0;
    while let Some(open) = text[at..].find("${{").map(|offset| at + offset) {
        if open > at {
            parts.push(Part::Literal(&text[at..open]));
        }
        let inside = open + 3;
        let close = closing(&text[inside..]).map(|offset| inside + offset).ok_or(open)?;
        parts.push(Part::Expression(&text[inside..close], inside));
        at = close + 2;
    }
    if at < text.len() {
        parts.push(Part::Literal(&text[at..]));
    }
    Ok(parts)
}

/// Where `}}` is, outside of quotes.
fn closing(text: &str) -> Option<usize> {
    let mut quoted = false;
    for (offset, byte) in text.bytes().enumerate() {
        match byte {
            b'\'' => quoted = !quoted,
            b'}' if !quoted && text[offset..].starts_with("}}") => return Some(offset),
            _ => {}
        }
    }
    None
}

/// The expression of a text that is nothing but one `${{ … }}`.
pub(crate) fn whole_expression(text: &str) -> Option<&str> {
    match parts(text.trim()).ok()?.as_slice() {
        [Part::Expression(inside, _)] => Some(inside),
        _ => None,
    }
}

/// A text with every expression replaced by its value.
pub(crate) fn render(text: &str, scope: &Scope<'_>) -> Result<String, EvaluateError> {
    let mut out = String::with_capacity(text.len());
    for part in parts(text).map_err(|_| EvaluateError::unclosed(text))? {
        match part {
            Part::Literal(literal) => out.push_str(literal),
            Part::Expression(inside, _) => out.push_str(&evaluate(inside, scope)?.text()),
        }
    }
    Ok(out)
}

/// The value of a text: that of its expression where it is nothing else, so that lists and objects keep
/// their shape; otherwise a text.
pub(crate) fn render_value(text: &str, scope: &Scope<'_>) -> Result<Value, EvaluateError> {
    match whole_expression(text) {
        Some(inside) => evaluate(inside, scope),
        None => Ok(Value::Text(render(text, scope)?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_hide_the_closing_braces() {
        assert_eq!(
            parts("a${{ format('}}') }}b").unwrap(),
            [Part::Literal("a"), Part::Expression(" format('}}') ", 4), Part::Literal("b")]
        );
        assert_eq!(parts("x ${{ 'open }}"), Err(2));
        assert_eq!(whole_expression(" ${{ a }} "), Some(" a "));
        assert_eq!(whole_expression("${{ a }}${{ b }}"), None);
    }
}
