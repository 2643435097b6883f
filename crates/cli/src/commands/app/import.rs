//! `fleetfoot app import`: the private key of an App that is there, brought to AWS.

use std::io::Read;
use std::path::Path;

use secrecy::SecretString;
use serde_json::json;

use super::{connect, keep, permission};
use crate::args::{AppImportArgs, Output};
use crate::cancel::Cancel;
use crate::failure::Failure;
use crate::network::network;

/// Far above any PEM file of an RSA key.
const LONGEST_KEY: u64 = 64 * 1024;

/// How a cancelled import ends.
const CANCELLED: &str = "the import was cancelled, and nothing was created";

/// Runs the command.
pub(super) async fn run(args: &AppImportArgs, cancel: &Cancel) -> Result<(), Failure> {
    let network = network()?;
    let pem = read(&args.key)?;
    let aws = Box::pin(cancel.unless(CANCELLED, connect(&args.keep, network))).await?;
    // Not given up half-way: a key that is made is told.
    let key = keep(&aws, &pem, &args.name, &args.keep).await?;
    if args.keep.output == Output::Json {
        anstream::println!("{}", json!({"key": key}));
        return Ok(());
    }
    anstream::println!("{key}");
    anstream::eprintln!("That is the App's key now: write it into the stack document as github.app.key.");
    anstream::eprintln!("{}", permission(&key));
    if args.key.as_os_str() != "-" {
        anstream::eprintln!("Delete {}: nobody needs it any more.", args.key.display());
    }
    Ok(())
}

fn read(path: &Path) -> Result<SecretString, Failure> {
    let mut text = String::new();
    let result = if path.as_os_str() == "-" {
        std::io::stdin().take(LONGEST_KEY).read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(LONGEST_KEY).read_to_string(&mut text))
    };
    let text = SecretString::from(text);
    result.map(|_| text).map_err(|error| {
        Failure::usage(
            format!("cannot read the App's private key from {}: {error}", path.display()),
            "Name the .pem file that GitHub made with --key, or - for standard input.",
        )
    })
}
