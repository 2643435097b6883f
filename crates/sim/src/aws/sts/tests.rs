use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};

use super::super::identity::{OidcProvider, Role};
use super::*;

const ISSUER: &str = "http://127.0.0.1:9/oidc";
const SUBJECT: &str = "repo:acme/app:ref:refs/heads/main";

fn now() -> Timestamp {
    "2026-05-01T10:00:00Z".parse().unwrap()
}

fn key() -> EncodingKey {
    let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let der: aws_lc_rs::encoding::Pkcs8V1Der<'_> = pair.as_der().unwrap();
    let pem = format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        base64::Engine::encode(&base64::engine::general_purpose::STANDARD, der.as_ref())
    );
    EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap()
}

fn keys(key: &EncodingKey) -> JwkSet {
    let mut jwk = Jwk::from_encoding_key(key, Algorithm::RS256).unwrap();
    jwk.common.key_id = Some("one".into());
    JwkSet { keys: vec![jwk] }
}

fn token(key: &EncodingKey, claims: &Value) -> String {
    let header = Header { kid: Some("one".into()), ..Header::new(Algorithm::RS256) };
    jsonwebtoken::encode(&header, claims, key).unwrap()
}

fn claims() -> Value {
    json!({ "iss": ISSUER, "sub": SUBJECT, "aud": "sts.amazonaws.com", "exp": now().as_second() + 300 })
}

fn identities() -> (Identities, Ids) {
    let (mut identities, mut ids) = (Identities::new("123456789012", "eu-west-1"), Ids::new(Some(1)));
    let provider = identities.add_provider(OidcProvider::new(ISSUER));
    assert_eq!(provider, "arn:aws:iam::123456789012:oidc-provider/127.0.0.1:9/oidc");
    let trust = json!({ "Statement": [ {
        "Effect": "Allow", "Principal": { "Federated": provider }, "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": { "StringEquals": { "127.0.0.1:9/oidc:aud": "sts.amazonaws.com" },
                       "StringLike": { "127.0.0.1:9/oidc:sub": "repo:acme/app:*" } } } ] });
    identities.add_role(Role::new("launcher", trust, vec![]), &mut ids).unwrap();
    (identities, ids)
}

fn assume(token: &str, keys: FetchedKeys, extra: &str) -> Result<(Answer, String), AwsError> {
    let (mut identities, mut ids) = identities();
    let body = format!(
        "RoleArn=arn:aws:iam::123456789012:role/launcher&RoleSessionName=run-1&WebIdentityToken={token}{extra}"
    );
    assume_role_with_web_identity(
        &mut identities,
        &mut ids,
        &Form::parse(body.as_bytes()),
        keys,
        &Faults::default(),
        now(),
    )
}

#[test]
fn a_right_token_gets_a_session() {
    let key = key();
    let (answer, arn) =
        assume(&token(&key, &claims()), Some(Ok(keys(&key))), "&DurationSeconds=900").unwrap();
    assert_eq!(arn, "arn:aws:sts::123456789012:assumed-role/launcher/run-1");
    let text = String::from_utf8(answer.body).unwrap();
    assert!(text.contains("<AccessKeyId>ASIA"), "{text}");
    assert!(text.contains("<Expiration>2026-05-01T10:15:00Z</Expiration>"), "{text}");
    assert!(!answer.record.unwrap().to_string().contains("ASIA"));
}

#[test]
fn what_is_wrong_with_a_token_has_a_name() {
    let (key, other) = (key(), key());
    let changed = |name: &str, value: Value| {
        let mut claims = claims();
        claims[name] = value;
        token(&key, &claims)
    };
    let cases = [
        (token(&other, &claims()), "InvalidIdentityToken", "signature"),
        (changed("aud", json!("https://github.com/acme")), "InvalidIdentityToken", "audience"),
        (changed("exp", json!(now().as_second())), "ExpiredTokenException", "expired"),
        (changed("nbf", json!(now().as_second() + 60)), "InvalidIdentityToken", "not valid yet"),
        (changed("iss", json!("https://elsewhere")), "InvalidIdentityToken", "No OpenIDConnect provider"),
        (changed("sub", json!("repo:evil/app:ref:x")), "AccessDenied", "Not authorized to perform"),
        ("not.a.token".to_owned(), "InvalidIdentityToken", "not a valid JWT"),
    ];
    for (token, code, words) in cases {
        let error = assume(&token, Some(Ok(keys(&key))), "").unwrap_err();
        assert_eq!(error.code, code, "{error}");
        assert!(error.message.contains(words), "{error}");
    }
    let rotated = assume(&token(&key, &claims()), Some(Ok(JwkSet { keys: vec![] })), "").unwrap_err();
    assert!(rotated.message.contains("verification key"), "{rotated}");
}

#[test]
fn durations_have_limits() {
    let key = key();
    for (seconds, words) in
        [("899", "greater than or equal to 900"), ("3601", "exceeds the MaxSessionDuration")]
    {
        let extra = format!("&DurationSeconds={seconds}");
        let error = assume(&token(&key, &claims()), Some(Ok(keys(&key))), &extra).unwrap_err();
        assert_eq!(error.code, "ValidationError");
        assert!(error.message.contains(words), "{error}");
    }
}

#[test]
fn the_book_gets_no_token() {
    let form = Form::parse(b"Action=AssumeRoleWithWebIdentity&RoleArn=a&WebIdentityToken=secret");
    assert_eq!(
        form.record(),
        json!({ "Action": "AssumeRoleWithWebIdentity", "RoleArn": "a", "WebIdentityToken": "[redacted]" })
    );
}
