//! An OpenID Connect issuer on loopback for the tests of STS.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use axum::Router;
use axum::response::Json;
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Signs tokens and publishes its key.
pub(crate) struct Issuer {
    /// The `iss` claim.
    pub(crate) url: String,
    key: EncodingKey,
    server: JoinHandle<()>,
}

impl Issuer {
    /// Starts an issuer.
    pub(crate) async fn start() -> Self {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        let pem = format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            STANDARD.encode(der.as_ref())
        );
        let key = EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap();
        let mut jwk = Jwk::from_encoding_key(&key, Algorithm::RS256).unwrap();
        jwk.common.key_id = Some("one".into());
        let keys = json!(JwkSet { keys: vec![jwk] });

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let discovery = json!({ "issuer": url, "jwks_uri": format!("{url}/keys") });
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(async move || Json(discovery.clone())))
            .route("/keys", get(async move || Json(keys.clone())));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, key, server }
    }

    /// A token for `sts.amazonaws.com` that lives five minutes.
    pub(crate) fn token(&self, subject: &str) -> String {
        let claims: Value = json!({ "iss": self.url, "sub": subject, "aud": "sts.amazonaws.com",
                                    "exp": jiff::Timestamp::now().as_second() + 300 });
        let header = Header { kid: Some("one".into()), ..Header::new(Algorithm::RS256) };
        jsonwebtoken::encode(&header, &claims, &self.key).unwrap()
    }

    /// The trust policy of a role that workflows of `acme/app` take, with the issuer under `name`.
    pub(crate) fn trust(name: &str, provider_arn: &str) -> Value {
        json!({ "Version": "2012-10-17", "Statement": [ {
            "Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity", "Principal": { "Federated": provider_arn },
            "Condition": { "StringEquals": { format!("{name}:aud"): "sts.amazonaws.com" },
                           "StringLike": { format!("{name}:sub"): "repo:acme/app:*" } } } ] })
    }

    /// Stops answering.
    pub(crate) async fn stop(&mut self) {
        self.server.abort();
        // An aborted task ends with an error that says so.
        let _ = (&mut self.server).await;
    }
}
