//! RSA keys: made here for the OIDC issuer and for Apps that bring none.

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};

/// A key that cannot be made or read.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The cryptographic library made no key.
    #[error("no RSA key could be generated: the system gave no randomness")]
    Generate,
    /// Text that is no RSA key.
    #[error("this is no RSA key in PEM form")]
    Read(#[from] jsonwebtoken::errors::Error),
}

/// A private key and what others need to verify its signatures.
pub(crate) struct PrivateKey {
    /// PKCS#8, PEM.
    pub(crate) pem: String,
    pub(crate) signing: EncodingKey,
    pub(crate) verifying: DecodingKey,
    pub(crate) jwk: Jwk,
}

impl PrivateKey {
    /// A new key of 2,048 bits; takes a tenth of a second or so.
    pub(crate) fn generate() -> Result<Self, KeyError> {
        let pair = KeyPair::generate(KeySize::Rsa2048).map_err(|_| KeyError::Generate)?;
        let der: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| KeyError::Generate)?;
        let pem = to_pem(der.as_ref());
        let signing = EncodingKey::from_rsa_pem(pem.as_bytes())?;
        let jwk = Jwk::from_encoding_key(&signing, Algorithm::RS256)?;
        let verifying = DecodingKey::from_jwk(&jwk)?;
        Ok(Self { pem, signing, verifying, jwk })
    }
}

fn to_pem(der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    let mut pem = String::from("-----BEGIN PRIVATE KEY-----\n");
    for start in (0..body.len()).step_by(64) {
        pem.push_str(&body[start..body.len().min(start + 64)]);
        pem.push('\n');
    }
    pem + "-----END PRIVATE KEY-----\n"
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use jsonwebtoken::{Header, Validation, decode, encode};
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn what_a_generated_key_signs_its_public_half_verifies() {
        let key = PrivateKey::generate().unwrap();
        let from_pem = EncodingKey::from_rsa_pem(key.pem.as_bytes()).unwrap();
        let token = encode(&Header::new(Algorithm::RS256), &json!({"a": 1}), &from_pem).unwrap();
        let mut validation = Validation::new(Algorithm::RS256);
        validation.validate_exp = false;
        validation.required_spec_claims = HashSet::new();
        let read = decode::<Value>(&token, &key.verifying, &validation).unwrap();
        assert_eq!(read.claims, json!({"a": 1}));
        let other = PrivateKey::generate().unwrap();
        assert!(decode::<Value>(&token, &other.verifying, &validation).is_err());
    }
}
