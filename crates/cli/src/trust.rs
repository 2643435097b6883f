//! Why AWS does not take a job's OIDC token, as far as it can be told from outside.
//!
//! STS says no more than "not authorized". What the token says of itself, beside what the role wants, shows the
//! difference; and where that is only the form of the subject, or the patterns do fit, it is said.

use fleetfoot_aws::{RefusedBy, TrustRefused};
use fleetfoot_core::subject;
use fleetfoot_github::Claims;

use crate::account::AUDIENCE;
use crate::failure::{Exit, Failure};

/// The refusal, explained by the token's claims and by the patterns of the subject that the role is said to want.
pub(crate) fn explain(refused: &TrustRefused, claims: Option<&Claims>, wanted: &[String]) -> Failure {
    let token = Token::of(claims);
    let (why, remedy) = match refused.by {
        RefusedBy::Policy => (token.beside(wanted), token.remedy(wanted)),
        RefusedBy::Provider => (
            format!("the token's issuer is {}, its audience {}", token.issuer, token.audience),
            format!(
                "Create the OIDC provider {}, with the audience {}, in the account of the role.",
                token.issuer, token.audience
            ),
        ),
    };
    Failure {
        class: "denied".into(),
        sentence: format!("cannot assume the role {}: {}; {why}", refused.role_arn, refused.message),
        remedy: Some(remedy),
        exit: Exit::Denied,
    }
}

/// What a token says, with what is most likely where it could not be read.
struct Token {
    issuer: String,
    audience: String,
    subject: Option<String>,
}

impl Token {
    fn of(claims: Option<&Claims>) -> Self {
        match claims {
            Some(claims) => Self {
                issuer: claims.iss.clone(),
                audience: claims.aud.join(", "),
                subject: Some(claims.sub.clone()),
            },
            None => Self {
                issuer: "https://token.actions.githubusercontent.com".to_owned(),
                audience: AUDIENCE.to_owned(),
                subject: None,
            },
        }
    }

    fn subject(&self) -> &str {
        self.subject.as_deref().unwrap_or("?")
    }

    /// Whether only the form of the subject is new to the role.
    fn has_another_form(&self, wanted: &[String]) -> bool {
        let plain = subject::without_ids(self.subject());
        plain.is_some_and(|plain| wanted.iter().any(|pattern| subject::accepts(pattern, &plain)))
    }

    fn fits(&self, wanted: &[String]) -> bool {
        wanted.iter().any(|pattern| subject::accepts(pattern, self.subject()))
    }

    fn beside(&self, wanted: &[String]) -> String {
        let sub = self.subject();
        if wanted.is_empty() {
            format!("the token's sub is {sub}, which the role's trust policy does not accept")
        } else if self.fits(wanted) {
            format!(
                "the token's sub is {sub}, which fits what the role is said to want, {}",
                wanted.join(" or ")
            )
        } else {
            format!("the token's sub is {sub}, the role wants {}", wanted.join(" or "))
        }
    }

    fn remedy(&self, wanted: &[String]) -> String {
        // Policies name an issuer without its scheme.
        let issuer = self.issuer.trim_start_matches("https://").trim_start_matches("http://");
        let (sub, aud) = (self.subject(), &self.audience);
        if self.fits(wanted) {
            return format!(
                "See that the role exists, and that its trust policy is the one that the stack document tells of: it must \
                 accept {issuer}:aud {aud} and {issuer}:sub {sub}."
            );
        }
        let accept = format!(
            "Let the role's trust policy accept {issuer}:aud {aud} and {issuer}:sub {sub}, or a pattern of it"
        );
        if self.has_another_form(wanted) {
            return format!(
                "{accept}: the subjects of repositories that were created, renamed or moved after 2026-07-15 have ids in \
                 them, and the role knows only the form without."
            );
        }
        format!("{accept}; or run the job where the role expects it (environment, branch).")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(by: RefusedBy) -> TrustRefused {
        let message = "Not authorized to perform sts:AssumeRoleWithWebIdentity".to_owned();
        TrustRefused { by, role_arn: "arn:aws:iam::123456789012:role/launcher".to_owned(), message }
    }

    fn claims(iss: &str, sub: &str) -> Claims {
        Claims { iss: iss.to_owned(), sub: sub.to_owned(), aud: vec![AUDIENCE.to_owned()] }
    }

    fn told(claims: &Claims, wanted: &[&str]) -> String {
        let wanted: Vec<String> = wanted.iter().map(|&pattern| pattern.to_owned()).collect();
        explain(&refused(RefusedBy::Policy), Some(claims), &wanted).text()
    }

    const GITHUB: &str = "https://token.actions.githubusercontent.com";

    #[test]
    fn another_form_of_the_subject_is_recognized() {
        let with_ids = claims(GITHUB, "repo:acme@12/shop@34:environment:dev");
        let told_form = told(&with_ids, &["repo:acme/shop:environment:*"]);
        assert!(
            told_form.contains("have ids in them, and the role knows only the form without"),
            "{told_form}"
        );
        let elsewhere = told(&with_ids, &["repo:acme/shop:environment:prod"]);
        assert!(
            elsewhere.ends_with("run the job where the role expects it (environment, branch)."),
            "{elsewhere}"
        );
    }

    #[test]
    fn a_policy_that_is_not_what_it_is_said_to_be_is_doubted() {
        for sub in ["repo:acme/shop:environment:dev", "repo:acme@12/shop@34:environment:dev"] {
            let both = ["repo:acme/shop:environment:dev", "repo:acme@*/shop@*:environment:dev"];
            let told = told(&claims(GITHUB, sub), &both);
            assert!(
                told.contains("fits what the role is said to want")
                    && told.contains("See that the role exists"),
                "{told}"
            );
        }
    }

    /// Each GitHub is an issuer of its own (GitHub docs, "OpenID Connect reference", of each product).
    #[test]
    fn policies_and_providers_are_named_as_each_github_has_them() {
        for (issuer, key) in [
            (GITHUB, "token.actions.githubusercontent.com:sub"),
            ("https://token.actions.acme.ghe.com", "token.actions.acme.ghe.com:sub"),
            ("https://git.acme.dev/_services/token", "git.acme.dev/_services/token:sub"),
        ] {
            let claims = claims(issuer, "repo:acme/shop:ref:refs/heads/main");
            assert!(
                told(&claims, &[]).contains(&format!("and {key} repo:acme/shop:ref:refs/heads/main")),
                "{issuer}"
            );
            let provider = explain(&refused(RefusedBy::Provider), Some(&claims), &[]).text();
            assert!(provider.contains(&format!(
                "Create the OIDC provider {issuer}, with the audience sts.amazonaws.com"
            )));
        }
    }
}
