//! The one chain of credentials that all clients share.
//!
//! The [`Keeper`] wraps the SDK's default chain, a role assumed by an OIDC token, or a task's role. It keeps what it got
//! until shortly before it ends, and says what is wrong in our words, which survive the trip through the
//! SDK's own errors.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::provider_config::ProviderConfig;
use aws_config::{Region, SdkConfig, imds};
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use fleetfoot_core::fault::{Class, Fault};
use tokio::sync::Mutex;

use crate::errors::{chain_text, fault_below};
use crate::task_role::TaskRole;
use crate::web_identity::{AssumeRole, WebIdentity};

const WHAT: &str = "get AWS credentials";

/// Credentials are renewed when they have less than this left.
const MARGIN: Duration = Duration::from_mins(5);

#[derive(Debug)]
enum Source {
    Chain(Box<DefaultCredentialsChain>),
    Role(AssumeRole),
    Task(TaskRole),
}

#[derive(Debug)]
struct Kept {
    source: Source,
    // Held while new credentials are got, so that many callers get them once. `Credentials` hide
    // themselves from `Debug`.
    current: Mutex<Option<Credentials>>,
}

/// Gets credentials and keeps them while they last.
#[derive(Debug, Clone)]
pub(crate) struct Keeper(Arc<Kept>);

impl Keeper {
    /// The SDK's default chain.
    pub(crate) async fn of_chain(region: &str, http: &SharedHttpClient) -> Self {
        let region = Region::new(region.to_owned());
        let provider =
            ProviderConfig::without_region().with_region(Some(region.clone())).with_http_client(http.clone());
        // The instance metadata service comes last in the chain. Where it is, it answers at once; where it
        // is not, the default patience costs many seconds before "no credentials" can be told.
        let imds = imds::Client::builder()
            .configure(&provider)
            .max_attempts(1)
            .connect_timeout(Duration::from_secs(1))
            .build();
        let chain = DefaultCredentialsChain::builder()
            .configure(provider)
            .region(region)
            .imds_client(imds)
            .build()
            .await;
        Self::new(Source::Chain(Box::new(chain)))
    }

    /// A role. `anonymous` says where STS is.
    pub(crate) fn of_role(role: WebIdentity, anonymous: &SdkConfig) -> Self {
        Self::new(Source::Role(AssumeRole::new(role, anonymous)))
    }

    /// The role of the task that this runs in.
    pub(crate) fn of_task(role: TaskRole) -> Self {
        Self::new(Source::Task(role))
    }

    fn new(source: Source) -> Self {
        Self(Arc::new(Kept { source, current: Mutex::new(None) }))
    }

    /// Credentials with some life left in them.
    pub(crate) async fn credentials(&self) -> Result<Credentials, Fault> {
        let mut current = self.0.current.lock().await;
        let now = SystemTime::now();
        if let Some(kept) = current.as_ref().filter(|kept| lasts(kept, now + MARGIN)) {
            return Ok(kept.clone());
        }
        match self.0.source.get().await {
            Ok(new) => Ok(current.insert(new).clone()),
            // The old ones still work for a while; the next call tries again.
            Err(fault) if current.as_ref().is_some_and(|kept| lasts(kept, now)) => {
                tracing::warn!(%fault, "AWS credentials could not be renewed yet");
                current.clone().ok_or(fault)
            }
            Err(fault) => Err(fault),
        }
    }
}

fn lasts(credentials: &Credentials, until: SystemTime) -> bool {
    credentials.expiry().is_none_or(|end| until < end)
}

impl Source {
    async fn get(&self) -> Result<Credentials, Fault> {
        match self {
            Self::Chain(chain) => chain.provide_credentials().await.map_err(no_credentials),
            Self::Role(role) => role.assume().await,
            Self::Task(role) => role.credentials().await,
        }
    }
}

fn no_credentials(error: CredentialsError) -> Fault {
    if let Some(fault) = fault_below(&error) {
        return fault;
    }
    let (class, why) = match &error {
        CredentialsError::CredentialsNotLoaded(_) => (Class::Denied, "there are none here".to_owned()),
        CredentialsError::ProviderTimedOut(_) => (Class::Unknown, chain_text(&error)),
        CredentialsError::InvalidConfiguration(_) => (Class::Invalid, chain_text(&error)),
        _ => (Class::Denied, chain_text(&error)),
    };
    Fault::new(class, WHAT, why)
        .remedy(
            "in a workflow, name a role (--role, or launcher_role in the stack document) and give the job \
             `permissions: id-token: write`; elsewhere set AWS_PROFILE or AWS_ACCESS_KEY_ID and \
             AWS_SECRET_ACCESS_KEY",
        )
        .because(error)
}

impl ProvideCredentials for Keeper {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            self.credentials().await.map_err(CredentialsError::provider_error)
        })
    }
}
