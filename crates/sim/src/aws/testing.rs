//! Helpers of the unit tests: a client's side of what the simulator verifies.

use jiff::Timestamp;

use super::sigv4::{Authorization, hmac, sha256_hex};
use super::wire::Request;

/// Signs a request without query as a client would, all its headers included.
pub(crate) fn sign(
    request: &mut Request,
    key: &str,
    secret: &str,
    token: Option<&str>,
    service: &str,
    now: Timestamp,
) {
    let amz_date = now.strftime("%Y%m%dT%H%M%SZ").to_string();
    let hash = sha256_hex(&request.body);
    request.headers.push(("x-amz-content-sha256".to_owned(), hash.clone()));
    request.headers.push(("x-amz-date".to_owned(), amz_date.clone()));
    if let Some(token) = token {
        request.headers.push(("x-amz-security-token".to_owned(), token.to_owned()));
    }
    request.headers.sort();
    let names: Vec<String> = request.headers.iter().map(|(name, _)| name.clone()).collect();
    let lines =
        request.headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect::<Vec<_>>().concat();
    let names = names.join(";");
    let canonical = format!("{}\n{}\n\n{lines}\n{names}\n{hash}", request.method, request.path);
    let credential = format!("{key}/{}/eu-west-1/{service}/aws4_request", &amz_date[..8]);
    let unsigned = format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature=");
    let authorization = Authorization::parse(&unsigned).expect("the header is well-formed");
    let scope = authorization.scope();
    let text = format!("AWS4-HMAC-SHA256\n{amz_date}\n{scope}\n{}", sha256_hex(canonical.as_bytes()));
    let signature = hex::encode(hmac(&authorization.signing_key(secret), &text));
    request.headers.push(("authorization".to_owned(), format!("{unsigned}{signature}")));
}
