//! The runner image in real containers: what it is, and what its agent does as PID 1 there.
//!
//! Simulated ECS starts a task by starting a program of this machine. Here that program is podman, and the
//! container it runs is `image/Dockerfile` upon a stand-in for GitHub's image. So it is a whole flow: `fleetfoot
//! start` asks for a task, the agent in the container finds its assignment, and the job really runs as another
//! user in namespaces of its own.
//!
//! `cargo xtask test --only container` prepares a root file system and runs these tests; by themselves they are
//! ignored.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../flows/common/mod.rs"]
#[expect(dead_code, unused_imports, reason = "the flows use the rest of it")]
mod common;

mod built;
mod elsewhere;
mod images;
mod job;
mod podman;
mod stopping;
mod task;
