//! The place of an App's private key: a secret in Secrets Manager.

use fleetfoot_core::fault::{Class, Fault};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::json;

use crate::errors::Refusal;
use crate::json_rpc::{Call, JsonRpc};
use crate::signed::Service;

pub(crate) const SECRETS_MANAGER: Service = Service { name: "secretsmanager", id: "Secrets Manager" };

#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "SecretString")]
    text: Option<SecretString>,
}

pub(crate) async fn secret(rpc: &JsonRpc<'_>, id: &str) -> Result<SecretString, Fault> {
    let what = format!("read the secret {id}");
    let call = Call {
        what: &what,
        service: SECRETS_MANAGER,
        target: "secretsmanager.GetSecretValue",
        action: "secretsmanager:GetSecretValue",
        input: &json!({"SecretId": id}),
    };
    let answer: Answer = rpc.call(&call, |refusal| refused(&what, refusal)).await?;
    answer.text.ok_or_else(|| {
        Fault::new(Class::Invalid, what, "the secret is binary")
            .remedy("store the PEM as text (SecretString), not as binary")
    })
}

/// The service's own codes (Secrets Manager API Reference, GetSecretValue and CreateSecret).
pub(crate) fn refused(what: &str, refusal: &Refusal<'_>) -> Option<Fault> {
    let (class, remedy) = match refusal.code {
        "ResourceNotFoundException" => {
            (Class::NotFound, "check the ARN in github.app.key of the stack document, and the region")
        }
        "ResourceExistsException" => {
            (Class::Conflict, "choose another name, or delete the secret of this name first")
        }
        "InvalidRequestException" => (Class::Invalid, "the secret may be marked for deletion: restore it"),
        "DecryptionFailure" | "DecryptionFailureException" => {
            (Class::Denied, "allow kms:Decrypt on the secret's key, and see that it is enabled")
        }
        _ => return None,
    };
    Some(Fault::new(class, what, refusal.said()).remedy(remedy))
}
