//! The runner's environment, picked from the agent's by a list of what is allowed.
//!
//! Every job step inherits it, so nothing of the agent's own may be in it: not where the mailbox is, not
//! where the task's metadata and credentials are.

use std::ffi::{OsStr, OsString};

use secrecy::{ExposeSecret, SecretString};
use tracing::warn;

use crate::image::Account;

/// Variables that any program may want.
const PLAIN: [&str; 17] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LANGUAGE",
    "TZ",
    "TMPDIR",
    "DEBIAN_FRONTEND",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "AWS_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "AGENT_TOOLSDIRECTORY",
    "ImageOS",
    "ImageVersion",
];

/// Proxies, in either case.
const PROXIES: [&str; 4] = ["http_proxy", "https_proxy", "no_proxy", "all_proxy"];

/// Families of variables: the locale, .NET's and the runner's own settings (hooks among them).
const FAMILIES: [&str; 5] = ["LC_", "DOTNET_", "RUNNER_", "ACTIONS_RUNNER_", "GITHUB_ACTIONS_RUNNER_"];

/// The agent's own business, and what only the agent sets.
const NEVER: [&str; 4] =
    ["FLEETFOOT_", "ECS_CONTAINER_METADATA_URI", "ECS_AGENT_URI", "ACTIONS_RUNNER_INPUT_"];

/// What an agent that registers its runner itself may have been given, and a job must never have.
pub const SECRETS: [&str; 5] =
    ["GITHUB_PAT", "GITHUB_TOKEN", "ACCESS_TOKEN", "APP_PRIVATE_KEY", "RUNNER_TOKEN"];

/// What it takes to use the task role (AWS SDKs and Tools Reference Guide, "Container credential provider").
const CREDENTIALS: [&str; 6] = [
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
];

const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The runner's environment: what is allowed of the agent's, the account's own, and the runner's orders.
pub(crate) fn of_runner(
    own: &[(OsString, OsString)],
    pass_env: &[String],
    job_credentials: bool,
    account: &Account,
    jit_config: &SecretString,
) -> Vec<(OsString, OsString)> {
    for name in pass_env {
        if is_never(name) {
            warn!(variable = name, "this variable is never passed to the runner");
        } else if is_credential(name) && !job_credentials {
            warn!(variable = name, "passed to the runner only with FLEETFOOT_JOB_CREDENTIALS=true");
        }
    }
    let mut environment: Vec<(OsString, OsString)> = own
        .iter()
        .filter(|(name, _)| name.to_str().is_some_and(|name| may_pass(name, pass_env, job_credentials)))
        .cloned()
        .collect();
    if !environment.iter().any(|(name, _)| name == "PATH") {
        environment.push(("PATH".into(), DEFAULT_PATH.into()));
    }
    if let Account::Other(person) = account {
        set(&mut environment, "HOME", person.home.as_os_str());
        set(&mut environment, "USER", person.name.as_ref());
        set(&mut environment, "LOGNAME", person.name.as_ref());
        set(&mut environment, "SHELL", person.shell.as_os_str());
    }
    // The exit code then tells the truth: 7 for a deprecated version, 100 to 105 for the job's result.
    set(&mut environment, "ACTIONS_RUNNER_RETURN_VERSION_DEPRECATED_EXIT_CODE", "1".as_ref());
    set(&mut environment, "ACTIONS_RUNNER_RETURN_JOB_RESULT_FOR_HOSTED", "1".as_ref());
    set(&mut environment, "ACTIONS_RUNNER_INPUT_JITCONFIG", jit_config.expose_secret().as_ref());
    environment
}

/// The environment of a program that installs packages: how to reach the network, and nothing to ask.
pub(crate) fn of_installer(own: &[(OsString, OsString)]) -> Vec<(OsString, OsString)> {
    let wanted = |name: &str| name == "PATH" || name.starts_with("SSL_CERT_") || is_proxy(name);
    let mut environment: Vec<(OsString, OsString)> =
        own.iter().filter(|(name, _)| name.to_str().is_some_and(wanted)).cloned().collect();
    if !environment.iter().any(|(name, _)| name == "PATH") {
        environment.push(("PATH".into(), DEFAULT_PATH.into()));
    }
    set(&mut environment, "DEBIAN_FRONTEND", "noninteractive".as_ref());
    set(&mut environment, "LC_ALL", "C.UTF-8".as_ref());
    environment
}

fn set(environment: &mut Vec<(OsString, OsString)>, name: &str, value: &OsStr) {
    environment.retain(|(known, _)| known != name);
    environment.push((name.into(), value.into()));
}

fn may_pass(name: &str, pass_env: &[String], job_credentials: bool) -> bool {
    if is_never(name) {
        false
    } else if is_credential(name) {
        job_credentials
    } else {
        PLAIN.contains(&name)
            || is_proxy(name)
            || FAMILIES.iter().any(|family| name.starts_with(family))
            || pass_env.iter().any(|asked| asked == name)
    }
}

fn is_never(name: &str) -> bool {
    SECRETS.contains(&name) || NEVER.iter().any(|prefix| name.starts_with(prefix))
}

fn is_proxy(name: &str) -> bool {
    PROXIES.iter().any(|proxy| name == *proxy || name == proxy.to_ascii_uppercase())
}

