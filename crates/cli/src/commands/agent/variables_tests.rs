use secrecy::ExposeSecret;

use super::*;

type Pair = (&'static str, &'static str);

fn read(pairs: &[Pair]) -> Result<Variables, Vec<Refused>> {
    let look = |name: &str| pairs.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
    Variables::read(&look, true)
}

/// With a token and a repository.
fn good(pairs: &[Pair]) -> Variables {
    read(&with_basics(pairs)).unwrap()
}

/// What is refused, with a token and a repository.
fn bad(pairs: &[Pair]) -> Vec<Refused> {
    read(&with_basics(pairs)).unwrap_err()
}

fn with_basics(pairs: &[Pair]) -> Vec<Pair> {
    let basics = [("GITHUB_PAT", "ghp_x"), ("GITHUB_OWNER", "acme"), ("GITHUB_REPOSITORY", "shop")];
    pairs.iter().chain(&basics).copied().collect()
}

fn place(pairs: &[Pair]) -> Result<(String, String), Vec<Refused>> {
    let pairs: Vec<Pair> = pairs.iter().copied().chain([("ACCESS_TOKEN", "ghp_x")]).collect();
    read(&pairs).map(|v| (v.scope.target().to_string(), v.scope.api_url().to_string()))
}

#[test]
fn both_families_say_where_to_register() {
    let cases: [(&[Pair], &str); 11] = [
        (&[("GITHUB_OWNER", "acme")], "acme"),
        (&[("GITHUB_OWNER", "acme"), ("GITHUB_REPOSITORY", "shop")], "acme/shop"),
        (&[("GITHUB_REPOSITORY", "acme/shop")], "acme/shop"),
        (&[("GITHUB_OWNER", "Acme"), ("GITHUB_REPOSITORY", "acme/shop")], "acme/shop"),
        (&[("REPO_URL", "https://github.com/acme/shop")], "acme/shop"),
        (&[("REPO_URL", "acme/shop")], "acme/shop"),
        (&[("RUNNER_SCOPE", "repo"), ("REPO_URL", "https://github.com/acme/shop.git")], "acme/shop"),
        (&[("RUNNER_SCOPE", "Org"), ("ORG_NAME", "acme"), ("REPO_URL", "https://github.com/o/r")], "acme"),
        (&[("ORG_RUNNER", "true"), ("ORG_NAME", "acme")], "acme"),
        (&[("RUNNER_SCOPE", "repo"), ("REPO_URL", "a/b"), ("ENTERPRISE_NAME", "big")], "a/b"),
        // The first family wins.
        (&[("GITHUB_OWNER", "acme"), ("REPO_URL", "https://github.com/o/r")], "acme"),
    ];
    for (pairs, target) in cases {
        assert_eq!(
            place(pairs).unwrap(),
            (target.to_owned(), "https://api.github.com/".to_owned()),
            "{pairs:?}"
        );
    }
}

#[test]
fn another_github_is_named_by_its_host() {
    let cases: [(&[Pair], &str); 6] = [
        (&[("GITHUB_HOST", "git.acme.dev"), ("GITHUB_OWNER", "acme")], "https://git.acme.dev/api/v3"),
        (
            &[("GITHUB_HOST", "https://git.acme.dev/"), ("GITHUB_OWNER", "acme")],
            "https://git.acme.dev/api/v3",
        ),
        (&[("GITHUB_HOST", "http://127.0.0.1:80"), ("GITHUB_OWNER", "acme")], "http://127.0.0.1/api/v3"),
        (&[("REPO_URL", "https://git.acme.dev/o/r")], "https://git.acme.dev/api/v3"),
        (
            &[("GITHUB_HOST", "git.acme.dev"), ("GITHUB_API_HOST", "api.acme.dev"), ("GITHUB_OWNER", "acme")],
            "https://api.acme.dev/",
        ),
        (
            &[("GITHUB_API_HOST", "api.acme.dev"), ("GITHUB_API_PATH", "/rest/v3"), ("GITHUB_OWNER", "acme")],
            "https://api.acme.dev/rest/v3",
        ),
    ];
    for (pairs, api) in cases {
        assert_eq!(place(pairs).unwrap().1, api, "{pairs:?}");
    }
}

