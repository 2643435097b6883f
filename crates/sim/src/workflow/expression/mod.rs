//! Expressions: `${{ … }}` in texts and bare in `if`.
//!
//! The grammar comes from the crate `github-actions-expressions`, which follows GitHub's own parser; it
//! only folds constants, so the evaluation is ours. Texts are kept as text and parsed again when they are
//! evaluated: a job travels to its runner as text, as at GitHub.

mod evaluate;
mod functions;
mod template;
mod value;

pub(crate) use evaluate::{EvaluateError, Scope, Status, condition, evaluate};
pub(crate) use template::{Part, parts, render, render_value, whole_expression};
pub(crate) use value::{Value, format_number};

use github_actions_expressions::Error;
use github_actions_expressions::call::Error as CallError;

/// What the parser has to say, in one sentence.
pub(crate) fn describe(error: &Error) -> String {
    match error {
        Error::Syntax(syntax) => format!("{} at character {}", syntax.message, syntax.offset + 1),
        Error::Depth => "it is nested too deeply".to_owned(),
        Error::Call(CallError::UnknownFunction(name)) => format!("unknown function `{name}`"),
        Error::Call(CallError::Arity(function, expected)) => format!("`{function:?}` takes {expected}"),
    }
}

#[cfg(test)]
mod tests;
