//! A small client that signs with SigV4: for S3 and all services of which a few calls are used.
//!
//! The SDK crate of S3 alone takes as long to build as all the rest of Fleetfoot, and what other S3 clients
//! report hides the error code on which the agent's poll turns ("not yet" or "these credentials are
//! refused", both 403). The signature itself is computed by AWS's own `aws-sigv4`.

use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::identity::Identity;
use aws_types::service_config::ServiceConfigKey;
use backon::ExponentialBuilder;
use fleetfoot_core::fault::{Class, Fault};
use fleetfoot_net::Network;
use reqwest::StatusCode;

use crate::credentials::Keeper;
use crate::errors::LOOK;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(20);

/// Waits a little longer each time: three more tries within some two seconds.
pub(crate) fn patience() -> ExponentialBuilder {
    ExponentialBuilder::new().with_min_delay(Duration::from_millis(200)).with_max_times(3).with_jitter()
}

/// A service, in the three spellings it goes by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Service {
    /// In host names and signatures: `secretsmanager`.
    pub(crate) name: &'static str,
    /// In `AWS_ENDPOINT_URL_SECRETS_MANAGER` and profiles: `Secrets Manager`.
    pub(crate) id: &'static str,
}

/// Which addresses were set for services.
#[derive(Debug, Clone)]
pub(crate) enum Endpoints {
    /// Those that the SDK finds in variables and profiles.
    Sdk(Box<SdkConfig>),
    /// This one for all of them, if any.
    All(Option<String>),
}

/// Signs and sends.
#[derive(Debug, Clone)]
pub(crate) struct Signed {
    http: reqwest::Client,
    network: Network,
    endpoints: Endpoints,
    keeper: Keeper,
    region: String,
}

/// An answer of any status.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Signed {
    pub(crate) fn new(
        endpoints: Endpoints,
        region: &str,
        keeper: Keeper,
        network: Network,
    ) -> Result<Self, Fault> {
        let http = network.client(|client| {
            // A redirect would need another signature; S3's mean "wrong region", which is to be told.
            client.redirect(reqwest::redirect::Policy::none()).connect_timeout(CONNECT_TIMEOUT)
        })?;
        Ok(Self { http, network, endpoints, keeper, region: region.to_owned() })
    }

    pub(crate) fn region(&self) -> &str {
        &self.region
    }

    /// The address that was set for this service.
    pub(crate) fn custom_endpoint(&self, service: Service) -> Option<String> {
        let set = match &self.endpoints {
            Endpoints::Sdk(config) => {
                let key = ServiceConfigKey::builder()
                    .service_id(service.id)
                    .env("AWS_ENDPOINT_URL")
                    .profile("endpoint_url")
                    .build()
                    .ok()?;
                let own = config.service_config().and_then(|config| config.load_config(key));
                own.or_else(|| config.endpoint_url().map(str::to_owned))
            }
            Endpoints::All(endpoint) => endpoint.clone(),
        };
        set.map(|endpoint| endpoint.trim_end_matches('/').to_owned())
    }

    /// Where the service is: the address that was set for it, else AWS's own in this region.
    pub(crate) fn endpoint(&self, service: Service) -> String {
        self.custom_endpoint(service)
            .unwrap_or_else(|| format!("https://{}.{}.{}", service.name, self.region, self.dns_suffix()))
    }

    /// `amazonaws.com`, or what the partition has instead (AWS General Reference, "Service endpoints").
    pub(crate) fn dns_suffix(&self) -> &'static str {
        match self.region.split('-').next() {
            Some("cn") => "amazonaws.com.cn",
            Some("eusc") => "amazonaws.eu",
            _ => "amazonaws.com",
        }
    }

    /// Sends a request once. The answer may have any status.
    ///
    /// # Errors
    /// The credentials' own fault; `Unknown` when no answer came; `Invalid` when the request cannot be made.
    pub(crate) async fn send(
        &self,
        what: &str,
        service: Service,
        request: http::Request<Vec<u8>>,
    ) -> Result<Answer, Fault> {
        self.send_within(TIMEOUT, what, service, request).await
    }

    /// The same for a call that may take so long, because the service holds it open.
    pub(crate) async fn send_within(
        &self,
        timeout: Duration,
        what: &str,
        service: Service,
        mut request: http::Request<Vec<u8>>,
    ) -> Result<Answer, Fault> {
        self.sign(what, service, &mut request).await?;
        let broken = |error: reqwest::Error| self.network.trouble("AWS", error).into_fault(what, LOOK);
        let mut request: reqwest::Request = request.try_into().map_err(broken)?;
        *request.timeout_mut() = Some(timeout);
        let answer = self.http.execute(request).await.map_err(broken)?;
        if answer.status() == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
            return Err(self.network.proxy_refuses(answer.url()).into_fault(what, LOOK));
        }
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        tracing::debug!(service = service.name, what, status, "AWS answered");
        Ok(Answer { status, headers, body: answer.bytes().await.map_err(broken)?.to_vec() })
    }

    async fn sign(
        &self,
        what: &str,
        service: Service,
        request: &mut http::Request<Vec<u8>>,
    ) -> Result<(), Fault> {
        let identity: Identity = self.keeper.credentials().await?.into();
        let invalid = |error: Box<dyn std::error::Error + Send + Sync>| {
            Fault::new(Class::Invalid, what, "the request cannot be signed").because(error)
        };
        let mut settings = SigningSettings::default();
        if service.name == "s3" {
            // S3 takes the path as it is and wants the body's hash in a header (S3 API Reference,
            // "Authenticating Requests").
            settings.percent_encoding_mode = PercentEncodingMode::Single;
            settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        }
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(service.name)
            // AWS refuses what was not signed within the last minutes, so no other clock would do.
            .time(SystemTime::now())
            .settings(settings)
            .build()
            .map_err(|error| invalid(error.into()))?
            .into();
        let uri = request.uri().to_string();
        let headers: Vec<(String, String)> = request
            .headers()
            .iter()
            .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())))
            .collect();
        let signable = SignableRequest::new(
            request.method().as_str(),
            uri,
            headers.iter().map(|(name, value)| (name.as_str(), value.as_str())),
            SignableBody::Bytes(request.body()),
        )
        .map_err(|error| invalid(error.into()))?;
        let (instructions, _) = sign(signable, &params).map_err(|error| invalid(error.into()))?.into_parts();
        instructions.apply_to_request_http1x(request);
        Ok(())
    }
}
