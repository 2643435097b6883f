//! How this machine reaches others: through which proxy, and whose certificates it trusts.
//!
//! Every HTTP client of Fleetfoot is made here, so that GitHub, AWS, the OIDC service and the mailbox all go the
//! same way, from a workflow's job, a laptop and a task alike. What a variable says is read once and refused by its
//! name if it cannot be used; a way that does not lead there is explained, with the proxy that was on it.
//!
//! It reads no environment: the binary hands its variables in.

mod authorities;
mod network;
mod proxies;
mod trouble;
mod trust;

pub use network::{InvalidSetting, Network};
pub use proxies::Proxy;
pub use trouble::Trouble;
