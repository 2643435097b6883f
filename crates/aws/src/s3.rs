//! Objects of one bucket: put if absent, get, list, delete; and what S3's refusals mean.

use fleetfoot_core::fault::{Class, Fault};
use jiff::Timestamp;
use serde::Deserialize;

use crate::errors::{self, Refusal};
use crate::signed::{Answer, Service, Signed};
use crate::xml::{self, read_error};

const S3: Service = Service { name: "s3", id: "S3" };

/// 32 bytes of zero in base64: the SHA-256 sum of no body that anybody knows.
const WRONG_SHA256: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/// One bucket.
#[derive(Debug, Clone)]
pub(crate) struct Bucket {
    signed: Signed,
    name: String,
}

/// What came of a conditional put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Put {
    /// It lies there now.
    Done,
    /// Something lay there before.
    Taken,
    /// Another write to the same key was under way; nothing was written.
    Raced,
}

/// What came of a put that S3 had every reason to refuse for its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SpoiltPut {
    /// It was refused for its body, so that nothing else stood against it.
    Refused,
    /// It lies there all the same.
    Taken,
}

/// An object in a list.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Listed {
    pub(crate) key: String,
    pub(crate) last_modified: Timestamp,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListBucketResult {
    is_truncated: bool,
    #[serde(default)]
    next_continuation_token: Option<String>,
    #[serde(default)]
    contents: Vec<Listed>,
}

