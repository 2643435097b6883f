//! The Action's metadata, made from the same definition as the command line: an input for every flag.
//!
//! An input that is given becomes that flag, so it wins over the variable of the flag, which a job or a workflow may have
//! set once for all of its steps, and over variables that it cannot be given together with. Only what is secret, and
//! flags without a value, reach it as variables. No input's text is ever part of a script.

use clap::Arg;

use super::{commands, flags, is_current, meaning_and_default};

#[test]
fn action_is_current() {
    is_current("action.yml", &start());
}

#[test]
fn stop_action_is_current() {
    is_current("stop/action.yml", &stop());
}

/// Flags that are of no use in a step, and why.
const LEFT_OUT: [&str; 1] = [
    "output", // The outputs are JSON already.
];

/// An input, and how it reaches the command.
#[derive(Clone, PartialEq)]
struct Input {
    name: String,
    description: String,
    /// The variable of the flag.
    variable: String,
    by: By,
}

/// How an input reaches the command.
#[derive(Clone, Copy, PartialEq)]
enum By {
    /// As the flag of its name.
    Flag,
    /// As the variable: it is a secret, or a flag without a value.
    Variable,
}

/// What the command's flags do not say: the secret, because arguments can be read by every process of the
/// machine, and what to install.
const MORE: [(&str, &str, &str); 3] = [
    (
        "github-token",
        "GitHub token that may manage runners, from a secret; not needed where the stack names an App.",
        "FLEETFOOT_GITHUB_TOKEN",
    ),
    (
        "version",
        "Version of fleetfoot to install [default: the one on the PATH, else this action's].",
        "FLEETFOOT_VERSION",
    ),
    (
        "releases",
        "Address of a mirror of the releases [default: those of this action's repository].",
        "FLEETFOOT_RELEASES",
    ),
];

const OUTPUTS: [(&str, &str); 5] = [
    ("label", "Label of the runners; the fallback's if they could not be had."),
    ("runs-on", "JSON array of labels, for runs-on by way of fromJSON."),
    ("runner-names", "JSON array of the runners' names."),
    ("runner-ids", "JSON array of the runners' ids at GitHub."),
    ("task-arns", "JSON array of the ARNs of their ECS tasks."),
];

const HEAD: &str = "# Written by `cargo xtask docs`: an input for every flag of the command.\n";

fn start() -> String {
    let inputs = inputs("fleetfoot start");
    let of_stop = self::inputs("fleetfoot stop");
    // Both act as the same people on the same stack; when and for how long is each one's own.
    let own = ["FLEETFOOT_KEY", "FLEETFOOT_TIMEOUT", "FLEETFOOT_POLL"];
    let shared: Vec<Input> = of_stop
        .into_iter()
        .filter(|other| {
            inputs.iter().any(|input| input.variable == other.variable)
                && !own.contains(&other.variable.as_str())
                && !is_for_installing(other)
        })
        .collect();
    let outputs: String = OUTPUTS.iter().map(|(name, description)| output(name, description)).collect();
    format!(
        "{HEAD}name: Start runners with Fleetfoot
description: Fresh, single-use runners on Amazon ECS for the jobs that follow.
author: The Fleetfoot authors
branding: {{ icon: wind, color: orange }}

{}
outputs:
{outputs}
runs:
  using: composite
  steps:
{}
    - name: Start runners
      id: start
      shell: bash
      run: |
{}      env:
{}
    # A start that fails undoes itself; this is for one that was killed before it could.
    - name: Take away what is left of a start that did not succeed
      if: ${{{{ always() && (steps.start.outcome == 'failure' || steps.start.outcome == 'cancelled') }}}}
      shell: bash
      run: |
{}      env:
        INPUT_KEY: ${{{{ inputs.key }}}}
{}",
        declared(&inputs),
        install("action/install.sh", &inputs),
        call("fleetfoot start", &inputs),
        env_of(&inputs),
        call("fleetfoot stop --key=\"${INPUT_KEY:-${FLEETFOOT_KEY:-$GITHUB_JOB}}\"", &shared),
        env_of(&shared),
    )
}

fn stop() -> String {
    let inputs = inputs("fleetfoot stop");
    format!(
        "{HEAD}name: Stop runners of Fleetfoot
description: Takes away the runners that Fleetfoot has started for this run.
author: The Fleetfoot authors

{}
runs:
  using: composite
  steps:
{}
    - name: Take the runners away
      shell: bash
      run: |
{}      env:
{}",
        declared(&inputs),
        install("../action/install.sh", &inputs),
        call("fleetfoot stop", &inputs),
        env_of(&inputs),
    )
}

