//! The subject of a job's OIDC token, and the patterns of it that a role trusts.
//!
//! GitHub writes it in two forms: `repo:acme/shop:…`, and for repositories created, renamed or moved after
//! 2026-07-15 `repo:acme@101/shop@4711:…` (GitHub docs, "OpenID Connect reference"). A trust policy compares it
//! with `StringEquals` or `StringLike`, where `*` stands for any characters and `?` for one (IAM User Guide,
//! "IAM JSON policy elements: Condition operators").

use std::collections::BTreeSet;

/// Whether a pattern of a trust policy accepts a text.
pub fn accepts(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    // Where to go on after a `*` that has not taken enough.
    let (mut p, mut t, mut retry) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                retry = Some((p, t));
                p += 1;
            }
            Some(&c) if c == '?' || c == text[t] => (p, t) = (p + 1, t + 1),
            _ => match retry {
                Some((star, taken)) => {
                    retry = Some((star, taken + 1));
                    (p, t) = (star + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&c| c == '*')
}

/// The subject without the ids of owner and repository, if it has them.
pub fn without_ids(subject: &str) -> Option<String> {
    let (repository, context) = subject.strip_prefix("repo:")?.split_once(':')?;
    let (owner, name) = repository.split_once('/')?;
    let plain = |text: &str| text.split_once('@').map(|(plain, _)| plain.to_owned());
    Some(format!("repo:{}/{}:{context}", plain(owner)?, plain(name)?))
}

/// Whether a role that trusts these patterns may be assumed by jobs of a repository in this environment, whichever
/// form their subject has.
pub fn trusts_environment(patterns: &[String], repository: &str, environment: &str) -> bool {
    let Some((owner, name)) = repository.split_once('/') else { return false };
    // A colon in a name would look like the end of a part.
    let environment = environment.replace(':', "%3A");
    // Ids are numbers; which ones does not matter to a pattern that leaves them open.
    let forms = [format!("repo:{owner}/{name}"), format!("repo:{owner}@1/{name}@1")];
    patterns.iter().any(|pattern| {
        forms.iter().any(|form| accepts(pattern, &format!("{form}:environment:{environment}")))
    })
}

/// The environments of a repository that these patterns name in full.
pub fn environments<'a>(patterns: &'a [String], repository: &str) -> BTreeSet<&'a str> {
    let named = |pattern: &'a String| {
        let (of, environment) = pattern.split_once(":environment:")?;
        let plain = |text: &str| !text.contains(['*', '?']);
        let trusted =
            plain(environment) && trusts_environment(std::slice::from_ref(pattern), repository, environment);
        // A pattern for anybody's repositories says nothing of this one.
        (trusted && of.starts_with("repo:")).then_some(environment)
    };
    patterns.iter().filter_map(named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|&text| text.to_owned()).collect()
    }

    #[test]
    fn patterns_are_read_as_iam_reads_them() {
        for (pattern, text, accepted) in [
            ("repo:a/b:*", "repo:a/b:ref:refs/heads/main", true),
            ("repo:a/b:*", "repo:a/bc:ref:refs/heads/main", false),
            ("repo:a@*/b@*:environment:dev", "repo:a@12/b@34:environment:dev", true),
            ("repo:a@*/b@*:environment:dev", "repo:a/b:environment:dev", false),
            ("repo:a/b:environment:d?v", "repo:a/b:environment:dev", true),
            ("repo:a/b:environment:d?v", "repo:a/b:environment:dv", false),
            ("*:environment:*d", "repo:x:environment:prod:prod", true),
            ("", "", true),
            ("", "x", false),
            ("**", "", true),
        ] {
            assert_eq!(accepts(pattern, text), accepted, "{pattern} {text}");
        }
    }

    #[test]
    fn either_form_of_a_subject_will_do() {
        for trusted in [
            "repo:acme/shop:environment:dev",
            "repo:acme@*/shop@*:environment:dev",
            "repo:acme/*",
            "repo:acme@*",
        ] {
            assert!(trusts_environment(&patterns(&[trusted]), "acme/shop", "dev"), "{trusted}");
        }
        for other in
            ["repo:acme/shop:environment:prod", "repo:acme/shop:ref:*", "repo:acme/shopping:*", "repo:acme"]
        {
            assert!(!trusts_environment(&patterns(&[other]), "acme/shop", "dev"), "{other}");
        }
        assert!(!trusts_environment(&patterns(&["*"]), "acme", "dev"), "an organisation has no jobs");
    }

    #[test]
    fn ids_are_taken_out() {
        assert_eq!(without_ids("repo:acme@12/shop@34:ref:x@y").as_deref(), Some("repo:acme/shop:ref:x@y"));
        for plain in ["repo:acme/shop:ref:x@y", "repo:acme@12/shop:ref:x", "repository_owner:acme", ""] {
            assert_eq!(without_ids(plain), None, "{plain}");
        }
    }

    #[test]
    fn only_environments_that_are_named_are_known() {
        let named = |texts: &[&str]| {
            let patterns = patterns(texts);
            environments(&patterns, "acme/shop").into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(named(&["repo:acme/shop:environment:dev", "repo:acme@*/shop@*:environment:dev"]), ["dev"]);
        assert_eq!(
            named(&["repo:acme/shop:environment:dev", "repo:acme/shop:environment:prod"]),
            ["dev", "prod"]
        );
        assert_eq!(named(&["repo:acme/*:environment:dev"]), ["dev"]);
        assert!(
            named(&["repo:acme/shop:*", "repo:acme/shop:environment:*", "repo:acme/tools:environment:dev"])
                .is_empty()
        );
    }
}
