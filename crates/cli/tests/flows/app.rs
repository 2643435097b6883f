//! `fleetfoot app`: an App is made in a browser, its key goes to AWS at once, and a start acts as that App
//! without the key being anywhere else.

use fleetfoot::demo::world::REPOSITORY;
use fleetfoot_sim::aws::User;
use fleetfoot_sim::github::{AppSpec, Level, Permissions};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::task::JoinHandle;

use crate::common::{JITCONFIG, Running, Stage, until};

/// The person in front of the browser, who looks at the page and presses its button.
struct Person(reqwest::Client);

impl Person {
    fn new() -> Self {
        Self(reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap())
    }

    /// The form of the page: where it is posted to, and the manifest.
    async fn look(&self, page: &str) -> (String, Value) {
        let html = self.0.get(page).send().await.unwrap().text().await.unwrap();
        let between = |start: &str, end: &str| {
            let text = html.split_once(start).unwrap().1.split_once(end).unwrap().0;
            text.replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
        };
        let manifest = serde_json::from_str(&between("name=\"manifest\" value=\"", "\"")).unwrap();
        (between("action=\"", "\""), manifest)
    }

    /// Posts the form; gives where GitHub sends the browser.
    async fn press(&self, action: &str, manifest: &Value) -> String {
        let form = [("manifest", manifest.to_string())];
        let answer = self.0.post(action).form(&form).send().await.unwrap();
        assert_eq!(answer.status(), 302, "{}", answer.text().await.unwrap());
        answer.headers()["location"].to_str().unwrap().to_owned()
    }

    async fn open(&self, page: &str) -> (u16, String) {
        let answer = self.0.get(page).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }
}

/// The address of the page, from what the command prints, and what it prints after that.
async fn page_of(create: &mut Running) -> (String, JoinHandle<String>) {
    let mut stderr = BufReader::new(create.child().stderr.take().unwrap());
    let mut line = String::new();
    stderr.read_line(&mut line).await.unwrap();
    let page = line.split_whitespace().find(|word| word.starts_with("http://127.0.0.1:")).unwrap();
    let rest = tokio::spawn(async move {
        let mut rest = String::new();
        stderr.read_to_string(&mut rest).await.unwrap();
        rest
    });
    (page.to_owned(), rest)
}

fn create(stage: &Stage, more: &[&str]) -> Running {
    let server = stage.world.github.server_url();
    let fixed = ["app", "create", "--no-browser", "--output", "json", "--github-url", &server];
    stage.by_hand(&[&fixed, more].concat()).spawn()
}

/// A stack whose App has its key there.
fn stack_with(stage: &Stage, client_id: &Value, key: &Value) -> String {
    stage.stack_file(|stack| stack["github"]["app"] = json!({ "client_id": client_id, "key": key }))
}

async fn start_as_the_app(stage: &Stage, stack: &str) {
    let start = ["start", "--key", "k", "--wait", "none", "--stack-file", stack];
    let start = stage.by_hand(&start).without("FLEETFOOT_STACK").without("FLEETFOOT_GITHUB_TOKEN");
    start.ok().await;
    let caller = stage.calls("github", JITCONFIG).pop().unwrap().caller;
    assert!(caller.contains("installation"), "{caller}");
}

