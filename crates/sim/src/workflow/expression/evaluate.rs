//! The evaluator.

use std::path::Path;

use github_actions_expressions::call::{Call, Function};
use github_actions_expressions::literal::Literal;
use github_actions_expressions::op::{BinExpr, BinOp, UnOp};
use github_actions_expressions::{Expr, SpannedExpr};
use serde_json::{Map, Value as Json};

use super::{Value, describe, functions, whole_expression};

/// How things stand, for `success()` and its kin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    /// Nothing failed so far.
    Success,
    /// Something failed.
    Failure,
    /// The job or the run was cancelled.
    Cancelled,
    /// Nothing failed, but something needed did not run either: neither `success()` nor `failure()`.
    Skipped,
}

/// What an expression can see.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scope<'a> {
    /// The contexts by name.
    pub(crate) contexts: &'a Map<String, Json>,
    pub(crate) status: Status,
    /// Where `hashFiles` looks; absent where there is no workspace.
    pub(crate) workspace: Option<&'a Path>,
}

/// An expression that has no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{expression}` cannot be evaluated: {reason}")]
pub(crate) struct EvaluateError {
    expression: String,
    reason: String,
}

impl EvaluateError {
    pub(super) fn unclosed(text: &str) -> Self {
        Self { expression: text.to_owned(), reason: "`${{` without `}}`".to_owned() }
    }
}

/// The value of an expression without its `${{ }}`.
pub(crate) fn evaluate(expression: &str, scope: &Scope<'_>) -> Result<Value, EvaluateError> {
    let fail = |reason| EvaluateError { expression: expression.trim().to_owned(), reason };
    let parsed = Expr::parse(expression).map_err(|error| fail(describe(&error)))?;
    value(&parsed, scope).map_err(fail)
}

/// Whether an `if` holds. Without a status function in it, `success()` must hold as well.
pub(crate) fn condition(text: &str, scope: &Scope<'_>) -> Result<bool, EvaluateError> {
    let expression = whole_expression(text).unwrap_or(text);
    if expression.trim().is_empty() {
        return Ok(scope.status == Status::Success);
    }
    let parsed = Expr::parse(expression).map_err(|error| EvaluateError {
        expression: expression.trim().to_owned(),
        reason: describe(&error),
    })?;
    if !calls_status_function(&parsed) && scope.status != Status::Success {
        return Ok(false);
    }
    Ok(evaluate(expression, scope)?.truthy())
}

fn calls_status_function(expression: &SpannedExpr<'_>) -> bool {
    match &expression.inner {
        Expr::Call(Call { func, args }) => {
            matches!(func, Function::Success | Function::Failure | Function::Always | Function::Cancelled)
                || args.iter().any(calls_status_function)
        }
        Expr::Index(inner) | Expr::UnExpr { expr: inner, .. } => calls_status_function(inner),
        Expr::Context(context) => context.parts.iter().any(calls_status_function),
        Expr::BinExpr(BinExpr { lhs, rhs, .. }) => calls_status_function(lhs) || calls_status_function(rhs),
        Expr::Literal(_) | Expr::Star | Expr::Identifier(_) => false,
    }
}

fn value(expression: &SpannedExpr<'_>, scope: &Scope<'_>) -> Result<Value, String> {
    match &expression.inner {
        Expr::Literal(literal) => Ok(match literal {
            Literal::Number(number) => Value::Number(*number),
            Literal::String(text) => Value::Text(text.to_string()),
            Literal::Boolean(boolean) => Value::Bool(*boolean),
            Literal::Null => Value::Null,
        }),
        Expr::Call(Call { func, args }) => call(*func, args, scope),
        Expr::Context(context) => path(&context.parts, scope),
        Expr::Identifier(_) => path(std::slice::from_ref(expression), scope),
        Expr::UnExpr { op: UnOp::Not, expr } => Ok(Value::Bool(!value(expr, scope)?.truthy())),
        Expr::BinExpr(binary) => operator(binary, scope),
        Expr::Star | Expr::Index(_) => Err("`*` and `[…]` must follow a value".to_owned()),
    }
}

fn operator(BinExpr { lhs, op, rhs }: &BinExpr<'_>, scope: &Scope<'_>) -> Result<Value, String> {
    let left = value(lhs, scope)?;
    // `&&` and `||` yield an operand, and leave the right one alone where the left one decides.
    match op {
        BinOp::And if !left.truthy() => return Ok(left),
        BinOp::Or if left.truthy() => return Ok(left),
        BinOp::And | BinOp::Or => return value(rhs, scope),
        _ => {}
    }
    let right = value(rhs, scope)?;
    let order = left.loosely_compared(&right);
    Ok(Value::Bool(match op {
        BinOp::Eq => left.loosely_equals(&right),
        BinOp::Neq => !left.loosely_equals(&right),
        BinOp::Gt => order.is_some_and(std::cmp::Ordering::is_gt),
        BinOp::Ge => order.is_some_and(std::cmp::Ordering::is_ge),
        BinOp::Lt => order.is_some_and(std::cmp::Ordering::is_lt),
        BinOp::Le => order.is_some_and(std::cmp::Ordering::is_le),
        BinOp::And | BinOp::Or => unreachable!("returned above"),
    }))
}

