//! A moto of one's own for each test.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fleetfoot_aws::{Aws, Identity, Options, WebIdentity};

/// A program of the Python environment, if there is one that has moto.
fn program(name: &str) -> Option<PathBuf> {
    if let Some(python) = std::env::var_os("FLEETFOOT_PYTHON") {
        let program = Path::new(&python).with_file_name("moto_server");
        assert!(program.is_file(), "{} is not there", program.display());
        return Some(program.with_file_name(name));
    }
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.venv/bin/moto_server");
    program.is_file().then(|| program.with_file_name(name))
}

/// A running moto, ended with the value.
pub(crate) struct Moto {
    child: Child,
    pub url: String,
}

impl Drop for Moto {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Moto {
    /// Starts moto, or a program that is moto with something more.
    pub(crate) async fn start(command: &[&str]) -> Option<Self> {
        let Some(program) = program(command[0]) else {
            println!("skipped: there is no .venv/bin/moto_server, and FLEETFOOT_PYTHON is not set");
            return None;
        };
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut child = Command::new(program)
            .args(&command[1..])
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let errors = BufReader::new(child.stderr.take().unwrap());
        // The pipe must be read, or moto stops when it is full.
        std::thread::spawn(move || errors.lines().map_while(Result::ok).for_each(drop));
        let moto = Self { child, url: format!("http://127.0.0.1:{port}") };
        for _ in 0..300 {
            if tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
                return Some(moto);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("moto did not begin to listen within 30 seconds");
    }

    pub(crate) async fn connect(&self) -> Aws {
        // Never evaluated, but moto wants the form of a JWT.
        let token = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJyZXBvOmFjbWUvc2hvcCJ9.c2ln";
        let role = "arn:aws:iam::123456789012:role/launcher";
        let identity = WebIdentity::new(role, "run-7", move || async move { Ok(token.into()) });
        let options = Options {
            region: Some("eu-west-1".into()),
            endpoint: Some(self.url.clone()),
            ..Options::default()
        };
        Aws::connect(options, Identity::WebIdentity(identity)).await.unwrap()
    }

    /// Does something with the aws command beside moto; gives what it prints.
    pub(crate) async fn aws(&self, args: &[&str]) -> String {
        let program = program("aws").unwrap();
        let output = tokio::process::Command::new(program)
            .args(["--endpoint-url", &self.url, "--region", "eu-west-1"])
            .args(args)
            .env("AWS_ACCESS_KEY_ID", "x")
            .env("AWS_SECRET_ACCESS_KEY", "x")
            .output()
            .await
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Runs a Python program of this folder with these arguments; gives what it prints.
    pub(crate) async fn python(&self, script: &str, args: &[&str]) -> String {
        let output = tokio::process::Command::new(program("python").unwrap())
            .arg(here(script))
            .args(args)
            .output()
            .await
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

/// A file beside this one.
pub(crate) fn here(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/moto").join(name).display().to_string()
}
