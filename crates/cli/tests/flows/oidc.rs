//! A job is let in by its OIDC token: in either form of the subject, and where it is not, what stands against it is
//! told so that somebody can mend it.

use fleetfoot::demo::world::ACTOR;
use fleetfoot_sim::github::{Dispatch, RepositorySpec, SubjectForm};
use fleetfoot_sim::protocol::Conclusion;
use serde_json::json;

use crate::common::{START, Stage};

/// A repository like the demo's, which was created after GitHub had changed the subject.
const NEW: &str = "octo-org/new";

impl Stage {
    /// Runs a start in a job of the new repository; gives how it ended and what it said.
    async fn start_in_the_new_one(&self, form: SubjectForm) -> (Conclusion, String) {
        let github = &self.world.github;
        github
            .add_repository(RepositorySpec { subject: form, ..RepositorySpec::new(NEW, self.repository()) })
            .unwrap();
        let secrets = [("TOKEN".to_owned(), self.token(&["repo"]))].into();
        github.add_environment(NEW, "dev", [].into(), secrets).unwrap();
        let stack = self.path("stack.json").display().to_string();
        let env = "{ FLEETFOOT_GITHUB_TOKEN: '${{ secrets.TOKEN }}' }";
        let start =
            START.replace("ARGS", &format!("--wait none --stack-file {stack}")).replace("AS_LAUNCHER", env);
        let path = ".github/workflows/new.yml";
        let workflow = format!("name: new\non: workflow_dispatch\njobs:\n{start}");
        std::fs::write(self.repository().join(path), workflow).unwrap();
        let run = github.dispatch(&Dispatch::new(NEW, path, ACTOR)).unwrap();
        let conclusion = github.wait_run(run).await.unwrap();
        let job = github.run(run).unwrap().jobs.remove(0);
        let said = job.annotations.first().map(|annotation| annotation.message.clone()).unwrap_or_default();
        (conclusion, said.replace(&self.issuer_host(), "ISSUER"))
    }

    fn stack_of_the_new_one(&self, subjects: &[&str]) {
        let url = format!("{}/{NEW}", self.world.github.server_url());
        self.stack_file(|stack| {
            stack["github"]["url"] = json!(url);
            stack["launcher_subjects"] = json!(subjects);
        });
    }

    fn trust(&self, subjects: &[&str]) {
        let (host, account) = (self.issuer_host(), self.world.aws.account());
        let trust = json!({ "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow",
            "Principal": { "Federated": format!("arn:aws:iam::{account}:oidc-provider/{host}") },
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": { "StringEquals": { format!("{host}:aud"): "sts.amazonaws.com" },
                           "StringLike": { format!("{host}:sub"): subjects } } }] });
        let all = json!({ "Version": "2012-10-17", "Statement": [
            { "Effect": "Allow", "Action": ["ecs:*", "s3:*", "iam:PassRole"], "Resource": "*" }] });
        let role = fleetfoot_sim::aws::Role::new("fleetfoot-demo-launcher", trust, vec![all]);
        self.world.aws.add_role(role).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn either_form_of_the_subject_is_let_in() {
    for form in [SubjectForm::Names, SubjectForm::NamesAndIds] {
        let stage = Stage::new().await;
        let both = ["repo:octo-org/new:environment:dev", "repo:octo-org@*/new@*:environment:dev"];
        stage.stack_of_the_new_one(&both);
        stage.trust(&both);
        let (conclusion, said) = stage.start_in_the_new_one(form).await;
        assert_eq!(conclusion, Conclusion::Success, "{form:?}: {said}");
        assert_eq!(stage.live_tasks().len(), 1);
        stage.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_knows_one_form_alone_is_told_of_the_other() {
    let stage = Stage::new().await;
    let plain = ["repo:octo-org/new:environment:dev"];
    stage.stack_of_the_new_one(&plain);
    stage.trust(&plain);
    let (conclusion, said) = stage.start_in_the_new_one(SubjectForm::NamesAndIds).await;
    assert_eq!(conclusion, Conclusion::Failure);
    let sub = said.split_once("the token's sub is ").unwrap().1.split(',').next().unwrap().to_owned();
    assert!(sub.starts_with("repo:octo-org@") && sub.ends_with(":environment:dev"), "{said}");
    insta::assert_snapshot!(said.replace(&sub, "SUB"), @"
    cannot assume the role arn:aws:iam::123456789012:role/fleetfoot-demo-launcher: Not authorized to perform sts:AssumeRoleWithWebIdentity; the token's sub is SUB, the role wants repo:octo-org/new:environment:dev
    Let the role's trust policy accept ISSUER:aud sts.amazonaws.com and ISSUER:sub SUB, or a pattern of it: the subjects of repositories that were created, renamed or moved after 2026-07-15 have ids in them, and the role knows only the form without.
    ");
    stage.assert_nothing_asked_for();
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_is_not_what_the_stack_says_is_doubted() {
    let stage = Stage::new().await;
    stage.stack_of_the_new_one(&["repo:octo-org/new:*"]);
    stage.trust(&["repo:octo-org/other:*"]);
    let (conclusion, said) = stage.start_in_the_new_one(SubjectForm::Names).await;
    assert_eq!(conclusion, Conclusion::Failure);
    insta::assert_snapshot!(said, @"
    cannot assume the role arn:aws:iam::123456789012:role/fleetfoot-demo-launcher: Not authorized to perform sts:AssumeRoleWithWebIdentity; the token's sub is repo:octo-org/new:environment:dev, which fits what the role is said to want, repo:octo-org/new:*
    See that the role exists, and that its trust policy is the one that the stack document tells of: it must accept ISSUER:aud sts.amazonaws.com and ISSUER:sub repo:octo-org/new:environment:dev.
    ");
    stage.close().await;
}
