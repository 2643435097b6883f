//! The stand-in for GitHub's runner: same lines, same exit codes, same behaviour of steps.
//!
//! [`run`] is what the program `bin/Runner.Listener run` does; [`execute`] is the part that runs one job,
//! which the simulated GitHub also uses for its own hosted runners. It leaves out containers, updates of itself, and
//! downloads: actions of other repositories are copied from where the message says that their files are.

mod checkout;
mod commands;
mod composite;
mod config;
mod files;
mod host;
mod job;
mod listener;
mod log;
mod machine;
mod mask;
mod orphans;
mod process;
mod run_step;
mod script;
mod shutdown;
mod steps;
mod terminal;
mod uses;
mod wire;

pub use host::{HostOptions, Reporter};
pub use job::execute;
pub use listener::{Options, VERSION, run};
