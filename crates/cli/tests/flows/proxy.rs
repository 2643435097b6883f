//! Through the proxy and the private authority of a company: every call to GitHub, AWS, the OIDC service and the
//! mailbox, from a job, from a shell and from the task; and past the proxy where `NO_PROXY` says so.

use std::net::SocketAddr;

use fleetfoot::demo::world::BUCKET;
use fleetfoot_sim::aws::KeyValue;
use serde_json::json;

use crate::common::{Authority, Fleetfoot, Front, IMAGE, Proxy, Stage, until};

/// Names that nobody but the proxy can resolve.
const GITHUB: &str = "github.corp.test";
const AWS: &str = "aws.corp.test";

fn address(url: &str) -> SocketAddr {
    url.trim_start_matches("http://").split('/').next().unwrap().parse().unwrap()
}

/// GitHub and AWS behind TLS, with certificates of a private authority.
struct Company {
    stage: Stage,
    /// The file with the authority's certificate.
    authority: String,
    names: [(String, SocketAddr); 2],
}

impl Company {
    async fn new() -> Self {
        let stage = Stage::new().await;
        let authority = Authority::new("Corp");
        let github = Front::open(GITHUB, &authority, address(&stage.world.github.server_url())).await;
        let aws = Front::open(AWS, &authority, address(&stage.world.aws.endpoint())).await;
        let names = [(format!("{GITHUB}:443"), github.address), (format!("{AWS}:443"), aws.address)];
        let authority = stage.file("authority.pem", &authority.pem());
        stage.stack_file(|stack| {
            // As a server of one's own: where its API is, follows from this.
            stack["github"] = json!({ "url": format!("https://{GITHUB}/octo-org/demo") });
        });
        Self { stage, authority, names }
    }

    fn names(&self) -> [(&str, SocketAddr); 2] {
        [(&self.names[0].0, self.names[0].1), (&self.names[1].0, self.names[1].1)]
    }

    async fn proxy(&self) -> Proxy {
        Proxy::open(&self.names()).await
    }

    fn stack_file(&self) -> String {
        self.stage.path("stack.json").display().to_string()
    }