impl Bucket {
    pub(crate) fn new(signed: Signed, name: String) -> Self {
        Self { signed, name }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Writes an object where none is (S3 User Guide, "Conditional writes"). Sent once.
    pub(crate) async fn put_new(&self, what: &str, key: &str, body: Vec<u8>) -> Result<Put, Fault> {
        let request = http::Request::put(self.address(key))
            .header("if-none-match", "*")
            .header("content-type", "application/json");
        let answer = self.send(what, request, body).await?;
        match answer.status {
            200 | 204 => Ok(Put::Done),
            412 => Ok(Put::Taken),
            409 => Ok(Put::Raced),
            _ => Err(self.refused(what, "s3:PutObject", &answer)),
        }
    }

    /// Tries to write an object, so that S3 says whether it may be written, and so that it is not: the
    /// checksum is that of another body. S3 looks at permissions before it looks at the body.
    pub(crate) async fn put_spoilt(&self, what: &str, key: &str) -> Result<SpoiltPut, Fault> {
        let request = http::Request::put(self.address(key))
            .header("if-none-match", "*")
            .header("x-amz-checksum-sha256", WRONG_SHA256);
        let answer = self.send(what, request, Vec::new()).await?;
        match (answer.status, read_error(&answer.body).code.as_str()) {
            (400, "BadDigest") => Ok(SpoiltPut::Refused),
            (200 | 204, _) => Ok(SpoiltPut::Taken),
            _ => Err(self.refused(what, "s3:PutObject", &answer)),
        }
    }

    /// The bucket's lifecycle rules, as S3 writes them; `None` if it has none.
    pub(crate) async fn lifecycle(&self, what: &str) -> Result<Option<Vec<u8>>, Fault> {
        let address = format!("{}?lifecycle", self.address(""));
        let answer = self.send(what, http::Request::get(address), Vec::new()).await?;
        match (answer.status, read_error(&answer.body).code.as_str()) {
            (200, _) => Ok(Some(answer.body)),
            (404, "NoSuchLifecycleConfiguration") => Ok(None),
            _ => Err(self.refused(what, "s3:GetLifecycleConfiguration", &answer)),
        }
    }

    /// Reads an object; `None` if it is not there or, without list permission, may not be.
    pub(crate) async fn get(&self, what: &str, key: &str) -> Result<Option<Vec<u8>>, Fault> {
        let answer = self.send(what, http::Request::get(self.address(key)), Vec::new()).await?;
        if answer.status == 200 {
            return Ok(Some(answer.body));
        }
        match (answer.status, read_error(&answer.body).code.as_str()) {
            // GetObject without ListBucket says 403 of a missing key (S3 API Reference, GetObject).
            (404, "NoSuchKey") | (403, "AccessDenied") => Ok(None),
            _ => Err(self.refused(what, "s3:GetObject", &answer)),
        }
    }

    /// One page of the keys under a prefix, and the token of the next one (S3 API Reference, ListObjectsV2).
    pub(crate) async fn list(
        &self,
        what: &str,
        prefix: &str,
        page: Option<&str>,
    ) -> Result<(Vec<Listed>, Option<String>), Fault> {
        let mut address =
            format!("{}?list-type=2&prefix={}", self.address(""), encoded(prefix).replace('/', "%2F"));
        if let Some(token) = page {
            let token = encoded(token).replace('/', "%2F");
            address.push_str("&continuation-token=");
            address.push_str(&token);
        }
        let answer = self.send(what, http::Request::get(address), Vec::new()).await?;
        if answer.status != 200 {
            return Err(self.refused(what, "s3:ListBucket", &answer));
        }
        let list: ListBucketResult = xml::read(what, &answer.body)?;
        Ok((list.contents, list.next_continuation_token.filter(|_| list.is_truncated)))
    }

    /// Deletes an object, whether or not it is there.
    pub(crate) async fn delete(&self, what: &str, key: &str) -> Result<(), Fault> {
        let answer = self.send(what, http::Request::delete(self.address(key)), Vec::new()).await?;
        match (answer.status, read_error(&answer.body).code.as_str()) {
            (200 | 204, _) | (404, "NoSuchKey") => Ok(()),
            _ => Err(self.refused(what, "s3:DeleteObject", &answer)),
        }
    }

    async fn send(
        &self,
        what: &str,
        request: http::request::Builder,
        body: Vec<u8>,
    ) -> Result<Answer, Fault> {
        let request = request.body(body).map_err(|error| {
            Fault::new(Class::Invalid, what, format!("the bucket name {:?} makes no address", self.name))
                .because(error)
        })?;
        self.signed.send(what, S3, request).await
    }

    /// The bucket goes into the host name on AWS, unless a dot in it would break the certificate, and into
    /// the path elsewhere (S3 User Guide, "Virtual hosting of buckets").
    fn address(&self, key: &str) -> String {
        let (bucket, key) = (&self.name, encoded(key));
        if let Some(endpoint) = self.signed.custom_endpoint(S3) {
            return format!("{endpoint}/{bucket}/{key}");
        }
        let host = format!("s3.{}.{}", self.signed.region(), self.signed.dns_suffix());
        if bucket.contains('.') {
            format!("https://{host}/{bucket}/{key}")
        } else {
            format!("https://{bucket}.{host}/{key}")
        }
    }

    fn refused(&self, what: &str, action: &str, answer: &Answer) -> Fault {
        let document = read_error(&answer.body);
        let refusal =
            Refusal { code: &document.code, message: &document.message, status: Some(answer.status) };
        let bucket = &self.name;
        let invalid = |remedy: String| Fault::new(Class::Invalid, what, refusal.said()).remedy(remedy);
        match refusal.code {
            "NoSuchBucket" | "InvalidBucketName" => {
                invalid(format!("there is no bucket {bucket}: check mailbox.bucket of the stack document"))
            }
            "PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException" => {
                invalid(format!("the bucket {bucket} is in another region than {}", self.signed.region()))
            }
            // S3 says 503 for "slower, please" too, and then it did nothing.
            "ServiceUnavailable" | "SlowDown" if answer.status == 503 => {
                Fault::new(Class::Throttled { retry_after: None }, what, refusal.said())
                    .remedy("wait a little; S3 limits the rate of calls to one prefix of a bucket")
            }
            _ => errors::classed(what, action, &refusal),
        }
    }
}

/// Percent-encodes all but unreserved characters and slashes, as the signature does it.
fn encoded(key: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    key.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_encoded_as_it_is_signed() {
        assert_eq!(encoded("mailbox/n0-_.~/a b+ü"), "mailbox/n0-_.~/a%20b%2B%C3%BC");
    }
}
