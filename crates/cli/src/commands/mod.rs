//! One file per command.

pub mod agent;
pub mod app;
pub mod connect;
pub mod demo;
pub mod doctor;
pub mod logs;
pub mod reap;
pub mod serve;
pub mod sim;
pub mod start;
pub mod status;
pub mod stop;
