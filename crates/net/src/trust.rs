//! Whom this machine trusts, from the one file in which Linux distributions keep all authorities.
//!
//! What reqwest does by itself reads a folder of the same certificates beside that file, once for each client: some
//! three hundred files, and half of the time that a task's agent needs until it can look into its mailbox.

use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// Where the file is: Debian, Ubuntu, Arch; Fedora, Amazon Linux; openSUSE; Alpine. Elsewhere the system is asked.
const BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// TLS with the machine's authorities; `None` where no such file is, or nothing of use in it.
pub(crate) fn of_machine() -> Option<ClientConfig> {
    if cfg!(target_os = "linux") { BUNDLES.iter().find_map(|file| of_bundle(file)) } else { None }
}

fn of_bundle(file: &str) -> Option<ClientConfig> {
    let pem = std::fs::read(file).ok()?;
    let mut roots = RootCertStore::empty();
    // A bundle may hold an old certificate that nobody can use any more; the others count.
    roots.add_parsable_certificates(CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok));
    if roots.is_empty() {
        return None;
    }
    let tls = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let tls = tls.with_safe_default_protocol_versions().ok()?;
    Some(tls.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_is_of_use_if_anything_in_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("bundle.pem");
        let of_use = |text: &str| {
            std::fs::write(&file, text).unwrap();
            of_bundle(file.to_str().unwrap()).is_some()
        };
        let good = rcgen::generate_simple_self_signed(["ca".to_owned()]).unwrap().cert.pem();
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(of_use(&good) && of_use(&format!("{broken}{good}")));
        assert!(!of_use(broken) && !of_use(""));
        assert!(of_bundle("/no/such/bundle").is_none());
    }
}
