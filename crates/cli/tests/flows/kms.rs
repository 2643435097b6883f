//! An App whose private key is in KMS: every command acts as it, and nobody ever reads the key.

use fleetfoot::demo::world::{REGION, REPOSITORY};
use fleetfoot_sim::aws::{Role, User};
use fleetfoot_sim::github::{AppSpec, Level, Permissions};
use serde_json::{Value, json};

use crate::common::{Fleetfoot, JITCONFIG, Moto, START, Stage};

const CLIENT_ID: &str = "Iv23liKMS0000000000";

impl Stage {
    /// An App that may manage the repository's runners and read its runs; gives its private key.
    fn app(&self) -> String {
        let permissions = [("administration", Level::Write), ("actions", Level::Read)];
        let permissions: Permissions = permissions.map(|(name, level)| (name.to_owned(), level)).into();
        let spec = AppSpec {
            owner: "octo-org".into(),
            app_id: 21,
            client_id: CLIENT_ID.into(),
            permissions,
            public_key: None,
        };
        let pem = self.world.github.add_app(spec).unwrap().unwrap();
        self.world.github.install_app(21, "octo-org", Some(&[REPOSITORY]), None).unwrap();
        pem
    }

    /// Brings the key to KMS; gives its place.
    async fn imported(&self, pem: &str, import: impl FnOnce(Fleetfoot) -> Fleetfoot) -> String {
        let arguments = ["app", "import", "--key", "-", "--output", "json"];
        let ran = import(self.by_hand(&arguments).stdin(pem)).env("FLEETFOOT_LOG", "trace").ok().await;
        for line in pem.lines().filter(|line| !line.starts_with("--")) {
            assert!(!ran.said().contains(line), "a line of the key was shown");
        }
        ran.json()["key"].as_str().unwrap().to_owned()
    }

    /// A role for the repository's jobs that may launch, and sign with this key alone.
    fn role_that_signs_with(&self, key: &str) -> String {
        let (host, account) = (self.issuer_host(), self.world.aws.account());
        let trust = json!({ "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow",
            "Principal": { "Federated": format!("arn:aws:iam::{account}:oidc-provider/{host}") },
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": { "StringEquals": { format!("{host}:aud"): "sts.amazonaws.com" },
                           "StringLike": { format!("{host}:sub"): "repo:octo-org/demo:*" } } }] });
        let may = |action: Value, on: &str| json!({ "Effect": "Allow", "Action": action, "Resource": on });
        let launch = may(json!(["ecs:*", "s3:*", "ssm:GetParameter", "iam:PassRole"]), "*");
        let statements = [launch, may(json!("kms:Sign"), key)];
        let policy = json!({ "Version": "2012-10-17", "Statement": statements });
        self.world.aws.add_role(Role::new("signs", trust, vec![policy])).unwrap()
    }

    /// No line of the key is in a recorded call.
    fn assert_key_is_hidden(&self, pem: &str) {
        let calls = format!("{:?}", self.world.book.calls());
        for line in pem.lines().filter(|line| !line.starts_with("--")) {
            assert!(!calls.contains(line), "a line of the key was recorded");
        }
    }

    fn callers_at_github(&self) -> Vec<String> {
        let calls = self.world.book.calls().into_iter().filter(|call| call.service == "github");
        calls.map(|call| call.caller).collect()
    }
}

