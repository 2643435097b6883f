//! `fleetfoot agent` as the entry point of other images: with another user, as no root at all, without a runner.

use crate::common::Stage;
use crate::images::{OTHER, RUNNER};
use crate::job::SEES_NOTHING_OF_THE_AGENT;
use crate::podman;
use crate::task::on_runner;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs podman; cargo xtask test --only container"]
async fn dropped_into_another_image_it_runs_jobs_as_that_image_s_user() {
    let stage = Stage::of_containers(&OTHER, &[]).await;
    let who = "test \"$(id --user --name) $HOME\" = \"ci /home/ci\"\n";
    let run = stage.dispatch(&on_runner("", &[who, SEES_NOTHING_OF_THE_AGENT].concat()));
    run.succeeds().await;
    assert_eq!(stage.exit_code().await, 0, "{}", stage.container_log());
    stage.close().await;
}

/// Agent and job are then the same user, which is why the agent hides from its own user, too.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs podman; cargo xtask test --only container"]
async fn it_need_not_be_root() {
    let stage = Stage::of_containers(&OTHER, &["--user=ci", "--cap-drop=ALL"]).await;
    let run = stage.dispatch(&on_runner("", SEES_NOTHING_OF_THE_AGENT));
    run.succeeds().await;
    assert_eq!(stage.exit_code().await, 0, "{}", stage.container_log());
    stage.close().await;
}

/// It has nobody to trust then, and GitHub's runner would not either.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs podman; cargo xtask test --only container"]
async fn an_image_without_certificates_does_not_fit() {
    let stage = Stage::of_containers(&OTHER, &["--tmpfs=/etc/ssl/certs:notmpcopyup"]).await;
    let said = stage.by_hand(&["start", "--key", "k"]).fails(1).await;
    assert!(said.contains("exit code 27"), "{said}");
    assert_eq!(stage.exit_code().await, 27, "{}", stage.container_log());
    let log = stage.container_log();
    assert!(log.contains("cannot set up HTTPS"), "{log}");
    stage.close().await;
}

/// Without a volume for the runner's folder it is told before an assignment is taken.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs podman; cargo xtask test --only container"]
async fn an_image_that_does_not_fit_is_told_at_once() {
    let mailbox = [
        "--env=FLEETFOOT_MAILBOX=s3://b/m/n/",
        "--env=ECS_CONTAINER_METADATA_URI_V4=http://127.0.0.1:9/",
        "--env=FLEETFOOT_BIND_TIMEOUT=2s",
    ];
    for (options, said) in [
        (&["--env=FLEETFOOT_RUNNER_DIR=/srv"][..], "/srv/bin/Runner.Listener cannot be read"),
        (&["--env=FLEETFOOT_RUNNER_USER=nobody"], "/home/runner is not writable by the user nobody"),
        (
            &["--read-only", "--read-only-tmpfs=false"],
            "/home/runner cannot be written to: its file system is read-only",
        ),
    ] {
        let (code, log) = podman::run(&[&mailbox[..], options, &[RUNNER.as_str()]].concat());
        assert_eq!(code, 27, "{log}");
        assert!(log.contains(said), "{log}");
    }
}
