//! An open queue.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use fleetfoot_core::fault::{Class, Fault};
use fleetfoot_core::scale_sets::{Demand, Message, MessageId, RequestId, ScaleSetId, Session};
use scaleset::{JobRequestId, MessageSession};

use super::connection::Connection;
use super::words;

/// A [`Session`] at GitHub.
pub struct GitHubSession {
    connection: Arc<Connection>,
    session: MessageSession,
    scale_set: ScaleSetId,
    opening: Demand,
    /// For a message that tells none.
    latest: Mutex<Demand>,
}

impl fmt::Debug for GitHubSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GitHubSession").field("scale_set", &self.scale_set).finish_non_exhaustive()
    }
}

impl GitHubSession {
    /// Takes a session that GitHub has opened, if it is of use. During incidents GitHub has opened sessions
    /// without a queue (actions/actions-runner-controller#4370); such a one is closed again.
    pub(super) async fn of(
        connection: Arc<Connection>,
        session: MessageSession,
        scale_set: ScaleSetId,
        what: &str,
    ) -> Result<Self, Fault> {
        let info = session.info();
        let opening = info.statistics.as_ref().map(words::demand);
        let usable = opening.filter(|_| !info.message_queue_url.is_empty());
        let opened = Self {
            connection,
            session,
            scale_set,
            opening: usable.unwrap_or_default(),
            latest: Mutex::new(usable.unwrap_or_default()),
        };
        if usable.is_some() {
            return Ok(opened);
        }
        opened.give_up().await;
        Err(Fault::new(Class::Throttled { retry_after: None }, what, "GitHub gives no queue for it just now")
            .remedy("it is tried again; see https://www.githubstatus.com"))
    }

    /// Whether GitHub says where the queue is. It may stop to do so when it renews the queue's token.
    fn has_queue(&self) -> bool {
        !self.session.info().message_queue_url.is_empty()
    }

    /// Closes a session that is of no use, so that another can be opened.
    async fn give_up(&self) {
        if let Err(fault) = self.close().await {
            tracing::debug!(scale_set = self.scale_set.0, %fault, "a session without a queue stays open");
        }
    }

    fn what(&self, verb: &str) -> String {
        format!("{verb} of the scale set {} of {}", self.scale_set, self.connection.target())
    }
}

impl Session for GitHubSession {
    fn opening_demand(&self) -> Demand {
        self.opening
    }

    async fn next(&self, last: Option<MessageId>, capacity: u32) -> Result<Option<Message>, Fault> {
        let last = last.map(|id| scaleset::MessageId(id.0));
        let what = self.what("read the queue");
        if !self.has_queue() {
            self.give_up().await;
            return Err(Fault::new(Class::NotFound, what, "GitHub has renewed its token without an address"));
        }
        let polled = self.connection.once(&what, self.session.get_message(last, capacity)).await?;
        let Some(message) = polled else { return Ok(None) };
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(statistics) = &message.statistics {
            *latest = words::demand(statistics);
        }
        Ok(Some(words::message(message, *latest)))
    }

    async fn acknowledge(&self, id: MessageId) -> Result<(), Fault> {
        let what = self.what(&format!("acknowledge the message {id}"));
        self.connection.again(&what, || self.session.delete_message(scaleset::MessageId(id.0))).await
    }

    async fn acquire(&self, requests: &[RequestId]) -> Result<Vec<RequestId>, Fault> {
        if requests.is_empty() {
            return Ok(Vec::new());
        }
        let requests: Vec<JobRequestId> = requests.iter().map(|id| JobRequestId(id.0)).collect();
        let what = self.what("acquire jobs");
        let acquired = self.connection.again(&what, || self.session.acquire_jobs(&requests)).await?;
        Ok(acquired.into_iter().map(|id| RequestId(id.get())).collect())
    }

    async fn close(&self) -> Result<(), Fault> {
        let what = self.what("close the queue");
        super::gone_is_fine(self.connection.again(&what, || self.session.close()).await)
    }
}
