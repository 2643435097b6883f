//! What the stack says of itself: from its document, or from Terraform's output.
//!
//! Both give the three variables that a workflow hands to `start`: which stack, which role, which region.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use fleetfoot_aws::{Aws, Identity, Options};
use fleetfoot_core::connect::SettingName;
use fleetfoot_core::stack::Stack;
use fleetfoot_core::subject;
use fleetfoot_github::{Scope, Target};
use fleetfoot_net::Network;
use serde::Deserialize;

use crate::account::{stack_document, stack_parameter, stack_text};
use crate::args::ConnectArgs;
use crate::failure::Failure;

/// Far above what Terraform prints of a stack.
const LONGEST_OUTPUT: u64 = 8 * 1024 * 1024;

/// What is to be told at GitHub, and to whom.
pub(super) struct Source {
    pub(super) variables: BTreeMap<SettingName, String>,
    /// Where the stack registers its runners, if that is known.
    pub(super) scope: Option<Scope>,
    /// The subjects that the launcher role trusts, as far as they are known.
    subjects: Vec<String>,
}

/// What `terraform output -json` prints, as far as it matters (Terraform CLI, "terraform output").
#[derive(Deserialize)]
struct Outputs {
    workflow_variables: Option<Output<BTreeMap<String, String>>>,
    stack_document: Option<Output<String>>,
}

#[derive(Deserialize)]
struct Output<T> {
    value: T,
}

impl Source {
    pub(super) async fn read(args: &ConnectArgs, network: &Network) -> Result<Self, Failure> {
        let stack = match (&args.stack, &args.stack_file, &args.terraform_output) {
            (_, _, Some(path)) => return Self::of_terraform(args, path),
            (_, Some(path), _) => stack_document(&stack_text(path)?, &path.display().to_string())?,
            (Some(name), ..) => {
                let options =
                    Options { region: args.region.clone(), endpoint: None, network: network.clone() };
                let aws = Aws::connect(options, Identity::DefaultChain).await?;
                aws.check_credentials().await?;
                stack_parameter(&aws, name).await?
            }
            (None, None, None) => {
                return Err(Failure::usage(
                    "no stack was named",
                    "Name it with --stack NAME, --stack-file PATH or --terraform-output PATH.",
                ));
            }
        };
        Self::of_stack(args, &stack)
    }

    fn of_stack(args: &ConnectArgs, stack: &Stack) -> Result<Self, Failure> {
        let mut variables =
            vec![("FLEETFOOT_STACK", stack.name.to_string()), ("AWS_REGION", stack.region.clone())];
        variables.extend(stack.launcher_role.clone().map(|role| ("FLEETFOOT_ROLE", role)));
        let variables = variables.into_iter().map(|(name, value)| (name.to_owned(), value));
        Ok(Self {
            variables: named(variables)?,
            scope: Some(scope(args, stack)?),
            subjects: stack.launcher_subjects.clone(),
        })
    }

    fn of_terraform(args: &ConnectArgs, path: &Path) -> Result<Self, Failure> {
        let shown = path.display();
        let outputs: Outputs = serde_json::from_str(&output_text(path)?).map_err(|error| {
            Failure::usage(
                format!("{shown} is not what `terraform output -json` prints: {error}"),
                "Write it with `terraform output -json > outputs.json`, where the stack was applied.",
            )
        })?;
        let stack = outputs.stack_document.map(|document| {
            stack_document(&document.value, &format!("the output stack_document in {shown}"))
        });
        match (outputs.workflow_variables, stack.transpose()?) {
            (Some(variables), stack) => Ok(Self {
                variables: named(variables.value.into_iter())?,
                scope: stack.as_ref().map(|stack| scope(args, stack)).transpose()?,
                subjects: stack.map(|stack| stack.launcher_subjects).unwrap_or_default(),
            }),
            (None, Some(stack)) => Self::of_stack(args, &stack),
            (None, None) => Err(Failure::usage(
                format!("{shown} has neither the output workflow_variables nor stack_document"),
                "Hand the module's output on: output \"workflow_variables\" { value = module.fleetfoot.workflow_variables }.",
            )),
        }
    }

    /// GitHub, of which a repository or organisation was named beside the stack.
    pub(super) fn server(&self, args: &ConnectArgs) -> Result<Scope, Failure> {
        match (&args.github_url, &self.scope) {
            (None, Some(scope)) => Ok(scope.clone()),
            (url, _) => {
                let url = url.as_deref().unwrap_or("https://github.com");
                // Whose, the caller says.
                address(&format!("{}/any", url.trim_end_matches('/')))
            }
        }
    }

    /// The environment of this repository that the launcher role trusts, if it is the only one.
    pub(super) fn only_environment(&self, target: &Target) -> Option<String> {
        let mut named = subject::environments(&self.subjects, &target.to_string()).into_iter();
        let first = named.next().map(str::to_owned);
        first.filter(|_| named.next().is_none())
    }

    /// What speaks against jobs of this place being let in by the role.
    pub(super) fn doubts(&self, target: &Target, environment: Option<&str>) -> Vec<String> {
        let repository = target.to_string();
        let wants = self.subjects.join(" or ");
        match (target, environment) {
            _ if self.subjects.is_empty() => Vec::new(),
            (Target::Repository { .. }, Some(environment))
                if !subject::trusts_environment(&self.subjects, &repository, environment) =>
            {
                vec![format!(
                    "the launcher role does not trust jobs of {repository} in the environment {environment}; it wants \
                     {wants}"
                )]
            }
            _ => Vec::new(),
        }
    }
}

fn named(
    variables: impl Iterator<Item = (String, String)>,
) -> Result<BTreeMap<SettingName, String>, Failure> {
    let read = |(name, value): (String, String)| match name.parse() {
        Ok(name) => Ok((name, value)),
        Err(error) => Err(Failure::usage(
            format!("the variable {name:?} cannot be set at GitHub: {error}"),
            "Correct the output workflow_variables.",
        )),
    };
    variables.map(read).collect()
}

fn scope(args: &ConnectArgs, stack: &Stack) -> Result<Scope, Failure> {
    let scope = address(&stack.github.url)?;
    match (&args.github_url, &stack.github.api_url) {
        (None, Some(api_url)) => scope.with_api_url(api_url).map_err(|error| unusable(&error)),
        (Some(url), _) => {
            let home = address(&format!("{}/any", url.trim_end_matches('/')))?;
            home.at(&scope.target().to_string()).map_err(|error| unusable(&error))
        }
        (None, None) => Ok(scope),
    }
}

fn address(url: &str) -> Result<Scope, Failure> {
    Scope::parse(url).map_err(|error| unusable(&error))
}

fn unusable(error: &dyn std::fmt::Display) -> Failure {
    Failure::usage(error.to_string(), "Correct github.url in the stack document, or --github-url.")
}

fn output_text(path: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let read = if path.as_os_str() == "-" {
        std::io::stdin().take(LONGEST_OUTPUT).read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(LONGEST_OUTPUT).read_to_string(&mut text))
    };
    read.map(|_| text).map_err(|error| {
        Failure::usage(
            format!("cannot read Terraform's output from {}: {error}", path.display()),
            "Write it with `terraform output -json > outputs.json`, and name that file.",
        )
    })
}
