//! The crate's client with our credentials, and every call through it.
//!
//! The crate gets its admin token by three calls: an installation token, a registration token, an admin
//! token for that. For the first it asks whoever holds the App's key, here our own signer, so that a key in
//! KMS never leaves it. That installation token has all permissions of the App, because the crate asks for
//! no less; it is used for one call and is not kept.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use backon::Retryable;
use fleetfoot_core::fault::{Class, Fault};
use fleetfoot_core::ports::Runners as _;
use fleetfoot_core::turns::{Limit, Meter, Turn, Turns, Urgency};
use scaleset::{BoxError, JwtProvider, RetryPolicy, SystemInfo};
use secrecy::ExposeSecret;
use tokio::sync::OnceCell;
use tokio::time::{Instant, sleep};

use super::refusal::{Step, fault};
use crate::app;
use crate::auth::{App, Credentials};
use crate::client::{CONNECT_TIMEOUT, TIMEOUT, patience};
use crate::runners::GitHubRunners;
use crate::scope::Target;

/// Registrations of runners, which GitHub counts for each repository, organisation and enterprise
/// ("Actions limits", self-hosted runners: 1,500 in five minutes). A second more, for clocks that go apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Registrations;

impl Meter for Registrations {
    fn limit(&self) -> Limit {
        Limit::Window { most: 1_500, period: Duration::from_secs(301) }
    }
}

/// The turn of one registration; to be held until it is answered.
#[must_use = "the registration counts as answered when this is dropped"]
pub(super) struct Registering<'a> {
    _turn: Turn<'a, Registrations>,
}

/// How long an idle connection is kept, and how often an idle one is asked whether it is still there.
const POOL_IDLE: Duration = Duration::from_secs(90);
const KEEPALIVE: Duration = Duration::from_secs(30);

/// The client, made at the first call: to find an App's installation takes one.
pub(super) struct Connection {
    runners: Arc<GitHubRunners>,
    http: reqwest::Client,
    client: OnceCell<scaleset::Client>,
    turns: Turns<Registrations>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("target", self.target()).finish_non_exhaustive()
    }
}

/// Signs the App's JWT whenever the crate wants one.
struct OurSigner(Arc<GitHubRunners>);

impl JwtProvider for OurSigner {
    async fn token(&self) -> Result<String, BoxError> {
        let client = &self.0.client;
        let Credentials::App(app) = client.credentials() else { return Err("there is no App".into()) };
        let jwt = app::jwt(&app.client_id, app.signer.as_ref(), client.wire.clock.now()).await?;
        Ok(jwt.expose_secret().to_owned())
    }
}

impl Connection {
    pub(super) fn new(runners: Arc<GitHubRunners>) -> Result<Self, Fault> {
        let scope = runners.scope();
        let what = format!("use the scale sets of {}", scope.target());
        let derived = scaleset::GitHubConfigUrl::parse(&scope.url())
            .map_err(|error| fault(&runners.client.wire.network, &what, Step::Call, error))?
            .api_url("");
        let plain = |url: &url::Url| url.as_str().trim_end_matches('/').to_owned();
        if plain(&derived) != plain(scope.api_url()) {
            let why = format!("their API is found from {}, at {derived}, and not elsewhere", scope.url());
            return Err(Fault::new(Class::Invalid, what, why)
                .remedy("leave github.api_url out, or name GitHub by the address that serves both"));
        }
        // With the habits of the crate's own, which knows nothing of the network here. A poll has a time of its own.
        let http = runners.client.wire.network.client(|client| {
            let client = client.pool_idle_timeout(POOL_IDLE).tcp_keepalive(KEEPALIVE);
            client
                .redirect(reqwest::redirect::Policy::none())
                .connect_timeout(CONNECT_TIMEOUT)
                .timeout(TIMEOUT)
        })?;
        let start = Instant::now();
        let turns = Turns::new(move || start.elapsed());
        Ok(Self { runners, http, client: OnceCell::new(), turns })
    }

    pub(super) fn target(&self) -> &Target {
        self.runners.scope().target()
    }

    pub(super) fn work_folder(&self) -> &str {
        self.runners.work_folder()
    }