#[test]
fn a_place_that_cannot_be_is_refused_by_its_variable() {
    let cases: [(&[Pair], &str, &str); 11] = [
        (&[("GITHUB_REPOSITORY", "shop")], "GITHUB_REPOSITORY", "no owner"),
        (
            &[("GITHUB_OWNER", "o"), ("GITHUB_REPOSITORY", "acme/shop")],
            "GITHUB_REPOSITORY",
            "repository of acme",
        ),
        (&[("GITHUB_OWNER", "a b")], "GITHUB_OWNER", "must look like"),
        (&[("GITHUB_HOST", "http://git.acme.dev"), ("GITHUB_OWNER", "acme")], "GITHUB_OWNER", "use https"),
        (&[("RUNNER_SCOPE", "ent"), ("ENTERPRISE_NAME", "big")], "RUNNER_SCOPE", "enterprise"),
        (&[("RUNNER_SCOPE", "enterprise"), ("GITHUB_OWNER", "acme")], "RUNNER_SCOPE", "enterprise"),
        (&[("ENTERPRISE_NAME", "big")], "ENTERPRISE_NAME", "enterprise"),
        (&[("REPO_URL", "https://github.com/enterprises/big")], "REPO_URL", "enterprise"),
        (&[("RUNNER_SCOPE", "org"), ("REPO_URL", "a/b")], "ORG_NAME", "is not set"),
        (&[("ORG_NAME", "acme")], "REPO_URL", "is not set"),
        (&[], "REPO_URL", "is not set"),
    ];
    for (pairs, variable, why) in cases {
        let refused = place(pairs).unwrap_err();
        assert_eq!(refused.len(), 1, "{pairs:?}: {refused:?}");
        assert_eq!(refused[0].variable, variable, "{pairs:?}");
        assert!(refused[0].why.contains(why), "{pairs:?}: {}", refused[0].why);
    }
    assert!(place(&[("ORG_NAME", "acme")]).unwrap_err()[0].remedy.contains("RUNNER_SCOPE=org"));
}

#[test]
fn the_first_credential_wins() {
    let owner = ("GITHUB_OWNER", "acme");
    let used = |pairs: &[Pair]| {
        let pairs: Vec<Pair> = pairs.iter().copied().chain([owner]).collect();
        let credential = read(&pairs).unwrap().credential;
        let secret = match &credential {
            Credential::Token { token, .. } => token.expose_secret().to_owned(),
            Credential::App { id, key } => format!("{id}: {}", key.expose_secret()),
        };
        assert!(!format!("{credential:?}").contains("_x"), "it does not show");
        (credential.variable(), secret)
    };
    let all = [
        ("APP_ID", "12"),
        ("APP_PRIVATE_KEY", "pem_x"),
        ("ACCESS_TOKEN", "ghp_x3"),
        ("GITHUB_TOKEN", "ghs_x2"),
        ("GITHUB_PAT", "github_pat_x1\n"),
        ("RUNNER_TOKEN", "AAAA"),
    ];
    assert_eq!(used(&all), ("GITHUB_PAT", "github_pat_x1".to_owned()));
    assert_eq!(used(&all[..4]), ("GITHUB_TOKEN", "ghs_x2".to_owned()));
    assert_eq!(used(&all[..3]), ("ACCESS_TOKEN", "ghp_x3".to_owned()));
    assert_eq!(used(&all[..2]), ("APP_PRIVATE_KEY", "12: pem_x".to_owned()));
}

#[test]
fn credentials_that_cannot_do_it_are_refused_without_showing_them() {
    const REGISTRATION: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234";
    let cases: [(&[Pair], &str); 6] = [
        (&[], "GITHUB_PAT"),
        (&[("RUNNER_TOKEN", REGISTRATION)], "RUNNER_TOKEN"),
        (&[("GITHUB_TOKEN", REGISTRATION)], "GITHUB_TOKEN"),
        (&[("ACCESS_TOKEN", REGISTRATION)], "ACCESS_TOKEN"),
        (&[("APP_ID", "12")], "APP_PRIVATE_KEY"),
        (&[("APP_PRIVATE_KEY", REGISTRATION)], "APP_ID"),
    ];
    for (pairs, variable) in cases {
        let pairs: Vec<Pair> = pairs.iter().copied().chain([("GITHUB_OWNER", "acme")]).collect();
        let refused = read(&pairs).unwrap_err();
        assert_eq!(refused.iter().map(|r| r.variable).collect::<Vec<_>>(), [variable]);
        assert!(!format!("{refused:?}").contains(REGISTRATION));
    }
    let hex = "0123456789abcdef0123456789abcdef01234567";
    assert!(read(&[("GITHUB_OWNER", "acme"), ("GITHUB_TOKEN", hex)]).is_ok(), "a token of old");
}

#[test]
fn an_apps_login_must_be_the_owners() {
    assert_eq!(bad(&[("APP_LOGIN", "other")])[0].variable, "APP_LOGIN");
    good(&[("APP_LOGIN", "ACME")]);
}

#[test]
fn names() {
    let name = |pairs: &[Pair]| good(pairs).name;
    let exactly = WantedName::Exactly("mine".parse().unwrap());
    assert_eq!(name(&[("RUNNER_NAME", "mine"), ("RUNNER_NAME_PREFIX", "ci")]), exactly);
    assert_eq!(name(&[("RUNNER_NAME_PREFIX", "ci")]), WantedName::Random("ci".into()));
    assert_eq!(
        name(&[("RUNNER_NAME_PREFIX", "ci"), ("RANDOM_RUNNER_SUFFIX", "false")]),
        WantedName::OfHost(Some("ci".into()))
    );
    assert_eq!(name(&[("RANDOM_RUNNER_SUFFIX", "false")]), WantedName::OfHost(None));
    assert_eq!(name(&[]), WantedName::Own);
    let long: &'static str = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
    assert_eq!(bad(&[("RUNNER_NAME", long)])[0].variable, "RUNNER_NAME");
}

