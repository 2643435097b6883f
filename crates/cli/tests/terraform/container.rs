//! Containers are started with a command line that Fleetfoot takes, and with variables that it reads.

use clap::{CommandFactory, Parser};
use fleetfoot::args::Cli;
use serde_json::Value;

use super::run::Made;

/// Fails unless the program in every container understands how it is started.
pub(super) fn assert_understood(made: &Made) {
    for definition in made.of_type("aws_ecs_task_definition") {
        let containers: Value = serde_json::from_str(definition.text("container_definitions")).unwrap();
        let container = &containers[0];
        let words = |field: &str| container[field].as_array().cloned().unwrap_or_default();
        let line: Vec<Value> = [words("entryPoint"), words("command")].concat();
        let line: Vec<&str> = line.iter().map(|word| word.as_str().unwrap()).collect();
        assert_eq!(line[0], "/usr/local/bin/fleetfoot");
        if let Err(error) = Cli::try_parse_from(&line) {
            panic!("{}: {line:?}: {error}", definition.address);
        }
        let cli = Cli::command();
        let command = cli.find_subcommand(line[1]).unwrap();
        let known = |name: &str| {
            let mut variables = command.get_arguments().filter_map(|argument| argument.get_env());
            variables.any(|variable| variable == name)
        };
        for variable in container["environment"].as_array().unwrap() {
            let name = variable["name"].as_str().unwrap();
            assert!(
                !name.starts_with("FLEETFOOT_") || known(name),
                "{}: nobody reads {name}",
                definition.address
            );
        }
    }
}
