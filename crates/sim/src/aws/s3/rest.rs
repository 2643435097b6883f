//! S3's REST interface in path style: which request is which operation, what it needs, what it answers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::{Object, S3, lifecycle};
use crate::aws::error::AwsError;
use crate::aws::identity::Caller;
use crate::aws::wire::{Answer, Request, header};
use crate::aws::xml::Writer;

const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

/// Sub-resources and headers that ask for what is not here.
const UNSUPPORTED_QUERY: [&str; 12] = [
    "uploads",
    "uploadId",
    "tagging",
    "acl",
    "versioning",
    "versions",
    "versionId",
    "policy",
    "lifecycle",
    "delimiter",
    "location",
    "partNumber",
];
const UNSUPPORTED_HEADERS: [&str; 6] = [
    "if-match",
    "if-modified-since",
    "if-unmodified-since",
    "x-amz-copy-source",
    "x-amz-tagging",
    "x-amz-acl",
];

/// The operation that a request asks for, with bucket and key.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// The operation's name in the API reference.
    pub(crate) operation: &'static str,
    bucket: String,
    key: String,
}

impl Target {
    /// Reads method, path and query.
    pub(crate) fn of(request: &Request) -> Result<Self, AwsError> {
        let path = request.path.trim_start_matches('/');
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        let (bucket, key) = (percent_decode(bucket)?, percent_decode(key)?);
        let has = |wanted: &str| request.query_pairs().iter().any(|(name, _)| name == wanted);
        let operation = match (request.method.as_str(), bucket.is_empty(), key.is_empty()) {
            ("GET", false, false) => "GetObject",
            ("HEAD", false, false) => "HeadObject",
            ("PUT", false, false) => "PutObject",
            ("DELETE", false, false) => "DeleteObject",
            ("GET", false, true) if has("lifecycle") => "GetBucketLifecycleConfiguration",
            ("GET", false, true) => "ListObjectsV2",
            ("HEAD", false, true) => "HeadBucket",
            ("POST", false, true) if has("delete") => "DeleteObjects",
            (method, ..) => return Err(AwsError::not_simulated(format!("{method} {}", request.path))),
        };
        let asks_for = |name: &&&str| has(name) && operation != "GetBucketLifecycleConfiguration";
        if let Some(name) = UNSUPPORTED_QUERY.iter().find(asks_for) {
            return Err(AwsError::not_simulated(format!("the query parameter {name}")));
        }
        if let Some(name) = UNSUPPORTED_HEADERS.iter().find(|name| request.header(name).is_some()) {
            return Err(AwsError::not_simulated(format!("the header {name}")));
        }
        Ok(Self { operation, bucket, key })
    }

    fn bucket_arn(&self) -> String {
        format!("arn:aws:s3:::{}", self.bucket)
    }

    fn object_arn(&self, key: &str) -> String {
        format!("arn:aws:s3:::{}/{key}", self.bucket)
    }
}

/// Answers a request. `body` is the request's body without its transfer framing.
pub(crate) fn answer(
    s3: &mut S3,
    caller: &Caller,
    target: &Target,
    request: &Request,
    body: Vec<u8>,
    now: Timestamp,
) -> Result<Answer, AwsError> {
    s3.bucket(&target.bucket)?;
    match target.operation {
        "GetObject" | "HeadObject" => get(s3, caller, target, request),
        "PutObject" => put(s3, caller, target, request, body, now),
        "DeleteObject" => {
            allowed(caller, "s3:DeleteObject", &target.object_arn(&target.key))?;
            s3.delete(&target.bucket, &target.key)?;
            Ok(Answer { status: 204, ..Answer::default() })
        }
        "DeleteObjects" => delete_many(s3, caller, target, request, &body),
        "HeadBucket" => {
            allowed(caller, "s3:ListBucket", &target.bucket_arn())?;
            Ok(Answer { status: 200, ..Answer::default() })
        }
        "GetBucketLifecycleConfiguration" => {
            allowed(caller, "s3:GetLifecycleConfiguration", &target.bucket_arn())?;
            lifecycle::answer(s3.lifecycle(&target.bucket), NAMESPACE)
        }
        _ => list(s3, caller, target, request),
    }
}

