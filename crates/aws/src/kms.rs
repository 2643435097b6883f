//! A GitHub App's private key that stays in KMS: KMS signs, nobody reads it.

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fleetfoot_core::fault::{Class, Fault};
use fleetfoot_core::ports::AppSigner;
use serde::Deserialize;
use serde_json::json;

use crate::errors::Refusal;
use crate::json_rpc::{Call, JsonRpc};
use crate::signed::{Service, Signed};

pub(crate) const KMS: Service = Service { name: "kms", id: "KMS" };

/// The longest message that KMS hashes itself (KMS API Reference, Sign, Message).
const LONGEST_RAW: usize = 4096;

/// Signs with one RSA key of KMS, by `kms:Sign` with RSASSA_PKCS1_V1_5_SHA_256.
#[derive(Debug)]
pub struct KmsSigner {
    signed: Signed,
    key: String,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "Signature")]
    signature: String,
}

impl KmsSigner {
    /// Signs with the key of this ARN, or this alias's ARN. Calls nothing yet.
    ///
    /// # Errors
    /// `Invalid` if the ARN names another region than the connection's, where KMS would not find the key.
    pub(crate) fn new(signed: &Signed, key: &str) -> Result<Self, Fault> {
        let refuse = |why: String| {
            Fault::new(Class::Invalid, format!("sign with the KMS key {key}"), why)
                .remedy("name it as kms:ARN, with the key's ARN in the stack's region")
        };
        match key.split(':').collect::<Vec<_>>()[..] {
            ["arn", _, "kms", region, _, _] if region == signed.region() => {
                Ok(Self { signed: signed.clone(), key: key.to_owned() })
            }
            ["arn", _, "kms", region, _, _] => {
                Err(refuse(format!("the key is in {region}, the stack in {}", signed.region())))
            }
            _ => Err(refuse("this is no ARN of a KMS key".to_owned())),
        }
    }
}

impl AppSigner for KmsSigner {
    async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Fault> {
        let what = format!("sign with the KMS key {}", self.key);
        let (kind, message) = if message.len() <= LONGEST_RAW {
            ("RAW", STANDARD.encode(message))
        } else {
            ("DIGEST", STANDARD.encode(digest::digest(&digest::SHA256, message)))
        };
        let call = Call {
            what: &what,
            service: KMS,
            target: "TrentService.Sign",
            action: "kms:Sign",
            input: &json!({
                "KeyId": self.key,
                "Message": message,
                "MessageType": kind,
                "SigningAlgorithm": "RSASSA_PKCS1_V1_5_SHA_256",
            }),
        };
        let answer: Answer =
            JsonRpc::new(&self.signed).call(&call, |refusal| refused(&what, refusal)).await?;
        STANDARD
            .decode(&answer.signature)
            .map_err(|error| Fault::new(Class::Unknown, what, "KMS's signature is no base64").because(error))
    }
}

/// The service's own codes (KMS API Reference, Sign).
pub(crate) fn refused(what: &str, refusal: &Refusal<'_>) -> Option<Fault> {
    let (class, remedy) = match refusal.code {
        "NotFoundException" => {
            (Class::NotFound, "check the ARN in github.app.key, its region and its account")
        }
        "DisabledException" => (Class::Invalid, "enable the key in KMS"),
        "KMSInvalidStateException" => (
            Class::Invalid,
            "the key waits for its material or for its deletion: import the App's key anew with `fleetfoot app import`",
        ),
        "InvalidKeyUsageException" => (
            Class::Invalid,
            "the key is not made for RSASSA_PKCS1_V1_5_SHA_256: make one with `fleetfoot app import`",
        ),
        "AlreadyExistsException" => (Class::Conflict, "choose another name, or delete that alias first"),
        "KeyUnavailableException" | "KMSInternalException" | "DependencyTimeoutException" => {
            (Class::Unknown, "try again; KMS did not answer in time")
        }
        _ => return None,
    };
    Some(Fault::new(class, what, refusal.said()).remedy(remedy))
}
