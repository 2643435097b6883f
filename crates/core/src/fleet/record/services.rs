//! Services that do what they are asked for, and those that do not.

use jiff::Timestamp;

use super::UNTIL_MENDED;
use crate::fault::{Class, Fault};
use crate::fleet::{Fleet, News, ScopeIndex};
use crate::patience::Service;
use crate::verdict::Verdict;

impl Fleet {
    /// A service did what it was asked for.
    pub(super) fn answers(&mut self, scope: ScopeIndex, service: Service) {
        self.troubles.remove(&(scope, service));
        self.patience.remove(&(scope, service));
    }

    /// A service did not do what it was asked for. That is news if it was not so before.
    pub(super) fn fails(
        &mut self,
        scope: ScopeIndex,
        service: Service,
        fault: &Fault,
        now: Timestamp,
    ) -> Vec<News> {
        let pause = match fault.class {
            Class::Throttled { retry_after } => retry_after,
            Class::Denied | Class::Invalid | Class::NotFound => Some(UNTIL_MENDED),
            _ => None,
        };
        self.patience.entry((scope, service)).or_default().failed(now, pause);
        let why = Verdict::from(fault);
        let before = self.troubles.insert((scope, service), why.clone());
        if before.as_ref() == Some(&why) { Vec::new() } else { vec![News::Trouble { scope, service, why }] }
    }
}
