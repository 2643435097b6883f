//! A server of releases on loopback, laid out as GitHub's.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;

type Files = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

/// Serves `/releases/download/…` for as long as the test runs.
pub(crate) struct Releases {
    url: String,
    files: Files,
}

impl Releases {
    pub(crate) async fn start() -> Self {
        let files = Files::default();
        let give = async |State(files): State<Files>, Path(path): Path<String>| {
            files.lock().unwrap().get(&path).cloned().ok_or(StatusCode::NOT_FOUND)
        };
        let router = Router::new()
            .route("/releases/download/{*path}", axum::routing::get(give))
            .with_state(files.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/releases", listener.local_addr().unwrap());
        tokio::spawn(async { axum::serve(listener, router).await.unwrap() });
        Self { url, files }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Releases a program for this machine, in the form of the release workflow.
    pub(crate) fn publish(&self, version: &str, program: &str) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fleetfoot");
        fs::write(&path, program).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        let archive = archive();
        let run = |command: &mut Command| {
            let output = command.current_dir(folder.path()).output().unwrap();
            assert!(output.status.success(), "{output:?}");
            output.stdout
        };
        run(Command::new("tar").args(["-czf", &archive, "fleetfoot"]));
        let sums = run(Command::new("sha256sum").arg(&archive));
        let mut files = self.files.lock().unwrap();
        files.insert(format!("v{version}/{archive}"), fs::read(folder.path().join(&archive)).unwrap());
        files.insert(format!("v{version}/SHA256SUMS"), sums);
    }

    /// Changes the archive after it was summed up.
    pub(crate) fn tamper(&self, version: &str) {
        self.files.lock().unwrap().get_mut(&format!("v{version}/{}", archive())).unwrap().push(0);
    }

    /// Takes the archive out of the list of checksums.
    pub(crate) fn forget_checksum(&self, version: &str) {
        self.files
            .lock()
            .unwrap()
            .insert(format!("v{version}/SHA256SUMS"), b"0000  something-else\n".to_vec());
    }
}

/// The archive for this machine.
pub(crate) fn archive() -> String {
    format!("fleetfoot-{}-unknown-linux-gnu.tar.gz", std::env::consts::ARCH)
}
