//! `fleetfoot app`: the GitHub App that Fleetfoot acts as, and where its private key lives.

mod create;
mod import;
mod page;

use fleetfoot_aws::{Aws, Identity, Options, PrivateKey};
use fleetfoot_core::fault::Fault;
use fleetfoot_core::stack::KeySource;
use fleetfoot_github::PemSigner;
use fleetfoot_net::Network;
use secrecy::SecretString;

use crate::args::{AppArgs, AppCommand, KeepArgs, KeyStore};
use crate::cancel::Cancel;
use crate::failure::Failure;

/// Runs the command.
pub async fn run(args: AppArgs, cancel: &Cancel) -> Result<(), Failure> {
    match args.command {
        AppCommand::Create(args) => Box::pin(create::run(&args, cancel)).await,
        AppCommand::Import(args) => Box::pin(import::run(&args, cancel)).await,
    }
}

/// AWS, as an administrator: with credentials that were accepted.
async fn connect(args: &KeepArgs, network: Network) -> Result<Aws, Failure> {
    let options = Options { region: args.region.clone(), endpoint: None, network };
    let aws = Aws::connect(options, Identity::DefaultChain).await?;
    aws.check_credentials().await?;
    Ok(aws)
}

/// Puts a private key where the arguments say, and says how the stack names that place.
async fn keep(aws: &Aws, pem: &SecretString, name: &str, args: &KeepArgs) -> Result<KeySource, Fault> {
    // Also where the text is kept as it is: whatever is no App's key shall be refused here and not at a start.
    let signer = PemSigner::from_pem(pem)?;
    match args.into {
        KeyStore::Kms => {
            let key = PrivateKey { pkcs8: signer.pkcs8()?, bits: signer.bits() };
            aws.import_into_kms(&key, &format!("alias/{name}")).await.map(KeySource::Kms)
        }
        KeyStore::SecretsManager => {
            aws.import_into_secrets_manager(pem, name).await.map(KeySource::SecretsManager)
        }
    }
}

/// What the launcher's role has to be allowed, in a sentence.
fn permission(key: &KeySource) -> String {
    match key {
        KeySource::Kms(arn) => format!("The launcher's role needs kms:Sign on {arn}."),
        KeySource::SecretsManager(arn) => {
            format!("The launcher's role needs secretsmanager:GetSecretValue on {arn}.")
        }
        KeySource::File(_) | KeySource::Env(_) => String::new(),
    }
}
