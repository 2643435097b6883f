//! `fleetfoot connect`: sets at GitHub what workflows need to start runners, shows it first, and with `--yes`
//! does it; `--remove` takes it away again.
//!
//! What has to change is [`fleetfoot_core::connect`]'s to say. This command reads what the stack says of itself
//! ([`source`]) and the secrets that were asked for ([`secrets`]), looks and acts at GitHub ([`place`]), and tells
//! ([`tell`]). It asks as a person, with a person's token: Fleetfoot's own App may not configure anything.

mod place;
mod secrets;
mod source;
mod tell;

use std::collections::BTreeMap;

use fleetfoot_core::connect::{SettingName, Visibility, Wanted};
use fleetfoot_github::{Clock, Scope, Settings, Target};
use fleetfoot_net::Network;
use jiff::Timestamp;
use secrecy::SecretString;

use crate::args::{ConnectArgs, OrgVisibility};
use crate::cancel::Cancel;
use crate::failure::Failure;
use crate::github_credentials;
use crate::network::network;

use place::Place;
use source::Source;
use tell::Report;

/// How a cancelled connect ends.
const CANCELLED: &str = "connecting was cancelled";

/// Runs the command.
pub async fn run(args: ConnectArgs, cancel: &Cancel) -> Result<(), Failure> {
    let network = network()?;
    let token = github_credentials::token(args.github_token_file.as_deref(), false)?;
    let secrets = secrets::read(&args)?;
    let reading = Box::pin(Source::read(&args, &network));
    let source = cancel.unless(CANCELLED, reading).await?;
    let scopes = scopes(&args, &source)?;
    let wanted = Wanted {
        variables: source.variables.clone(),
        secrets: args.secrets.iter().map(|secret| secret.name.clone()).collect(),
        replace_secrets: args.replace_secrets,
        visibility: args.visibility.map(|which| match which {
            OrgVisibility::All => Visibility::All,
            OrgVisibility::Private => Visibility::Private,
        }),
    };

    // Every place is looked at before anything is changed in one of them.
    let looking = Box::pin(async {
        let mut places = Vec::new();
        for scope in scopes {
            let (place, found) = look(&args, &source, scope, &token, &network).await?;
            let steps = place::steps(&wanted, &found, args.remove);
            places.push((place, steps));
        }
        Ok(places)
    });
    let places = cancel.unless(CANCELLED, looking).await?;
    let mut report = Report::new(&args);
    for (place, steps) in places {
        let ends = if args.yes {
            Box::pin(place.act(steps, &secrets, cancel.token())).await
        } else {
            steps.into_iter().map(|step| (step, place::Outcome::Shown)).collect()
        };
        report.add(&place, ends);
    }
    report.tell(cancel)
}

async fn look(
    args: &ConnectArgs,
    source: &Source,
    scope: Scope,
    token: &SecretString,
    network: &Network,
) -> Result<(Place, fleetfoot_core::connect::Found), Failure> {
    let target = scope.target().clone();
    let environment = environment(args, source, &target)?;
    let notes = source.doubts(&target, environment.as_deref());
    let clock = Clock::new(Timestamp::now);
    let settings = Settings::new(scope, environment.clone(), token.clone(), clock, network)?;
    let place = Place { settings, target, environment, notes };
    let found = place.look(!args.secrets.is_empty()).await?;
    Ok((place, found))
}

/// What is to be connected.
fn scopes(args: &ConnectArgs, source: &Source) -> Result<Vec<Scope>, Failure> {
    let named: Vec<&String> = args.repos.iter().chain(&args.org).collect();
    let wrong = |error: &dyn std::fmt::Display| {
        Failure::usage(error.to_string(), "Name it with --repo OWNER/NAME or --org LOGIN.")
    };
    if named.is_empty() {
        return match &source.scope {
            Some(scope) => Ok(vec![scope.clone()]),
            None => Err(Failure::usage(
                "nothing says which repository or organisation to connect",
                "Name it with --repo OWNER/NAME or --org LOGIN; Terraform's output says it only with the output stack_document.",
            )),
        };
    }
    let home = source.server(args)?;
    let scopes = named.into_iter().map(|name| home.at(name).map_err(|error| wrong(&error)));
    let scopes = scopes.collect::<Result<Vec<_>, _>>()?;
    let fits = |scope: &&Scope| matches!(scope.target(), Target::Organization(_)) == args.org.is_some();
    match scopes.iter().find(|scope| !fits(scope)) {
        Some(scope) => Err(wrong(&format!("{} is not what the flag asks for", scope.target()))),
        None => Ok(scopes),
    }
}

/// The environment that is meant.
fn environment(args: &ConnectArgs, source: &Source, target: &Target) -> Result<Option<String>, Failure> {
    match (&args.env, target) {
        (Some(name), Target::Organization(login)) if !name.is_empty() => Err(Failure::usage(
            format!("{login} is an organisation, and only repositories have environments"),
            "Name the repository with --repo OWNER/NAME.",
        )),
        (_, Target::Organization(_) | Target::Enterprise(_)) => Ok(None),
        (Some(name), Target::Repository { .. }) => Ok(Some(name.clone()).filter(|name| !name.is_empty())),
        (None, Target::Repository { .. }) => Ok(source.only_environment(target)),
    }
}

/// Values of secrets by their names at GitHub.
type Values = BTreeMap<SettingName, SecretString>;
