//! Signature Version 4, the verifying side.
//!
//! Source: IAM User Guide, "Create a signed AWS API request", and S3 API Reference, "Signature
//! Calculations for the Authorization Header". Only the Authorization header is read: a presigned URL
//! is refused by name where it arrives.

pub(crate) mod chunked;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::wire::Request;

/// The only algorithm there is here.
pub(crate) const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// The parts of an `Authorization` header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Authorization {
    /// Id of the access key.
    pub(crate) access_key: String,
    /// Day of the signing key, `20130524`.
    pub(crate) date: String,
    /// Region of the signing key.
    pub(crate) region: String,
    /// Service of the signing key, `s3`.
    pub(crate) service: String,
    /// Names of the signed headers.
    pub(crate) signed_headers: Vec<String>,
    /// The signature in hexadecimal digits.
    pub(crate) signature: String,
}

impl Authorization {
    /// Reads the header; `None` if it is not one of this algorithm or lacks a part.
    pub(crate) fn parse(header: &str) -> Option<Self> {
        let parts = header.strip_prefix(ALGORITHM)?;
        let part =
            |name: &str| parts.split(',').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='));
        let mut credential = part("Credential")?.rsplitn(5, '/');
        let (end, service, region, date, access_key) = (
            credential.next()?,
            credential.next()?,
            credential.next()?,
            credential.next()?,
            credential.next()?,
        );
        (end == "aws4_request").then_some(())?;
        Some(Self {
            access_key: access_key.to_owned(),
            date: date.to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
            signed_headers: part("SignedHeaders")?.split(';').map(str::to_owned).collect(),
            signature: part("Signature")?.to_owned(),
        })
    }

    /// The credential scope.
    pub(crate) fn scope(&self) -> String {
        format!("{}/{}/{}/aws4_request", self.date, self.region, self.service)
    }

    /// The key that signs this scope's strings.
    pub(crate) fn signing_key(&self, secret: &str) -> Vec<u8> {
        let key = hmac(format!("AWS4{secret}").as_bytes(), &self.date);
        [&self.region, &self.service, "aws4_request"].iter().fold(key, |key, part| hmac(&key, part))
    }
}

/// Whether a request is signed with `secret`. `payload_hash` is what stands for the body.
pub(crate) fn verify(
    request: &Request,
    authorization: &Authorization,
    amz_date: &str,
    payload_hash: &str,
    secret: &str,
) -> bool {
    let canonical = canonical_request(request, authorization, payload_hash);
    let string_to_sign =
        format!("{ALGORITHM}\n{amz_date}\n{}\n{}", authorization.scope(), sha256_hex(canonical.as_bytes()));
    // The comparison need not be constant in time: the simulator guards nothing of worth.
    hex::encode(hmac(&authorization.signing_key(secret), &string_to_sign)) == authorization.signature
}

fn canonical_request(request: &Request, authorization: &Authorization, payload_hash: &str) -> String {
    // S3 signs the path as it is sent; every other service encodes it once more.
    let path = match request.path.as_str() {
        "" => "/".to_owned(),
        path if authorization.service == "s3" => path.to_owned(),
        path => encode(path, false),
    };
    let mut query: Vec<(String, String)> =
        request.query_pairs().iter().map(|(name, value)| (encode(name, true), encode(value, true))).collect();
    query.sort();
    let query: Vec<String> = query.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    let headers: Vec<String> = authorization
        .signed_headers
        .iter()
        .map(|name| {
            let values: Vec<String> = request
                .headers
                .iter()
                .filter(|(n, _)| n == name)
                .map(|(_, value)| value.split_ascii_whitespace().collect::<Vec<_>>().join(" "))
                .collect();
            format!("{name}:{}\n", values.join(","))
        })
        .collect();
    let headers = headers.concat();
    format!(
        "{}\n{path}\n{}\n{headers}\n{}\n{payload_hash}",
        request.method,
        query.join("&"),
        authorization.signed_headers.join(";"),
    )
}

