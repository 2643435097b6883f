//! `fleetfoot app create`: a new GitHub App with the least permissions, whose key goes to AWS at once.
//!
//! GitHub makes Apps only for people: a page opened here sends the App's manifest to GitHub, where somebody
//! presses the button, and GitHub sends the browser back with a code for the App and its key. The key exists in
//! this process's memory and nowhere else until it is in AWS.

use std::process::{Command, Stdio};

use fleetfoot_github::manifest::{self, AppOwner, LONGEST_NAME, Manifest, NewApp, Permissions, RunnersOf};
use fleetfoot_net::Network;
use serde_json::json;
use url::Url;

use super::page::LocalPage;
use super::{connect, keep, permission};
use crate::args::{AppCreateArgs, Output};
use crate::cancel::Cancel;
use crate::failure::Failure;
use crate::network::network;
use crate::order::random;

/// How it ends when nobody has pressed the button yet.
const CANCELLED: &str = "cancelled before GitHub had created the App";

/// Runs the command.
pub(super) async fn run(args: &AppCreateArgs, cancel: &Cancel) -> Result<(), Failure> {
    let order = Order::read(args)?;
    let network = network()?;
    // Before anything exists at GitHub: a key that has no place to go would be lost.
    let aws = Box::pin(cancel.unless(CANCELLED, connect(&args.keep, network.clone()))).await?;
    let app = cancel.unless(CANCELLED, ask(&order, args, &network)).await?;
    let name = args.key_name.clone().unwrap_or_else(|| format!("fleetfoot/{}", app.slug));
    let key = keep(&aws, &app.pem, &name, &args.keep).await.map_err(|fault| {
        let failure = Failure::from(fault);
        let remedy = format!(
            "The App exists: {}. Make a new private key there and bring it to AWS with `fleetfoot app import`, or \
             delete the App.",
            app.html_url
        );
        Failure { remedy: Some(failure.remedy.map_or(remedy.clone(), |own| format!("{own} {remedy}"))), ..failure }
    })?;
    let document = json!({"client_id": app.client_id, "key": key});
    if args.keep.output == Output::Json {
        let created = json!({
            "id": app.id, "slug": app.slug, "client_id": app.client_id, "html_url": app.html_url,
            "installation_page": app.installation_page(), "key": key,
        });
        anstream::println!("{created}");
        return Ok(());
    }
    anstream::println!("Created the GitHub App {} ({}); its key is {key}.", app.slug, app.html_url);
    anstream::println!("1. Install it: {}", app.installation_page());
    anstream::println!("2. Write this into the stack document as github.app: {document}");
    anstream::println!("3. {}", permission(&key));
    Ok(())
}

/// What is asked of GitHub.
struct Order {
    server: Url,
    owner: AppOwner,
    runners: RunnersOf,
    name: String,
}

impl Order {
    fn read(args: &AppCreateArgs) -> Result<Self, Failure> {
        let server: Url = args.github_url.parse().map_err(|error| {
            Failure::usage(
                format!("--github-url {:?} is no address: {error}", args.github_url),
                "Write it like https://github.com.",
            )
        })?;
        let on_this_machine =
            server.host_str().is_some_and(|host| ["127.0.0.1", "localhost"].contains(&host));
        if server.scheme() != "https" && !on_this_machine {
            return Err(Failure::usage(
                format!("{server} is not https"),
                "The App's key will come over this connection: name an https address.",
            ));
        }
        let owner = match &args.org {
            Some(org) => AppOwner::Organization(org.clone()),
            None => AppOwner::User,
        };
        // A user has no runners but those of repositories.
        let runners = if args.org.is_some() && !args.repositories {
            RunnersOf::Organization
        } else {
            RunnersOf::Repositories
        };
        let name = args.name.clone().unwrap_or_else(|| match &owner {
            AppOwner::Organization(org) => format!("Fleetfoot {org}").chars().take(LONGEST_NAME).collect(),
            AppOwner::User => format!("Fleetfoot {}", random(6)),
        });
        if name.chars().count() > LONGEST_NAME {
            return Err(Failure::usage(
                format!("the name {name:?} is longer than {LONGEST_NAME} characters"),
                "Choose a shorter one with --name.",
            ));
        }
        Ok(Self { server, owner, runners, name })
    }
}

/// Lets somebody press the button, and exchanges what comes back.
async fn ask(order: &Order, args: &AppCreateArgs, network: &Network) -> Result<NewApp, Failure> {
    let page = LocalPage::open().await.map_err(|error| {
        Failure::failed(
            "io",
            format!("cannot open a page on this machine: {error}"),
            "Free a port on 127.0.0.1.",
        )
    })?;
    let state = random(32);
    let manifest = Manifest {
        name: order.name.clone(),
        url: "https://github.com/features/actions".into(),
        redirect_url: page.callback(),
        public: false,
        default_permissions: Permissions::least(order.runners),
    };
    let action = manifest::registration_page(&order.server, &order.owner, &state);
    anstream::eprintln!("Open {} to create the App {:?} at {}.", page.address(), order.name, order.server);
    if !args.no_browser {
        open_browser(page.address());
    }
    let wait = args.timeout.unsigned_abs();
    let code = tokio::time::timeout(wait, page.code(&action, &manifest, &state)).await.map_err(|_| {
        Failure::failed(
            "timeout",
            format!("nobody has created the App within {:#}", args.timeout),
            "Begin again; nothing was created unless GitHub said so.",
        )
    })??;
    Ok(manifest::convert(&order.server, &code, network).await?)
}

/// What a browser has no business to know of us.
const SECRETS: [&str; 6] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "FLEETFOOT_GITHUB_TOKEN",
    "GH_TOKEN",
    "GITHUB_TOKEN",
];

/// Shows the page if this machine has a browser; where it has none, the printed address must do.
fn open_browser(address: &str) {
    let opener = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let mut command = Command::new(opener);
    for secret in SECRETS {
        command.env_remove(secret);
    }
    let quiet = || Stdio::null();
    let started = command.arg(address).stdin(quiet()).stdout(quiet()).stderr(quiet()).spawn();
    if let Err(error) = started {
        tracing::debug!(%error, opener, "no browser was opened");
    }
}