#[test]
fn labels_are_the_defaults_and_the_given_without_twins() {
    let labels = |pairs: &[Pair]| {
        let labels: Vec<String> = good(pairs).labels.iter().map(ToString::to_string).collect();
        labels
    };
    let defaults = SelfRegistration::default_labels();
    assert_eq!(labels(&[]), defaults);
    assert_eq!(labels(&[("RUNNER_LABELS", " gpu ,,Linux, big"), ("LABELS", "no")])[3..], ["gpu", "big"]);
    assert_eq!(labels(&[("LABELS", "a,b")])[3..], ["a", "b"]);
    assert_eq!(labels(&[("LABELS", "a,A"), ("NO_DEFAULT_LABELS", "1")]), ["a"]);
    assert_eq!(bad(&[("NO_DEFAULT_LABELS", "1")])[0].variable, "RUNNER_LABELS");
    assert_eq!(bad(&[("LABELS", "a b")])[0].variable, "LABELS");
    let many: &'static str = Box::leak((0..98).map(|i| i.to_string()).collect::<Vec<_>>().join(",").into());
    assert!(bad(&[("LABELS", many)])[0].why.contains("101"));
}

#[test]
fn a_group_that_is_the_default_need_not_be_looked_up() {
    assert_eq!(good(&[("RUNNER_GROUP", "default")]).group, None);
    assert_eq!(good(&[("RUNNER_GROUP", "gpu")]).group.as_deref(), Some("gpu"));
}

#[test]
fn a_work_folder_does_not_climb() {
    for folder in ["/_work", "_work", "a/b"] {
        assert_eq!(good(&[("RUNNER_WORKDIR", folder)]).work_folder.as_deref(), Some(folder));
    }
    for folder in ["../x", "a/../../b", "a\nb"] {
        assert_eq!(bad(&[("RUNNER_WORKDIR", folder)])[0].variable, "RUNNER_WORKDIR");
    }
    assert_eq!(good(&[]).work_folder, None);
}

#[test]
fn packages_are_separated_by_commas_or_spaces_and_checked() {
    let names = |list: &'static str| {
        let names: Vec<String> =
            good(&[("ADDITIONAL_PACKAGES", list)]).packages.iter().map(ToString::to_string).collect();
        names
    };
    assert_eq!(names("jq, g++  git=1:2.39"), ["jq", "g++", "git=1:2.39"]);
    let refused = bad(&[("ADDITIONAL_PACKAGES", "jq,--reinstall,$(reboot)")]);
    assert_eq!(refused.len(), 2);
    assert!(refused[0].why.contains("--reinstall"));
}

#[test]
fn root_is_asked_for_and_had_or_refused() {
    assert!(good(&[("RUN_AS_ROOT", "true")]).run_as_root);
    assert!(!good(&[("RUN_AS_ROOT", "false")]).run_as_root);
    let look = |name: &str| match name {
        "RUN_AS_ROOT" => Some("true".to_owned()),
        "GITHUB_OWNER" | "GITHUB_PAT" => Some("acme".to_owned()),
        _ => None,
    };
    assert_eq!(Variables::read(&look, false).unwrap_err()[0].variable, "RUN_AS_ROOT");
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let refused =
        read(&[("GITHUB_OWNER", "acme"), ("EPHEMERAL", "false"), ("RUNNER_NAME", " x")]).unwrap_err();
    let variables: Vec<&str> = refused.iter().map(|r| r.variable).collect();
    assert_eq!(variables, ["EPHEMERAL", "GITHUB_PAT", "RUNNER_NAME"]);
}

#[test]
fn without_any_of_them_the_mailbox_is_missing() {
    for pairs in [&[][..], &[("GITHUB_PAT", ""), ("RUNNER_NAME", "x")]] {
        let refused = read(pairs).unwrap_err();
        assert_eq!((refused.len(), refused[0].variable), (1, "FLEETFOOT_MAILBOX"));
    }
}

/// Every variable that is read here is in the manual.
#[test]
fn the_manual_explains_every_variable() {
    const MANUAL: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/agent.md"));
    const CODE: [&str; 2] = [include_str!("variables.rs"), include_str!("refused.rs")];
    let in_code = CODE.iter().flat_map(|code| code.split('"')).filter(|text| {
        text.len() > 3
            && text.contains('_')
            && text.chars().all(|c| c.is_ascii_uppercase() || c == '_')
            && !text.starts_with("FLEETFOOT")
    });
    let mut count = 0;
    for name in in_code.chain(["LABELS", "EPHEMERAL"]) {
        count += 1;
        let told = ['`', '='].iter().any(|end| MANUAL.contains(&format!("`{name}{end}")));
        assert!(told, "docs/agent.md does not explain {name}");
    }
    assert!(count > 30, "{count}");
}