    /// `fleetfoot start` of somebody whose machine knows the proxy.
    fn start(&self, proxy: &str) -> Fleetfoot {
        let file = self.stack_file();
        let start = self.stage.by_hand(&["start", "--key", "k", "--wait", "none", "--stack-file", &file]);
        start
            .without("FLEETFOOT_STACK")
            .env("AWS_ENDPOINT_URL", &format!("https://{AWS}"))
            .env("HTTPS_PROXY", proxy)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_and_its_task_reach_everything_through_the_proxy() {
    let company = Company::new().await;
    let (stage, proxy) = (&company.stage, company.proxy().await);
    let authority = &company.authority;
    let mut definition = stage.definition("fleetfoot-demo-behind-proxy", IMAGE);
    let of_task = Proxy::open(&company.names()).await;
    definition.container_definitions[0].environment = [
        ("HTTPS_PROXY", of_task.url()),
        ("HTTP_PROXY", of_task.url()),
        ("AWS_CA_BUNDLE", authority.clone()),
        ("AWS_ENDPOINT_URL_S3", format!("https://{AWS}")),
    ]
    .map(|(name, value)| KeyValue { name: name.into(), value })
    .into();
    stage.world.aws.register_task_definition(definition).unwrap();
    stage.stack_file(|stack| {
        stack["github"] = json!({ "url": format!("https://{GITHUB}/octo-org/demo") });
        stack["pools"][0]["task_definition"] = "fleetfoot-demo-behind-proxy".into();
    });

    // Where the job asks for its OIDC token is behind the proxy, too.
    let run = stage.dispatch(&format!(
        "
  start:
    runs-on: ubuntu-latest
    environment: dev
    permissions: {{ id-token: write, contents: read }}
    steps:
      - run: |
          export ACTIONS_ID_TOKEN_REQUEST_URL=\"https://{GITHUB}/${{ACTIONS_ID_TOKEN_REQUEST_URL#http://*/}}\"
          fleetfoot start --stack-file {stack} --poll 100ms
        env:
          AWS_ENDPOINT_URL: https://{AWS}
          https_proxy: {proxy}
          SSL_CERT_FILE: {authority}
          FLEETFOOT_GITHUB_TOKEN: ${{{{ secrets.FLEETFOOT_GITHUB_TOKEN }}}}
",
        stack = company.stack_file(),
        proxy = proxy.url(),
    ));
    run.succeeds().await;

    // It is online: its agent took the assignment, through the task's proxy.
    assert_eq!(stage.world.github.runners().len(), 1);
    assert_eq!(stage.world.aws.objects(BUCKET), [""; 0]);
    for name in [GITHUB, AWS] {
        let connect = format!("CONNECT {name}:443");
        assert!(proxy.asked().contains(&connect), "{connect}: {:?}", proxy.asked());
    }
    for (service, operation) in [
        ("sts", "AssumeRoleWithWebIdentity"),
        ("ecs", "RunTask"),
        ("s3", "PutObject"),
        ("ecs", "DescribeTasks"),
    ] {
        assert!(stage.count(service, operation) > 0, "{operation}");
    }
    // The task's metadata and credentials are plain HTTP on the machine itself, and went past the proxy.
    let of_task = of_task.asked();
    assert!(
        !of_task.is_empty() && of_task.iter().all(|asked| *asked == format!("CONNECT {AWS}:443")),
        "{of_task:?}"
    );
    company.stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_http_is_asked_for_by_its_whole_address() {
    let stage = Stage::new().await;
    let proxy = Proxy::open(&[]).await;
    let start = |key: &str| stage.by_hand(&["start", "--key", key, "--wait", "none"]);
    start("through").env("http_proxy", &proxy.url()).ok().await;
    let asked = proxy.asked();
    let (github, aws) = (stage.world.github.api_url(), stage.world.aws.endpoint());
    for part in [
        &format!("POST {github}/repos/octo-org/demo/actions/runners/generate-jitconfig"),
        &format!("PUT {aws}/"),
    ] {
        assert!(asked.iter().any(|asked| asked.starts_with(part)), "{part}: {asked:?}");
    }
    // Every call that the services saw from a launcher went through it.
    let of_launcher = |call: &fleetfoot_sim::book::Call| {
        ["ecs", "s3", "ssm"].contains(&call.service) || call.request_line.contains("/actions/runners")
    };
    let seen = stage
        .world
        .book
        .calls()
        .iter()
        .filter(|call| of_launcher(call) && !call.caller.contains("task/"))
        .count();
    assert!(asked.len() >= seen && seen > 4, "{} of {seen}", asked.len());

    for no_proxy in ["127.0.0.1", "127.0.0.0/8", "*"] {
        let past = start(&format!("past-{}", no_proxy.len()));
        past.env("http_proxy", &proxy.url()).env("NO_PROXY", no_proxy).ok().await;
        assert_eq!(proxy.asked().len(), asked.len(), "{no_proxy}");
    }
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_that_nobody_trusts_is_told_with_what_to_do() {
    let company = Company::new().await;
    let proxy = company.proxy().await;
    let said = company.start(&proxy.url()).fails(2).await;
    let why = format!(
        "the certificate on the way to {GITHUB} through the proxy {} is signed by nobody that this machine trusts\n  help: If a \
         proxy opens TLS there, or a server of your own is meant, name a PEM file with its authority's certificate in \
         SSL_CERT_FILE or AWS_CA_BUNDLE; see docs/network.md.\n",
        proxy.url()
    );
    assert!(said.ends_with(&why), "{said}");
    // Nor does another one, not even of the same name.
    for name in ["Corp", "Other"] {
        let other = company.stage.file("other.pem", &Authority::new(name).pem());
        let said = company.start(&proxy.url()).env("NODE_EXTRA_CA_CERTS", &other).fails(2).await;
        assert!(said.ends_with(&why), "{name}: {said}");
    }
    for variable in ["SSL_CERT_FILE", "AWS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"] {
        let start = company.start(&proxy.url()).env(variable, &company.authority);
        start.ok().await;
    }

    // Each finding of doctor has it, too.
    let file = company.stack_file();
    let doctor = company.stage.by_hand(&["doctor", "--stack-file", &file]).without("FLEETFOOT_STACK");
    let doctor = doctor.env("AWS_ENDPOINT_URL", &format!("https://{AWS}")).env("HTTPS_PROXY", &proxy.url());
    let ran = doctor.run().await;
    assert_eq!(ran.code, 1, "{ran:#?}");
    assert!(ran.stdout.contains("SSL_CERT_FILE or AWS_CA_BUNDLE"), "{}", ran.stdout);
    company.stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_does_not_do_its_part_is_named() {
    let company = Company::new().await;
    let start = |proxy: &str| company.start(proxy).env("SSL_CERT_FILE", &company.authority);

    let credentials = "Basic bW9uYTpzM2NyZXQ="; // mona:s3cret
    let guarded = Proxy::guarded(&company.names(), credentials).await;
    let said = start(&guarded.url()).fails(4).await;
    let (why, remedy) = (
        format!("the proxy {} wants a user name and a password, or other ones", guarded.url()),
        "Write them into HTTPS_PROXY, like http://USER:PASSWORD@HOST:PORT.\n",
    );
    assert!(said.contains(&why) && said.ends_with(remedy), "{said}");
    let with_password = guarded.url().replace("//", "//mona:s3cret@");
    let ran = start(&with_password).env("FLEETFOOT_LOG", "trace").ok().await;
    assert!(!ran.said().contains("s3cret") && !ran.said().contains("bW9uYTpzM2NyZXQ"), "{}", ran.said());

    // Whether that passes, nobody knows: a start tries as long as it may.
    let start = |proxy: &str| start(proxy).env("FLEETFOOT_TIMEOUT", "6s").env("FLEETFOOT_KEY", "other");
    let strict = Proxy::open(&company.names()[..1]).await;
    let said = start(&strict.url()).fails(1).await;
    let why = format!(
        "the proxy {} gives no way to {AWS}\n  help: Let the proxy allow {AWS}, or name it",
        strict.url()
    );
    assert!(said.contains(&why), "{said}");

    let said = start("http://127.0.0.1:9").fails(1).await;
    let why = "no connection to the proxy http://127.0.0.1:9 (Connection refused";
    let remedy =
        "help: Correct HTTPS_PROXY, or name aws.corp.test in NO_PROXY if it can be reached without.\n";
    assert!(said.contains(why) && said.ends_with(remedy), "{said}");
    company.stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_setting_that_cannot_be_used_is_refused_before_anything_is_asked() {
    let stage = Stage::new().await;
    let nothing = stage.file("nothing.pem", "nothing");
    for command in
        [&["start", "--key", "k"][..], &["stop", "--key", "k"], &["reap"], &["doctor"], &["connect"]]
    {
        for (variable, value, why) in [
            (
                "HTTPS_PROXY",
                "socks5://mona:s3cret@127.0.0.1:1",
                "error: HTTPS_PROXY cannot be used: a SOCKS proxy is not",
            ),
            (
                "SSL_CERT_FILE",
                "/no/such.pem",
                "error: SSL_CERT_FILE cannot be used: /no/such.pem: No such file",
            ),
            ("AWS_CA_BUNDLE", &nothing, "holds no certificate in PEM\n  help: Name a PEM file"),
        ] {
            let said = stage.by_hand(command).env(variable, value).fails(2).await;
            assert!(said.contains(why) && !said.contains("s3cret"), "{command:?}: {said}");
        }
    }
    assert!(stage.world.book.calls().is_empty());
    stage.close().await;
}

/// Everything simulated is on this machine, whatever proxy its owner needs to get out.
#[tokio::test(flavor = "multi_thread")]
async fn the_demo_needs_no_proxy() {
    let folder = tempfile::tempdir().unwrap();
    let demo = Fleetfoot::new(folder.path(), &["demo", "--output", "json"]);
    let ran =
        demo.env("http_proxy", "http://127.0.0.1:9").env("HTTPS_PROXY", "http://127.0.0.1:9").ok().await;
    assert_eq!(ran.json()["conclusion"], "success", "{}", ran.stdout);
}

/// The task's log tells as well, and its exit code says that a setting was wrong.
#[tokio::test(flavor = "multi_thread")]
async fn an_agent_tells_a_wrong_setting_in_its_log() {
    let stage = Stage::new().await;
    let mut definition = stage.definition("fleetfoot-demo-wrong", IMAGE);
    let wrong = KeyValue { name: "AWS_CA_BUNDLE".into(), value: "/no/such.pem".into() };
    definition.container_definitions[0].environment = vec![wrong];
    stage.world.aws.register_task_definition(definition).unwrap();
    stage.change_stack(|stack| stack["pools"][0]["task_definition"] = "fleetfoot-demo-wrong".into());
    stage.by_hand(&["start", "--key", "k", "--wait", "none"]).ok().await;
    until("the task has ended", || {
        stage
            .world
            .aws
            .tasks()
            .iter()
            .any(|task| task.containers.iter().any(|container| container.exit_code == Some(2)))
    })
    .await;
    stage.close().await;
}
