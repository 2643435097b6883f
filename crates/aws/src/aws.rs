//! The door to AWS: one region, one chain of credentials, and from there the services.

use std::time::Duration;

use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::identity::IdentityCache;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use fleetfoot_core::fault::{Class, Fault};
use fleetfoot_net::Network;
use secrecy::SecretString;

use crate::credentials::Keeper;
use crate::ecs::{EcsTasks, EcsTurns};
use crate::events::SqsTaskEvents;
use crate::http::SdkHttp;
use crate::json_rpc::JsonRpc;
use crate::key_import::{self, PrivateKey};
use crate::kms::KmsSigner;
use crate::mailbox::S3Mailbox;
use crate::signed::{Endpoints, Signed};
use crate::web_identity::WebIdentity;
use crate::{secrets, ssm};

/// Where to connect to.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The region; by default from `AWS_REGION` or the AWS profile.
    pub region: Option<String>,
    /// One address for all services; by default `AWS_ENDPOINT_URL`, `AWS_ENDPOINT_URL_<SERVICE>`, the
    /// profile's, or AWS itself.
    pub endpoint: Option<String>,
    /// How AWS is reached from here.
    pub network: Network,
}

/// As whom to connect.
#[derive(Debug)]
pub enum Identity {
    /// Whatever the SDK's default chain finds: environment, profile, container, instance.
    DefaultChain,
    /// A role, through an OIDC token.
    WebIdentity(WebIdentity),
}

/// A connection to AWS in one region.
#[derive(Debug, Clone)]
pub struct Aws {
    config: SdkConfig,
    keeper: Keeper,
    pub(crate) signed: Signed,
    ecs_turns: EcsTurns,
}

impl Aws {
    /// Sets up a connection. Nothing is called until something is needed; see [`Aws::check_credentials`].
    ///
    /// # Errors
    /// `Invalid` without a region or with a malformed role.
    pub async fn connect(options: Options, identity: Identity) -> Result<Self, Fault> {
        let region = region(options.region).await?;
        let http = SharedHttpClient::new(SdkHttp::new(options.network.clone()));
        let loader = || loader(&region, options.endpoint.clone()).http_client(http.clone());
        let keeper = match identity {
            Identity::DefaultChain => Keeper::of_chain(&region, &http).await,
            Identity::WebIdentity(role) => {
                role.check()?;
                let anonymous = loader().no_credentials().load().await;
                Keeper::of_role(role, &anonymous)
            }
        };
        let config = loader().credentials_provider(keeper.clone()).load().await;
        let endpoints = Endpoints::Sdk(Box::new(config.clone()));
        let signed = Signed::new(endpoints, &region, keeper.clone(), options.network)?;
        Ok(Self { config, keeper, signed, ecs_turns: EcsTurns::default() })
    }

    /// A connection as whatever runs here, in this region: the agent's, with its task's role.
    ///
    /// # Errors
    /// As [`Aws::connect`].
    pub async fn from_environment(region: impl Into<String>, network: Network) -> Result<Self, Fault> {
        let options = Options { region: Some(region.into()), endpoint: None, network };
        Self::connect(options, Identity::DefaultChain).await
    }

    /// Gets credentials once, so that a lack of them is told by itself and before anything else.
    ///
    /// # Errors
    /// `Denied` when there are none or the role refuses, which then has a [`TrustRefused`] as its source.
    ///
    /// [`TrustRefused`]: crate::TrustRefused
    pub async fn check_credentials(&self) -> Result<(), Fault> {
        self.keeper.credentials().await.map(drop)
    }

    /// The region.
    pub fn region(&self) -> &str {
        self.signed.region()
    }

    /// The tasks of a cluster, named by name or ARN.
    pub fn tasks(&self, cluster: impl Into<String>) -> EcsTasks {
        EcsTasks::new(&self.config, self.ecs_turns.clone(), cluster.into())
    }

    /// The mailbox in this bucket, for launcher and agent.
    pub fn mailbox(&self, bucket: impl Into<String>) -> S3Mailbox {
        S3Mailbox::new(self.signed.clone(), bucket.into())
    }

    /// The changes of a cluster's tasks, as ECS sends them to this queue. `cluster` is a name or an ARN.
    pub fn task_events(&self, queue_url: impl Into<String>, cluster: &str) -> SqsTaskEvents {
        SqsTaskEvents::new(self.signed.clone(), queue_url.into(), cluster)
    }

    /// The text of an SSM parameter, decrypted if need be: the stack document.
    ///
    /// # Errors
    /// `NotFound` if there is none of this name, `Denied` if it may not be read.
    pub async fn parameter(&self, name: &str) -> Result<String, Fault> {
        ssm::parameter(&JsonRpc::new(&self.signed), name).await
    }

    /// The text of a secret in Secrets Manager, named by ARN or name.
    ///
    /// # Errors
    /// `NotFound` if there is none, `Denied` if it may not be read, `Invalid` if it is binary.
    pub async fn secret(&self, id: &str) -> Result<SecretString, Fault> {
        secrets::secret(&JsonRpc::new(&self.signed), id).await
    }

    /// Signs with the KMS key of this ARN.
    ///
    /// # Errors
    /// `Invalid` if it is no ARN of a key in the connection's region.
    pub fn kms_signer(&self, key: &str) -> Result<KmsSigner, Fault> {
        KmsSigner::new(&self.signed, key)
    }

    /// Makes a KMS key of an App's private key, under this alias (`alias/NAME`), and gives its ARN. A key that
    /// could not be filled is marked for deletion.
    ///
    /// # Errors
    /// `Invalid` if KMS cannot hold such a key, `Denied` without the permissions, `Conflict` if the alias is
    /// taken.
    pub async fn import_into_kms(&self, key: &PrivateKey, alias: &str) -> Result<String, Fault> {
        key_import::into_kms(&JsonRpc::new(&self.signed), key, alias).await
    }

    /// Keeps an App's private key as a secret of this name, and gives its ARN.
    ///
    /// # Errors
    /// `Conflict` if there is such a secret, `Denied` without the permission.
    pub async fn import_into_secrets_manager(&self, pem: &SecretString, name: &str) -> Result<String, Fault> {
        key_import::into_secrets_manager(&JsonRpc::new(&self.signed), pem, name).await
    }
}

/// The region, without asking the instance metadata service: off EC2 that takes seconds to find nothing.
async fn region(given: Option<String>) -> Result<String, Fault> {
    if let Some(region) = given.filter(|region| !region.is_empty()) {
        return Ok(region);
    }
    let chain = RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
        .or_else(ProfileFileRegionProvider::builder().build());
    chain.region().await.map(|region| region.to_string()).ok_or_else(|| {
        Fault::new(Class::Invalid, "connect to AWS", "no region is known")
            .remedy("set AWS_REGION, or name the stack by a file, which has its region in it")
    })
}

fn loader(region: &str, endpoint: Option<String>) -> ConfigLoader {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(5))
        .operation_attempt_timeout(Duration::from_secs(20))
        .operation_timeout(Duration::from_mins(1))
        .build();
    let loader = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(region.to_owned()))
        .timeout_config(timeouts)
        .retry_config(RetryConfig::standard())
        // The keeper caches for all clients alike, those of the SDK and our own.
        .identity_cache(IdentityCache::no_cache());
    match endpoint {
        Some(endpoint) => loader.endpoint_url(endpoint),
        None => loader,
    }
}
