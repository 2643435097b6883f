//! `fleetfoot connect`: what a workflow needs is at GitHub afterwards, no more than that was touched, and a second
//! run has nothing to do. Every call is checked against GitHub's published description.

use fleetfoot::demo::world::{REGION, REPOSITORY, STACK};
use fleetfoot_sim::contract;
use fleetfoot_sim::github::{Configured, Level, TokenKind};
use serde_json::{Value, json};

use crate::common::{Fleetfoot, Stage, python};

const SECRET: &str = "ghp_s3cretOfTheTest";

impl Stage {
    /// `fleetfoot connect …` as an administrator of everything.
    fn connect(&self, arguments: &[&str]) -> Fleetfoot {
        let token = self.token(&["repo", "admin:org"]);
        self.by_hand(&[&["connect"], arguments].concat()).env("FLEETFOOT_GITHUB_TOKEN", &token)
    }

    async fn connected(&self, arguments: &[&str]) -> Value {
        self.connect(&[&["--yes", "--output", "json"], arguments].concat()).ok().await.json()
    }

    fn configured(&self, environment: Option<&str>) -> Configured {
        self.world.github.configured(REPOSITORY, environment).unwrap()
    }

    fn ours(&self) -> Vec<(String, String)> {
        let role = self.world.launcher_role.as_str();
        [("AWS_REGION", REGION), ("FLEETFOOT_ROLE", role), ("FLEETFOOT_STACK", STACK)]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }

    /// Calls that change something at GitHub.
    fn writes(&self) -> Vec<String> {
        let calls = self.world.book.calls().into_iter().filter(|call| call.service == "github");
        calls.map(|call| call.operation).filter(|operation| !operation.starts_with("GET")).collect()
    }

    /// Ends it after checking all that was said to GitHub.
    async fn end_by_contract(self) {
        contract::check_all(&self.world.book.calls()).unwrap();
        self.close().await;
    }
}

fn told(report: &Value) -> Vec<String> {
    let row = |row: &Value| {
        let text = |field: &str| row[field].as_str().unwrap().to_owned();
        format!("{} {} {}: {}", text("action"), text("kind"), text("name"), text("outcome"))
    };
    report["settings"].as_array().unwrap().iter().map(row).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_shown_first_then_done_and_then_there_is_nothing_to_do() {
    let stage = Stage::new().await;
    let shown = stage.connect(&["--env", "fresh"]).ok().await;
    let role = &stage.world.launcher_role;
    let table = format!(
        "4 to be done; run again with --yes
 at                    what         name             value{pad}
-
 octo-org/demo         environment  fresh
 octo-org/demo, fresh  variable     AWS_REGION       {REGION}
 octo-org/demo, fresh  variable     FLEETFOOT_ROLE   {role}
 octo-org/demo, fresh  variable     FLEETFOOT_STACK  {STACK}
",
        pad = ""
    );
    let words = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| !line.contains(['─', '-', '═']) || line.contains("octo"));
        lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
    };
    let wanted: Vec<String> = words(&table)
        .into_iter()
        .map(|line| if line.starts_with("octo") { format!("{line} create") } else { line })
        .collect();
    assert_eq!(words(&shown.stdout), wanted, "{}", shown.stdout);
    assert_eq!(stage.writes(), [""; 0], "what is only shown changes nothing");

    let report = stage.connected(&["--env", "fresh"]).await;
    assert_eq!((&report["changes"], &report["done"]), (&json!(4), &json!(4)));
    let there = stage.configured(Some("fresh"));
    assert_eq!(there.vars.into_iter().collect::<Vec<_>>(), stage.ours());
    assert!(there.secrets.is_empty());
    assert!(stage.configured(None).vars.is_empty(), "the repository's own are left alone");

    let writes = stage.writes().len();
    let again = stage.connect(&["--env", "fresh", "--yes"]).ok().await;
    assert!(again.stdout.starts_with("nothing to do\n"), "{}", again.stdout);
    assert_eq!(stage.writes().len(), writes, "a second run writes nothing");
    stage.end_by_contract().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workflow_starts_runners_with_what_was_connected() {
    let stage = Stage::new().await;
    let file = stage.file("token", &format!("{}\n", stage.world.token));
    let secret = format!("FLEETFOOT_GITHUB_TOKEN=file:{file}");
    stage.connected(&["--env", "fresh", "--secret", &secret]).await;
    let start =
        crate::common::START.replace("ARGS", "--wait none").replace("environment: dev", "environment: fresh");
    stage.dispatch(&start).succeeds().await;
    assert_eq!(stage.live_tasks().len(), 1);
    stage.close().await;
}

