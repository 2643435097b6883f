//! The credentials of a task's role, from the endpoint that ECS has for them: one plain HTTP call.
//!
//! The SDK's default chain would find them, too. But it looks through files first and sets up TLS, for an endpoint
//! that has none, and in an image without certificates it cannot even be set up. The agent waits for nothing but
//! this before it can look into its mailbox.
//!
//! Sources: AWS SDKs and Tools Reference Guide, "Container credential provider"; ECS Developer Guide, "Task IAM role".

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::Credentials;
use backon::Retryable;
use fleetfoot_core::fault::{Class, Fault};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::{Host, Url};

use crate::errors::chain_text;
use crate::signed::patience;

const WHAT: &str = "get the credentials of the task's role";
/// The endpoint is on the task's own machine.
const TIMEOUT: Duration = Duration::from_secs(2);

/// What of the environment says that credentials come from elsewhere: the default chain looks there first.
const ELSEWHERE: [&str; 5] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_PROFILE",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
];

/// Where the credentials of a task's role are.
pub(crate) struct TaskRole {
    http: reqwest::Client,
    address: Url,
    authorization: Authorization,
}

/// What the endpoint wants to see. ECS's own knows the task by its address.
enum Authorization {
    None,
    Token(SecretString),
    /// Read anew each time: it may be renewed.
    File(PathBuf),
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    access_key_id: String,
    secret_access_key: SecretString,
    token: SecretString,
    expiration: Timestamp,
}

impl TaskRole {
    /// The role of the task with this environment; `None` if it has none, or says itself where credentials come
    /// from.
    pub(crate) fn of(look: &dyn Fn(&str) -> Option<String>) -> Option<Self> {
        let look = |name: &str| look(name).filter(|value| !value.is_empty());
        if ELSEWHERE.iter().any(|name| look(name).is_some()) {
            return None;
        }
        let address = match look("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") {
            Some(path) => format!("http://169.254.170.2{path}"),
            None => look("AWS_CONTAINER_CREDENTIALS_FULL_URI")?,
        };
        let address = Url::parse(&address).ok().filter(is_near)?;
        let authorization = if let Some(file) = look("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") {
            Authorization::File(file.into())
        } else {
            look("AWS_CONTAINER_AUTHORIZATION_TOKEN")
                .map_or(Authorization::None, |token| Authorization::Token(token.into()))
        };
        // No proxy reaches it, and no certificates are needed for it, which a slim image may not have.
        let http = reqwest::Client::builder().no_proxy().tls_certs_only([]).timeout(TIMEOUT).build().ok()?;
        Some(Self { http, address, authorization })
    }

    /// Gets new ones.
    ///
    /// # Errors
    /// `Denied` if the endpoint refuses, `Unknown` if it gives no answer.
    pub(crate) async fn credentials(&self) -> Result<Credentials, Fault> {
        let once = || self.ask();
        once.retry(patience()).when(|fault| fault.class == Class::Unknown).await
    }

    async fn ask(&self) -> Result<Credentials, Fault> {
        let broken = |error: reqwest::Error| {
            let why = format!("no answer from {}: {}", self.address, chain_text(&error.without_url()));
            Fault::new(Class::Unknown, WHAT, why).remedy("see whether the task has a role (taskRoleArn)")
        };
        let mut request = self.http.get(self.address.clone());
        match &self.authorization {
            Authorization::None => {}
            Authorization::Token(token) => request = request.header("authorization", token.expose_secret()),
            Authorization::File(file) => {
                let token = std::fs::read_to_string(file).map_err(|error| {
                    Fault::new(Class::Denied, WHAT, format!("{} cannot be read: {error}", file.display()))
                })?;
                request = request.header("authorization", token.trim());
            }
        }
        let answer = request.send().await.map_err(broken)?;
        let status = answer.status();
        let body = answer.bytes().await.map_err(broken)?;
        if !status.is_success() {
            let class = if status.is_server_error() { Class::Unknown } else { Class::Denied };
            let said = String::from_utf8_lossy(&body);
            return Err(Fault::new(
                class,
                WHAT,
                format!("{} answered {status}: {}", self.address, said.trim()),
            ));
        }
        let document: Document = serde_json::from_slice(&body).map_err(|_| {
            // What is wrong with it is not told: it would quote the document.
            Fault::new(Class::Unknown, WHAT, format!("{} gave an answer that is none", self.address))
        })?;
        let expires = u64::try_from(document.expiration.as_second()).unwrap_or_default();
        Ok(Credentials::new(
            document.access_key_id,
            document.secret_access_key.expose_secret(),
            Some(document.token.expose_secret().to_owned()),
            Some(UNIX_EPOCH + Duration::from_secs(expires)),
            "TaskRole",
        ))
    }
}

impl fmt::Debug for TaskRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskRole").field("address", &self.address.as_str()).finish_non_exhaustive()
    }
}

