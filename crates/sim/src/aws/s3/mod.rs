//! S3: buckets of whole objects, with conditional writes. Source: S3 API Reference.
//!
//! Strongly consistent, as the real one is. Versions, multipart uploads, tags and ACLs are left out;
//! what asks for them is refused by name in [`rest`].

mod lifecycle;
pub(crate) mod rest;

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::error::AwsError;
use super::sigv4::sha256_hex;

pub use lifecycle::LifecycleRule;

/// One object.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    /// Its bytes.
    pub(crate) body: Vec<u8>,
    /// Opaque tag, quotes included. Of real objects it is an MD5 sum only in the simplest cases.
    pub(crate) etag: String,
    /// Media type that the writer gave.
    pub(crate) content_type: String,
    /// `x-amz-meta-…` headers that the writer gave.
    pub(crate) metadata: Vec<(String, String)>,
    /// When it was written.
    pub(crate) modified: Timestamp,
}

/// All buckets.
#[derive(Default)]
pub(crate) struct S3 {
    buckets: BTreeMap<String, BTreeMap<String, Object>>,
    lifecycles: BTreeMap<String, Vec<LifecycleRule>>,
    /// Buckets and keys of what was written since somebody asked.
    written: Vec<(String, String)>,
}

/// One page of a listing.
pub(crate) struct Page<'a> {
    /// Keys with their objects, in order.
    pub(crate) objects: Vec<(&'a String, &'a Object)>,
    /// Whether there are more.
    pub(crate) truncated: bool,
}

impl S3 {
    /// Makes a bucket; nothing happens if it is there.
    pub(crate) fn create_bucket(&mut self, name: &str) {
        self.buckets.entry(name.to_owned()).or_default();
    }

    /// Sets the lifecycle rules of a bucket.
    pub(crate) fn set_lifecycle(&mut self, bucket: &str, rules: Vec<LifecycleRule>) {
        self.lifecycles.insert(bucket.to_owned(), rules);
    }

    /// The lifecycle rules of a bucket.
    pub(crate) fn lifecycle(&self, bucket: &str) -> &[LifecycleRule] {
        self.lifecycles.get(bucket).map(Vec::as_slice).unwrap_or_default()
    }

    /// The objects of a bucket.
    pub(crate) fn bucket(&self, name: &str) -> Result<&BTreeMap<String, Object>, AwsError> {
        self.buckets.get(name).ok_or_else(|| no_such_bucket(name))
    }

    /// Writes an object; with `only_new` not over another one. Gives the new tag.
    pub(crate) fn put(
        &mut self,
        bucket: &str,
        key: &str,
        object: Object,
        only_new: bool,
    ) -> Result<String, AwsError> {
        let objects = self.buckets.get_mut(bucket).ok_or_else(|| no_such_bucket(bucket))?;
        if only_new && objects.contains_key(key) {
            return Err(AwsError::new(
                "PreconditionFailed",
                "At least one of the pre-conditions you specified did not hold",
            )
            .status(412)
            .member("Condition", "If-None-Match".into()));
        }
        let etag = object.etag.clone();
        objects.insert(key.to_owned(), object);
        self.written.push((bucket.to_owned(), key.to_owned()));
        Ok(etag)
    }

    /// Buckets and keys of what was written since the last time.
    pub(crate) fn take_written(&mut self) -> Vec<(String, String)> {
        std::mem::take(&mut self.written)
    }

    /// Takes an object out of a bucket.
    pub(crate) fn take(&mut self, bucket: &str, key: &str) -> Option<Vec<u8>> {
        self.buckets.get_mut(bucket)?.remove(key).map(|object| object.body)
    }

    /// Takes an object away; one that is not there is no error.
    pub(crate) fn delete(&mut self, bucket: &str, key: &str) -> Result<(), AwsError> {
        self.buckets.get_mut(bucket).ok_or_else(|| no_such_bucket(bucket))?.remove(key);
        Ok(())
    }

    /// Lists keys with a prefix that come after a key.
    pub(crate) fn list(
        &self,
        bucket: &str,
        prefix: &str,
        after: &str,
        limit: usize,
    ) -> Result<Page<'_>, AwsError> {
        let mut objects: Vec<_> = self
            .bucket(bucket)?
            .iter()
            .filter(|(key, _)| key.starts_with(prefix) && key.as_str() > after)
            .take(limit + 1)
            .collect();
        let truncated = objects.len() > limit;
        objects.truncate(limit);
        Ok(Page { objects, truncated })
    }
}

impl Object {
    /// An object as it is written now.
    pub(crate) fn new(
        body: Vec<u8>,
        content_type: String,
        metadata: Vec<(String, String)>,
        now: Timestamp,
    ) -> Self {
        let etag = format!("\"{}\"", &sha256_hex(&body)[..32]);
        Self { body, etag, content_type, metadata, modified: now }
    }
}

fn no_such_bucket(name: &str) -> AwsError {
    AwsError::new("NoSuchBucket", "The specified bucket does not exist")
        .status(404)
        .member("BucketName", name.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(text: &str) -> Object {
        Object::new(text.into(), "text/plain".into(), vec![], Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn a_conditional_write_is_won_once() {
        let mut s3 = S3::default();
        s3.create_bucket("b");
        s3.put("b", "k", object("first"), true).unwrap();
        let lost = s3.put("b", "k", object("second"), true).unwrap_err();
        assert_eq!((lost.status, lost.code), (412, "PreconditionFailed"));
        assert_eq!(s3.bucket("b").unwrap()["k"].body, b"first");
        s3.put("b", "k", object("third"), false).unwrap();
        assert_eq!(s3.bucket("b").unwrap()["k"].body, b"third");
        s3.delete("b", "k").unwrap();
        s3.delete("b", "k").unwrap();
        s3.put("b", "k", object("again"), true).unwrap();
    }

    #[test]
    fn a_listing_goes_by_pages() {
        let mut s3 = S3::default();
        s3.create_bucket("b");
        for key in ["a/1", "a/2", "a/3", "b/1"] {
            s3.put("b", key, object(key), false).unwrap();
        }
        let first = s3.list("b", "a/", "", 2).unwrap();
        assert_eq!(first.objects.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>(), ["a/1", "a/2"]);
        assert!(first.truncated);
        let second = s3.list("b", "a/", "a/2", 2).unwrap();
        assert_eq!(second.objects.len(), 1);
        assert!(!second.truncated);
        assert_eq!(s3.list("none", "", "", 1).err().unwrap().code, "NoSuchBucket");
    }
}
