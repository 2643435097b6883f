//! The workflow interpreter.

mod job;

pub use job::{JobBody, Step, StepAction};
