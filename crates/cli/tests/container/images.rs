//! The images under test, each built once for all tests.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use tempfile::TempDir;

use crate::common::PROGRAM;
use crate::podman;

/// A root file system, with nothing of ours in it.
const SYSTEM: &str = "localhost/system";
/// Stands in for GitHub's image.
pub(crate) const OFFICIAL: &str = "localhost/official";

/// Where Dockerfile and binary are, for builds.
pub(crate) struct Context(TempDir);

impl Context {
    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// The Dockerfile of the project.
    pub(crate) fn dockerfile() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../image/Dockerfile")
    }
}

/// The binary under the name that the Dockerfile looks for, upon the images that are built upon.
pub(crate) static CONTEXT: LazyLock<Context> = LazyLock::new(|| {
    let system = std::env::var("FLEETFOOT_CONTAINER_SYSTEM");
    let system = system.expect("`cargo xtask test --only container` sets FLEETFOOT_CONTAINER_SYSTEM");
    podman::call(&["import", "--quiet", &system, SYSTEM]);
    let context = tempfile::tempdir().unwrap();
    for architecture in ["amd64", "arm64"] {
        // The one that this machine has is the one that is taken.
        fs::hard_link(PROGRAM, context.path().join(format!("fleetfoot-{architecture}")))
            .or_else(|_| {
                fs::copy(PROGRAM, context.path().join(format!("fleetfoot-{architecture}"))).map(drop)
            })
            .unwrap();
    }
    podman::build(OFFICIAL, &here("official.Dockerfile"), context.path(), &[]);
    Context(context)
});

/// The image, by its id.
pub(crate) static RUNNER: LazyLock<String> = LazyLock::new(|| runner("localhost/runner", &[]));

/// The one for read-only root file systems.
pub(crate) static READ_ONLY: LazyLock<String> =
    LazyLock::new(|| runner("localhost/read-only", &["--target=read-only"]));

/// An image of somebody else's, into which the binary was dropped: other user, other folder.
pub(crate) static OTHER: LazyLock<String> =
    LazyLock::new(|| podman::build("localhost/other", &here("other.Dockerfile"), CONTEXT.path(), &[]));

/// Builds the project's Dockerfile.
pub(crate) fn runner(name: &str, options: &[&str]) -> String {
    let base = format!("--build-arg=BASE={OFFICIAL}");
    // All that time does to an image.
    let options = [&[base.as_str(), "--timestamp=0"], options].concat();
    podman::build(name, &Context::dockerfile(), CONTEXT.path(), &options)
}

fn here(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/container").join(name)
}