    /// Waits until GitHub takes one more registration.
    ///
    /// # Errors
    /// `Throttled` when that would be too long to wait here; nothing was sent.
    pub(super) async fn turn_to_register(&self, what: &str) -> Result<Registering<'_>, Fault> {
        let turn = self.turns.take(vec![(Registrations, 1)], Urgency::Ordinary, sleep).await;
        turn.map(|turn| Registering { _turn: turn }).map_err(|soon| soon.fault(what, "GitHub"))
    }

    /// The crate's client.
    pub(super) async fn client(&self, what: &str) -> Result<&scaleset::Client, Fault> {
        self.client.get_or_try_init(|| self.connect(what)).await
    }

    /// Calls once.
    pub(super) async fn once<T>(
        &self,
        what: &str,
        call: impl Future<Output = scaleset::Result<T>>,
    ) -> Result<T, Fault> {
        match call.await {
            Ok(answer) => Ok(answer),
            Err(error) => Err(self.explain(what, error).await),
        }
    }

    /// Calls what may be called twice, again if it is not known what came of it.
    pub(super) async fn again<T, F: Future<Output = scaleset::Result<T>>>(
        &self,
        what: &str,
        call: impl Fn() -> F,
    ) -> Result<T, Fault> {
        let once = || self.once(what, call());
        once.retry(patience()).when(|fault: &Fault| fault.class == Class::Unknown).await
    }

    /// What a failure means. GitHub's refusal to let these credentials register runners comes through the
    /// crate without its headers, which alone say what is missing: so the question is put again, by the
    /// client that can tell.
    async fn explain(&self, what: &str, error: scaleset::Error) -> Fault {
        let step = Step::of(&error);
        let fault = fault(&self.runners.client.wire.network, what, step, error);
        if step != Step::Credentials || fault.class != Class::Denied {
            return fault;
        }
        match self.runners.check().await {
            Err(known) if matches!(known.class, Class::Denied | Class::NotFound | Class::Invalid) => {
                Fault { class: Class::Denied, what: what.to_owned(), ..known }
            }
            _ => fault,
        }
    }

    async fn connect(&self, what: &str) -> Result<scaleset::Client, Fault> {
        let scope = self.runners.scope();
        let credentials = match self.runners.client.credentials() {
            Credentials::Token(token) => scaleset::Credentials::personal_access_token(token.expose_secret()),
            Credentials::App(_) if matches!(scope.target(), Target::Enterprise(_)) => {
                return Err(app::not_for_enterprises(what.to_owned()));
            }
            Credentials::App(app) => {
                let signer = OurSigner(Arc::clone(&self.runners));
                scaleset::Credentials::github_app_with_provider(self.installation(app).await?, signer)
            }
        };
        credentials
            .and_then(|credentials| {
                scaleset::Client::builder(scope.url(), credentials)
                    .http_client(self.http.clone())
                    .system_info(SystemInfo::new("fleetfoot").version(env!("CARGO_PKG_VERSION")))
                    // What may be repeated is known here, and not there.
                    .retry_policy(RetryPolicy::none())
                    // A scope takes plain http on this machine alone.
                    .allow_http(scope.api_url().scheme() == "http")
                    .build()
            })
            .map_err(|error| fault(&self.runners.client.wire.network, what, Step::Call, error))
    }

    async fn installation(&self, app: &App) -> Result<i64, Fault> {
        let wire = &self.runners.client.wire;
        let jwt = app::jwt(&app.client_id, app.signer.as_ref(), wire.clock.now()).await?;
        let id = app::installation(wire, app, &jwt).await?;
        i64::try_from(id).map_err(|_| {
            Fault::new(Class::Invalid, "use the GitHub App", format!("it can have no installation {id}"))
                .remedy("correct installation_id, or leave it out")
        })
    }
}

#[cfg(test)]
mod tests {
    use fleetfoot_net::Network;
    use jiff::Timestamp;

    use super::*;
    use crate::auth::Clock;
    use crate::scope::Scope;

    fn connection(scope: Scope) -> Result<Connection, Fault> {
        let clock = Clock::new(|| Timestamp::UNIX_EPOCH);
        let runners =
            GitHubRunners::new(scope, Credentials::token("ghp_x"), clock, &Network::default()).unwrap();
        Connection::new(Arc::new(runners))
    }

    #[test]
    fn every_kind_of_github_is_found_where_the_rest_api_is() {
        for url in [
            "https://github.com/acme",
            "https://github.com/acme/shop",
            "https://github.com/enterprises/acme",
            "https://acme.ghe.com/acme",
            "https://git.acme.dev:8443/acme/shop",
            "http://127.0.0.1:8080/acme",
        ] {
            connection(Scope::parse(url).unwrap()).unwrap();
        }
    }

    #[test]
    fn an_api_address_of_its_own_is_refused() {
        let scope = Scope::parse("https://git.acme.dev/acme").unwrap();
        let scope = scope.with_api_url("https://api.acme.dev").unwrap();
        let refused = connection(scope).unwrap_err();
        assert_eq!(refused.class, Class::Invalid);
        assert!(
            refused.to_string().contains("at https://git.acme.dev/api/v3, and not elsewhere"),
            "{refused}"
        );
    }

    #[tokio::test]
    async fn more_registrations_than_github_takes_are_told_at_once() {
        let connection = connection(Scope::parse("https://github.com/acme").unwrap()).unwrap();
        for _ in 0..1_500 {
            drop(connection.turn_to_register("mint").await.unwrap());
        }
        let Err(told) = connection.turn_to_register("mint").await else { panic!("it was let through") };
        let Class::Throttled { retry_after: Some(wait) } = told.class else { panic!("{told}") };
        assert!((290..=301).contains(&wait.as_secs()), "{wait:?}");
    }
}
