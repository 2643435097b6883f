//! Which contexts and functions an expression may use, by the place where it stands.
//!
//! Source: GitHub docs, "Contexts reference", table "Context availability". GitHub refuses a workflow that
//! breaks it before anything runs, and so does this.

use github_actions_expressions::call::{Call, Function};
use github_actions_expressions::op::BinExpr;
use github_actions_expressions::{Expr, SpannedExpr};

use super::expression::{Part, describe, parts, whole_expression};
use super::problem::Problems;

/// All contexts GitHub has; `jobs` belongs to reusable workflows.
const CONTEXTS: [&str; 12] = [
    "github", "env", "vars", "job", "jobs", "steps", "runner", "secrets", "strategy", "matrix", "needs",
    "inputs",
];

/// A place where expressions stand.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    name: &'static str,
    contexts: &'static [&'static str],
    status: bool,
    hash_files: bool,
}

const fn place(name: &'static str, contexts: &'static [&'static str]) -> Place {
    Place { name, contexts, status: false, hash_files: false }
}

impl Place {
    pub(crate) const RUN_NAME: Self = place("run-name", &["github", "inputs", "vars"]);
    pub(crate) const WORKFLOW_ENV: Self =
        place("the workflow's `env`", &["github", "secrets", "inputs", "vars"]);
    pub(crate) const JOB_IF: Self =
        Self { status: true, ..place("a job's `if`", &["github", "needs", "vars", "inputs"]) };
    pub(crate) const STRATEGY: Self = place("strategy", &["github", "needs", "vars", "inputs"]);
    /// `name`, `runs-on`, `environment`, `continue-on-error`, `timeout-minutes`.
    pub(crate) const JOB_HEAD: Self =
        place("the head of a job", &["github", "needs", "strategy", "matrix", "vars", "inputs"]);
    /// `with` of a job that calls a workflow.
    pub(crate) const CALL_WITH: Self =
        place("`with` of a call", &["github", "needs", "strategy", "matrix", "inputs", "vars"]);
    pub(crate) const CALL_SECRETS: Self =
        place("`secrets` of a call", &["github", "needs", "strategy", "matrix", "secrets", "inputs", "vars"]);
    pub(crate) const CALL_DEFAULT: Self =
        place("the default of an input of `workflow_call`", &["github", "inputs", "vars"]);
    pub(crate) const CALL_OUTPUT: Self =
        place("an output of `workflow_call`", &["github", "jobs", "vars", "inputs"]);
    pub(crate) const ENVIRONMENT_URL: Self = place(
        "environment.url",
        &["github", "needs", "strategy", "matrix", "job", "runner", "env", "vars", "steps", "inputs"],
    );
    pub(crate) const JOB_DEFAULTS: Self =
        place("defaults.run", &["github", "needs", "strategy", "matrix", "env", "vars", "inputs"]);
    pub(crate) const JOB_ENV: Self =
        place("a job's `env`", &["github", "needs", "strategy", "matrix", "vars", "secrets", "inputs"]);
    pub(crate) const JOB_OUTPUTS: Self = place(
        "a job's outputs",
        &[
            "github", "needs", "strategy", "matrix", "job", "runner", "env", "vars", "secrets", "steps",
            "inputs",
        ],
    );
    pub(crate) const STEP: Self = Self {
        hash_files: true,
        ..place(
            "a step",
            &[
                "github", "needs", "strategy", "matrix", "job", "runner", "env", "vars", "secrets", "steps",
                "inputs",
            ],
        )
    };
    pub(crate) const STEP_IF: Self = Self {
        status: true,
        hash_files: true,
        ..place(
            "a step's `if`",
            &["github", "needs", "strategy", "matrix", "job", "runner", "env", "vars", "steps", "inputs"],
        )
    };
    pub(crate) const ACTION_STEP: Self = Self {
        hash_files: true,
        ..place(
            "a step of a composite action",
            &["github", "inputs", "steps", "strategy", "matrix", "job", "runner", "env"],
        )
    };
    pub(crate) const ACTION_STEP_IF: Self = Self {
        status: true,
        hash_files: true,
        ..place(
            "the `if` of a step of a composite action",
            &["github", "inputs", "steps", "strategy", "matrix", "job", "runner", "env"],
        )
    };
    pub(crate) const ACTION_OUTPUTS: Self = place(
        "the outputs of a composite action",
        &["github", "inputs", "steps", "strategy", "matrix", "job", "runner", "env"],
    );
    /// Where GitHub takes text as it is and an expression is a mistake.
    pub(crate) const NOWHERE: Self = place("this place", &[]);
}

/// Checks the expressions of a text. `line` is the line of the text's first line.
pub(crate) fn check_text(text: &str, place: Place, file: &str, line: usize, problems: &mut Problems) {
    match parts(text) {
        Err(open) => {
            check_text(&text[..open], place, file, line, problems);
            problems.add(file, line + lines_before(text, open), "`${{` without `}}`");
        }
        Ok(parts) => {
            for part in parts {
                if let Part::Expression(inside, offset) = part {
                    check_expression(inside, place, file, line + lines_before(text, offset), problems);
                }
            }
        }
    }
}

/// Checks an `if`, whose `${{ }}` may be left out.
pub(crate) fn check_condition(text: &str, place: Place, file: &str, line: usize, problems: &mut Problems) {
    if text.contains("${{") && (whole_expression(text).is_none() || text.trim() != text) {
        problems.add(
            file,
            line,
            "text around `${{ }}` makes this `if` true whatever it says: write one expression and nothing else",
        );
        return;
    }
    let expression = whole_expression(text).unwrap_or(text);
    if !expression.trim().is_empty() {
        check_expression(expression, place, file, line, problems);
    }
}

fn lines_before(text: &str, offset: usize) -> usize {
    text[..offset].matches('\n').count()
}

fn check_expression(expression: &str, place: Place, file: &str, line: usize, problems: &mut Problems) {
    match Expr::parse(expression) {
        Err(error) => {
            let message = format!("the expression `{}` is wrong: {}", expression.trim(), describe(&error));
            problems.add(file, line, message);
        }
        Ok(parsed) => {
            let mut wrong = Vec::new();
            visit(&parsed, place, &mut wrong);
            for message in wrong {
                problems.add(file, line, message);
            }
        }
    }
}

fn visit(expression: &SpannedExpr<'_>, place: Place, wrong: &mut Vec<String>) {
    match &expression.inner {
        Expr::Literal(_) | Expr::Star => {}
        Expr::Identifier(name) => check_context(name.as_str(), place, wrong),
        Expr::Index(inner) | Expr::UnExpr { expr: inner, .. } => visit(inner, place, wrong),
        Expr::BinExpr(BinExpr { lhs, rhs, .. }) => {
            visit(lhs, place, wrong);
            visit(rhs, place, wrong);
        }
        Expr::Call(Call { func, args }) => {
            check_function(*func, place, wrong);
            for arg in args {
                visit(arg, place, wrong);
            }
        }
        Expr::Context(context) => {
            for (position, part) in context.parts.iter().enumerate() {
                // Behind the head, an identifier is the name of a member.
                if position == 0 || !matches!(part.inner, Expr::Identifier(_)) {
                    visit(part, place, wrong);
                }
            }
        }
    }
}

fn check_context(name: &str, place: Place, wrong: &mut Vec<String>) {
    let is = |known: &&&str| known.eq_ignore_ascii_case(name);
    if place.contexts.iter().any(|known| is(&known)) {
        return;
    }
    let available = if place.contexts.is_empty() {
        "no expressions at all".to_owned()
    } else {
        place.contexts.join(", ")
    };
    wrong.push(if CONTEXTS.iter().any(|known| is(&known)) {
        format!("the context `{name}` cannot be used in {}: it has {available}", place.name)
    } else {
        format!("unknown context `{name}`: {} has {available}", place.name)
    });
}

fn check_function(function: Function, place: Place, wrong: &mut Vec<String>) {
    let (name, allowed, rule) = match function {
        Function::Success => ("success", place.status, "works in `if` only"),
        Function::Failure => ("failure", place.status, "works in `if` only"),
        Function::Always => ("always", place.status, "works in `if` only"),
        Function::Cancelled => ("cancelled", place.status, "works in `if` only"),
        Function::HashFiles => ("hashFiles", place.hash_files, "works in steps only"),
        _ => return,
    };
    if !allowed {
        wrong.push(format!("`{name}()` {rule}, not in {}", place.name));
    }
}