/// Nobody but GitHub's answer and the wrapped import has seen the key.
fn assert_no_key_was_seen(stage: &Stage) {
    assert!(!format!("{:?}", stage.world.book.calls()).contains("PRIVATE KEY"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_is_created_and_its_key_signs_in_kms() {
    let stage = Stage::new().await;
    let mut create = create(&stage, &["--org", "octo-org", "--repositories"]);
    let (page, said) = page_of(&mut create).await;
    let person = Person::new();
    let (action, manifest) = person.look(&page).await;
    assert!(action.contains("/organizations/octo-org/settings/apps/new?state="), "{action}");
    assert_eq!(manifest["default_permissions"], json!({ "actions": "read", "administration": "write" }));
    let back = person.press(&action, &manifest).await;
    // Whoever guesses the address knows no state, and whoever comes by another name is no browser of ours.
    assert_eq!(person.open(&format!("{page}created?code=x&state=y")).await.0, 400);
    assert_eq!(person.open(&page.replace("127.0.0.1", "localhost")).await.0, 403);
    let (status, words) = person.open(&back).await;
    assert_eq!(status, 200, "{words}");

    let ran = create.end().await;
    assert_eq!(ran.code, 0, "{}", said.await.unwrap());
    let made = ran.json();

    assert_eq!(made["slug"], "fleetfoot-octo-org");
    let key = made["key"].as_str().unwrap();
    let aliases = stage.world.aws.key_aliases();
    let [(alias, arn, signs)] = aliases.as_slice() else { panic!("{aliases:?}") };
    assert_eq!(
        (alias.as_str(), format!("kms:{arn}").as_str(), *signs),
        ("alias/fleetfoot/fleetfoot-octo-org", key, true)
    );
    stage.world.github.install_app(made["id"].as_u64().unwrap(), "octo-org", None, None).unwrap();
    start_as_the_app(&stage, &stack_with(&stage, &made["client_id"], &made["key"])).await;
    assert_eq!(stage.count("kms", "Sign"), 1);
    assert_no_key_was_seen(&stage);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_there_is_imported_where_one_likes() {
    let stage = Stage::new().await;
    let spec = AppSpec {
        owner: "octo-org".into(),
        app_id: 12,
        client_id: "Iv23liIMPORTED000000".into(),
        permissions: Permissions::from([("administration".into(), Level::Write)]),
        public_key: None,
    };
    let pem = stage.world.github.add_app(spec).unwrap().unwrap();
    stage.world.github.install_app(12, "octo-org", Some(&[REPOSITORY]), None).unwrap();
    let file = stage.file("app.pem", &pem);
    for (into, prefix) in
        [("kms", "kms:arn:aws:kms:"), ("secrets-manager", "secretsmanager:arn:aws:secretsmanager:")]
    {
        let import = ["app", "import", "--key", &file, "--into", into, "--output", "json"];
        let key = stage.by_hand(&import).ok().await.json()["key"].clone();
        assert!(key.as_str().unwrap().starts_with(prefix), "{key}");
        start_as_the_app(&stage, &stack_with(&stage, &json!("Iv23liIMPORTED000000"), &key)).await;
        stage.by_hand(&["stop", "--key", "k"]).run().await;
    }
    assert_no_key_was_seen(&stage);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_no_key_is_refused_before_aws_keeps_anything() {
    let stage = Stage::new().await;
    let file = stage.file("app.pem", "s3cret");
    for into in ["kms", "secrets-manager"] {
        let said = stage.by_hand(&["app", "import", "--key", &file, "--into", into]).fails(2).await;
        let refusal = "error: cannot use the GitHub App's private key: it is not a PEM private key\n  help: Give the .pem \
                       file that GitHub made, as it is.\n";
        assert_eq!(said, refusal);
    }
    assert_eq!(stage.count("kms", "CreateKey") + stage.count("secretsmanager", "CreateSecret"), 0);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_aws_no_app_is_asked_for() {
    let stage = Stage::new().await;
    let server = stage.world.github.server_url();
    let create = stage.by_hand(&["app", "create", "--no-browser", "--user", "--github-url", &server]);
    let create = create.without("AWS_ACCESS_KEY_ID").without("AWS_SECRET_ACCESS_KEY");
    create.fails(4).await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_finds_no_place_is_told_with_its_app() {
    let stage = Stage::new().await;
    let poor = User {
        name: "poor".into(),
        access_key_id: "AKIAPOORPOORPOORPOOR".into(),
        secret_access_key: "p".repeat(40),
        policies: Vec::new(),
    };
    stage.world.aws.add_user(poor).unwrap();
    let server = stage.world.github.server_url();
    let create = stage.by_hand(&["app", "create", "--no-browser", "--user", "--github-url", &server]);
    let mut create = create
        .env("AWS_ACCESS_KEY_ID", "AKIAPOORPOORPOORPOOR")
        .env("AWS_SECRET_ACCESS_KEY", &"p".repeat(40))
        .spawn();
    let (page, said) = page_of(&mut create).await;
    let person = Person::new();
    let (action, manifest) = person.look(&page).await;
    person.open(&person.press(&action, &manifest).await).await;
    let ended = create.end().await;
    assert_eq!((ended.code, ended.stdout.as_str()), (4, ""));
    let said = said.await.unwrap();
    assert!(said.contains("kms:CreateKey") && said.contains("Make a new private key there"), "{said}");
    stage.close().await;
}

/// The browser gets the page's address and nothing else: no token, no key, in argv or in its environment.
#[tokio::test(flavor = "multi_thread")]
async fn the_browser_is_told_no_secret() {
    let stage = Stage::new().await;
    let bin = stage.path("bin");
    std::fs::create_dir(&bin).unwrap();
    let seen = stage.path("seen");
    let script =
        format!("#!/bin/sh\n{{ echo \"$@\"; env; }} > '{0}.new'; mv '{0}.new' '{0}'\n", seen.display());
    let opener = bin.join("xdg-open");
    std::fs::write(&opener, script).unwrap();
    std::fs::set_permissions(&opener, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let server = stage.world.github.server_url();
    let create = stage.by_hand(&["app", "create", "--user", "--github-url", &server]);
    let path = format!("{}:/usr/bin:/bin", bin.display());
    let mut create = create.env("PATH", &path).env("GH_TOKEN", "ghp_ofTheTest").spawn();
    let (page, _said) = page_of(&mut create).await;
    until("the browser was opened", || seen.is_file()).await;
    let told = stage.read("seen");
    assert!(told.starts_with(&page) && told.contains("PATH="), "{told}");
    for secret in [&stage.world.token, &stage.world.keys.secret_access_key, "ghp_ofTheTest"] {
        assert!(!told.contains(secret), "{told}");
    }
    create.signal(nix::sys::signal::Signal::SIGINT);
    assert_eq!(create.end().await.code, 130);
    stage.close().await;
}
