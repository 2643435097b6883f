//! Bringing an App's private key to AWS: wrapped into KMS, where nobody can read it again, or as a secret.
//!
//! Source: KMS Developer Guide, "Importing key material" and "Encrypt key material", algorithm
//! `RSA_AES_KEY_WRAP_SHA_256`: an AES key of ours wraps the private key (RFC 5649), KMS's RSA key wraps the AES
//! key.

use aws_lc_rs::key_wrap::{AES_256, AesKek, KeyWrapPadded};
use aws_lc_rs::rand;
use aws_lc_rs::rsa::{OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PublicEncryptingKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fleetfoot_core::fault::{Class, Fault};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Value, json};

use crate::json_rpc::{Call, JsonRpc};
use crate::kms::{self, KMS};
use crate::secrets::{self, SECRETS_MANAGER};

/// RSA key sizes that KMS can hold, in bits (KMS API Reference, CreateKey, KeySpec).
const KEY_SPECS: [(usize, &str); 3] = [(2048, "RSA_2048"), (3072, "RSA_3072"), (4096, "RSA_4096")];

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Created {
    key_metadata: Metadata,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Metadata {
    arn: String,
    key_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Parameters {
    import_token: String,
    public_key: String,
}

#[derive(Deserialize)]
struct Secret {
    #[serde(rename = "ARN")]
    arn: String,
}

/// An RSA private key on its way.
pub struct PrivateKey {
    /// PKCS#8, DER.
    pub pkcs8: SecretSlice<u8>,
    /// Its size.
    pub bits: usize,
}

impl std::fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PrivateKey").field("bits", &self.bits).finish_non_exhaustive()
    }
}

/// Makes a KMS key with this material, under the alias; gives its ARN. A key that its material does not reach
/// is marked for deletion at once.
pub(crate) async fn into_kms(rpc: &JsonRpc<'_>, key: &PrivateKey, alias: &str) -> Result<String, Fault> {
    let what = format!("import the App's private key into KMS as {alias}");
    let invalid = |why: &str| Fault::new(Class::Invalid, &what, why);
    let spec =
        KEY_SPECS.iter().find(|(bits, _)| *bits == key.bits).map(|(_, spec)| *spec).ok_or_else(|| {
            invalid(&format!("KMS holds no RSA key of {} bits", key.bits))
                .remedy("make a new key in the App's settings at GitHub; those have 2,048 bits")
        })?;
    let created: Created = call(
        rpc,
        &what,
        ("TrentService.CreateKey", "kms:CreateKey"),
        &json!({
            "Origin": "EXTERNAL", "KeySpec": spec, "KeyUsage": "SIGN_VERIFY",
            "Description": "Private key of a GitHub App, imported by fleetfoot",
            "Tags": [{"TagKey": "fleetfoot:purpose", "TagValue": "github-app-key"}],
        }),
    )
    .await?;
    let made = created.key_metadata;
    match fill(rpc, &what, &made.key_id, key, alias).await {
        Ok(()) => Ok(made.arn),
        Err(fault) => Err(abandon(rpc, &made, fault).await),
    }
}

async fn fill(rpc: &JsonRpc<'_>, what: &str, id: &str, key: &PrivateKey, alias: &str) -> Result<(), Fault> {
    let parameters: Parameters = call(
        rpc,
        what,
        ("TrentService.GetParametersForImport", "kms:GetParametersForImport"),
        &json!({
            "KeyId": id,
            "WrappingAlgorithm": "RSA_AES_KEY_WRAP_SHA_256",
            "WrappingKeySpec": "RSA_4096",
        }),
    )
    .await?;
    let wrapping_key = STANDARD.decode(&parameters.public_key).ok();
    let wrapped = wrapping_key
        .and_then(|der| wrap(key.pkcs8.expose_secret(), &der))
        .ok_or_else(|| Fault::new(Class::Unknown, what, "the wrapping key that KMS gave cannot be used"))?;
    let _: IgnoredAny = call(
        rpc,
        what,
        ("TrentService.ImportKeyMaterial", "kms:ImportKeyMaterial"),
        &json!({
            "KeyId": id,
            "ImportToken": parameters.import_token,
            "EncryptedKeyMaterial": STANDARD.encode(wrapped),
            "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE",
        }),
    )
    .await?;
    let input = json!({"AliasName": alias, "TargetKeyId": id});
    call::<IgnoredAny>(rpc, what, ("TrentService.CreateAlias", "kms:CreateAlias"), &input).await.map(drop)
}