fn call(function: Function, args: &[SpannedExpr<'_>], scope: &Scope<'_>) -> Result<Value, String> {
    match function {
        Function::Success => return Ok(Value::Bool(scope.status == Status::Success)),
        Function::Failure => return Ok(Value::Bool(scope.status == Status::Failure)),
        Function::Cancelled => return Ok(Value::Bool(scope.status == Status::Cancelled)),
        Function::Always => return Ok(Value::Bool(true)),
        // Only the branch that is taken is evaluated.
        Function::Case => {
            let mut pairs = args.chunks_exact(2);
            for pair in pairs.by_ref() {
                match value(&pair[0], scope)? {
                    Value::Bool(true) => return value(&pair[1], scope),
                    Value::Bool(false) => {}
                    _ => return Err("a condition of `case` is neither true nor false".to_owned()),
                }
            }
            return pairs.remainder().first().map_or(Ok(Value::Null), |default| value(default, scope));
        }
        _ => {}
    }
    let args = args.iter().map(|arg| value(arg, scope)).collect::<Result<Vec<_>, _>>()?;
    match (function, args.as_slice()) {
        (Function::Contains, [search, item]) => Ok(Value::Bool(functions::contains(search, item))),
        (Function::StartsWith, [text, prefix]) => Ok(Value::Bool(functions::starts_with(text, prefix))),
        (Function::EndsWith, [text, suffix]) => Ok(Value::Bool(functions::ends_with(text, suffix))),
        (Function::Format, [template, values @ ..]) => {
            functions::format(&template.text(), values).map(Value::Text)
        }
        (Function::Join, [list, separator @ ..]) => Ok(Value::Text(functions::join(list, separator.first()))),
        (Function::ToJSON, [value]) => functions::to_json(value).map(Value::Text),
        (Function::FromJSON, [text]) => functions::from_json(&text.text()),
        (Function::HashFiles, patterns) => match scope.workspace {
            Some(workspace) => {
                let patterns: Vec<_> = patterns.iter().map(Value::text).collect();
                functions::hash_files(workspace, &patterns).map(Value::Text)
            }
            None => Err("`hashFiles` works in steps only".to_owned()),
        },
        (function, args) => Err(format!("`{function:?}` cannot take {} arguments", args.len())),
    }
}

/// A value and the members that follow it: `github.event.inputs`, `fromJSON(x)[0]`, `a.*.b`.
fn path(parts: &[SpannedExpr<'_>], scope: &Scope<'_>) -> Result<Value, String> {
    let (head, members) = parts.split_first().ok_or("an empty path")?;
    let mut current = match &head.inner {
        Expr::Identifier(name) => context(name.as_str(), scope)?,
        _ => value(head, scope)?,
    };
    // Behind a `*`, members are taken of every element.
    let mut filtered = false;
    for member in members {
        let index = match &member.inner {
            Expr::Star => None,
            Expr::Index(inner) if matches!(inner.inner, Expr::Star) => None,
            Expr::Identifier(name) => Some(Value::Text(name.as_str().to_owned())),
            Expr::Index(inner) => Some(value(inner, scope)?),
            _ => return Err(format!("`{}` cannot follow a `.`", member.origin.raw)),
        };
        current = match (index, filtered) {
            (None, false) => Value::List(elements(&current)),
            (None, true) => Value::List(elements(&current).iter().flat_map(elements).collect()),
            (Some(index), true) => Value::List(
                elements(&current).iter().filter_map(|element| element.member(&index).cloned()).collect(),
            ),
            (Some(index), false) => current.member(&index).cloned().unwrap_or(Value::Null),
        };
        filtered |= matches!(&member.inner, Expr::Star)
            || matches!(&member.inner, Expr::Index(inner) if matches!(inner.inner, Expr::Star));
    }
    Ok(current)
}

fn context(name: &str, scope: &Scope<'_>) -> Result<Value, String> {
    scope
        .contexts
        .iter()
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, json)| Value::from(json))
        .ok_or_else(|| format!("there is no context `{name}` here"))
}

fn elements(value: &Value) -> Vec<Value> {
    match value {
        Value::List(items) => items.clone(),
        Value::Object(entries) => entries.iter().map(|(_, value)| value.clone()).collect(),
        _ => Vec::new(),
    }
}
