//! A job in a container: who it is, what it can see of the agent, what is left of it, what is told of it.

use fleetfoot_sim::protocol::Conclusion;

use crate::common::Stage;
use crate::images::{READ_ONLY, RUNNER};
use crate::task::on_runner;

/// Each line that fails ends the job, and is the last in its log.
pub(crate) const SEES_NOTHING_OF_THE_AGENT: &str = r#"
set -x
test "$(cat /proc/1/comm)" = fleetfoot
for file in environ mem maps; do
  if head --bytes 1 /proc/1/$file; then exit 1; fi
done
for link in fd/1 cwd root exe; do
  if readlink /proc/1/$link; then exit 1; fi
done
if env | grep -E '^(AWS|ECS|FLEETFOOT)_'; then exit 1; fi
"#;

const IS_THE_RUNNER: &str = r#"
set -x
test "$(id --user) $(id --user --name)" = "1001 runner"
id --groups --name | grep --word-regexp docker
test "$HOME $PWD" = "/home/runner $GITHUB_WORKSPACE"
if sudo --non-interactive true; then exit 1; fi
"#;

const LEAVES_AN_ORPHAN: &str = r#"
set -x
children() { grep --files-with-matches "^PPid:.1$" /proc/[0-9]*/status 2>/dev/null | wc --lines; }
# The agent has no helpers.
test "$(children)" = 1
(setsid sh -c 'echo $$ > /tmp/orphan; exec sleep 0.5' &)
until test -s /tmp/orphan; do sleep 0.05; done
orphan=/proc/$(cat /tmp/orphan)
grep "^PPid:.1$" $orphan/status
sleep 1
# A zombie would still be there.
if test -e $orphan; then exit 1; fi
test "$(children)" = 1
"#;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs podman; cargo xtask test --only container"]
async fn a_job_is_not_root_and_sees_nothing_of_the_agent() {
    let stage = Stage::of_containers(&RUNNER, &[]).await;
    let script = [IS_THE_RUNNER, SEES_NOTHING_OF_THE_AGENT, LEAVES_AN_ORPHAN].concat();
    let run = stage.dispatch(&on_runner("", &script));
    run.succeeds().await;
    assert_eq!(stage.exit_code().await, 0, "{}", stage.container_log());
    let log = stage.container_log();
    for line in [r#""phase":"bound""#, r#""phase":"busy""#, r#""user":"runner""#, r#""exit":"job-succeeded""#]
    {
        assert!(log.contains(line), "no {line} in {log}");
    }
    stage.assert_nothing_left();
    stage.close().await;
}

/// And with no more capabilities than the agent needs.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs podman; cargo xtask test --only container"]
async fn a_read_only_root_file_system_is_enough() {
    let options = ["--read-only", "--read-only-tmpfs=false", "--cap-drop=ALL"];
    let needed = ["--cap-add=SETUID", "--cap-add=SETGID", "--cap-add=KILL"];
    let stage = Stage::of_containers(&READ_ONLY, &[&options[..], &needed].concat()).await;
    let writes = "
set -x
touch /home/runner/here /tmp/here /var/tmp/here
if touch /usr/local/bin/here /var/lib/here; then exit 1; fi
grep '^[^ ]* / [^ ]* ro,' /proc/mounts
";
    let script = [writes, IS_THE_RUNNER, SEES_NOTHING_OF_THE_AGENT, LEAVES_AN_ORPHAN].concat();
    let run = stage.dispatch(&on_runner("", &script));
    run.succeeds().await;
    assert_eq!(stage.exit_code().await, 0, "{}", stage.container_log());
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs podman; cargo xtask test --only container"]
async fn a_failed_job_is_the_container_s_exit_code() {
    let stage = Stage::of_containers(&RUNNER, &[]).await;
    let run = stage.dispatch(&on_runner("", "exit 3"));
    assert_eq!(run.end().await, Conclusion::Failure);
    assert_eq!(stage.exit_code().await, 10, "{}", stage.container_log());
    stage.close().await;
}