/// Whether it is on the task's own machine, so that the token in plain HTTP goes nowhere else: loopback, or the
/// link-local addresses of ECS and EKS. Others are the chain's affair.
fn is_near(address: &Url) -> bool {
    const LINK_LOCAL: [&str; 3] = ["169.254.170.2", "169.254.170.23", "fd00:ec2::23"];
    let ip: IpAddr = match address.host() {
        Some(Host::Ipv4(ip)) => ip.into(),
        Some(Host::Ipv6(ip)) => ip.into(),
        Some(Host::Domain(_)) | None => return false,
    };
    address.scheme() == "http" && (ip.is_loopback() || LINK_LOCAL.contains(&ip.to_string().as_str()))
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::http::{HeaderMap, StatusCode};
    use axum::routing::get;

    use super::*;

    fn address(pairs: &[(&str, &str)]) -> Option<String> {
        let look = |name: &str| pairs.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
        TaskRole::of(&look).map(|role| role.address.to_string())
    }

    #[test]
    fn ecs_says_where_the_credentials_are() {
        let relative = ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials/1");
        assert_eq!(address(&[relative]).unwrap(), "http://169.254.170.2/v2/credentials/1");
        for near in
            ["http://127.0.0.1:8/x", "http://169.254.170.23/v1/credentials", "http://[fd00:ec2::23]/x"]
        {
            assert_eq!(address(&[("AWS_CONTAINER_CREDENTIALS_FULL_URI", near)]).unwrap(), near);
        }
    }

    #[test]
    fn what_is_elsewhere_is_left_to_the_chain() {
        let full = |uri| address(&[("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri)]);
        for far in ["http://10.0.0.1/x", "https://127.0.0.1/x", "http://localhost/x", "nonsense"] {
            assert_eq!(full(far), None, "{far}");
        }
        assert_eq!(address(&[]), None);
        let relative = ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials/1");
        for name in ELSEWHERE {
            assert_eq!(address(&[relative, (name, "x")]), None, "{name}");
            assert!(address(&[relative, (name, "")]).is_some(), "{name} is not set");
        }
    }

    /// An endpoint with this answer; gives its address.
    async fn endpoint(status: u16, answer: &'static str) -> String {
        let answer = move |headers: HeaderMap| async move {
            let status = StatusCode::from_u16(status).unwrap();
            if headers.get("authorization").is_some_and(|value| value == "a t0ken") {
                (status, answer.to_owned())
            } else {
                (StatusCode::UNAUTHORIZED, "no token".to_owned())
            }
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/role", listener.local_addr().unwrap());
        let server = Router::new().route("/role", get(answer));
        tokio::spawn(async move { axum::serve(listener, server).await });
        address
    }

    async fn credentials(address: String, authorization: (&str, &str)) -> Result<Credentials, Fault> {
        let look = |name: &str| match name {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI" => Some(address.clone()),
            _ => (name == authorization.0).then(|| authorization.1.to_owned()),
        };
        TaskRole::of(&look).unwrap().credentials().await
    }

    const TOKEN: (&str, &str) = ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "a t0ken");
    const ANSWER: &str = r#"{ "RoleArn": "arn:aws:iam::1:role/r", "AccessKeyId": "ASIA1", "SecretAccessKey": "s3cret",
        "Token": "t0ken", "Expiration": "2030-01-01T00:00:10Z" }"#;

    #[tokio::test]
    async fn they_come_with_their_end_for_who_shows_the_token() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "a t0ken\n").unwrap();
        let in_file = ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file.path().to_str().unwrap());
        for authorization in [TOKEN, in_file] {
            let found = credentials(endpoint(200, ANSWER).await, authorization).await.unwrap();
            assert_eq!((found.access_key_id(), found.secret_access_key()), ("ASIA1", "s3cret"));
            assert_eq!(found.session_token(), Some("t0ken"));
            assert_eq!(found.expiry(), Some(UNIX_EPOCH + Duration::from_secs(1_893_456_010)));
        }
        let refused = credentials(endpoint(200, ANSWER).await, ("", "")).await.unwrap_err();
        assert_eq!(refused.class, Class::Denied);
        assert!(refused.to_string().contains("401 Unauthorized: no token"), "{refused}");
    }

    #[tokio::test]
    async fn what_is_none_is_tried_again_and_not_shown() {
        for answer in ["s3cret", r#"{ "SecretAccessKey": "s3cret" }"#] {
            let fault = credentials(endpoint(200, answer).await, TOKEN).await.unwrap_err();
            assert_eq!(fault.class, Class::Unknown);
            assert!(!format!("{fault} {fault:?}").contains("s3cret"), "{fault:?}");
        }
        let fault = credentials(endpoint(500, "later").await, TOKEN).await.unwrap_err();
        assert_eq!(fault.class, Class::Unknown, "{fault}");
    }
}
