//! An OIDC issuer such as GitHub's: a key, its public half over HTTP, tokens.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use axum::routing::get;
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use secrecy::SecretString;
use serde_json::json;

/// The key's id in tokens and key set.
const KEY_ID: &str = "key-1";

pub(crate) struct Issuer {
    pub(crate) url: String,
    key: EncodingKey,
}

impl Issuer {
    pub(crate) async fn start() -> Self {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let public = pair.public_key();
        let keys = json!({"keys": [{
            "kty": "RSA", "use": "sig", "alg": "RS256", "kid": KEY_ID,
            "n": part(public.modulus().big_endian_without_leading_zero()),
            "e": part(public.exponent().big_endian_without_leading_zero()),
        }]});
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let discovery = json!({"issuer": url, "jwks_uri": format!("{url}/keys")});
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(move || async { Json(discovery) }))
            .route("/keys", get(move || async { Json(keys) }));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let der = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).unwrap();
        Self { url, key: rsa(der.as_ref()) }
    }

    /// A token of five minutes for this subject and audience.
    pub(crate) fn token(&self, subject: &str, audience: &str) -> SecretString {
        let now = jiff::Timestamp::now().as_second();
        let claims = json!({
            "iss": self.url, "sub": subject, "aud": audience, "iat": now, "nbf": now - 5, "exp": now + 300,
        });
        let header = Header { kid: Some(KEY_ID.into()), ..Header::new(Algorithm::RS256) };
        jsonwebtoken::encode(&header, &claims, &self.key).unwrap().into()
    }
}

/// `jsonwebtoken` reads PKCS#8 only as PEM.
fn rsa(pkcs8: &[u8]) -> EncodingKey {
    let body = base64::engine::general_purpose::STANDARD.encode(pkcs8);
    let lines: Vec<&str> =
        body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"));
    EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap()
}