/// S3 words and numbers its refusals in its own way.
fn allowed(caller: &Caller, action: &str, arn: &str) -> Result<(), AwsError> {
    caller.check(action, arn, &caller.context()).map_err(access_denied)
}

fn access_denied(error: AwsError) -> AwsError {
    AwsError { code: "AccessDenied", status: 403, ..error }
}

fn get(s3: &S3, caller: &Caller, target: &Target, request: &Request) -> Result<Answer, AwsError> {
    allowed(caller, "s3:GetObject", &target.object_arn(&target.key))?;
    let Some(object) = s3.bucket(&target.bucket)?.get(&target.key) else {
        // Who may not list a bucket is not told whether a key is there.
        allowed(caller, "s3:ListBucket", &target.bucket_arn())?;
        return Err(AwsError::new("NoSuchKey", "The specified key does not exist.")
            .status(404)
            .member("Key", target.key.as_str().into()));
    };
    if request.header("if-none-match").is_some_and(|tag| tag == "*" || tag == object.etag) {
        return Ok(Answer { status: 304, headers: vec![header("etag", &object.etag)], ..Answer::default() });
    }
    let mut headers = vec![
        header("etag", &object.etag),
        header("last-modified", object.modified.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()),
        header("content-type", &object.content_type),
        header("accept-ranges", "bytes"),
    ];
    headers.extend(object.metadata.iter().cloned());
    let mut answer = Answer { status: 200, body: object.body.clone(), ..Answer::default() };
    if let Some(range) = request.header("range") {
        let (start, end) = byte_range(range, object.body.len()).ok_or_else(|| {
            AwsError::new("InvalidRange", "The requested range is not satisfiable").status(416)
        })?;
        headers.push(header("content-range", format!("bytes {start}-{}/{}", end - 1, object.body.len())));
        answer.status = 206;
        answer.body = object.body[start..end].to_vec();
    }
    if target.operation == "HeadObject" {
        headers.push(header("content-length", answer.body.len().to_string()));
        answer.body.clear();
    }
    answer.headers = headers;
    Ok(answer)
}

/// `bytes=a-b`, `bytes=a-` or `bytes=-n` as a half-open range.
fn byte_range(header: &str, length: usize) -> Option<(usize, usize)> {
    let (start, end) = header.strip_prefix("bytes=")?.split_once('-')?;
    let (start, end) = match (start, end) {
        ("", suffix) => (length.saturating_sub(suffix.parse().ok()?), length),
        (start, "") => (start.parse().ok()?, length),
        (start, end) => (start.parse().ok()?, length.min(end.parse::<usize>().ok()?.checked_add(1)?)),
    };
    (start < end).then_some((start, end))
}

fn put(
    s3: &mut S3,
    caller: &Caller,
    target: &Target,
    request: &Request,
    body: Vec<u8>,
    now: Timestamp,
) -> Result<Answer, AwsError> {
    allowed(caller, "s3:PutObject", &target.object_arn(&target.key))?;
    if target.key.len() > 1024 {
        return Err(AwsError::new("KeyTooLongError", "Your key is too long"));
    }
    check_sha256(request, &body)?;
    let only_new = match request.header("if-none-match") {
        None => false,
        Some("*") => true,
        Some(_) => return Err(AwsError::not_simulated("If-None-Match with anything but * in a PUT")),
    };
    let content_type = request.header("content-type").unwrap_or("binary/octet-stream").to_owned();
    let metadata =
        request.headers.iter().filter(|(name, _)| name.starts_with("x-amz-meta-")).cloned().collect();
    let etag =
        s3.put(&target.bucket, &target.key, Object::new(body, content_type, metadata, now), only_new)?;
    Ok(Answer { status: 200, headers: vec![header("etag", etag)], ..Answer::default() })
}

fn check_sha256(request: &Request, body: &[u8]) -> Result<(), AwsError> {
    let computed = || STANDARD.encode(Sha256::digest(body));
    match request.header("x-amz-checksum-sha256") {
        Some(given) if given != computed() => {
            Err(AwsError::new("BadDigest", "The SHA256 you specified did not match the calculated checksum."))
        }
        _ => Ok(()),
    }
}

