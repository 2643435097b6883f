//! What the runner gets from the agent, and what it may leave behind: nothing.

use std::collections::BTreeSet;
use std::ffi::CString;
use std::os::unix::fs::chown;
use std::path::Path;
use std::process::Command;

use fleetfoot_core::exit::AgentExit;
use nix::unistd::{User, geteuid, getgrouplist};

use crate::stage::{SECRET, Stage, UNSHARE, WAITING};

#[test]
fn the_environment_is_clean() {
    let mut stage =
        Stage::assigned("env | sort > environment\npwd > folder\necho \"$@\" > arguments\nexit 100\n");
    stage.environment = [
        ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials/1"),
        ("AWS_ACCESS_KEY_ID", "AKIA"),
        ("ECS_AGENT_URI", "http://169.254.170.2/api/1"),
        ("FLEETFOOT_ANYTHING", "1"),
        ("LANG", "C.UTF-8"),
        ("LD_LIBRARY_PATH", "/tmp"),
        ("MY_CACHE", "redis"),
        ("https_proxy", "http://proxy"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    stage.orders.pass_env = vec!["MY_CACHE".to_owned()];
    let folder = stage.runner_dir().to_owned();
    let ended = stage.play().is(AgentExit::JobSucceeded);
    let environment = ended.file("environment");
    let (shell_own, ours): (Vec<_>, Vec<_>) = environment
        .lines()
        .partition(|line| ["PWD=", "OLDPWD=", "SHLVL=", "_="].iter().any(|p| line.starts_with(p)));
    assert!(shell_own.len() <= 4);
    let jit = format!("ACTIONS_RUNNER_INPUT_JITCONFIG={SECRET}");
    assert_eq!(
        ours,
        [
            jit.as_str(),
            "ACTIONS_RUNNER_RETURN_JOB_RESULT_FOR_HOSTED=1",
            "ACTIONS_RUNNER_RETURN_VERSION_DEPRECATED_EXIT_CODE=1",
            "HOME=/root",
            "LANG=C.UTF-8",
            "MY_CACHE=redis",
            "PATH=/usr/local/bin:/usr/bin:/bin",
            "https_proxy=http://proxy",
        ]
    );
    assert_eq!(ended.file("arguments"), "run\n");
    assert_eq!(Path::new(ended.file("folder").trim_end()), folder);
}

#[test]
fn jobs_get_the_task_role_only_on_demand() {
    let mut stage = Stage::assigned("env > environment\nexit 100\n");
    stage.environment =
        vec![("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI".to_owned(), "/v2/credentials/1".to_owned())];
    stage.orders.job_credentials = true;
    let ended = stage.play().is(AgentExit::JobSucceeded);
    assert!(ended.file("environment").contains("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=/v2/credentials/1"));
}

#[test]
fn a_runner_that_prints_its_own_secret_does_not_get_it_into_the_log() {
    let ended = Stage::assigned("echo \"config: $ACTIONS_RUNNER_INPUT_JITCONFIG\"\nexit 100\n").play();
    ended.is(AgentExit::JobSucceeded).has("config: ***");
}

/// Starts an orphan that looks for its parent, and looks for its remains when it must have ended.
const WITH_ORPHAN: &str = r#"
agent=$PPID
echo $agent > agent
(sh -c 'sleep 0.2; grep -q "^PPid:.'$agent'$" /proc/$$/status && echo adopted > adopted' &)
sleep 0.6
for status in /proc/[0-9]*/status; do
    if grep -q "^PPid:.$agent$" $status && grep -q "^State:.Z" $status; then echo $status; fi
done > zombies 2>/dev/null
exit 100
"#;

#[test]
fn orphans_are_adopted_and_reaped() {
    let ended = Stage::assigned(WITH_ORPHAN).play().is(AgentExit::JobSucceeded);
    assert_eq!(ended.file("adopted"), "adopted\n");
    assert_eq!(ended.file("zombies"), "");
}

#[test]
fn it_is_at_home_as_pid_1() {
    let may = Command::new("unshare").args(UNSHARE).arg("true").status().is_ok_and(|status| status.success());
    if !may {
        println!("no PID namespace to be had: not run");
        return;
    }
    let mut stage = Stage::assigned(WITH_ORPHAN);
    stage.as_pid_1 = true;
    let ended = stage.play().is(AgentExit::JobSucceeded);
    assert_eq!(ended.file("agent"), "1\n");
    assert_eq!(ended.file("adopted"), "adopted\n");
    assert_eq!(ended.file("zombies"), "");
}

#[test]
fn what_the_job_left_behind_is_ended() {
    let ended = Stage::assigned(
        r#"
setsid sleep 987 & echo $! > gentle
setsid sh -c 'trap "" TERM; echo $$ > stubborn; sleep 987; sleep 987' &
while ! test -s stubborn; do sleep 0.05; done
exit 100
"#,
    )
    .play()
    .is(AgentExit::JobSucceeded);
    let left = ended.has("the job left processes behind; ending them");
    assert!(left["processes"].as_str().unwrap().contains("sleep"), "{left}");
    ended.has("they were killed");
    for name in ["gentle", "stubborn"] {
        let process = Path::new("/proc").join(ended.file(name).trim());
        assert!(!process.exists(), "{name} still lives");
    }
}

#[test]
fn a_root_agent_runs_the_runner_as_somebody_else() {
    if !geteuid().is_root() {
        println!("not root: nothing to drop");
        return;
    }
    let user = somebody();
    let groups = getgrouplist(&CString::new(user.name.clone()).unwrap(), user.gid).unwrap();
    let mut stage = Stage::assigned(
        "grep -E '^(Uid|Gid|Groups|CapPrm|CapEff):' /proc/self/status > status\necho $HOME $USER > who\nexit 100\n",
    );
    stage.orders.runner_user = Some(user.name.clone());
    chown(stage.runner_dir(), Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
    let ended = stage.play().is(AgentExit::JobSucceeded);
    let status = ended.file("status");
    let ids = |field: &str| -> BTreeSet<String> {
        let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
        line.split_whitespace().map(str::to_owned).collect()
    };
    assert_eq!(
        ids("Uid:"),
        BTreeSet::from([user.uid.to_string()]),
        "real, effective, saved and file system id"
    );
    assert_eq!(ids("Gid:"), BTreeSet::from([user.gid.to_string()]));
    assert_eq!(ids("Groups:"), groups.iter().map(ToString::to_string).collect());
    for capabilities in ["CapPrm:", "CapEff:"] {
        assert_eq!(ids(capabilities), BTreeSet::from(["0000000000000000".to_owned()]));
    }
    assert_eq!(ended.file("who"), format!("{} {}\n", user.dir.display(), user.name));
    assert_eq!(ended.line("runner started")["user"], user.name.as_str());
}

/// A user of this machine with more than one group, if there is one; else nobody.
fn somebody() -> User {
    let groups = std::fs::read_to_string("/etc/group").unwrap();
    let members =
        groups.lines().filter_map(|line| line.rsplit(':').next()).flat_map(|names| names.split(','));
    let found = members.filter_map(|name| User::from_name(name).unwrap()).find(|user| !user.uid.is_root());
    found.unwrap_or_else(|| User::from_name("nobody").unwrap().unwrap())
}

#[test]
fn a_root_agent_wants_the_user_and_a_folder_the_user_can_write_to() {
    if !geteuid().is_root() {
        println!("not root: the user does not matter");
        return;
    }
    let with_user = |user: &str| {
        let mut stage = Stage::assigned(WAITING);
        stage.orders.runner_user = Some(user.to_owned());
        stage.play().is(AgentExit::ImageUnfit)
    };
    with_user("no-such-user").has("there is no user no-such-user");
    with_user("nobody").has("is not writable by the user nobody");
}