/// KMS bills keys, and one without its material is of no use: marks it for deletion, after the shortest time
/// that KMS knows. The fault tells if even that failed.
async fn abandon(rpc: &JsonRpc<'_>, key: &Metadata, fault: Fault) -> Fault {
    let Metadata { arn, key_id } = key;
    let what = format!("mark the KMS key {arn} for deletion");
    let target = ("TrentService.ScheduleKeyDeletion", "kms:ScheduleKeyDeletion");
    let input = json!({"KeyId": key_id, "PendingWindowInDays": 7});
    let left = call::<IgnoredAny>(rpc, &what, target, &input).await.err();
    let why = match &left {
        None => format!("{}; the new key {arn} was marked for deletion", fault.why),
        Some(left) => format!("{}; the new key {arn} is left: {left}", fault.why),
    };
    Fault { why, ..fault }
}

/// The private key as KMS wants it: the wrapped AES key, and behind it the key that it wraps.
fn wrap(pkcs8: &[u8], wrapping_key: &[u8]) -> Option<Vec<u8>> {
    let mut aes = Zeroizing::new([0; 32]);
    rand::fill(aes.as_mut()).ok()?;
    let public = OaepPublicEncryptingKey::new(PublicEncryptingKey::from_der(wrapping_key).ok()?).ok()?;
    let mut wrapped = vec![0; public.ciphertext_size()];
    let length = public.encrypt(&OAEP_SHA256_MGF1SHA256, aes.as_ref(), &mut wrapped, None).ok()?.len();
    wrapped.truncate(length);
    // Padding to 8 bytes, and 8 bytes of its own (RFC 5649, section 4.1).
    let mut key = vec![0; pkcs8.len() + 15];
    let kek = AesKek::new(&AES_256, aes.as_ref()).ok()?;
    wrapped.extend_from_slice(kek.wrap_with_padding(pkcs8, &mut key).ok()?);
    Some(wrapped)
}

/// Keeps the PEM as a secret; gives its ARN.
pub(crate) async fn into_secrets_manager(
    rpc: &JsonRpc<'_>,
    pem: &SecretString,
    name: &str,
) -> Result<String, Fault> {
    let what = format!("store the App's private key in Secrets Manager as {name}");
    let input = json!({
        "Name": name,
        "Description": "Private key of a GitHub App, stored by fleetfoot",
        "SecretString": pem.expose_secret(),
        // Makes a second call after a lost answer the same call (Secrets Manager API Reference, CreateSecret).
        "ClientRequestToken": token()?,
    });
    let call = Call {
        what: &what,
        service: SECRETS_MANAGER,
        target: "secretsmanager.CreateSecret",
        action: "secretsmanager:CreateSecret",
        input: &input,
    };
    let secret: Secret = rpc.call(&call, |refusal| secrets::refused(&what, refusal)).await?;
    Ok(secret.arn)
}

/// One call to KMS.
async fn call<T: DeserializeOwned>(
    rpc: &JsonRpc<'_>,
    what: &str,
    (target, action): (&'static str, &'static str),
    input: &Value,
) -> Result<T, Fault> {
    let call = Call { what, service: KMS, target, action, input };
    // A key that was made twice would be left: nothing here is repeated blindly.
    rpc.call_once(&call, |refusal| kms::refused(what, refusal)).await
}

/// 32 hex digits that nobody has used before.
fn token() -> Result<String, Fault> {
    let mut bytes = [0_u8; 16];
    rand::fill(&mut bytes)
        .map_err(|_| Fault::new(Class::Invalid, "make a random token", "this machine has no randomness"))?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
    use aws_lc_rs::rsa::{KeySize, OaepPrivateDecryptingKey, PrivateDecryptingKey};

    use super::*;

    /// What KMS does with it.
    fn unwrap(wrapped: &[u8], wrapping_key: PrivateDecryptingKey) -> Vec<u8> {
        let private = OaepPrivateDecryptingKey::new(wrapping_key).unwrap();
        let (aes, key) = wrapped.split_at(private.key_size_bytes());
        let mut plain = vec![0; private.min_output_size()];
        let aes = private.decrypt(&OAEP_SHA256_MGF1SHA256, aes, &mut plain, None).unwrap();
        let mut output = vec![0; key.len()];
        AesKek::new(&AES_256, aes).unwrap().unwrap_with_padding(key, &mut output).unwrap().to_vec()
    }

    #[test]
    fn what_is_wrapped_comes_out_again_whatever_its_length() {
        for length in [1_usize, 8, 1217, 1218, 1219] {
            let material: Vec<u8> = (0..length).map(|i| u8::try_from(i % 251).unwrap()).collect();
            let pair = PrivateDecryptingKey::generate(KeySize::Rsa2048).unwrap();
            let public = AsDer::<PublicKeyX509Der<'_>>::as_der(&pair.public_key()).unwrap();
            let wrapped = wrap(&material, public.as_ref()).unwrap();
            assert_eq!(unwrap(&wrapped, pair), material);
        }
    }

    #[test]
    fn a_wrapping_key_that_is_none_wraps_nothing() {
        assert_eq!(wrap(b"key", b"no key"), None);
    }
}
