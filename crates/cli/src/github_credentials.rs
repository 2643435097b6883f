//! As whom at GitHub: an App, whose key may lie in four places, or a token.

use std::path::Path;

use fleetfoot_aws::Aws;
use fleetfoot_core::stack::{App, KeySource, Stack};
use fleetfoot_github::{Credentials, PemSigner, workflow_commands};
use secrecy::SecretString;

use crate::account::variable;
use crate::args::StackArgs;
use crate::failure::{Exit, Failure};

/// The credentials that the command line, the environment and the stack name. `aws` is asked only for an App's
/// key that lies in KMS or in Secrets Manager.
pub(crate) async fn of(
    stack: &Stack,
    args: &StackArgs,
    aws: Option<&Aws>,
    in_workflow: bool,
) -> Result<Credentials, Failure> {
    match app(stack, args) {
        Some(app) => of_app(app, aws).await,
        None => Ok(Credentials::token(token(args.github_token_file.as_deref(), in_workflow)?)),
    }
}

/// The App to act as: of the command line, else of the stack, unless a token was given.
pub(crate) fn app(stack: &Stack, args: &StackArgs) -> Option<App> {
    let given = args.app_client_id.as_ref().zip(args.app_key.as_ref()).map(|(client_id, key)| App {
        client_id: client_id.clone(),
        installation_id: args.app_installation_id,
        key: key.clone(),
    });
    let token_given = args.github_token_file.is_some() || variable("FLEETFOOT_GITHUB_TOKEN").is_some();
    given.or_else(|| stack.github.app.clone().filter(|_| !token_given))
}

/// An App and the holder of its key: KMS, or this process.
async fn of_app(app: App, aws: Option<&Aws>) -> Result<Credentials, Failure> {
    let App { client_id, installation_id, key } = app;
    let at_aws = || {
        aws.ok_or_else(|| {
            Failure::failed(
                "denied",
                format!("the App's key is {key}, and there are no AWS credentials"),
                "Get AWS credentials first, or name another place for the key.",
            )
        })
    };
    let pem = match &key {
        KeySource::Kms(arn) => {
            return Ok(Credentials::app(client_id, installation_id, at_aws()?.kms_signer(arn)?));
        }
        KeySource::SecretsManager(id) => at_aws()?.secret(id).await?,
        KeySource::File(path) => std::fs::read_to_string(path).map(SecretString::from).map_err(|error| {
            Failure::usage(
                format!("cannot read the App's private key from {path}: {error}"),
                "Name an existing PEM file as file:PATH.",
            )
        })?,
        KeySource::Env(name) => variable(name).map(SecretString::from).ok_or_else(|| {
            Failure::usage(
                format!("the variable {name}, which should hold the App's private key, is not set"),
                "Set it to the PEM text, or name another place for the key.",
            )
        })?,
    };
    Ok(Credentials::app(client_id, installation_id, PemSigner::from_pem(&pem)?))
}

/// A token: of the file, of our own variable, of gh's.
pub(crate) fn token(file: Option<&Path>, in_workflow: bool) -> Result<SecretString, Failure> {
    let from_file = match file {
        Some(path) => Some(token_file(path, in_workflow)?),
        None => None,
    };
    from_file
        .or_else(|| variable("FLEETFOOT_GITHUB_TOKEN"))
        .or_else(|| variable("GH_TOKEN"))
        .filter(|token| !token.is_empty())
        .map(SecretString::from)
        .ok_or_else(|| Failure {
            class: "denied".into(),
            sentence: "no GitHub credentials were given".into(),
            remedy: Some(NO_CREDENTIALS.into()),
            exit: Exit::Denied,
        })
}

const NO_CREDENTIALS: &str = "Set FLEETFOOT_GITHUB_TOKEN to a token that may manage runners, or name an App with \
    --app-client-id and --app-key. A job's own GITHUB_TOKEN can never register a runner.";

fn token_file(path: &Path, in_workflow: bool) -> Result<String, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::usage(
            format!("cannot read the GitHub token from {}: {error}", path.display()),
            "Name an existing file with --github-token-file.",
        )
    })?;
    let token = text.trim().to_owned();
    if in_workflow {
        // Unlike a secret of the workflow it is not masked yet. The runner takes these lines out of the log.
        for line in workflow_commands::add_mask(&token) {
            anstream::eprintln!("{line}");
        }
    }
    Ok(token)
}
