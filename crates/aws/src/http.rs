//! The HTTP client under the AWS SDK, which is the one that everything else here uses.
//!
//! The SDK's own client knows one proxy for all, and would read the rest from the environment by rules of its own,
//! without the exceptions that a task's credentials need.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use fleetfoot_core::fault::{Class, Fault};
use fleetfoot_net::Network;
use reqwest::StatusCode;

use crate::errors;

/// Connect and read timeouts, which clients may differ in.
type Timeouts = (Option<Duration>, Option<Duration>);

/// Clients for the SDK, all on the same network.
pub(crate) struct SdkHttp {
    network: Network,
    made: Mutex<BTreeMap<Timeouts, SharedHttpConnector>>,
}

impl fmt::Debug for SdkHttp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SdkHttp").field("network", &self.network).finish_non_exhaustive()
    }
}

impl SdkHttp {
    pub(crate) fn new(network: Network) -> Self {
        Self { network, made: Mutex::default() }
    }
}

impl HttpClient for SdkHttp {
    fn http_connector(&self, settings: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        let (connect, read) = (settings.connect_timeout(), settings.read_timeout());
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let connector = made.entry((connect, read)).or_insert_with(|| {
            let client = self.network.client(|client| {
                let mut client = client.redirect(reqwest::redirect::Policy::none());
                if let Some(timeout) = connect {
                    client = client.connect_timeout(timeout);
                }
                if let Some(timeout) = read {
                    client = client.read_timeout(timeout);
                }
                client
            });
            let client = client.map_err(Arc::new);
            SharedHttpConnector::new(Connector { client, network: self.network.clone() })
        });
        connector.clone()
    }
}

#[derive(Debug)]
struct Connector {
    /// Or why there is none.
    client: Result<reqwest::Client, Arc<Fault>>,
    network: Network,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (client, network) = (self.client.clone(), self.network.clone());
        HttpConnectorFuture::new(async move {
            let client = client.map_err(|fault| ConnectorError::user(errors::copy(&fault).into()))?;
            send(&client, &network, request).await
        })
    }
}

async fn send(
    client: &reqwest::Client,
    network: &Network,
    request: HttpRequest,
) -> Result<HttpResponse, ConnectorError> {
    let unusable = |error: reqwest::Error| ConnectorError::user(error.into());
    let broken = |error: reqwest::Error| {
        let timeout = error.is_timeout();
        let trouble = network.trouble("AWS", error);
        match trouble.class {
            _ if timeout => ConnectorError::timeout(trouble.into()),
            Class::Unknown => ConnectorError::io(trouble.into()),
            // The same again would end the same way.
            _ => ConnectorError::user(trouble.into()),
        }
    };
    let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
    let body = request.body().bytes().map(<[u8]>::to_vec);
    let body =
        body.ok_or_else(|| ConnectorError::user("no call that is made here streams its body".into()))?;
    let request = request.map(|_| body);
    let answer = client.execute(request.try_into().map_err(unusable)?).await.map_err(broken)?;
    if answer.status() == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
        return Err(ConnectorError::user(network.proxy_refuses(answer.url()).into()));
    }
    // A body in memory would be shown whole by the SDK's log.
    let answer = http::Response::<reqwest::Body>::from(answer).map(SdkBody::from_body_1_x);
    HttpResponse::try_from(answer).map_err(|error| ConnectorError::other(error.into(), None))
}
