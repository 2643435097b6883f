//! Calls in AWS's JSON protocol, for services of which only a call or two are used: an SDK crate each would
//! cost minutes of building for one request and one answer.
//!
//! Most calls made here are reads, which are repeated when AWS is busy or the way is broken.

use std::time::Duration;

use backon::Retryable;
use fleetfoot_core::fault::{Class, Fault};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::errors::{self, Refusal};
use crate::signed::{Answer, Service, Signed, patience};

/// One call: what it is for, and what it needs.
pub(crate) struct Call<'a> {
    /// As the sentence "cannot …" goes on.
    pub(crate) what: &'a str,
    pub(crate) service: Service,
    /// `AmazonSSM.GetParameter`.
    pub(crate) target: &'static str,
    /// The IAM action it needs.
    pub(crate) action: &'static str,
    pub(crate) input: &'a Value,
}

/// The protocol over the signing client.
pub(crate) struct JsonRpc<'a> {
    signed: &'a Signed,
}

#[derive(Default, Deserialize)]
struct ErrorBody {
    #[serde(default, rename = "__type")]
    kind: String,
    #[serde(default, alias = "Message")]
    message: String,
}

impl<'a> JsonRpc<'a> {
    pub(crate) fn new(signed: &'a Signed) -> Self {
        Self { signed }
    }

    /// Calls; `table` knows the codes of the one service.
    pub(crate) async fn call<T: DeserializeOwned>(
        &self,
        call: &Call<'_>,
        table: impl Fn(&Refusal<'_>) -> Option<Fault>,
    ) -> Result<T, Fault> {
        let once = || self.send(call, &table);
        let passing = |fault: &Fault| matches!(fault.class, Class::Unknown | Class::Throttled { .. });
        read(call.what, &once.retry(patience()).when(passing).await?)
    }

    /// Calls what must not be done twice.
    pub(crate) async fn call_once<T: DeserializeOwned>(
        &self,
        call: &Call<'_>,
        table: impl Fn(&Refusal<'_>) -> Option<Fault>,
    ) -> Result<T, Fault> {
        read(call.what, &self.send(call, &table).await?)
    }

    /// Calls once what the service may hold open for so long.
    pub(crate) async fn poll<T: DeserializeOwned>(
        &self,
        call: &Call<'_>,
        timeout: Duration,
        table: impl Fn(&Refusal<'_>) -> Option<Fault>,
    ) -> Result<T, Fault> {
        let request = self.request(call)?;
        let answer = self.signed.send_within(timeout, call.what, call.service, request).await?;
        read(call.what, &accepted(call, answer, table)?)
    }

    async fn send(
        &self,
        call: &Call<'_>,
        table: impl Fn(&Refusal<'_>) -> Option<Fault>,
    ) -> Result<Vec<u8>, Fault> {
        let answer = self.signed.send(call.what, call.service, self.request(call)?).await?;
        accepted(call, answer, table)
    }

    fn request(&self, call: &Call<'_>) -> Result<http::Request<Vec<u8>>, Fault> {
        let endpoint = self.signed.endpoint(call.service);
        // SQS alone speaks 1.0; the two differ in nothing that is used here.
        let version = if call.service.name == "sqs" { "1.0" } else { "1.1" };
        http::Request::post(format!("{endpoint}/"))
            .header("content-type", format!("application/x-amz-json-{version}"))
            .header("x-amz-target", call.target)
            .body(call.input.to_string().into_bytes())
            .map_err(|error| {
                Fault::new(Class::Invalid, call.what, format!("the endpoint {endpoint:?} is no address"))
                    .because(error)
            })
    }
}

/// Reads an answer; none at all is `null`.
fn read<T: DeserializeOwned>(what: &str, body: &[u8]) -> Result<T, Fault> {
    let body = if body.is_empty() { b"null" } else { body };
    // Only the place is told: the text could quote a secret.
    serde_json::from_slice(body).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        let why = format!("the answer cannot be read (line {line}, column {column})");
        Fault::new(Class::Unknown, what, why)
    })
}

fn accepted(
    call: &Call<'_>,
    answer: Answer,
    table: impl Fn(&Refusal<'_>) -> Option<Fault>,
) -> Result<Vec<u8>, Fault> {
    if answer.status == 200 { Ok(answer.body) } else { Err(refused(call, &answer, table)) }
}

fn refused(call: &Call<'_>, answer: &Answer, table: impl Fn(&Refusal<'_>) -> Option<Fault>) -> Fault {
    // A proxy's answer is often no JSON; then the status has to do.
    let body: ErrorBody = serde_json::from_slice(&answer.body).unwrap_or_default();
    let header = answer.headers.get("x-amzn-errortype").and_then(|value| value.to_str().ok());
    let refusal = Refusal {
        code: bare(header.unwrap_or(&body.kind)),
        message: &body.message,
        status: Some(answer.status),
    };
    table(&refusal).unwrap_or_else(|| errors::classed(call.what, call.action, &refusal))
}

/// The code in `com.amazonaws.ssm#ParameterNotFound:http://…` (AWS JSON protocol, "Operation error
/// serialization").
fn bare(kind: &str) -> &str {
    let kind = kind.split(':').next().unwrap_or_default();
    kind.rsplit('#').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_from_every_spelling() {
        for kind in
            ["ParameterNotFound", "com.amazonaws.ssm#ParameterNotFound", "ParameterNotFound:http://x/"]
        {
            assert_eq!(bare(kind), "ParameterNotFound");
        }
        assert_eq!(bare(""), "");
    }
}