fn delete_many(
    s3: &mut S3,
    caller: &Caller,
    target: &Target,
    request: &Request,
    body: &[u8],
) -> Result<Answer, AwsError> {
    #[derive(Deserialize)]
    struct Delete {
        #[serde(rename = "Object", default)]
        objects: Vec<Key>,
        #[serde(rename = "Quiet", default)]
        quiet: bool,
    }
    #[derive(Deserialize)]
    struct Key {
        #[serde(rename = "Key")]
        key: String,
    }
    let checksummed = |name: &str| name == "content-md5" || name.starts_with("x-amz-checksum-");
    if !request.headers.iter().any(|(name, _)| checksummed(name)) {
        return Err(AwsError::new("InvalidRequest", "Missing required header for this request: Content-MD5"));
    }
    check_sha256(request, body)?;
    let malformed = || AwsError::new("MalformedXML", "The XML you provided was not well-formed");
    let text = std::str::from_utf8(body).map_err(|_| malformed())?;
    let delete: Delete = quick_xml::de::from_str(text).map_err(|_| malformed())?;
    if delete.objects.is_empty() || delete.objects.len() > 1000 {
        return Err(malformed());
    }
    let mut doc = Writer::new();
    doc.open_with("DeleteResult", NAMESPACE);
    for Key { key } in delete.objects {
        match allowed(caller, "s3:DeleteObject", &target.object_arn(&key)) {
            Ok(()) => {
                s3.delete(&target.bucket, &key)?;
                if !delete.quiet {
                    doc.open("Deleted").text("Key", &key).close("Deleted");
                }
            }
            Err(error) => {
                doc.open("Error").text("Key", &key).text("Code", error.code);
                doc.text("Message", &error.message).close("Error");
            }
        }
    }
    doc.close("DeleteResult");
    Ok(Answer::xml(200, "application/xml", doc.finish()))
}

fn list(s3: &S3, caller: &Caller, target: &Target, request: &Request) -> Result<Answer, AwsError> {
    if request.query_value("list-type").as_deref() != Some("2") {
        return Err(AwsError::not_simulated("ListObjects in its first version"));
    }
    let prefix = request.query_value("prefix").unwrap_or_default();
    let context = caller.context().with("s3:prefix", &prefix);
    caller.check("s3:ListBucket", &target.bucket_arn(), &context).map_err(access_denied)?;
    let limit = match request.query_value("max-keys").map(|text| text.parse::<usize>()) {
        None => 1000,
        Some(Ok(limit)) => limit.min(1000),
        Some(Err(_)) => {
            return Err(AwsError::new(
                "InvalidArgument",
                "Provided max-keys not an integer or within integer range",
            ));
        }
    };
    let after = match request.query_value("continuation-token") {
        Some(token) => {
            STANDARD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(|| {
                AwsError::new("InvalidArgument", "The continuation token provided is incorrect")
            })?
        }
        None => request.query_value("start-after").unwrap_or_default(),
    };
    let encode = request.query_value("encoding-type").as_deref() == Some("url");
    let page = s3.list(&target.bucket, &prefix, &after, limit)?;
    let mut doc = Writer::new();
    doc.open_with("ListBucketResult", NAMESPACE).text("Name", &target.bucket).text("Prefix", &prefix);
    if encode {
        doc.text("EncodingType", "url");
    }
    doc.text("KeyCount", &page.objects.len().to_string()).text("MaxKeys", &limit.to_string());
    doc.text("IsTruncated", if page.truncated { "true" } else { "false" });
    if let (true, Some((last, _))) = (page.truncated, page.objects.last()) {
        doc.text("NextContinuationToken", &STANDARD.encode(last));
    }
    for (key, object) in &page.objects {
        let key = if encode { url_encode(key) } else { (*key).clone() };
        doc.open("Contents").text("Key", &key);
        doc.text("LastModified", &object.modified.strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string());
        doc.text("ETag", &object.etag).text("Size", &object.body.len().to_string());
        doc.text("StorageClass", "STANDARD").close("Contents");
    }
    doc.close("ListBucketResult");
    Ok(Answer::xml(200, "application/xml", doc.finish()))
}

