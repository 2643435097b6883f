//! How this process reaches GitHub and AWS: the proxies and certificates that its environment names.

use fleetfoot_net::{InvalidSetting, Network};

use crate::failure::{Failure, as_sentence};

/// The network as the environment describes it.
pub fn network() -> Result<Network, Failure> {
    Ok(Network::from_vars(|name| std::env::var(name).ok())?)
}

impl From<InvalidSetting> for Failure {
    fn from(setting: InvalidSetting) -> Self {
        let sentence = setting.to_string();
        Self::usage(sentence, as_sentence(setting.remedy))
    }
}
