//! The whole of the simulated GitHub, without HTTP and without a clock.
//!
//! Everything that happens is a method with the time as an argument. What the world shall hear of it is
//! collected as [`Effect`]s, for whoever holds the state to carry out after the call.

use std::time::Duration;

use jiff::Timestamp;

use super::accounts::Accounts;
use super::config::{GithubConfig, Urls};
use super::entropy::Entropy;
use super::keys::KeyError;
use super::limits::Limits;
use super::logs::LogLinks;
use super::manifests::Manifests;
use super::oidc::Issuer;
use super::runners::Runners;
use super::runs::Runs;
use super::scale_sets::{ActionsTokens, ScaleSets};
use super::secondary::Secondary;
use super::tokens::Tokens;
use crate::events::Event;
use crate::protocol::JobMessage;

/// What is to be done outside because of what happened inside.
pub(crate) enum Effect {
    /// Listeners want to know.
    Event(Event),
    /// Whoever waits shall look again, though there is nothing to tell.
    Wake,
    /// A hosted runner shall do this job.
    RunHosted(Box<JobMessage>),
}

pub(crate) struct State {
    pub(crate) config: GithubConfig,
    pub(crate) urls: Urls,
    pub(crate) entropy: Entropy,
    pub(crate) accounts: Accounts,
    pub(crate) tokens: Tokens,
    pub(crate) limits: Limits,
    pub(crate) secondary: Secondary,
    pub(crate) issuer: Issuer,
    pub(crate) runners: Runners,
    pub(crate) runs: Runs,
    pub(crate) actions_tokens: ActionsTokens,
    pub(crate) scale_sets: ScaleSets,
    pub(crate) log_links: LogLinks,
    pub(crate) manifests: Manifests,
    /// What secrets are sealed for.
    pub(crate) sealing_key: crypto_box::SecretKey,
    pub(crate) sealing_key_id: String,
    /// Every secret that somebody was given.
    secrets: Vec<String>,
    effects: Vec<Effect>,
}

impl State {
    pub(crate) fn new(config: GithubConfig, urls: Urls, seed: u64) -> Result<Self, KeyError> {
        let mut entropy = Entropy::new(seed);
        let mut sealing_key = [0; crypto_box::KEY_SIZE];
        sealing_key.copy_from_slice(&entropy.bytes(crypto_box::KEY_SIZE));
        Ok(Self {
            sealing_key: sealing_key.into(),
            sealing_key_id: entropy.hex(16),
            issuer: Issuer::new(entropy.uuid().to_uppercase())?,
            limits: Limits::new(config.rate_limit),
            secondary: Secondary::new(&config),
            config,
            urls,
            entropy,
            accounts: Accounts::default(),
            tokens: Tokens::default(),
            runners: Runners::default(),
            runs: Runs::default(),
            actions_tokens: ActionsTokens::default(),
            scale_sets: ScaleSets::default(),
            log_links: LogLinks::default(),
            manifests: Manifests::default(),
            secrets: Vec::new(),
            effects: Vec::new(),
        })
    }

    pub(crate) fn emit(&mut self, event: Event) {
        self.effects.push(Effect::Event(event));
    }

    pub(crate) fn effect(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    /// Notes that somebody is given a secret.
    pub(crate) fn hand_out(&mut self, secret: &str) {
        self.secrets.push(secret.to_owned());
    }

    /// Every secret that somebody was given, those included that are worth nothing any more.
    pub(crate) fn handed_out(&self) -> Vec<String> {
        self.secrets.clone()
    }

    /// What is to be done outside since the last call.
    pub(crate) fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// Time passes: whatever has waited too long changes.
    pub(crate) fn tick(&mut self, now: Timestamp) {
        self.tick_queues(now);
        self.tick_runners(now);
        self.tick_jobs(now);
    }
}

/// A time so much later; the end of time where that is beyond it.
pub(crate) fn later(at: Timestamp, by: Duration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// The time itself if it is a whole second, else the next one: headers know no fractions.
pub(crate) fn whole_second(at: Timestamp) -> Timestamp {
    let up = i64::from(at.subsec_nanosecond() > 0);
    Timestamp::from_second(at.as_second() + up).unwrap_or(at)
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
