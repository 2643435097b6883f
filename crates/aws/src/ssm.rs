//! The stack document's place: an SSM parameter.

use fleetfoot_core::fault::{Class, Fault};
use serde::Deserialize;
use serde_json::json;

use crate::errors::Refusal;
use crate::json_rpc::{Call, JsonRpc};
use crate::signed::Service;

const SSM: Service = Service { name: "ssm", id: "SSM" };

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    parameter: Parameter,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Parameter {
    value: String,
}

pub(crate) async fn parameter(rpc: &JsonRpc<'_>, name: &str) -> Result<String, Fault> {
    let what = format!("read the SSM parameter {name}");
    let call = Call {
        what: &what,
        service: SSM,
        target: "AmazonSSM.GetParameter",
        action: "ssm:GetParameter",
        input: &json!({"Name": name, "WithDecryption": true}),
    };
    rpc.call(&call, |refusal| refused(&what, name, refusal))
        .await
        .map(|answer: Answer| answer.parameter.value)
}

/// SSM's own codes (Systems Manager API Reference, GetParameter).
fn refused(what: &str, name: &str, refusal: &Refusal<'_>) -> Option<Fault> {
    let (class, remedy) = match refusal.code {
        "ParameterNotFound" | "ParameterVersionNotFound" => (
            Class::NotFound,
            format!(
                "there is no parameter {name} in this account and region: check --stack and the region, or \
                 give the document by --stack-file"
            ),
        ),
        "InvalidKeyId" => {
            (Class::Denied, "allow kms:Decrypt on the parameter's key, and see that it is enabled".to_owned())
        }
        "ValidationException" => {
            (Class::Invalid, format!("{name:?} is no name of a parameter: check --stack"))
        }
        _ => return None,
    };
    Some(Fault::new(class, what, refusal.said()).remedy(remedy))
}
