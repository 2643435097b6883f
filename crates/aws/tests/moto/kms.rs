//! App keys in KMS: signatures that another library verifies, and imports that another library unwraps.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fleetfoot_aws::PrivateKey;
use fleetfoot_core::fault::Class;
use fleetfoot_core::ports::AppSigner;

use crate::server::{Moto, here};

async fn verify(moto: &Moto, public_key: &str, message: &[u8], signature: &[u8]) {
    let args = [public_key, &STANDARD.encode(message), &STANDARD.encode(signature)];
    assert_eq!(moto.python("verify.py", &args).await, "verified");
}

#[tokio::test]
async fn kms_signs_what_its_public_key_verifies() {
    let Some(moto) = Moto::start(&["moto_server"]).await else { return };
    let aws = moto.connect().await;
    let new = ["kms", "create-key", "--key-spec", "RSA_2048", "--key-usage", "SIGN_VERIFY"];
    let arn = moto.aws(&[&new[..], &["--query", "KeyMetadata.Arn", "--output", "text"]].concat()).await;
    let public_key = moto
        .aws(&["kms", "get-public-key", "--key-id", &arn, "--query", "PublicKey", "--output", "text"])
        .await;

    let signature = aws.kms_signer(&arn).unwrap().sign(b"header.claims").await.unwrap();

    verify(&moto, &public_key, b"header.claims", &signature).await;
}

#[tokio::test]
async fn an_imported_key_signs_as_the_original() {
    let script = here("import_keys.py");
    let Some(moto) = Moto::start(&["python", &script]).await else { return };
    let aws = moto.connect().await;
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let pkcs8 = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).unwrap().as_ref().to_vec();
    let public_key = AsDer::<PublicKeyX509Der<'_>>::as_der(pair.public_key()).unwrap();
    let key = PrivateKey { pkcs8: pkcs8.into(), bits: 2048 };

    let arn = aws.import_into_kms(&key, "alias/fleetfoot/prod").await.unwrap();

    let signature = aws.kms_signer(&arn).unwrap().sign(b"header.claims").await.unwrap();
    verify(&moto, &STANDARD.encode(public_key.as_ref()), b"header.claims", &signature).await;
    let list = ["kms", "list-aliases", "--query", "Aliases[].AliasName", "--output", "text"];
    assert!(moto.aws(&list).await.contains("alias/fleetfoot/prod"));
}

#[tokio::test]
async fn a_key_that_could_not_be_filled_is_marked_for_deletion() {
    let Some(moto) = Moto::start(&["moto_server"]).await else { return };
    let aws = moto.connect().await;
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let pkcs8 = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).unwrap().as_ref().to_vec();

    // This moto cannot import.
    let key = PrivateKey { pkcs8: pkcs8.into(), bits: 2048 };
    let fault = aws.import_into_kms(&key, "alias/fleetfoot/prod").await.unwrap_err();

    assert!(fault.why.ends_with("was marked for deletion"), "{fault}");
    let keys = moto.aws(&["kms", "list-keys", "--query", "Keys[].KeyId", "--output", "text"]).await;
    let state = ["--query", "KeyMetadata.KeyState", "--output", "text"];
    let described = moto.aws(&[&["kms", "describe-key", "--key-id", &keys][..], &state].concat()).await;
    assert_eq!(described, "PendingDeletion");
}

#[tokio::test]
async fn a_secret_is_made_once() {
    let Some(moto) = Moto::start(&["moto_server"]).await else { return };
    let aws = moto.connect().await;
    let pem = "-----BEGIN RSA PRIVATE KEY-----\n".into();
    let arn = aws.import_into_secrets_manager(&pem, "fleetfoot/prod").await.unwrap();
    assert!(arn.starts_with("arn:aws:secretsmanager:eu-west-1:"), "{arn}");
    let fault = aws.import_into_secrets_manager(&pem, "fleetfoot/prod").await.unwrap_err();
    assert_eq!(fault.class, Class::Conflict, "{fault}");
}

#[tokio::test]
async fn a_key_of_another_region_is_refused_before_kms_is_called() {
    let Some(moto) = Moto::start(&["moto_server"]).await else { return };
    let aws = moto.connect().await;
    for key in ["arn:aws:kms:us-east-1:123456789012:key/1", "alias/prod", "arn:aws:s3:::bucket"] {
        assert_eq!(aws.kms_signer(key).unwrap_err().class, Class::Invalid, "{key}");
    }
}
