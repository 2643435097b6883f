//! KMS: RSA keys that sign and cannot be read, made here or imported. Source: KMS API Reference; KMS Developer
//! Guide, "Importing key material".

use std::collections::BTreeMap;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::key_wrap::{AES_256, AesKek, KeyWrapPadded};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{
    KeyPair, KeySize, OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, PrivateDecryptingKey,
};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::error::AwsError;
use super::identity::Caller;
use super::ids::Ids;
use super::wire::{Answer, decode};

/// The longest message that is hashed here.
const LONGEST_RAW: usize = 4096;

/// What a key is good for.
enum State {
    /// It has no material yet; the token and key that the material is to be wrapped for, if somebody asked.
    PendingImport(Option<(String, PrivateDecryptingKey)>),
    Enabled(Box<KeyPair>),
    PendingDeletion,
}

struct Key {
    arn: String,
    state: State,
}

/// All keys by id, and their aliases.
#[derive(Default)]
pub(crate) struct Kms {
    keys: BTreeMap<String, Key>,
    aliases: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CreateKey {
    #[serde(default)]
    origin: Option<String>,
    key_spec: String,
    key_usage: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct OfKey {
    key_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetParametersForImport {
    key_id: String,
    wrapping_algorithm: String,
    wrapping_key_spec: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ImportKeyMaterial {
    key_id: String,
    import_token: String,
    encrypted_key_material: String,
    expiration_model: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Sign {
    key_id: String,
    message: String,
    message_type: String,
    signing_algorithm: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CreateAlias {
    alias_name: String,
    target_key_id: String,
}

impl Kms {
    /// Answers an operation.
    pub(crate) fn answer(
        &mut self,
        operation: &str,
        body: &Value,
        caller: &Caller,
        region: &str,
        ids: &mut Ids,
    ) -> Result<Answer, AwsError> {
        let place = (region, caller.account.as_str());
        match operation {
            "CreateKey" => {
                caller.check("kms:CreateKey", "*", &caller.context())?;
                self.create(&decode(body)?, place, ids)
            }
            "CreateAlias" => {
                let asked: CreateAlias = decode(body)?;
                let alias = format!("arn:aws:kms:{region}:{}:{}", caller.account, asked.alias_name);
                caller.check("kms:CreateAlias", &alias, &caller.context())?;
                self.create_alias(asked, caller, place)
            }
            "GetParametersForImport" => {
                let asked: GetParametersForImport = decode(body)?;
                let key = self.key(operation, &asked.key_id, caller, place)?;
                parameters_for_import(key, &asked, ids)
            }
            "ImportKeyMaterial" => {
                let asked: ImportKeyMaterial = decode(body)?;
                import(self.key(operation, &asked.key_id, caller, place)?, &asked)
            }
            "Sign" => {
                let asked: Sign = decode(body)?;
                sign(self.key(operation, &asked.key_id, caller, place)?, &asked)
            }
            "GetPublicKey" => {
                let asked: OfKey = decode(body)?;
                public_key(self.key(operation, &asked.key_id, caller, place)?)
            }
            "ScheduleKeyDeletion" => {
                let asked: OfKey = decode(body)?;
                let key = self.key(operation, &asked.key_id, caller, place)?;
                key.state = State::PendingDeletion;
                Ok(Answer::json(json!({ "KeyId": key.arn, "KeyState": "PendingDeletion" })))
            }
            _ => Err(AwsError::not_simulated(format!("kms.{operation}"))),
        }
    }

    /// The aliases, with the ARNs of their keys and whether those can sign.
    pub(crate) fn aliases(&self) -> Vec<(String, String, bool)> {
        let of = |id: &String| {
            self.keys.get(id).map(|key| (key.arn.clone(), matches!(key.state, State::Enabled(_))))
        };
        self.aliases
            .iter()
            .filter_map(|(alias, id)| of(id).map(|(arn, signs)| (alias.clone(), arn, signs)))
            .collect()
    }

    fn create(&mut self, asked: &CreateKey, place: (&str, &str), ids: &mut Ids) -> Result<Answer, AwsError> {
        let size = match asked.key_spec.as_str() {
            "RSA_2048" => KeySize::Rsa2048,
            "RSA_3072" => KeySize::Rsa3072,
            "RSA_4096" => KeySize::Rsa4096,
            other => return Err(AwsError::not_simulated(format!("kms.CreateKey with KeySpec {other}"))),
        };
        if asked.key_usage != "SIGN_VERIFY" {
            return Err(AwsError::not_simulated(format!("kms.CreateKey with KeyUsage {}", asked.key_usage)));
        }
        let state = match asked.origin.as_deref() {
            Some("EXTERNAL") => State::PendingImport(None),
            None | Some("AWS_KMS") => {
                State::Enabled(Box::new(KeyPair::generate(size).map_err(|_| AwsError::internal("kms"))?))
            }
            Some(other) => return Err(AwsError::new("ValidationException", format!("Origin {other}"))),
        };
        let shown = if matches!(state, State::Enabled(_)) { "Enabled" } else { "PendingImport" };
        let id = ids.uuid();
        let (region, account) = place;
        let arn = format!("arn:aws:kms:{region}:{account}:key/{id}");
        let metadata = json!({ "KeyMetadata": { "Arn": arn, "KeyId": id, "AWSAccountId": account, "KeyState": shown,
            "KeySpec": asked.key_spec, "KeyUsage": "SIGN_VERIFY", "Origin": asked.origin } });
        self.keys.insert(id, Key { arn, state });
        Ok(Answer::json(metadata))
    }

    fn create_alias(
        &mut self,
        asked: CreateAlias,
        caller: &Caller,
        place: (&str, &str),
    ) -> Result<Answer, AwsError> {
        let CreateAlias { alias_name, target_key_id } = asked;
        if !alias_name.starts_with("alias/") || alias_name.starts_with("alias/aws/") {
            return Err(AwsError::new("ValidationException", format!("Invalid identifier {alias_name}")));
        }
        let arn = self.key("CreateAlias", &target_key_id, caller, place)?.arn.clone();
        if self.aliases.contains_key(&alias_name) {
            let message = format!("An alias with the name {alias_name} already exists");
            return Err(AwsError::new("AlreadyExistsException", message));
        }
        let id = arn.rsplit('/').next().unwrap_or_default().to_owned();
        self.aliases.insert(alias_name, id);
        Ok(Answer { status: 200, ..Answer::default() })
    }

    /// The key that is meant by an id, an ARN or an alias, if the caller may do that with it.
    fn key(
        &mut self,
        operation: &str,
        named: &str,
        caller: &Caller,
        (region, account): (&str, &str),
    ) -> Result<&mut Key, AwsError> {
        let name = named.rsplit_once(':').map_or(named, |(_, name)| name);
        let id = match self.aliases.get(name) {
            Some(id) => id.clone(),
            None => name.trim_start_matches("key/").to_owned(),
        };
        let arn = format!("arn:aws:kms:{region}:{account}:key/{id}");
        caller.check(&format!("kms:{operation}"), &arn, &caller.context())?;
        let missing = || AwsError::new("NotFoundException", format!("Key '{arn}' does not exist"));
        self.keys.get_mut(&id).ok_or_else(missing)
    }
}

fn wrong_state(key: &Key, state: &str) -> AwsError {
    AwsError::new("KMSInvalidStateException", format!("{} is {state}.", key.arn))
}

fn enabled(key: &Key) -> Result<&KeyPair, AwsError> {
    match &key.state {
        State::Enabled(pair) => Ok(pair),
        State::PendingImport(_) => Err(wrong_state(key, "pending import")),
        State::PendingDeletion => Err(wrong_state(key, "pending deletion")),
    }
}

fn parameters_for_import(
    key: &mut Key,
    asked: &GetParametersForImport,
    ids: &mut Ids,
) -> Result<Answer, AwsError> {
    if asked.wrapping_algorithm != "RSA_AES_KEY_WRAP_SHA_256" {
        let message =
            format!("WrappingAlgorithm {} cannot wrap an RSA private key", asked.wrapping_algorithm);
        return Err(AwsError::new("ValidationException", message));
    }
    let size = match asked.wrapping_key_spec.as_str() {
        "RSA_2048" => KeySize::Rsa2048,
        "RSA_3072" => KeySize::Rsa3072,
        "RSA_4096" => KeySize::Rsa4096,
        other => return Err(AwsError::new("ValidationException", format!("WrappingKeySpec {other}"))),
    };
    if !matches!(key.state, State::PendingImport(_)) {
        return Err(wrong_state(key, "not pending import"));
    }
    let broken = |_| AwsError::internal("kms");
    let wrapping_key = PrivateDecryptingKey::generate(size).map_err(broken)?;
    let public_key = AsDer::<PublicKeyX509Der<'_>>::as_der(&wrapping_key.public_key()).map_err(broken)?;
    let token = STANDARD.encode(ids.secret(64));
    let answer =
        json!({ "KeyId": key.arn, "ImportToken": token, "PublicKey": STANDARD.encode(public_key.as_ref()) });
    key.state = State::PendingImport(Some((token, wrapping_key)));
    Ok(Answer::json(answer))
}

fn import(key: &mut Key, asked: &ImportKeyMaterial) -> Result<Answer, AwsError> {
    if asked.expiration_model != "KEY_MATERIAL_DOES_NOT_EXPIRE" {
        return Err(AwsError::not_simulated("kms.ImportKeyMaterial of material that expires"));
    }
    let wrapping_key = match std::mem::replace(&mut key.state, State::PendingImport(None)) {
        State::PendingImport(Some((token, wrapping_key))) if token == asked.import_token => wrapping_key,
        State::PendingImport(other) => {
            key.state = State::PendingImport(other);
            return Err(AwsError::new("InvalidImportTokenException", "The import token is not of this key."));
        }
        other => {
            key.state = other;
            return Err(wrong_state(key, "not pending import"));
        }
    };
    let pair = unwrap(&asked.encrypted_key_material, wrapping_key).ok_or_else(|| {
        AwsError::new(
            "IncorrectKeyMaterialException",
            "The key material cannot be decrypted or is no such key.",
        )
    })?;
    key.state = State::Enabled(Box::new(pair));
    Ok(Answer::json(json!({ "KeyId": key.arn })))
}

fn unwrap(material: &str, wrapping_key: PrivateDecryptingKey) -> Option<KeyPair> {
    let material = STANDARD.decode(material).ok()?;
    let private = OaepPrivateDecryptingKey::new(wrapping_key).ok()?;
    let (aes, wrapped) = material.split_at_checked(private.key_size_bytes())?;
    let mut plain = vec![0; private.min_output_size()];
    let aes = private.decrypt(&OAEP_SHA256_MGF1SHA256, aes, &mut plain, None).ok()?;
    let mut pkcs8 = vec![0; wrapped.len()];
    let pkcs8 = AesKek::new(&AES_256, aes).ok()?.unwrap_with_padding(wrapped, &mut pkcs8).ok()?;
    KeyPair::from_pkcs8(pkcs8).ok()
}

fn sign(key: &Key, asked: &Sign) -> Result<Answer, AwsError> {
    let pair = enabled(key)?;
    if asked.signing_algorithm != "RSASSA_PKCS1_V1_5_SHA_256" || asked.message_type != "RAW" {
        let how = format!("kms.Sign with {} of a {} message", asked.signing_algorithm, asked.message_type);
        return Err(AwsError::not_simulated(how));
    }
    let message =
        STANDARD.decode(&asked.message).map_err(|error| AwsError::serialization(error.to_string()))?;
    if message.is_empty() || message.len() > LONGEST_RAW {
        return Err(AwsError::new("ValidationException", "Message must have 1 to 4096 bytes."));
    }
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), &message, &mut signature)
        .map_err(|_| AwsError::internal("kms"))?;
    let body = json!({ "KeyId": key.arn, "Signature": STANDARD.encode(signature),
                       "SigningAlgorithm": asked.signing_algorithm });
    Ok(Answer::json(body))
}

fn public_key(key: &Key) -> Result<Answer, AwsError> {
    let public = enabled(key)?.public_key();
    let der = AsDer::<PublicKeyX509Der<'_>>::as_der(public).map_err(|_| AwsError::internal("kms"))?;
    let body = json!({ "KeyId": key.arn, "PublicKey": STANDARD.encode(der.as_ref()), "KeyUsage": "SIGN_VERIFY",
                       "SigningAlgorithms": ["RSASSA_PKCS1_V1_5_SHA_256"] });
    Ok(Answer::json(body))
}
