//! Takes the secrets out of the environment of this process, where every other process of its user, and any
//! job with `sudo`, could read them in `/proc`.
//!
//! What a process was started with stays readable there whatever it does to its variables. So the process
//! starts itself anew in its own place (`execve(2)`: same process, same argv) without them, and hands them to
//! itself through a pipe as standard input, which is empty once it is read.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use nix::fcntl::{FcntlArg, fcntl};

/// Says that standard input holds the secrets. Set by this module alone.
const ON_STDIN: &str = "FLEETFOOT__SECRETS";

/// The secrets of the environment, by variable. If the environment holds any, this starts the process anew
/// and does not return; the new one finds them here.
///
/// # Errors
/// The process cannot be started anew.
pub(super) fn take(names: &[&str]) -> io::Result<BTreeMap<String, String>> {
    if std::env::var_os(ON_STDIN).is_some() {
        let mut text = String::new();
        io::stdin().lock().read_to_string(&mut text)?;
        // What is wrong with it is not told: the text could be quoted.
        return serde_json::from_str(&text).map_err(|_| io::ErrorKind::InvalidData.into());
    }
    let found = collect(names, |name| std::env::var_os(name));
    if found.is_empty() { Ok(found) } else { Err(start_anew(names, &found)) }
}

fn collect(names: &[&str], look: impl Fn(&str) -> Option<OsString>) -> BTreeMap<String, String> {
    let values = names.iter().filter_map(|name| Some((name, look(name).filter(|value| !value.is_empty())?)));
    values.map(|(name, value)| ((*name).to_owned(), value.to_string_lossy().into_owned())).collect()
}

/// Returns only if it fails.
fn start_anew(names: &[&str], secrets: &BTreeMap<String, String>) -> io::Error {
    match pipe_with(serde_json::json!(secrets).to_string().as_bytes()) {
        Ok(pipe) => {
            let program = match std::env::current_exe() {
                Ok(program) => program,
                Err(error) => return error,
            };
            let mut command = Command::new(program);
            for name in names {
                command.env_remove(name);
            }
            command.args(std::env::args_os().skip(1)).env(ON_STDIN, "1").stdin(pipe).exec()
        }
        Err(error) => error,
    }
}

/// A pipe that holds this and has no other end any more.
fn pipe_with(bytes: &[u8]) -> io::Result<Stdio> {
    let (reader, mut writer) = io::pipe()?;
    // Nobody reads yet: what does not fit would be waited for for ever.
    let room = usize::try_from(fcntl(&writer, FcntlArg::F_GETPIPE_SZ)?).unwrap_or_default();
    if bytes.len() > room {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "the secrets are too long for a pipe"));
    }
    writer.write_all(bytes)?;
    Ok(reader.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_named_and_set_are_secrets() {
        let look = |name: &str| match name {
            "GITHUB_PAT" => Some("ghp_1".into()),
            "ACCESS_TOKEN" => Some(OsString::new()),
            "PATH" => Some("/bin".into()),
            _ => None,
        };
        let found = collect(&["GITHUB_PAT", "ACCESS_TOKEN", "APP_PRIVATE_KEY"], look);
        assert_eq!(found, BTreeMap::from([("GITHUB_PAT".to_owned(), "ghp_1".to_owned())]));
    }

    #[test]
    fn a_pipe_holds_a_key_and_ends() {
        let key = "x".repeat(16 * 1024);
        let mut child = Command::new("cat");
        let output = child.stdin(pipe_with(key.as_bytes()).unwrap()).output().unwrap();
        assert_eq!(output.stdout, key.as_bytes());
    }

    #[test]
    fn what_does_not_fit_is_refused_instead_of_waited_for() {
        let error = pipe_with(&vec![b'x'; 2 << 20]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
    }
}