fn url_encode(key: &str) -> String {
    url::form_urlencoded::byte_serialize(key.as_bytes()).collect::<String>().replace("%2F", "/")
}

fn percent_decode(text: &str) -> Result<String, AwsError> {
    let invalid = || AwsError::new("InvalidURI", "Couldn't parse the specified URI.");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        if byte == b'%' {
            let digits = tail.get(..2).and_then(|d| std::str::from_utf8(d).ok()).ok_or_else(invalid)?;
            bytes.push(u8::from_str_radix(digits, 16).map_err(|_| invalid())?);
            rest = &tail[2..];
        } else {
            bytes.push(byte);
            rest = tail;
        }
    }
    String::from_utf8(bytes).map_err(|_| invalid())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::aws::identity::{Identities, User};
    use crate::aws::ids::Ids;

    fn caller(statements: &Value) -> Caller {
        let mut identities = Identities::new("1", "eu-west-1");
        let user = User {
            name: "u".into(),
            access_key_id: "K".into(),
            secret_access_key: "S".into(),
            policies: vec![json!({ "Statement": statements })],
        };
        identities.add_user(user, &mut Ids::new(Some(1))).unwrap();
        identities.caller(identities.key("K").unwrap())
    }

    fn call(
        s3: &mut S3,
        caller: &Caller,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Result<Answer, AwsError> {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let request = Request {
            method: method.into(),
            path: path.into(),
            query: query.into(),
            headers: headers.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect(),
            body: vec![],
        };
        let target = Target::of(&request)?;
        answer(s3, caller, &target, &request, b"hello".to_vec(), Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn a_missing_key_is_403_without_the_right_to_list() {
        let mut s3 = S3::default();
        s3.create_bucket("b");
        let object = json!({ "Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*" });
        let bucket = json!({ "Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::b" });
        let blind = call(&mut s3, &caller(&json!([object])), "GET", "/b/k", &[]).unwrap_err();
        assert_eq!((blind.status, blind.code), (403, "AccessDenied"));
        assert!(blind.message.contains("is not authorized to perform: s3:ListBucket"), "{blind}");
        let seeing = call(&mut s3, &caller(&json!([object, bucket])), "GET", "/b/k", &[]).unwrap_err();
        assert_eq!((seeing.status, seeing.code), (404, "NoSuchKey"));
    }

    #[test]
    fn ranges_and_heads() {
        let mut s3 = S3::default();
        s3.create_bucket("b");
        let all = caller(&json!({ "Effect": "Allow", "Action": "s3:*", "Resource": "*" }));
        call(&mut s3, &all, "PUT", "/b/a%20key", &[("content-type", "text/plain")]).unwrap();
        for (range, body) in
            [("bytes=1-2", "el"), ("bytes=3-", "lo"), ("bytes=-2", "lo"), ("bytes=0-99", "hello")]
        {
            let part = call(&mut s3, &all, "GET", "/b/a%20key", &[("range", range)]).unwrap();
            assert_eq!((part.status, part.body.as_slice()), (206, body.as_bytes()), "{range}");
        }
        assert_eq!(
            call(&mut s3, &all, "GET", "/b/a%20key", &[("range", "bytes=9-")]).unwrap_err().status,
            416
        );
        let head = call(&mut s3, &all, "HEAD", "/b/a%20key", &[]).unwrap();
        assert!(head.body.is_empty());
        assert!(head.headers.contains(&header("content-length", "5")));
    }

    #[test]
    fn what_is_not_simulated_is_refused_by_name() {
        let mut s3 = S3::default();
        s3.create_bucket("b");
        let all = caller(&json!({ "Effect": "Allow", "Action": "s3:*", "Resource": "*" }));
        for (method, path, headers) in [
            ("GET", "/b/k?tagging", vec![]),
            ("PUT", "/b/k", vec![("if-match", "x")]),
            ("PUT", "/b/k", vec![("if-none-match", "\"tag\"")]),
            ("POST", "/b/k?uploads", vec![]),
            ("GET", "/", vec![]),
        ] {
            assert_eq!(
                call(&mut s3, &all, method, path, &headers).unwrap_err().status,
                501,
                "{method} {path}"
            );
        }
    }
}
