//! Certificate authorities beside those of the machine, from files that other tools' variables name.

use std::fs;

use reqwest::Certificate;

use crate::network::InvalidSetting;

/// The variables: of OpenSSL and most that builds on it, of the AWS CLI and SDKs, and of Node.js, which GitHub's own
/// actions run on. Whoever has set one of them wants the authority trusted, and by all that goes out from here.
const FILES: [&str; 3] = ["SSL_CERT_FILE", "AWS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"];

const REMEDY: &str = "name a PEM file with the certificates of the authorities, or unset it";

/// The certificates in the files that are named.
pub(crate) fn read(get: &impl Fn(&str) -> Option<String>) -> Result<Vec<Certificate>, InvalidSetting> {
    let mut all = Vec::new();
    for variable in FILES {
        if let Some(path) = get(variable).filter(|path| !path.is_empty()) {
            all.extend(of_file(variable, &path)?);
        }
    }
    Ok(all)
}

fn of_file(variable: &'static str, path: &str) -> Result<Vec<Certificate>, InvalidSetting> {
    let refuse = |why: String| InvalidSetting::new(variable, why, REMEDY);
    let pem = fs::read(path).map_err(|error| refuse(format!("{path}: {error}")))?;
    let broken = |error: &dyn std::fmt::Display| {
        refuse(format!("{path} holds a certificate that cannot be read: {error}"))
    };
    let certificates = Certificate::from_pem_bundle(&pem).map_err(|error| broken(&error))?;
    if certificates.is_empty() {
        return Err(refuse(format!("{path} holds no certificate in PEM")));
    }
    // Only building a client looks into them.
    let checked = reqwest::Client::builder().tls_certs_only(certificates.clone()).build();
    checked.map_err(|error| broken(&error))?;
    Ok(certificates)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(variable: &str, path: &str) -> Result<Vec<Certificate>, InvalidSetting> {
        read(&|name| (name == variable).then(|| path.to_owned()))
    }

    #[test]
    fn certificates_are_read_from_every_variable() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        let pem = || rcgen::generate_simple_self_signed(["ca".to_owned()]).unwrap().cert.pem();
        fs::write(&file, format!("# two of them\n{}\n{}", pem(), pem())).unwrap();
        for variable in FILES {
            assert_eq!(with(variable, file.to_str().unwrap()).unwrap().len(), 2, "{variable}");
        }
        assert!(with("SSL_CERT_FILE", "").unwrap().is_empty());
        assert!(with("CURL_CA_BUNDLE", file.to_str().unwrap()).unwrap().is_empty());
    }

    #[test]
    fn what_holds_no_certificate_is_refused_by_its_variable() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        let refused = |text: &str, why: &str| {
            fs::write(&file, text).unwrap();
            let refused = with("AWS_CA_BUNDLE", file.to_str().unwrap()).unwrap_err().to_string();
            assert!(
                refused.starts_with("AWS_CA_BUNDLE cannot be used: ") && refused.contains(why),
                "{refused}"
            );
        };
        refused("", "holds no certificate");
        refused("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "holds no certificate");
        refused("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "cannot be read");
        let missing = with("SSL_CERT_FILE", "/nowhere/ca.pem").unwrap_err().to_string();
        assert!(missing.contains("/nowhere/ca.pem: No such file"), "{missing}");
    }
}
