//! The workflow interpreter: reads a workflow file, refuses what it does not support, and says which
//! jobs are to run when.
//!
//! A [`Workflow`] is a file that was read and checked; a [`Run`] is a state machine without clock and
//! I/O: whoever owns runners asks [`Run::take_ready`] for jobs and reports back with [`Run::complete`].
//! What depends on other jobs is evaluated here; what depends on steps is left to the runner, which uses
//! the same expressions.
//!
//! Turned down: containers, services, JavaScript and Docker actions, reusable workflows of other repositories or in a
//! matrix, concurrency groups. They are refused by name and line before anything runs. Filters of triggers (`branches`,
//! `paths`) are not looked at: the caller decides which event happened.

mod action;
mod begin;
mod call;
pub(crate) mod expression;
mod head;
mod job;
mod layer;
mod load;
mod load_call;
mod load_job;
mod load_steps;
mod matrix;
mod model;
mod permissions;
mod place;
mod problem;
mod published;
mod ready;
mod reference;
mod rerun;
mod run;
mod source;
mod start;
mod yaml;

pub(crate) use action::CompositeAction;
pub use job::{JobBody, Step, StepAction};
pub(crate) use load_steps::DEEPEST_ACTION;
pub use model::Workflow;
pub use permissions::{Access, Permissions};
pub use problem::{LoadError, Problem};
pub(crate) use published::Library;
pub use published::Published;
pub use ready::{JobKey, JobView, QueuedJob, Ready, ReadyState};
pub(crate) use reference::{Reference, Remote, folder};
pub use rerun::Again;
pub use run::Run;
pub use start::{EnvironmentScope, Input, InputKind, Start, StartError};
