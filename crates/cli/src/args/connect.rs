//! The command line of `fleetfoot connect`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, ValueEnum};
use fleetfoot_core::connect::{InvalidSettingName, SettingName};

use super::Output;

/// Arguments of `fleetfoot connect`.
#[derive(Debug, Args)]
pub struct ConnectArgs {
    /// Stack to connect: reads the stack document from the SSM parameter /fleetfoot/NAME.
    #[arg(long, env = "FLEETFOOT_STACK", value_name = "NAME")]
    pub stack: Option<String>,

    /// Stack document of the stack, from a file.
    #[arg(long, env = "FLEETFOOT_STACK_FILE", value_name = "PATH", conflicts_with = "stack")]
    pub stack_file: Option<PathBuf>,

    /// What `terraform output -json` prints of the stack, from a file; - for standard input.
    #[arg(long, env = "FLEETFOOT_TERRAFORM_OUTPUT", value_name = "PATH", conflicts_with_all = ["stack", "stack_file"])]
    pub terraform_output: Option<PathBuf>,

    /// AWS region of the SSM parameter [default: AWS_REGION, else the AWS profile's].
    #[arg(long, env = "FLEETFOOT_REGION", value_name = "REGION")]
    pub region: Option<String>,

    /// Repository to connect [default: what the stack's github.url names]. Repeat, or separate by commas.
    #[arg(
        long = "repo",
        env = "FLEETFOOT_CONNECT_REPO",
        value_name = "OWNER/NAME",
        value_delimiter = ',',
        conflicts_with = "org"
    )]
    pub repos: Vec<String>,

    /// Organisation to connect, for its repositories.
    #[arg(long, env = "FLEETFOOT_CONNECT_ORG", value_name = "LOGIN")]
    pub org: Option<String>,

    /// Environment of the repository to set it in, made if it is not there; --env '' for the repository itself
    /// [default: the one that the launcher role trusts, if the stack document names just one].
    #[arg(long, env = "FLEETFOOT_CONNECT_ENV", value_name = "NAME", conflicts_with = "org")]
    pub env: Option<String>,

    /// Repositories of the organisation that see it [default: private for what is new, else as it is].
    #[arg(long, env = "FLEETFOOT_CONNECT_VISIBILITY", value_name = "WHICH", requires = "org")]
    pub visibility: Option<OrgVisibility>,

    /// Secret to set as well, with the place of its value: NAME=file:PATH, NAME=env:VARIABLE or NAME=- for
    /// standard input. With --remove, NAME alone. Repeat for more.
    #[arg(
        long = "secret",
        env = "FLEETFOOT_CONNECT_SECRET",
        value_name = "NAME=PLACE",
        value_delimiter = '\n'
    )]
    pub secrets: Vec<SecretArg>,

    /// Set secrets anew that are there already; nobody can see whether their values differ.
    #[arg(long, env = "FLEETFOOT_CONNECT_REPLACE_SECRETS", conflicts_with = "remove")]
    pub replace_secrets: bool,

    /// Take it away again: variables with these values, the named secrets, and the environment if nothing else
    /// is in it.
    #[arg(long, env = "FLEETFOOT_CONNECT_REMOVE")]
    pub remove: bool,

    /// Do it; without it, it is only shown.
    #[arg(long, env = "FLEETFOOT_YES")]
    pub yes: bool,

    /// Address of GitHub [default: the stack's, else https://github.com].
    #[arg(long, env = "FLEETFOOT_GITHUB_URL", value_name = "URL")]
    pub github_url: Option<String>,

    /// File with a token of somebody who may configure the repository or organisation [or the variable
    /// FLEETFOOT_GITHUB_TOKEN, else GH_TOKEN].
    #[arg(long, env = "FLEETFOOT_GITHUB_TOKEN_FILE", value_name = "PATH")]
    pub github_token_file: Option<PathBuf>,

    /// Output on stdout.
    #[arg(long, env = "FLEETFOOT_OUTPUT", value_name = "FORMAT", default_value = "text")]
    pub output: Output,
}

/// Repositories of an organisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OrgVisibility {
    /// All, public ones too.
    All,
    /// Private and internal ones.
    Private,
}

/// A secret and the place of its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretArg {
    /// Its name at GitHub.
    pub name: SettingName,
    /// Where its value is.
    pub place: Option<SecretPlace>,
}

/// Where the value of a secret is. Never in argv.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretPlace {
    /// A file.
    File(PathBuf),
    /// An environment variable.
    Env(String),
    /// Standard input.
    Stdin,
}

impl FromStr for SecretArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, place) = text.split_once('=').map_or((text, None), |(name, place)| (name, Some(place)));
        let name = name.parse().map_err(|error: InvalidSettingName| error.to_string())?;
        let place = match place.map(|place| place.split_once(':').unwrap_or((place, ""))) {
            None => None,
            Some(("-", "")) => Some(SecretPlace::Stdin),
            Some(("file", path)) if !path.is_empty() => Some(SecretPlace::File(path.into())),
            Some(("env", variable)) if !variable.is_empty() => Some(SecretPlace::Env(variable.to_owned())),
            // The text is not repeated: somebody may have typed the secret itself.
            Some(_) => {
                return Err("a value is named by its place, as NAME=file:PATH, NAME=env:VARIABLE or NAME=-"
                    .to_owned());
            }
        };
        Ok(Self { name, place })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_named_with_its_place_and_never_typed() {
        let read =
            |text: &str| text.parse::<SecretArg>().map(|secret| (secret.name.to_string(), secret.place));
        let named = |place| Ok(("TOKEN".to_owned(), place));
        assert_eq!(read("token=file:a=b.txt"), named(Some(SecretPlace::File("a=b.txt".into()))));
        assert_eq!(read("TOKEN=env:MY_TOKEN"), named(Some(SecretPlace::Env("MY_TOKEN".to_owned()))));
        assert_eq!(read("TOKEN=-"), named(Some(SecretPlace::Stdin)));
        assert_eq!(read("TOKEN"), named(None));
        for typed in ["TOKEN=ghp_s3cret", "TOKEN=", "TOKEN=file:", "TOKEN=-:ghp_s3cret", "ghp_s3cret!"] {
            let refused = read(typed).unwrap_err();
            assert!(!refused.contains("s3cret"), "{typed}: {refused}");
        }
    }
}
