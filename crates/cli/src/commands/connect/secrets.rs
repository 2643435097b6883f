//! The values of secrets, from wherever they are but argv.

use std::io::Read;

use secrecy::SecretString;

use super::Values;
use crate::account::variable;
use crate::args::{ConnectArgs, SecretArg, SecretPlace};
use crate::failure::Failure;

/// The longest value that GitHub takes, in bytes (GitHub docs, "Limits for secrets").
const LONGEST: usize = 48 * 1024;

/// Reads all of them; none if they are to be removed.
pub(super) fn read(args: &ConnectArgs) -> Result<Values, Failure> {
    let from_stdin = args.secrets.iter().filter(|secret| secret.place == Some(SecretPlace::Stdin)).count();
    let stdin_is_taken = args.terraform_output.as_ref().is_some_and(|path| path.as_os_str() == "-");
    if from_stdin + usize::from(stdin_is_taken) > 1 {
        return Err(Failure::usage(
            "standard input can be read only once",
            "Name a file or a variable for all but one.",
        ));
    }
    let mut values = Values::new();
    for secret in &args.secrets {
        if let Some(value) = value(secret, args.remove)?
            && values.insert(secret.name.clone(), value).is_some()
        {
            return Err(Failure::usage(
                format!("the secret {} is named twice", secret.name),
                "Name it once.",
            ));
        }
    }
    Ok(values)
}

fn value(secret: &SecretArg, remove: bool) -> Result<Option<SecretString>, Failure> {
    let name = &secret.name;
    let text = match &secret.place {
        _ if remove => return Ok(None),
        None => {
            return Err(Failure::usage(
                format!("nothing says where the value of the secret {name} is"),
                format!("Write --secret {name}=file:PATH, {name}=env:VARIABLE or {name}=-."),
            ));
        }
        Some(SecretPlace::File(path)) => {
            let file = std::fs::File::open(path);
            file.and_then(text)
                .map_err(|error| unreadable(name.as_str(), &path.display().to_string(), &error))?
        }
        Some(SecretPlace::Stdin) => {
            text(std::io::stdin()).map_err(|error| unreadable(name.as_str(), "standard input", &error))?
        }
        Some(SecretPlace::Env(name)) => SecretString::from(variable(name).unwrap_or_default()),
    };
    check(name.as_str(), text).map(Some)
}

/// Without the line end that a file or an echo puts behind it.
fn text(from: impl Read) -> std::io::Result<SecretString> {
    let mut text = String::new();
    let read = from.take(2 * LONGEST as u64).read_to_string(&mut text);
    let text = SecretString::from(text);
    read.map(|_| text)
}

fn check(name: &str, text: SecretString) -> Result<SecretString, Failure> {
    use secrecy::ExposeSecret;

    let value = text.expose_secret().trim_end_matches(['\r', '\n']);
    let refuse = |why: &str| {
        Err(Failure::usage(format!("the value of the secret {name} {why}"), "Look where it comes from."))
    };
    match value.len() {
        0 => refuse("is empty, or not set"),
        length if length > LONGEST => refuse("is longer than the 48 KiB that GitHub takes"),
        length if length == text.expose_secret().len() => Ok(text),
        _ => Ok(value.into()),
    }
}

fn unreadable(name: &str, place: &str, error: &std::io::Error) -> Failure {
    Failure::usage(
        format!("cannot read the secret {name} from {place}: {error}"),
        "Name an existing file with text.",
    )
}
