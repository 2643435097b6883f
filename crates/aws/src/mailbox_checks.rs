//! Whether the mailbox would work, found out without putting anything into it.
//!
//! The launcher may put and delete and nothing else, so there is no call that only looks. A deletion of a key
//! that is not there changes nothing and is allowed or refused like any other. A put is made so that S3 has to
//! refuse its body, which it looks at after the permissions: *refused for its body* means *allowed*.

use fleetfoot_core::assignment::MailboxAddress;
use fleetfoot_core::fault::Fault;
use fleetfoot_core::ports::Outbox;
use serde::Deserialize;

use crate::mailbox::S3Mailbox;
use crate::s3::SpoiltPut;
use crate::xml;

/// What becomes of assignments that nobody takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiry {
    /// S3 deletes them after so many days.
    After(u32),
    /// They stay.
    Never,
}

impl S3Mailbox {
    /// Whether assignments may be put into the bucket. `address` must be nobody's.
    ///
    /// # Errors
    /// What S3 says against it: `Denied`, or `Invalid` if there is no such bucket in this region.
    pub async fn check_put(&self, address: &MailboxAddress) -> Result<(), Fault> {
        let what = format!("put assignments into the bucket {}", address.bucket);
        match self.bucket.put_spoilt(&what, &address.key).await? {
            SpoiltPut::Refused => Ok(()),
            // A store that does not look at checksums, which S3 is not, has the empty object now.
            SpoiltPut::Taken => self.empty(address).await,
        }
    }

    /// Whether assignments may be deleted from the bucket. `address` must be nobody's.
    ///
    /// # Errors
    /// As [`S3Mailbox::check_put`].
    pub async fn check_delete(&self, address: &MailboxAddress) -> Result<(), Fault> {
        let what = format!("delete assignments from the bucket {}", address.bucket);
        self.bucket.delete(&what, &address.key).await
    }

    /// What the bucket's lifecycle rules do to objects under this prefix.
    ///
    /// # Errors
    /// `Denied` if the rules may not be read.
    pub async fn expiry(&self, prefix: &str) -> Result<Expiry, Fault> {
        let what = format!("read the lifecycle rules of the bucket {}", self.bucket.name());
        match self.bucket.lifecycle(&what).await? {
            Some(document) => Ok(xml::read::<Lifecycle>(&what, &document)?.expiry(prefix)),
            None => Ok(Expiry::Never),
        }
    }
}

/// The lifecycle document, cut to what is used (S3 API Reference, GetBucketLifecycleConfiguration).
#[derive(Deserialize)]
struct Lifecycle {
    #[serde(rename = "Rule", default)]
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Rule {
    status: String,
    /// Where rules of old have it.
    #[serde(default)]
    prefix: Option<String>,
    #[serde(default)]
    filter: Option<Filter>,
    #[serde(default)]
    expiration: Option<Expiration>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Filter {
    #[serde(default)]
    prefix: Option<String>,
    /// Other conditions, which assignments do not meet: they have no tags and are small.
    #[serde(default)]
    and: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    tag: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    object_size_greater_than: Option<u64>,
    #[serde(default)]
    object_size_less_than: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Expiration {
    #[serde(default)]
    days: Option<u32>,
}

impl Lifecycle {
    fn expiry(&self, prefix: &str) -> Expiry {
        let days =
            self.rules.iter().filter(|rule| rule.is_for(prefix)).filter_map(|r| r.expiration.as_ref()?.days);
        days.min().map_or(Expiry::Never, Expiry::After)
    }
}

impl Rule {
    fn is_for(&self, prefix: &str) -> bool {
        let of_filter = self.filter.as_ref().and_then(|filter| filter.prefix.as_deref());
        let own = of_filter.or(self.prefix.as_deref()).unwrap_or_default();
        let everything = self.filter.as_ref().is_none_or(Filter::has_no_condition);
        self.status == "Enabled" && everything && prefix.starts_with(own)
    }
}

impl Filter {
    fn has_no_condition(&self) -> bool {
        let Self { prefix: _, and, tag, object_size_greater_than, object_size_less_than } = self;
        and.is_none()
            && tag.is_none()
            && object_size_greater_than.is_none()
            && object_size_less_than.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expiry(rules: &str) -> Expiry {
        let document = format!(
            "<?xml version=\"1.0\"?>\n<LifecycleConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
             {rules}</LifecycleConfiguration>"
        );
        xml::read::<Lifecycle>("look", document.as_bytes()).unwrap().expiry("mailbox/")
    }

    #[test]
    fn the_shortest_rule_that_holds_for_the_prefix_counts() {
        let rule = |filter: &str, status: &str, expiration: &str| {
            format!("<Rule><ID>x</ID>{filter}<Status>{status}</Status>{expiration}</Rule>")
        };
        let (week, day) =
            ("<Expiration><Days>7</Days></Expiration>", "<Expiration><Days>1</Days></Expiration>");
        let mail = "<Filter><Prefix>mailbox/</Prefix></Filter>";
        let cases = [
            (rule(mail, "Enabled", day), Expiry::After(1)),
            (rule("<Filter/>", "Enabled", day), Expiry::After(1)),
            (rule("<Filter><Prefix/></Filter>", "Enabled", day), Expiry::After(1)),
            (rule("<Prefix>mail</Prefix>", "Enabled", week), Expiry::After(7)),
            (rule(mail, "Enabled", week) + &rule("<Filter/>", "Enabled", day), Expiry::After(1)),
            (rule(mail, "Disabled", day), Expiry::Never),
            (rule("<Filter><Prefix>mailbox/old/</Prefix></Filter>", "Enabled", day), Expiry::Never),
            (rule("<Filter><Tag><Key>k</Key><Value>v</Value></Tag></Filter>", "Enabled", day), Expiry::Never),
            (
                rule(
                    mail,
                    "Enabled",
                    "<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation>\
                     </AbortIncompleteMultipartUpload>",
                ),
                Expiry::Never,
            ),
            (String::new(), Expiry::Never),
        ];
        for (rules, expected) in cases {
            assert_eq!(expiry(&rules), expected, "{rules}");
        }
    }
}