/// GitHub opens it with libsodium, so that is what opens it here.
#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_sealed_for_github_alone_and_shows_nowhere() {
    let stage = Stage::new().await;
    let file = stage.file("secret.txt", &format!("{SECRET}-of-file\r\n"));
    let places = [
        ("of_file", format!("of_file=file:{file}"), "of-file"),
        ("OF_ENV", "OF_ENV=env:THE_SECRET".to_owned(), "of-env"),
        ("OF_STDIN", "OF_STDIN=-".to_owned(), "of-stdin"),
    ];
    let flags = places.iter().flat_map(|(_, place, _)| ["--secret", place]).collect::<Vec<_>>();
    let arguments = [&["--env", "pre prod/eu", "--yes", "--log", "trace"], &flags[..]].concat();
    let connect = stage.connect(&arguments);
    let ran = connect
        .env("THE_SECRET", &format!("{SECRET}-of-env"))
        .stdin(&format!("{SECRET}-of-stdin\n"))
        .ok()
        .await;
    assert!(!ran.said().contains(SECRET), "{}", ran.said());
    assert!(ran.stderr.contains("GitHub answered"), "it did say a lot");
    let calls = stage.world.book.calls();
    assert!(!format!("{calls:?}").contains(SECRET));

    let there = stage.configured(Some("pre prod/eu")).secrets;
    assert_eq!(there.len(), 3);
    let key = stage.world.github.sealing_key();
    for (name, _, end) in &places {
        let name = name.to_uppercase();
        assert_eq!(there[&name], format!("{SECRET}-{end}"), "{name}");
        let sent = calls
            .iter()
            .find(|call| call.request_line.starts_with("PUT") && call.request_line.contains(&name));
        let sealed = sent.unwrap().request.as_ref().unwrap()["encrypted_value"].as_str().unwrap().to_owned();
        if let Some(opened) = python("unseal.py", &[&key, &sealed]) {
            assert_eq!(opened, format!("{SECRET}-{end}"));
        }
    }

    // Nobody can see whether they differ, so they are set anew only if that is asked for.
    let other = stage.file("other.txt", "other");
    let secret = format!("OF_FILE=file:{other}");
    let again = stage.connected(&["--env", "pre prod/eu", "--secret", &secret]).await;
    assert_eq!(again["changes"], 0, "{again}");
    let replaced = stage.connected(&["--env", "pre prod/eu", "--secret", &secret, "--replace-secrets"]).await;
    assert_eq!((&replaced["changes"], &replaced["done"]), (&json!(1), &json!(1)));
    assert_eq!(stage.configured(Some("pre prod/eu")).secrets["OF_FILE"], "other");
    stage.end_by_contract().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_set_is_removed_and_what_others_need_stays() {
    let stage = Stage::new().await;
    let secret = ["--secret", "TOKEN=env:THE_SECRET"];
    let connect = stage.connect(&[&["--env", "fresh", "--yes"], &secret[..]].concat());
    connect.env("THE_SECRET", SECRET).ok().await;
    let removed = stage.connected(&["--env", "fresh", "--remove", "--secret", "TOKEN"]).await;
    let variable = |name: &str| format!("remove variable {name}: done");
    let mut wanted: Vec<String> = stage.ours().iter().map(|(name, _)| variable(name)).collect();
    wanted.extend(["remove secret TOKEN: done", "remove environment fresh: done"].map(str::to_owned));
    assert_eq!(told(&removed), wanted);
    assert_eq!(stage.world.github.configured(REPOSITORY, Some("fresh")), None);
    let again = stage.connected(&["--env", "fresh", "--remove", "--secret", "TOKEN"]).await;
    assert_eq!((&again["changes"], told(&again)), (&json!(0), Vec::new()));

    // The demo's own environment holds a secret, and now another region.
    let before = stage.configured(Some("dev"));
    stage
        .world
        .github
        .add_environment(
            REPOSITORY,
            "dev",
            before.vars.into_iter().chain([("AWS_REGION".to_owned(), "eu-west-1".to_owned())]).collect(),
            before.secrets,
        )
        .unwrap();
    let removed = stage.connected(&["--env", "dev", "--remove"]).await;
    assert_eq!(
        told(&removed),
        [
            "keep variable AWS_REGION: kept",
            "remove variable FLEETFOOT_ROLE: done",
            "remove variable FLEETFOOT_STACK: done",
            "keep environment dev: kept"
        ]
    );
    let left = stage.configured(Some("dev"));
    assert_eq!((left.vars["AWS_REGION"].as_str(), left.secrets.len()), ("eu-west-1", 1));
    stage.end_by_contract().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_environment_is_the_one_that_the_role_trusts() {
    let stage = Stage::new().await;
    let trust = |subjects: Value| stage.stack_file(|stack| stack["launcher_subjects"] = subjects);
    let connect = |file: &str, more: &[&str]| {
        let file = ["--stack-file", file, "--output", "json"];
        stage.connect(&[&file[..], more].concat()).without("FLEETFOOT_STACK")
    };
    let both =
        trust(json!(["repo:octo-org/demo:environment:prod", "repo:octo-org@*/demo@*:environment:prod"]));
    let plan = connect(&both, &[]).ok().await.json();
    assert_eq!(plan["settings"][0]["name"], "prod");
    assert_eq!(plan["settings"][1]["environment"], "prod");
    let of_repository = connect(&both, &["--env", ""]).ok().await.json();
    assert_eq!(of_repository["settings"][0]["environment"], Value::Null);
    let other = connect(&both, &["--env", "dev"]).ok().await;
    let note = "note: the launcher role does not trust jobs of octo-org/demo in the environment dev; it wants \
                repo:octo-org/demo:environment:prod or repo:octo-org@*/demo@*:environment:prod\n";
    assert_eq!(other.stderr, note);
    let two = trust(json!(["repo:octo-org/demo:environment:a", "repo:octo-org/demo:environment:b"]));
    let neither = connect(&two, &[]).ok().await.json();
    assert_eq!(neither["settings"][0]["environment"], Value::Null, "which of two, nobody knows");
    stage.end_by_contract().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn terraform_s_output_says_the_same_as_the_stack_document() {
    let stage = Stage::new().await;
    let variables = stage.ours().into_iter().collect::<std::collections::BTreeMap<_, _>>();
    let output = |value: &Value| json!({ "sensitive": false, "type": "string", "value": value });
    let whole = json!({
        "workflow_variables": output(&json!(variables)), "stack_document": output(&json!(stage.world.stack.to_string())),
        "vpc_id": output(&json!("vpc-1")),
    });
    let part = json!({ "workflow_variables": output(&json!(variables)) });
    let server = stage.world.github.server_url();
    let document = json!({ "stack_document": whole["stack_document"] });
    for (name, outputs, more) in [
        ("whole", &whole, &[][..]),
        ("document", &document, &[]),
        ("part", &part, &["--repo", REPOSITORY, "--github-url", &server]),
    ] {
        let file = stage.file("outputs.json", &outputs.to_string());
        let arguments = [&["--env", name, "--yes", "--terraform-output", &file], more].concat();
        stage.connect(&arguments).without("FLEETFOOT_STACK").without("AWS_ACCESS_KEY_ID").ok().await;
        assert_eq!(stage.configured(Some(name)).vars, variables, "{name}");
    }
    let piped = stage.connect(&["--env", "whole", "--terraform-output", "-"]).without("FLEETFOOT_STACK");
    let piped = piped.stdin(&whole.to_string()).ok().await;
    assert!(piped.stdout.starts_with("nothing to do"), "{}", piped.stdout);

    let file = stage.file("outputs.json", &part.to_string());
    let said = stage.connect(&["--terraform-output", &file]).without("FLEETFOOT_STACK").fails(2).await;
    assert!(said.contains("Name it with --repo OWNER/NAME or --org LOGIN"), "{said}");
    for (text, why) in
        [("{}", "neither the output workflow_variables nor"), ("no json", "is not what `terraform")]
    {
        let file = stage.file("outputs.json", text);
        let said = stage.connect(&["--terraform-output", &file]).without("FLEETFOOT_STACK").fails(2).await;
        assert!(said.contains(why), "{said}");
    }
    stage.end_by_contract().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organisation_s_repositories_are_connected_at_once() {
    let stage = Stage::new().await;
    let organisation = |stage: &Stage| stage.world.github.configured("octo-org", None).unwrap();
    let connect = ["--org", "octo-org", "--secret", "TOKEN=env:THE_SECRET", "--yes"];
    stage.connect(&connect).env("THE_SECRET", SECRET).ok().await;
    let there = organisation(&stage);
    assert_eq!(there.vars.clone().into_iter().collect::<Vec<_>>(), stage.ours());
    assert_eq!(there.secrets["TOKEN"], SECRET);
    assert!(there.visibility.values().all(|which| *which == "private"), "{there:?}");
    let again = stage.connect(&connect).env("THE_SECRET", SECRET).ok().await;
    assert!(again.stdout.starts_with("nothing to do"), "{}", again.stdout);

    let wider = stage.connected(&["--org", "octo-org", "--visibility", "all"]).await;
    assert_eq!(wider["done"], 3, "{wider}");
    let there = organisation(&stage);
    assert_eq!((there.visibility["FLEETFOOT_ROLE"], there.visibility["TOKEN"]), ("all", "private"));
    let kept = stage.connected(&["--org", "octo-org"]).await;
    assert_eq!(kept["changes"], 0, "nothing is narrowed that nobody asked for: {kept}");

    stage.connected(&["--org", "octo-org", "--remove", "--secret", "TOKEN"]).await;
    let there = organisation(&stage);
    assert!(there.vars.is_empty() && there.secrets.is_empty(), "{there:?}");
    stage.end_by_contract().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_repositories_are_all_looked_at_before_one_is_changed() {
    let stage = Stage::new().await;
    let said = stage
        .connect(&["--yes", "--repo", REPOSITORY, "--repo", "octo-org/nothing", "--env", "x"])
        .fails(2)
        .await;
    let refusal = "error: cannot look at octo-org/nothing: GitHub answered 404: Not Found\n  help: Use a token of an \
                   administrator of the repository: classic with the scope `repo`, or fine-grained with read and write \
                   for Administration, Environments, Secrets and Variables, and read for Actions.\n";
    assert_eq!(said, refusal);
    assert_eq!(stage.writes(), [""; 0]);
    stage.end_by_contract().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_may_not_is_told_what_it_lacks() {
    let stage = Stage::new().await;
    let permissions =
        [("administration", Level::Write), ("actions", Level::Read), ("environments", Level::Read)];
    let kind = TokenKind::FineGrained {
        resource_owner: "octo-org".into(),
        repositories: None,
        permissions: permissions.map(|(name, level)| (name.to_owned(), level)).into(),
    };
    let token = stage.world.github.add_token("mona", kind).unwrap();
    // It may make the environment and nothing in it. What is done is told, and what is not.
    let connect = stage.connect(&["--env", "fresh", "--yes", "--output", "json"]);
    let ran = connect.env("FLEETFOOT_GITHUB_TOKEN", &token).run().await;
    assert_eq!(ran.code, 4, "{ran:#?}");
    let outcomes: Vec<String> =
        told(&ran.json()).iter().map(|row| row.rsplit(' ').next().unwrap().to_owned()).collect();
    assert_eq!(outcomes, ["done", "failed", "not-tried", "not-tried"]);
    let refusal = "error: cannot set the variable AWS_REGION of the environment fresh of octo-org/demo: GitHub answered 403: \
                   Resource not accessible by personal access token (needs the permission environments=write)\n  help: Use a \
                   token of an administrator of the repository: classic with the scope `repo`, or fine-grained with read and \
                   write for Administration, Environments, Secrets and Variables, and read for Actions. Then run it again: \
                   what is done stays done.\n";
    assert_eq!(ran.stderr, refusal);
    let done = stage.connected(&["--env", "fresh"]).await;
    assert_eq!(done["done"], 3, "{done}");

    let none = stage.connect(&[]).without("FLEETFOOT_GITHUB_TOKEN").fails(4).await;
    assert!(none.starts_with("error: no GitHub credentials were given"), "{none}");
    stage.end_by_contract().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_sense_is_refused_before_anything_is_asked() {
    let stage = Stage::new().await;
    let empty = stage.file("empty", "\n");
    let long = stage.file("long", &"x".repeat(48 * 1024 + 1));
    let (empty, long) = (format!("A=file:{empty}"), format!("A=file:{long}"));
    let cases: [(&[&str], &str); 11] = [
        (&["--secret", "TOKEN=ghp_typed"], "a value is named by its place"),
        (&["--secret", "TOKEN"], "nothing says where the value of the secret TOKEN is"),
        (&["--secret", "GITHUB_TOKEN=-"], "must not begin with GITHUB_"),
        (&["--secret", "A=-", "--secret", "B=-"], "standard input can be read only once"),
        (&["--secret", "A=env:X", "--secret", "A=env:X"], "the secret A is named twice"),
        (&["--secret", "A=env:UNSET"], "the value of the secret A is empty, or not set"),
        (&["--secret", &empty], "the value of the secret A is empty, or not set"),
        (&["--secret", &long], "longer than the 48 KiB"),
        (&["--secret", "ghp_typed!"], "invalid value '…' for '--secret <NAME=PLACE>': a name consists of"),
        (&["--repo", "octo-org"], "octo-org is not what the flag asks for"),
        (&["--org", "octo-org", "--env", "x"], "cannot be used with"),
    ];
    for (arguments, why) in cases {
        let connect = stage.connect(&[&["--yes"], arguments].concat()).env("X", SECRET).stdin("x");
        let said = connect.fails(2).await;
        assert!(said.contains(why) && !said.contains("ghp_"), "{arguments:?}: {said}");
    }
    let said = stage.connect(&[]).without("FLEETFOOT_STACK").fails(2).await;
    assert!(said.contains("--terraform-output PATH"), "{said}");
    assert!(!stage.world.book.calls().iter().any(|call| call.service == "github"));
    stage.close().await;
}
