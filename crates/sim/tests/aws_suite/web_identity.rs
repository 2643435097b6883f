//! STS over HTTP: the issuer's keys are really fetched.

use fleetfoot_sim::aws::{AwsConfig, AwsSim, OidcProvider, Role};
use fleetfoot_sim::book::Book;
use fleetfoot_sim::events::Bus;

use super::issuer::Issuer;

pub(crate) const NAME: &str = "token.actions.githubusercontent.com";
pub(crate) const SUBJECT: &str = "repo:acme/app:ref:refs/heads/main";

pub(crate) async fn assume(aws: &AwsSim, role: &str, token: &str) -> (u16, String) {
    let form = [
        ("Action", "AssumeRoleWithWebIdentity"),
        ("Version", "2011-06-15"),
        ("RoleArn", role),
        ("RoleSessionName", "run-1"),
        ("WebIdentityToken", token),
    ];
    let response = reqwest::Client::new().post(aws.endpoint()).form(&form).send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

#[tokio::test]
async fn a_workflow_takes_the_role_that_trusts_it() {
    let mut issuer = Issuer::start().await;
    let book = Book::default();
    let aws = AwsSim::start(AwsConfig::default(), book.clone(), Bus::default()).await.unwrap();
    let provider = aws.add_oidc_provider(OidcProvider::new(&issuer.url).named(NAME));
    assert_eq!(provider, format!("arn:aws:iam::123456789012:oidc-provider/{NAME}"));
    let role = aws.add_role(Role::new("launcher", Issuer::trust(NAME, &provider), vec![])).unwrap();

    let token = issuer.token(SUBJECT);
    let (status, text) = assume(&aws, &role, &token).await;
    assert_eq!(status, 200, "{text}");
    assert!(text.contains("<AccessKeyId>ASIA"), "{text}");
    let given = aws.secrets();
    assert_eq!(given.len(), 2, "the secret key and the token of the session");
    assert!(given.iter().all(|secret| text.contains(secret.as_str())), "{text}");
    for (role, token) in
        [(role.as_str(), issuer.token("repo:evil/app:x")), (&aws.role_arn("other"), token.clone())]
    {
        let (status, text) = assume(&aws, role, &token).await;
        assert_eq!(status, 403);
        assert!(text.contains("Not authorized to perform sts:AssumeRoleWithWebIdentity"), "{text}");
    }
    let stranger = Issuer::start().await;
    let (status, text) = assume(&aws, &role, &stranger.token(SUBJECT)).await;
    assert!(status == 400 && text.contains("No OpenIDConnect provider found"), "{text}");

    issuer.stop().await;
    let (status, text) = assume(&aws, &role, &token).await;
    assert!(status == 400 && text.contains("<Code>IDPCommunicationError</Code>"), "{text}");

    assert_eq!(book.count("sts", "AssumeRoleWithWebIdentity"), 5);
    let everything = serde_json::to_string(&book.calls()).unwrap();
    assert!(!everything.contains(&token) && !everything.contains("ASIA"), "the book holds a secret");
    aws.shutdown().await;
}
