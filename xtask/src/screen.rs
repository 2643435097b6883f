//! What a reader sees: a heading for each step, and colours where they are welcome.

use std::io::IsTerminal;

/// How a piece of text is shown.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Style {
    Bold,
    Green,
    Yellow,
    Red,
}

/// Paints text for the terminal; leaves it alone for a file or with `NO_COLOR`.
pub(crate) fn paint(text: &str, style: Style) -> String {
    let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    if !wanted || !std::io::stdout().is_terminal() {
        return text.to_owned();
    }
    let code = match style {
        Style::Bold => 1,
        Style::Green => 32,
        Style::Yellow => 33,
        Style::Red => 31,
    };
    format!("\x1b[{code}m{text}\x1b[0m")
}

/// Announces a step.
pub(crate) fn heading(name: &str, what: &str) {
    println!("\n{} {what}", paint(&format!("── {name}:"), Style::Bold));
}
