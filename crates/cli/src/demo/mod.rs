//! The demo: a workflow on simulated GitHub and AWS, with real processes.

pub mod action;
pub mod agent_log;
pub mod reach;
pub mod runners;
pub mod serve;
pub mod source;
pub mod stuck;
pub mod summary;
pub mod troupe;
pub mod view;
pub mod world;
