//! Faults: what goes wrong in the simulators on demand, by name and reproducibly.
//!
//! One [`Faults`] handle is given to both simulators at their start. They ask it at the places where the
//! real service could fail; it answers by the faults that are armed, and keeps a list of those that
//! fired. A fault has a text form, so that a flag, a control address and a failing test's last line all
//! speak alike:
//!
//! ```text
//! name[:argument[:argument…]][*[COUNT]][@PROBABILITY][+SKIP]
//! ```
//!
//! It fires once. `*3` makes it fire three times and `*` every time; `@0.2` makes it fire at a fifth of
//! its opportunities; `+2` lets the first two pass. `any` stands for every operation
//! or provider. [`catalogue`] lists the names. Several faults are separated by white space or commas, and
//! `seed=7` among them fixes the dice:
//!
//! ```
//! use fleetfoot_sim::faults::{FaultPlan, Faults};
//!
//! let plan: FaultPlan = "seed=7 no-capacity:FARGATE_SPOT* lost-answer:RunTask github-502@0.1".parse()?;
//! assert_eq!(plan.to_string().parse::<FaultPlan>()?, plan);
//! let faults = Faults::new(plan);
//! faults.inject("jit-409".parse()?);
//! assert!(faults.fired().is_empty());
//! # Ok::<(), fleetfoot_sim::faults::FaultError>(())
//! ```
//!
//! The same seed, the same faults and the same order of calls give the same outcome: every fault has dice
//! of its own, so what one fault does changes nothing for the others.

mod arguments;
mod aws;
mod catalogue;
mod control;
mod error;
mod fault;
mod github;
mod kind;
mod plan;
mod target;
mod words;

pub use catalogue::{Entry, catalogue};
pub use control::Control;
pub use error::FaultError;
pub use fault::{Fault, When};
pub use kind::FaultKind;
pub use plan::{Armed, FaultPlan, Faults, Fired};
pub use target::Target;
pub use words::{
    Breakage, Deletion, Delivery, LimitStatus, Moment, NoSession, OidcRefusal, S3Failure, ServiceToken,
    StartFailure,
};

pub(crate) use aws::{Chosen, Ending, Fate};
pub(crate) use github::Limit;
pub(crate) use target::github_operation;