fn as_app(key: &Value) -> Value {
    json!({ "client_id": CLIENT_ID, "key": key })
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_acts_as_the_app_of_the_stack_document() {
    let stage = Stage::new().await;
    let pem = stage.app();
    let key = stage.imported(&pem, |import| import).await;
    assert!(key.starts_with("kms:arn:aws:kms:us-east-1:123456789012:key/"), "{key}");
    stage.change_stack(|stack| stack["github"]["app"] = as_app(&json!(key)));
    let before = stage.callers_at_github().len();
    let commands: [&[&str]; 4] =
        [&["start", "--key", "k"], &["doctor"], &["stop", "--key", "k"], &["reap", "--yes"]];
    for (signed, command) in commands.into_iter().enumerate() {
        let ran =
            stage.by_hand(command).without("FLEETFOOT_GITHUB_TOKEN").env("FLEETFOOT_LOG", "trace").ok().await;
        assert!(!ran.said().contains("ghs_") && !ran.said().contains("eyJ"), "{command:?} shows a token");
        assert!(stage.count("kms", "Sign") > signed, "{command:?} signs");
    }
    // Nobody else spoke to GitHub, but the runner, and whoever asked for the time.
    let callers = stage.callers_at_github();
    let known = ["app 21", "installation", "anonymous", "runner"];
    for caller in &callers[before..] {
        assert!(known.iter().any(|known| caller.starts_with(known)), "{caller}");
    }
    assert!(stage.calls("github", JITCONFIG)[0].caller.starts_with("installation"));
    stage.assert_nothing_left();
    stage.assert_key_is_hidden(&pem);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_named_by_flags_and_variables_as_well() {
    let stage = Stage::new().await;
    let key = stage.imported(&stage.app(), |import| import).await;
    let start = |more: &[&str]| {
        let start = [&["start", "--wait", "none"], more].concat();
        stage.by_hand(&start).without("FLEETFOOT_GITHUB_TOKEN")
    };
    start(&["--key", "flags", "--app-client-id", CLIENT_ID, "--app-key", &key]).ok().await;
    let by_variables = start(&["--key", "variables"]).env("FLEETFOOT_APP_CLIENT_ID", CLIENT_ID);
    by_variables.env("FLEETFOOT_APP_KEY", &key).ok().await;
    assert_eq!(stage.count("kms", "Sign"), 2);

    let help = stage.by_hand(&["start", "--help"]).ok().await.stdout;
    assert!(help.contains("kms:ARN, secretsmanager:ARN, file:PATH or env:VARIABLE"), "{help}");
    let typed =
        start(&["--app-client-id", CLIENT_ID, "--app-key", "-----BEGIN RSA PRIVATE KEY-----MIIs3cret"]);
    let said = typed.fails(2).await;
    assert!(said.contains("secretsmanager:ARN") && !said.contains("s3cret"), "{said}");
    let elsewhere = key.replace(REGION, "eu-west-1");
    let said = start(&["--key", "x", "--app-client-id", CLIENT_ID, "--app-key", &elsewhere]).fails(2).await;
    assert!(said.contains("the key is in eu-west-1, the stack in us-east-1"), "{said}");
    stage.close().await;
}

/// The launcher's role signs with this key and no other, and the job has no key and no token at all.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_needs_nothing_but_the_role() {
    let stage = Stage::new().await;
    let key = stage.imported(&stage.app(), |import| import).await;
    stage.change_stack(|stack| stack["github"]["app"] = as_app(&json!(key)));
    let env = "{ FLEETFOOT_STACK: '${{ vars.FLEETFOOT_STACK }}', FLEETFOOT_ROLE: '${{ vars.FLEETFOOT_ROLE }}', \
               AWS_REGION: '${{ vars.AWS_REGION }}' }";
    let start = START.replace("ARGS", "--wait none").replace("AS_LAUNCHER", env);
    let run = stage.dispatch(&start);
    run.end().await;
    let log = run.log("start");
    let arn = key.trim_start_matches("kms:");
    assert!(log.contains(&format!("kms:Sign on {arn}")), "a role without the right is told which: {log}");

    let role = stage.role_that_signs_with(arn);
    let start = START.replace("ARGS", &format!("--wait none --role {role}")).replace("AS_LAUNCHER", env);
    stage.dispatch(&start).succeeds().await;
    assert_eq!(stage.live_tasks().len(), 1);
    stage.close().await;
}

/// moto's KMS unwraps the key and signs with it, by the library `cryptography`; GitHub's simulator verifies the
/// signature by the library `jsonwebtoken`.
#[tokio::test(flavor = "multi_thread")]
async fn a_kms_that_is_not_ours_imports_the_key_and_signs_as_the_app() {
    let Some(moto) = Moto::start().await else { return };
    let stage = Stage::new().await;
    let pem = stage.app();
    let of_moto = |command: Fleetfoot| command.env("AWS_ENDPOINT_URL_KMS", &moto.url);
    let key = stage.imported(&pem, of_moto).await;
    assert_eq!(stage.count("kms", "CreateKey"), 0, "it is not in our own");
    stage.change_stack(|stack| stack["github"]["app"] = as_app(&json!(key)));
    for command in [&["start", "--key", "k", "--wait", "none"][..], &["doctor"], &["stop", "--key", "k"]] {
        of_moto(stage.by_hand(command).without("FLEETFOOT_GITHUB_TOKEN")).ok().await;
    }
    assert!(stage.calls("github", JITCONFIG)[0].caller.starts_with("installation"));
    assert_eq!(stage.count("kms", "Sign"), 0);
    stage.assert_nothing_left();
    stage.assert_key_is_hidden(&pem);

    // Another App's key makes no App of it.
    let other = AppSpec {
        owner: "octo-org".into(),
        app_id: 22,
        client_id: "Iv23liOTHER".into(),
        permissions: Permissions::new(),
        public_key: None,
    };
    let other = stage.world.github.add_app(other).unwrap().unwrap();
    let import = |import: Fleetfoot| of_moto(import).env("FLEETFOOT_APP_KEY_NAME", "fleetfoot/other");
    let other = stage.imported(&other, import).await;
    let start = ["start", "--key", "x", "--app-client-id", CLIENT_ID, "--app-key", &other];
    let said = of_moto(stage.by_hand(&start).without("FLEETFOOT_GITHUB_TOKEN")).fails(4).await;
    assert!(
        said.contains("check that the client id and the private key belong to the same App")
            || said.contains("Check that the client id"),
        "{said}"
    );
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_signs_no_more_is_told_with_what_to_do() {
    let stage = Stage::new().await;
    stage.app();
    let missing = "kms:arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000000";
    let start = ["start", "--key", "k", "--app-client-id", CLIENT_ID, "--app-key", missing];
    let said = stage.by_hand(&start).without("FLEETFOOT_GITHUB_TOKEN").fails(2).await;
    assert!(said.contains("NotFoundException") && said.contains("Check the ARN in github.app.key"), "{said}");
    stage.assert_nothing_asked_for();
    let nobody = User {
        name: "nobody".into(),
        access_key_id: "AKIANOBODYNOBODYNOBO".into(),
        secret_access_key: "n".repeat(40),
        policies: Vec::new(),
    };
    stage.world.aws.add_user(nobody).unwrap();
    let pem = stage.file("app.pem", &stage.app_again());
    let import =
        stage.by_hand(&["app", "import", "--key", &pem]).env("AWS_ACCESS_KEY_ID", "AKIANOBODYNOBODYNOBO");
    let said = import.env("AWS_SECRET_ACCESS_KEY", &"n".repeat(40)).fails(4).await;
    assert!(said.contains("Allow kms:CreateKey"), "{said}");
    stage.close().await;
}

impl Stage {
    /// Any App's key.
    fn app_again(&self) -> String {
        let spec = AppSpec {
            owner: "octo-org".into(),
            app_id: 23,
            client_id: "Iv23liANY".into(),
            permissions: Permissions::new(),
            public_key: None,
        };
        self.world.github.add_app(spec).unwrap().unwrap()
    }
}
