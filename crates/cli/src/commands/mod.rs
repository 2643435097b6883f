//! One file per command.

pub mod agent;
pub mod demo;
pub mod doctor;
pub mod sim;
pub mod start;
pub mod stop;
