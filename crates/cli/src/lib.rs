//! The binary's parts: one file per command, the engine's loop, and what a user sees.
//!
//! Only this crate prints, exits, and reads the environment and the wall clock.

pub mod account;
pub mod args;
pub mod cancel;
pub mod commands;
pub mod demo;
pub mod engine;
pub mod failure;
mod github_credentials;
pub mod lines;
pub mod network;
pub mod order;
pub mod outputs;
pub mod progress;
pub mod report;
pub mod serve;
mod trust;
pub mod variables;
