//! The Action's own files, for workflows that use it as `OWNER/fleetfoot@VERSION`.
//!
//! They are those of the repository that this program was built from, so what runs in the demo is what runs at GitHub.
//! Whoever is said to own the repository, and whatever version is asked for, it is these. A workflow of this repository
//! can also say `uses: ./`; then they come from its checkout.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use fleetfoot_sim::workflow::Published;

/// What the Action consists of. `Cargo.toml` says which version it is.
const FILES: [(&str, &str, u32); 4] = [
    ("action.yml", include_str!("../../../../action.yml"), 0o644),
    ("stop/action.yml", include_str!("../../../../stop/action.yml"), 0o644),
    ("action/install.sh", include_str!("../../../../action/install.sh"), 0o755),
    ("Cargo.toml", include_str!("../../../../Cargo.toml"), 0o644),
];

/// Writes the files into a folder, which is then the repository `fleetfoot` of any owner.
///
/// # Errors
/// The folder cannot be written.
pub fn publish(folder: &Path) -> io::Result<Published> {
    for (name, text, mode) in FILES {
        let path = folder.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(&path, text)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
    }
    Ok(Published::default().with("*/fleetfoot", folder))
}
