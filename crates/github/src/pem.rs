//! An App's private key in memory.

use std::fmt;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use fleetfoot_core::fault::{Class, Fault};
use fleetfoot_core::ports::AppSigner;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use secrecy::{ExposeSecret, SecretSlice, SecretString};

const WHAT: &str = "use the GitHub App's private key";

/// Signs with an RSA key that was read from a PEM file, as GitHub hands it out.
pub struct PemSigner(RsaKeyPair);

impl fmt::Debug for PemSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PemSigner")
    }
}

impl PemSigner {
    /// Reads a key: `BEGIN RSA PRIVATE KEY` (PKCS#1) or `BEGIN PRIVATE KEY` (PKCS#8). Line ends that an
    /// environment variable turned into `\n` are put right.
    ///
    /// # Errors
    /// `Invalid` if it is no PEM or no RSA key of at least 2,048 bits. The text never shows the key.
    pub fn from_pem(pem: &SecretString) -> Result<Self, Fault> {
        let text = pem.expose_secret();
        // The copy with its line ends put right is a secret too.
        let text =
            SecretString::from(if text.contains('\n') { text.to_owned() } else { text.replace("\\n", "\n") });
        let key = PrivateKeyDer::from_pem_slice(text.expose_secret().as_bytes()).map_err(|_| {
            refuse("it is not a PEM private key", "give the .pem file that GitHub made, as it is")
        })?;
        let pair = match &key {
            PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()),
            PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()),
            _ => return Err(not_rsa("an elliptic curve key")),
        };
        pair.map(Self).map_err(|rejected| not_rsa(&rejected.to_string()))
    }

    /// The key's size in bits.
    pub fn bits(&self) -> usize {
        self.0.public_modulus_len() * 8
    }

    /// The key as PKCS#8 in DER, in which key services take it.
    ///
    /// # Errors
    /// `Invalid` if the key cannot be written so.
    pub fn pkcs8(&self) -> Result<SecretSlice<u8>, Fault> {
        let der = AsDer::<Pkcs8V1Der<'_>>::as_der(&self.0).map_err(|error| {
            refuse("it cannot be written as PKCS#8", "make a new key in the App's settings").because(error)
        })?;
        Ok(der.as_ref().to_vec().into())
    }
}

impl AppSigner for PemSigner {
    async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Fault> {
        let mut signature = vec![0; self.0.public_modulus_len()];
        self.0.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).map_err(|error| {
            refuse("signing failed", "make a new key in the App's settings").because(error)
        })?;
        Ok(signature)
    }
}

fn not_rsa(what: &str) -> Fault {
    refuse(
        &format!("it is not an RSA private key ({what})"),
        "give the .pem file that GitHub made for the App; make a new one in the App's settings if it is lost",
    )
}

fn refuse(why: &str, remedy: &str) -> Fault {
    Fault::new(Class::Invalid, WHAT, why).remedy(remedy)
}

#[cfg(test)]
pub(crate) mod tests {
    use aws_lc_rs::rsa::KeySize;
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    fn pem(label: &str, der: &[u8]) -> SecretString {
        let body = STANDARD.encode(der);
        let lines: Vec<&str> = body.as_bytes().chunks(64).map(|c| std::str::from_utf8(c).unwrap()).collect();
        format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n")).into()
    }

    /// A private key as PEM and its public half as PKCS#1 DER.
    pub(crate) fn key_pair() -> (SecretString, Vec<u8>) {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let private = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).unwrap();
        (pem("PRIVATE KEY", private.as_ref()), pair.public_key().as_ref().to_vec())
    }

    fn pkcs8() -> Vec<u8> {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).unwrap().as_ref().to_vec()
    }

    /// The PKCS#1 key that a PKCS#8 one wraps: what follows its 26 bytes of algorithm and lengths.
    fn pkcs1(pkcs8: &[u8]) -> &[u8] {
        &pkcs8[26..]
    }

    #[tokio::test]
    async fn both_forms_of_a_key_sign_alike() {
        let der = pkcs8();
        let eight = PemSigner::from_pem(&pem("PRIVATE KEY", &der)).unwrap();
        let one = PemSigner::from_pem(&pem("RSA PRIVATE KEY", pkcs1(&der))).unwrap();
        assert_eq!(eight.sign(b"message").await.unwrap(), one.sign(b"message").await.unwrap());
    }

    #[test]
    fn line_ends_lost_in_an_environment_variable_are_put_right() {
        let escaped = pem("PRIVATE KEY", &pkcs8()).expose_secret().replace('\n', "\\n");
        assert!(PemSigner::from_pem(&escaped.into()).is_ok());
    }

    #[test]
    fn other_keys_are_refused_without_showing_them() {
        let ec = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap().to_pkcs8v1().unwrap();
        let cases = [
            (pem("PRIVATE KEY", ec.as_ref()), "not an RSA private key"),
            (pem("EC PRIVATE KEY", b"x"), "elliptic curve"),
            ("s3cret".into(), "not a PEM private key"),
        ];
        for (text, why) in cases {
            let fault = PemSigner::from_pem(&text).unwrap_err();
            assert_eq!(fault.class, Class::Invalid);
            assert!(fault.to_string().contains(why), "{fault}");
            assert!(!format!("{fault:?}").contains("s3cret"));
        }
    }
}