/// The inputs of a command.
fn inputs(name: &str) -> Vec<Input> {
    let command = commands()
        .into_iter()
        .find(|command| command.get_bin_name() == Some(name))
        .unwrap_or_else(|| panic!("there is no command {name}"));
    let of_flags = flags(&command).filter_map(|arg| {
        let long = arg.get_long().filter(|long| !LEFT_OUT.contains(long))?;
        let variable = arg.get_env().unwrap_or_default().to_string_lossy().into_owned();
        let by = if arg.get_action().takes_values() { By::Flag } else { By::Variable };
        Some(Input { name: long.to_owned(), description: description(arg), variable, by })
    });
    let more = MORE.iter().map(|(name, description, variable)| Input {
        name: (*name).to_owned(),
        description: (*description).to_owned(),
        variable: (*variable).to_owned(),
        by: By::Variable,
    });
    of_flags.chain(more).collect()
}

fn is_for_installing(input: &Input) -> bool {
    ["version", "releases"].contains(&input.name.as_str())
}

fn declared(inputs: &[Input]) -> String {
    let lines = inputs
        .iter()
        .map(|input| format!("  {}:\n    description: {}\n", input.name, quoted(&input.description)));
    format!("inputs:\n{}", lines.collect::<String>())
}

fn output(name: &str, description: &str) -> String {
    let description = quoted(description);
    format!("  {name}:\n    description: {description}\n    value: ${{{{ steps.start.outputs.{name} }}}}\n")
}

/// The step that installs; the script is named from the action's folder.
fn install(script: &str, inputs: &[Input]) -> String {
    let for_installing = inputs.iter().filter(|input| is_for_installing(input));
    let variables: Vec<String> = for_installing
        .map(|Input { name, variable, .. }| {
            format!("        {variable}: ${{{{ inputs.{name} || env.{variable} }}}}\n")
        })
        .collect();
    let variables = variables.concat();
    format!(
        "    - name: Install fleetfoot
      shell: bash
      run: '\"$GITHUB_ACTION_PATH/{script}\"'
      env:
        ACTION_REPOSITORY: ${{{{ github.action_repository }}}}
{variables}"
    )
}

/// A call of the command, under its name, which is what GitHub's page of the log shows. A flag stands there only if its input was given, and so does a variable. It takes the shell's
/// place, because GitHub tells only a step's first process that it is cancelled.
fn call(command: &str, inputs: &[Input]) -> String {
    let inputs: Vec<&Input> = inputs.iter().filter(|input| !is_for_installing(input)).collect();
    let variables = inputs.iter().filter(|input| input.by == By::Variable).map(|input| {
        let (given, variable) = (handed_over_as(input), &input.variable);
        format!("        {variable}=\"${{{given}:-${{{variable}:-}}}}\" \\\n")
    });
    let flags = inputs.iter().filter(|input| input.by == By::Flag).map(|input| {
        let given = handed_over_as(input);
        format!(" \\\n          ${{{given}:+--{}=\"${given}\"}}", input.name)
    });
    let name = command.split(" --").next().unwrap_or(command);
    format!(
        "        # {name}\n{}        exec {command}{}\n",
        variables.collect::<String>(),
        flags.collect::<String>()
    )
}

fn env_of(inputs: &[Input]) -> String {
    let inputs = inputs.iter().filter(|input| !is_for_installing(input));
    let line =
        |input: &Input| format!("        {}: ${{{{ inputs.{} }}}}\n", handed_over_as(input), input.name);
    inputs.map(line).collect::<Vec<_>>().concat()
}

/// The variable that holds an input's text.
fn handed_over_as(input: &Input) -> String {
    format!("INPUT_{}", input.name.replace('-', "_").to_uppercase())
}

/// The flag's help with its default, on one line; an input cannot be repeated as a flag can.
fn description(arg: &Arg) -> String {
    let (meaning, default) = meaning_and_default(arg);
    let meaning = meaning
        .replace("<br>", " ")
        .replace("\\|", "|")
        .replace('`', "")
        .replace("Repeat, or separate by commas.", "Separate several by commas.")
        .replace("Repeat for more; in the variable, one a line.", "One a line.")
        .replace("Repeat for more.", "One a line.");
    assert!(!meaning.contains("Repeat"), "an input cannot be repeated: {meaning}");
    match default.replace('`', "") {
        default if default.is_empty() => meaning,
        default => format!("{} [default: {default}]", meaning.trim_end_matches('.')),
    }
}

/// A YAML scalar; always quoted, so that no text is read as anything else.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
