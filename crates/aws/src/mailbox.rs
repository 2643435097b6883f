//! The mailbox on S3: how a task that is bound to nobody gets its assignment.
//!
//! Its whole address is in none of our messages: the nonce in it is one of the two halves that keep other
//! tasks out.

use backon::{BackoffBuilder, Retryable};
use fleetfoot_core::assignment::{Assignment, MailboxAddress};
use fleetfoot_core::fault::{Class, Fault};
use fleetfoot_core::ports::{Inbox, Mail, Mailroom, Outbox};
use fleetfoot_net::Network;
use secrecy::{ExposeSecret, SecretString};

use crate::aws::Aws;
use crate::credentials::Keeper;
use crate::s3::{Bucket, Put};
use crate::signed::{Endpoints, Signed, patience};
use crate::task_role::TaskRole;

/// Both sides of the mailbox in one bucket. Which side the caller is on, its IAM policy says.
#[derive(Debug, Clone)]
pub struct S3Mailbox {
    pub(crate) bucket: Bucket,
}

impl S3Mailbox {
    pub(crate) fn new(signed: Signed, bucket: String) -> Self {
        Self { bucket: Bucket::new(signed, bucket) }
    }

    /// The mailbox for the agent of the task with this environment, by the task's role and with nothing of the SDK;
    /// where the task has none, by whatever credentials the SDK finds.
    ///
    /// # Errors
    /// `Invalid` if this machine trusts nobody.
    pub async fn of_task(
        look: &dyn Fn(&str) -> Option<String>,
        region: &str,
        bucket: String,
        network: Network,
    ) -> Result<Self, Fault> {
        let Some(role) = TaskRole::of(look) else {
            return Ok(Aws::from_environment(region, network).await?.mailbox(bucket));
        };
        let set = |name: &str| look(name).filter(|value| !value.is_empty());
        let endpoint = set("AWS_ENDPOINT_URL_S3").or_else(|| set("AWS_ENDPOINT_URL"));
        let signed = Signed::new(Endpoints::All(endpoint), region, Keeper::of_task(role), network)?;
        Ok(Self::new(signed, bucket))
    }

    /// An address in another bucket is somebody else's.
    fn check(&self, what: &str, address: &MailboxAddress) -> Result<(), Fault> {
        if address.bucket == self.bucket.name() {
            return Ok(());
        }
        let why = format!("this mailbox is in the bucket {}", self.bucket.name());
        Err(Fault::new(Class::Invalid, what, why))
    }

    async fn remove(&self, what: &str, address: &MailboxAddress) -> Result<(), Fault> {
        self.check(what, address)?;
        // Deleting twice is as good as once, so it may be repeated without asking what came of the first.
        let once = || self.bucket.delete(what, &address.key);
        once.retry(patience()).when(is_passing).await
    }
}

/// The task's id, which the key ends with.
fn task(address: &MailboxAddress) -> &str {
    address.key.rsplit('/').next().unwrap_or_default()
}

fn is_passing(fault: &Fault) -> bool {
    matches!(fault.class, Class::Unknown | Class::Throttled { .. })
}

impl Outbox for S3Mailbox {
    async fn put(&self, address: &MailboxAddress, assignment: &Assignment) -> Result<(), Fault> {
        let what = format!("put the assignment of {} into the bucket {}", assignment.runner, address.bucket);
        self.check(&what, address)?;
        let document = assignment.to_json();
        let mut pauses = patience().build();
        // The launcher may not read, so after an answer that was lost it cannot look whose object lies
        // there. But the key holds a nonce that only this launch knows: what lies there then is ours.
        let mut perhaps_ours = false;
        loop {
            let body = document.expose_secret().as_bytes().to_vec();
            let put = self.bucket.put_new(&what, &address.key, body).await;
            let fault = match put {
                Ok(Put::Done) => return Ok(()),
                Ok(Put::Taken) if perhaps_ours => return Ok(()),
                Ok(Put::Taken) => {
                    return Err(Fault::new(Class::Conflict, what, "another assignment lies there already"));
                }
                Ok(Put::Raced) => {
                    let retry_after = None;
                    let why = "another write to the same key was under way";
                    Fault::new(Class::Throttled { retry_after }, &what, why)
                }
                Err(fault) if is_passing(&fault) => fault,
                Err(fault) => return Err(fault),
            };
            perhaps_ours |= fault.class == Class::Unknown;
            let Some(pause) = pauses.next() else { return Err(fault) };
            tracing::debug!(%fault, "putting the assignment again");
            tokio::time::sleep(pause).await;
        }
    }

    async fn empty(&self, address: &MailboxAddress) -> Result<(), Fault> {
        self.remove(&format!("empty the mailbox of the task {}", task(address)), address).await
    }
}

impl Inbox for S3Mailbox {
    async fn read(&self, address: &MailboxAddress) -> Result<Option<SecretString>, Fault> {
        let what = format!("read the mailbox in the bucket {}", address.bucket);
        self.check(&what, address)?;
        let Some(body) = self.bucket.get(&what, &address.key).await? else { return Ok(None) };
        let text = String::from_utf8(body)
            .map_err(|_| Fault::new(Class::Invalid, what, "what lies there is no text, so no assignment"))?;
        Ok(Some(text.into()))
    }

    async fn delete(&self, address: &MailboxAddress) -> Result<(), Fault> {
        self.remove(&format!("delete the assignment of the task {}", task(address)), address).await
    }
}

impl Mailroom for S3Mailbox {
    async fn list(&self, prefix: &str) -> Result<Vec<Mail>, Fault> {
        let bucket = self.bucket.name();
        let what = format!("list the mailboxes in the bucket {bucket}");
        let (mut mail, mut next) = (Vec::new(), None);
        loop {
            let page = || self.bucket.list(&what, prefix, next.as_deref());
            let (objects, following) = page.retry(patience()).when(is_passing).await?;
            mail.extend(objects.into_iter().map(|object| Mail {
                address: MailboxAddress { bucket: bucket.to_owned(), key: object.key },
                since: object.last_modified,
            }));
            next = following;
            if next.is_none() {
                return Ok(mail);
            }
        }
    }
}
