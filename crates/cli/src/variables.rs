//! Which `FLEETFOOT_…` variables count beside the flags that were typed.
//!
//! clap reads a variable like a flag. Some habits of workflows need more: a variable that is set and empty is
//! what `${{ vars.NAME }}` gives when there is no such variable, `false` is what an input of type boolean gives when a
//! flag is not meant, and what a job sets for all of its steps must not quarrel with a flag of one step.

use std::collections::BTreeSet;
use std::ffi::OsString;

use clap::{Arg, Command, Id};

/// A variable that nobody sets: clap cannot take an argument's variable away, only name another.
const NONE: &str = "FLEETFOOT__";

/// Lets only the variables count that are set to something, and that no typed flag rules out.
pub fn that_count(command: Command, typed: &[String], value: &dyn Fn(&str) -> Option<OsString>) -> Command {
    let is_typed = |arg: &Arg| {
        let flag = arg.get_long().map(|long| format!("--{long}"));
        flag.is_some_and(|flag| {
            typed.iter().any(|word| {
                word.strip_prefix(&flag).is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
            })
        })
    };
    let excludes = |one: &Arg, other: &Arg| {
        command.get_arg_conflicts_with(one).iter().any(|conflict| conflict.get_id() == other.get_id())
    };
    let ruled_out = |arg: &Arg| {
        let others = command.get_arguments().filter(|other| is_typed(other));
        !is_typed(arg) && others.into_iter().any(|other| excludes(arg, other) || excludes(other, arg))
    };
    let is_empty = |arg: &Arg| {
        let name = arg.get_env().and_then(|name| name.to_str());
        let is_switch = !arg.get_action().takes_values();
        name.and_then(value).is_some_and(|value| value.is_empty() || (is_switch && value == "false"))
    };
    let silent: BTreeSet<Id> = command
        .get_arguments()
        .filter(|arg| is_empty(arg) || ruled_out(arg))
        .map(|arg| arg.get_id().clone())
        .collect();
    command
        .mut_args(|arg| {
            // The help names variables; what they hold is nobody's business.
            let arg = arg.hide_env_values(true);
            if arg.get_env().is_some() && silent.contains(arg.get_id()) { arg.env(NONE) } else { arg }
        })
        .mut_subcommands(|command| that_count(command, typed, value))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::args::Cli;

    /// The variables of `start` that still count.
    fn counting(typed: &[&str], set: &[(&str, &str)]) -> Vec<String> {
        let typed: Vec<String> = typed.iter().map(|&word| word.to_owned()).collect();
        let value =
            |name: &str| set.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value));
        let command = that_count(Cli::command(), &typed, &value);
        let start = command.find_subcommand("start").unwrap();
        let names = start.get_arguments().filter_map(|arg| arg.get_env()?.to_str());
        names.filter(|name| set.iter().any(|(known, _)| known == name)).map(str::to_owned).collect()
    }

    #[test]
    fn an_empty_variable_is_none() {
        assert_eq!(counting(&[], &[("FLEETFOOT_POOL", ""), ("FLEETFOOT_KEY", "k")]), ["FLEETFOOT_KEY"]);
    }

    #[test]
    fn a_flag_without_a_value_that_is_false_is_not_meant() {
        assert_eq!(
            counting(&[], &[("FLEETFOOT_HOLD", "false"), ("FLEETFOOT_KEY", "false")]),
            ["FLEETFOOT_KEY"]
        );
        assert_eq!(counting(&[], &[("FLEETFOOT_HOLD", "true")]), ["FLEETFOOT_HOLD"]);
    }

    #[test]
    fn a_flag_beats_the_variable_of_another_flag_that_it_excludes() {
        let both = [("FLEETFOOT_STACK", "prod"), ("FLEETFOOT_STACK_FILE", "stack.json")];
        assert_eq!(counting(&["start", "--stack-file", "x"], &both), ["FLEETFOOT_STACK_FILE"]);
        assert_eq!(counting(&["start", "--stack=x"], &both), ["FLEETFOOT_STACK"]);
        assert_eq!(counting(&["start"], &both).len(), 2, "two variables still quarrel, and clap says so");
    }
}
