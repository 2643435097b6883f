//! The JIT configuration of a runner.
//!
//! Source of the form: actions/runner, `ConfigurationManager` and `Runner.cs`: base64 of a JSON object from
//! file name to base64 of the file, for `.runner`, `.credentials` and `.credentials_rsaparams`; about 4.5 kB.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::config::Urls;
use super::entropy::Entropy;
use super::runners::Runner;
use crate::protocol::{RunnerCredentials, RunnerSettings};

/// Encodes the files of a runner.
pub(crate) fn encode(runner: &Runner, urls: &Urls, entropy: &mut Entropy) -> String {
    let settings = RunnerSettings {
        agent_id: runner.id,
        agent_name: runner.name.clone(),
        server_url: urls.runner_service(),
        work_folder: runner.work_folder.clone(),
        ephemeral: true,
    };
    let credentials = RunnerCredentials { scheme: "OAuth".into(), token: runner.credential.clone() };
    let files = json!({
        ".runner": file(&json!(settings)),
        ".credentials": file(&json!(credentials)),
        ".credentials_rsaparams": file(&rsa_parameters(entropy)),
    });
    STANDARD.encode(files.to_string())
}

fn file(content: &Value) -> String {
    STANDARD.encode(content.to_string())
}

/// Of the size of a real key of 2,048 bits. Runners of this simulator show their bearer credential instead
/// of signing with it, so random numbers do, and no time is spent on primes.
fn rsa_parameters(entropy: &mut Entropy) -> Value {
    let mut number = |bytes| STANDARD.encode(entropy.bytes(bytes));
    json!({
        "d": number(256),
        "dp": number(128),
        "dq": number(128),
        "exponent": "AQAB",
        "inverseQ": number(128),
        "modulus": number(256),
        "p": number(128),
        "q": number(128),
    })
}