/// AWS's percent-encoding: everything but the unreserved characters, and the slash if `slash`.
fn encode(text: &str, slash: bool) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                char::from(byte).to_string()
            }
            b'/' if !slash => "/".to_owned(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

/// HMAC-SHA256.
pub(crate) fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of every length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// SHA-256 in hexadecimal digits.
pub(crate) fn sha256_hex(data: &[u8]) -> String {
    hex::encode(Sha256::digest(data))
}

#[cfg(test)]
mod tests {
    //! The values are those of AWS's own documentation.
    use super::*;

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

    fn headers(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn s3_authorization(signed: &str, signature: &str) -> Authorization {
        Authorization::parse(&format!(
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,\
             SignedHeaders={signed},Signature={signature}"
        ))
        .unwrap()
    }

    #[test]
    fn the_get_object_example() {
        let empty = sha256_hex(b"");
        let request = Request {
            method: "GET".into(),
            path: "/test.txt".into(),
            headers: headers(&[
                ("host", "examplebucket.s3.amazonaws.com"),
                ("range", "bytes=0-9"),
                ("x-amz-content-sha256", &empty),
                ("x-amz-date", "20130524T000000Z"),
            ]),
            ..Request::default()
        };
        let authorization = s3_authorization(
            "host;range;x-amz-content-sha256;x-amz-date",
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        );
        assert!(verify(&request, &authorization, "20130524T000000Z", &empty, SECRET));
        assert!(!verify(&request, &authorization, "20130524T000000Z", &empty, "another secret"));
        let other = Request { path: "/other.txt".into(), ..request };
        assert!(!verify(&other, &authorization, "20130524T000000Z", &empty, SECRET));
    }

    #[test]
    fn the_put_object_example() {
        let hash = sha256_hex(b"Welcome to Amazon S3.");
        let request = Request {
            method: "PUT".into(),
            path: "/test%24file.text".into(),
            headers: headers(&[
                ("date", "Fri, 24 May 2013 00:00:00 GMT"),
                ("host", "examplebucket.s3.amazonaws.com"),
                ("x-amz-content-sha256", &hash),
                ("x-amz-date", "20130524T000000Z"),
                ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
            ]),
            ..Request::default()
        };
        let authorization = s3_authorization(
            "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        );
        assert!(verify(&request, &authorization, "20130524T000000Z", &hash, SECRET));
    }

    #[test]
    fn the_bucket_listing_example_sorts_its_query() {
        let empty = sha256_hex(b"");
        let request = Request {
            method: "GET".into(),
            path: "/".into(),
            query: "prefix=J&max-keys=2".into(),
            headers: headers(&[
                ("host", "examplebucket.s3.amazonaws.com"),
                ("x-amz-content-sha256", &empty),
                ("x-amz-date", "20130524T000000Z"),
            ]),
            ..Request::default()
        };
        let authorization = s3_authorization(
            "host;x-amz-content-sha256;x-amz-date",
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        );
        assert!(verify(&request, &authorization, "20130524T000000Z", &empty, SECRET));
    }

    #[test]
    fn the_iam_example() {
        let request = Request {
            method: "GET".into(),
            path: "/".into(),
            query: "Action=ListUsers&Version=2010-05-08".into(),
            headers: headers(&[
                ("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
                ("host", "iam.amazonaws.com"),
                ("x-amz-date", "20150830T123600Z"),
            ]),
            ..Request::default()
        };
        let authorization = Authorization::parse(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, \
             SignedHeaders=content-type;host;x-amz-date, \
             Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
        )
        .unwrap();
        let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
        assert!(verify(&request, &authorization, "20150830T123600Z", &sha256_hex(b""), secret));
    }

    #[test]
    fn a_header_of_another_kind_is_none() {
        for header in
            ["Bearer x", "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=c", ALGORITHM]
        {
            assert_eq!(Authorization::parse(header), None, "{header}");
        }
    }
}