fn is_credential(name: &str) -> bool {
    CREDENTIALS.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Person;
    use nix::unistd::{Gid, Uid};

    fn names(pass_env: &[&str], job_credentials: bool, account: &Account) -> Vec<(String, String)> {
        let own = [
            ("PATH", "/opt/bin"),
            ("HOME", "/root"),
            ("LC_ALL", "C"),
            ("HTTPS_PROXY", "http://p"),
            ("no_proxy", "x"),
            ("RUNNER_ALLOW_RUNASROOT", "1"),
            ("ACTIONS_RUNNER_HOOK_JOB_STARTED", "/hook.sh"),
            ("ACTIONS_RUNNER_RETURN_JOB_RESULT_FOR_HOSTED", "0"),
            ("ACTIONS_RUNNER_INPUT_URL", "https://evil"),
            ("FLEETFOOT_MAILBOX", "s3://b/m/n/"),
            ("ECS_CONTAINER_METADATA_URI_V4", "http://169.254.170.2/v4/x"),
            ("ECS_CONTAINER_METADATA_URI", "http://169.254.170.2/v3/x"),
            ("ECS_AGENT_URI", "http://169.254.170.2/api"),
            ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials/x"),
            ("AWS_REGION", "eu-west-1"),
            ("AWS_SECRET_ACCESS_KEY", "s3cret"),
            ("MY_CACHE", "redis"),
            ("LD_PRELOAD", "/evil.so"),
        ];
        let own: Vec<_> = own.iter().map(|(n, v)| (OsString::from(n), OsString::from(v))).collect();
        let pass_env: Vec<_> = pass_env.iter().map(ToString::to_string).collect();
        let mut all: Vec<_> = of_runner(&own, &pass_env, job_credentials, account, &"jit".into())
            .into_iter()
            .map(|(n, v)| (n.into_string().unwrap(), v.into_string().unwrap()))
            .collect();
        all.sort();
        all
    }

    #[test]
    fn only_what_is_allowed_passes() {
        let all = names(&[], false, &Account::Own);
        let only: Vec<_> = all.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(
            only,
            [
                ("ACTIONS_RUNNER_HOOK_JOB_STARTED", "/hook.sh"),
                ("ACTIONS_RUNNER_INPUT_JITCONFIG", "jit"),
                ("ACTIONS_RUNNER_RETURN_JOB_RESULT_FOR_HOSTED", "1"),
                ("ACTIONS_RUNNER_RETURN_VERSION_DEPRECATED_EXIT_CODE", "1"),
                ("HOME", "/root"),
                ("HTTPS_PROXY", "http://p"),
                ("LC_ALL", "C"),
                ("PATH", "/opt/bin"),
                ("RUNNER_ALLOW_RUNASROOT", "1"),
                ("no_proxy", "x"),
            ]
        );
    }

    #[test]
    fn more_passes_only_when_asked_and_some_never() {
        let has = |all: &[(String, String)], name: &str| all.iter().any(|(n, _)| n == name);
        let asked = names(
            &["MY_CACHE", "FLEETFOOT_MAILBOX", "ECS_AGENT_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"],
            false,
            &Account::Own,
        );
        assert!(has(&asked, "MY_CACHE"));
        for never in ["FLEETFOOT_MAILBOX", "ECS_AGENT_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] {
            assert!(!has(&asked, never), "{never}");
        }
        let credentials = names(&[], true, &Account::Own);
        assert!(
            has(&credentials, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") && has(&credentials, "AWS_REGION")
        );
        assert!(!has(&credentials, "AWS_SECRET_ACCESS_KEY"));
    }

    #[test]
    fn what_registers_a_runner_never_passes_not_even_by_name() {
        let own: Vec<_> =
            SECRETS.iter().map(|name| (OsString::from(name), OsString::from("s3cret"))).collect();
        let pass_env: Vec<_> = SECRETS.iter().map(ToString::to_string).collect();
        let all = of_runner(&own, &pass_env, true, &Account::Own, &"jit".into());
        assert!(all.iter().all(|(_, value)| value != "s3cret"), "{all:?}");
        assert!(of_installer(&own).iter().all(|(_, value)| value != "s3cret"));
    }

    #[test]
    fn an_installer_may_reach_the_network_and_asks_nothing() {
        let own = [("PATH", "/opt/bin"), ("https_proxy", "http://p"), ("HOME", "/root"), ("LC_ALL", "de_DE")];
        let own: Vec<_> = own.iter().map(|(n, v)| (OsString::from(n), OsString::from(v))).collect();
        let wanted = [
            ("PATH", "/opt/bin"),
            ("https_proxy", "http://p"),
            ("DEBIAN_FRONTEND", "noninteractive"),
            ("LC_ALL", "C.UTF-8"),
        ];
        let wanted: Vec<_> = wanted.iter().map(|(n, v)| (OsString::from(n), OsString::from(v))).collect();
        assert_eq!(of_installer(&own), wanted);
        assert!(of_installer(&[]).contains(&("PATH".into(), DEFAULT_PATH.into())));
    }

    #[test]
    fn another_user_gets_a_home_of_its_own() {
        let person = Person {
            name: "runner".into(),
            uid: Uid::from_raw(1001),
            gid: Gid::from_raw(1001),
            groups: Vec::new(),
            home: "/home/runner".into(),
            shell: "/bin/bash".into(),
        };
        let all = names(&[], false, &Account::Other(person));
        for (name, value) in
            [("HOME", "/home/runner"), ("USER", "runner"), ("LOGNAME", "runner"), ("SHELL", "/bin/bash")]
        {
            assert_eq!(all.iter().filter(|(n, _)| n == name).map(|(_, v)| v).collect::<Vec<_>>(), [value]);
        }
    }

    #[test]
    fn there_is_always_a_path() {
        let all = of_runner(&[], &[], false, &Account::Own, &"jit".into());
        assert!(all.contains(&("PATH".into(), DEFAULT_PATH.into())));
    }
}
