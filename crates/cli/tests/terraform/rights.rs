//! What each role of a stack may do, and what it may not: asked of the policies as they were applied.
//!
//! moto cannot weigh resources and conditions, so our simulator's evaluator is asked; moto is asked about
//! the lists of actions, in `enforced.py`.

use serde_json::Value;

use super::roles::{MadeRole, Question, may, may_not};
use super::run::Made;
use super::stack_document;

const TASKS_SERVICE: &str = "ecs-tasks.amazonaws.com";

/// The parts of a stack as policies name them.
pub(super) struct Parts {
    pub(super) name: String,
    pub(super) account: String,
    pub(super) region: String,
    cluster: String,
    bucket: String,
    log_group: String,
    families: Vec<String>,
    repository: Option<String>,
    queue: Option<String>,
    app_key: Option<String>,
    /// The roles that tasks of any pool have, and ECS's own.
    passable: Vec<String>,
}

impl Parts {
    pub(super) fn of(made: &Made) -> Self {
        let stack: Value = serde_json::from_str(stack_document(made)).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let arn: Vec<&str> = stack["cluster"].as_str().unwrap().splitn(6, ':').collect();
        let one = |kind: &str| made.of_type(kind).first().map(|found| found.text("arn").to_owned());
        let name = text(&stack["name"]);
        let definitions = made.of_type("aws_ecs_task_definition");
        let of_pools = definitions.iter().filter(|definition| {
            let pools = stack["pools"].as_array().unwrap().iter();
            pools.into_iter().any(|pool| text(&pool["task_definition"]).contains(definition.text("family")))
        });
        let mut passable: Vec<String> = of_pools
            .clone()
            .flat_map(|definition| ["task_role_arn", "execution_role_arn"].map(|role| definition.text(role)))
            .map(str::to_owned)
            .collect();
        passable.sort();
        passable.dedup();
        Self {
            account: arn[4].to_owned(),
            region: arn[3].to_owned(),
            cluster: arn[5].trim_start_matches("cluster/").to_owned(),
            bucket: text(&stack["mailbox"]["bucket"]),
            log_group: text(&stack["log_group"]),
            families: of_pools.map(|definition| definition.text("family").to_owned()).collect(),
            repository: one("aws_ecr_repository"),
            queue: one("aws_sqs_queue"),
            app_key: stack["github"]["app"]["key"].as_str().map(str::to_owned),
            passable,
            name,
        }
    }

    fn ecs(&self, resource: &str) -> String {
        format!("arn:aws:ecs:{}:{}:{resource}", self.region, self.account)
    }

    fn mail(&self, key: &str) -> String {
        format!("arn:aws:s3:::{}/{key}", self.bucket)
    }

    fn role(&self, name: &str) -> String {
        format!("arn:aws:iam::{}:role/{name}", self.account)
    }

    fn log(&self, group: &str) -> String {
        format!("arn:aws:logs:{}:{}:log-group:{group}", self.region, self.account)
    }

    /// The questions that a role of this stack has to answer; `None` for one that is asked elsewhere.
    pub(super) fn questions(&self, role: &MadeRole) -> Option<Vec<Question>> {
        let own = role.name.strip_prefix(&format!("{}-", self.name))?;
        let mut questions = match own {
            "task" => self.mail_only(),
            "execution" => self.execution(),
            "controller" => self.controller(),
            "image-build" => self.build(),
            "image-trigger" => self.trigger(),
            _ if own.starts_with("launcher-") => self.launcher(role),
            _ if own.starts_with("job-") => self.mail_only(),
            // It has what two policies of AWS's say.
            _ if own.ends_with("-instance") => return None,
            _ => panic!("nothing is asked of the role {}", role.name),
        };
        questions.extend(self.nobody());
        Some(questions)
    }

    /// What no role may that runs anything of ours.
    fn nobody(&self) -> Vec<Question> {
        vec![
            may_not("iam:CreateRole", self.role("new")),
            may_not("iam:PutRolePolicy", self.role(&format!("{}-task", self.name))),
            may_not("iam:PassRole", self.role("admin")).with("iam:PassedToService", TASKS_SERVICE),
            may_not("sts:AssumeRole", self.role("admin")),
            may_not("ecs:RegisterTaskDefinition", "*"),
            may_not("ecs:DeleteCluster", self.ecs(&format!("cluster/{}", self.cluster))),
            may_not("ecs:ExecuteCommand", self.ecs(&format!("task/{}/1", self.cluster))),
            may_not("logs:GetLogEvents", self.log(&format!("{}:log-stream:a", self.log_group))),
            may_not("ssm:PutParameter", self.parameter(&self.name)),
            may_not("kms:Decrypt", format!("arn:aws:kms:{}:{}:key/any", self.region, self.account)),
        ]
    }

    fn parameter(&self, stack: &str) -> String {
        format!("arn:aws:ssm:{}:{}:parameter/fleetfoot/{stack}", self.region, self.account)
    }

    /// A launcher may be held to some of the pools: then it may not run the others.
    fn launcher(&self, role: &MadeRole) -> Vec<Question> {
        let held = format!("{:?}", role.policies);
        let within = |family: &&String| held.contains(&format!("task-definition/{family}:"));
        let (own, others): (Vec<&String>, Vec<&String>) = self.families.iter().partition(within);
        assert!(!own.is_empty(), "{} may run nothing", role.name);
        let (own_roles, other_roles): (Vec<&String>, Vec<&String>) =
            self.passable.iter().partition(|arn| held.contains(&format!("{arn:?}")));
        let mut questions = self.launch(&own, &own_roles);
        let cluster = self.ecs(&format!("cluster/{}", self.cluster));
        for family in others {
            let definition = self.ecs(&format!("task-definition/{family}:1"));
            questions.push(may_not("ecs:RunTask", definition).with("ecs:cluster", &cluster));
        }
        for other in other_roles {
            questions.push(may_not("iam:PassRole", other).with("iam:PassedToService", TASKS_SERVICE));
        }
        questions
    }

    fn controller(&self) -> Vec<Question> {
        let mut questions =
            self.launch(&self.families.iter().collect::<Vec<_>>(), &self.passable.iter().collect::<Vec<_>>());
        let queue = self.queue.as_ref().unwrap();
        questions.extend([
            may("sqs:ReceiveMessage", queue),
            may("sqs:DeleteMessage", queue),
            may_not("sqs:ReceiveMessage", format!("{queue}-other")),
            may_not("sqs:SendMessage", queue),
        ]);
        questions
    }

    /// A launch, step by step, with each step's next-door neighbour.
    fn launch(&self, families: &[&String], roles: &[&String]) -> Vec<Question> {
        let cluster = self.ecs(&format!("cluster/{}", self.cluster));
        let another = self.ecs("cluster/another");
        let task = self.ecs(&format!("task/{}/0123abcd", self.cluster));
        let mut questions = Vec::new();
        for family in families {
            let definition = self.ecs(&format!("task-definition/{family}:7"));
            questions.extend([
                may("ecs:RunTask", &definition).with("ecs:cluster", &cluster),
                may_not("ecs:RunTask", &definition).with("ecs:cluster", &another),
                may_not("ecs:RunTask", &definition),
                may_not("ecs:RunTask", self.ecs(&format!("task-definition/{family}-other:1")))
                    .with("ecs:cluster", &cluster),
                may_not("ecs:RunTask", definition.replace(&self.account, "210987654321"))
                    .with("ecs:cluster", &cluster),
            ]);
        }
        for role in roles {
            questions.extend([
                may("iam:PassRole", *role).with("iam:PassedToService", TASKS_SERVICE),
                may_not("iam:PassRole", *role).with("iam:PassedToService", "ec2.amazonaws.com"),
                may_not("iam:PassRole", *role),
                may_not("iam:PassRole", format!("{role}-other")).with("iam:PassedToService", TASKS_SERVICE),
            ]);
        }
        let instances = |cluster: &str| self.ecs(&format!("container-instance/{cluster}/*"));
        questions.extend([
            may("ecs:TagResource", &task).with("ecs:CreateAction", "RunTask"),
            may_not("ecs:TagResource", &task),
            may_not("ecs:TagResource", &task).with("ecs:CreateAction", "CreateService"),
            may("ecs:DescribeTasks", &task),
            may("ecs:StopTask", &task),
            may_not("ecs:DescribeTasks", self.ecs("task/another/0123abcd")),
            may_not("ecs:StopTask", self.ecs("task/another/0123abcd")),
            may("ecs:ListTasks", instances(&self.cluster)).with("ecs:cluster", &cluster),
            may_not("ecs:ListTasks", instances("another")).with("ecs:cluster", &another),
            may("s3:PutObject", self.mail("mailbox/nonce/0123abcd")),
            may("s3:DeleteObject", self.mail("mailbox/nonce/0123abcd")),
            may_not("s3:PutObject", self.mail("elsewhere/nonce/0123abcd")),
            may_not("s3:PutObject", self.mail("mailbox/nonce/0123abcd").replace(&self.bucket, "another")),
            may_not("s3:GetObject", self.mail("mailbox/nonce/0123abcd")),
            may("ssm:GetParameter", self.parameter(&self.name)),
            may_not("ssm:GetParameter", self.parameter("another")),
            may_not("ssm:GetParameter", self.parameter(&format!("{}2", self.name))),
        ]);
        questions.extend(self.as_app());
        questions
    }

    /// Signing with the App's one key, or reading it where it is a secret.
    fn as_app(&self) -> Vec<Question> {
        const RS256: &str = "RSASSA_PKCS1_V1_5_SHA_256";
        match self.app_key.as_deref().and_then(|key| key.split_once(':')) {
            Some(("kms", key)) => vec![
                may("kms:Sign", key).with("kms:SigningAlgorithm", RS256),
                may_not("kms:Sign", key).with("kms:SigningAlgorithm", "RSASSA_PSS_SHA_256"),
                may_not("kms:Sign", format!("{key}0")).with("kms:SigningAlgorithm", RS256),
                may_not("secretsmanager:GetSecretValue", self.secret("any")),
            ],
            Some(("secretsmanager", secret)) => vec![
                may("secretsmanager:GetSecretValue", secret),
                may_not("secretsmanager:GetSecretValue", self.secret("any")),
                may_not("kms:Sign", format!("arn:aws:kms:{}:{}:key/any", self.region, self.account)),
            ],
            _ => vec![
                may_not("secretsmanager:GetSecretValue", self.secret("any")),
                may_not("kms:Sign", format!("arn:aws:kms:{}:{}:key/any", self.region, self.account)),
            ],
        }
    }

    fn secret(&self, name: &str) -> String {
        format!("arn:aws:secretsmanager:{}:{}:secret:{name}-AbCdEf", self.region, self.account)
    }

    /// A task's: the mail of which it knows the address.
    fn mail_only(&self) -> Vec<Question> {
        vec![
            may("s3:GetObject", self.mail("mailbox/nonce/0123abcd")),
            may("s3:DeleteObject", self.mail("mailbox/nonce/0123abcd")),
            may_not("s3:GetObject", self.mail("elsewhere/nonce/0123abcd")),
            may_not("s3:GetObject", self.mail("mailbox/nonce/0123abcd").replace(&self.bucket, "another")),
            may_not("s3:ListBucket", self.mail("").trim_end_matches('/')).with("s3:prefix", "mailbox/"),
            may_not("ecs:RunTask", self.ecs(&format!("task-definition/{}:1", self.families[0])))
                .with("ecs:cluster", &self.ecs(&format!("cluster/{}", self.cluster))),
            may_not("ecs:StopTask", self.ecs(&format!("task/{}/1", self.cluster))),
            may_not("ssm:GetParameter", self.parameter(&self.name)),
            may_not("secretsmanager:GetSecretValue", self.secret("any")),
        ]
    }

    /// A build of the image: it decides what runs in every runner, and runs none itself.
    fn build(&self) -> Vec<Question> {
        let (repository, stream) = (self.repository.as_ref().unwrap(), "log-stream:build/1");
        let builds = format!("/fleetfoot/{}/image-build", self.name);
        let bundle = format!("arn:aws:s3:::{}-image-{}-{}", self.name, self.account, self.region);
        let mut questions = vec![
            may("ecr:GetAuthorizationToken", "*"),
            may("ecr:PutImage", repository),
            may_not("ecr:PutImage", format!("{repository}-other")),
            may_not("ecr:BatchDeleteImage", repository),
            may("ssm:PutParameter", self.parameter(&format!("{}/image/x86_64", self.name))),
            may_not("ssm:PutParameter", self.parameter("another/image/x86_64")),
            may("logs:PutLogEvents", self.log(&format!("{builds}:{stream}"))),
            may_not("logs:PutLogEvents", self.log(&format!("{}:{stream}", self.log_group))),
            may("s3:GetObject", format!("{bundle}/image/Dockerfile")),
            may_not("s3:GetObject", self.mail("mailbox/nonce/0123abcd")),
            may_not("s3:PutObject", format!("{bundle}/image/Dockerfile")),
            may_not("ssm:GetParameter", self.parameter(&self.name)),
            may_not("codebuild:StartBuild", self.project("x86-64")),
        ];
        let service = self.ecs(&format!("service/{}/{}-controller", self.cluster, self.name));
        let change = if self.queue.is_some() { may } else { may_not };
        questions.push(change("ecs:UpdateService", service.clone()));
        questions.push(may_not("ecs:UpdateService", format!("{service}-other")));
        for family in &self.families {
            let definition = self.ecs(&format!("task-definition/{family}:*"));
            let cluster = self.ecs(&format!("cluster/{}", self.cluster));
            questions.extend([
                may("ecs:RegisterTaskDefinition", &definition),
                may("ecs:TagResource", &definition).with("ecs:CreateAction", "RegisterTaskDefinition"),
                may_not("ecs:TagResource", &definition),
                may_not("ecs:RegisterTaskDefinition", self.ecs(&format!("task-definition/{family}-other:*"))),
                may_not("ecs:RunTask", &definition).with("ecs:cluster", &cluster),
            ]);
        }
        for role in &self.passable {
            questions.extend([
                may("iam:PassRole", role).with("iam:PassedToService", TASKS_SERVICE),
                may_not("iam:PassRole", role).with("iam:PassedToService", "ec2.amazonaws.com"),
            ]);
        }
        questions
    }

    /// What starts builds, and does nothing else.
    fn trigger(&self) -> Vec<Question> {
        vec![
            may("codebuild:StartBuild", self.project("x86-64")),
            may_not("codebuild:StartBuild", self.project("other")),
            may_not("ecr:PutImage", self.repository.as_ref().unwrap()),
        ]
    }

    /// The project that builds for an architecture.
    pub(super) fn project(&self, arch: &str) -> String {
        let Self { name, account, region, .. } = self;
        format!("arn:aws:codebuild:{region}:{account}:project/{name}-image-{arch}")
    }

    fn execution(&self) -> Vec<Question> {
        let stream = |group: &str| self.log(&format!("{group}:log-stream:runner/runner/1"));
        let mut questions = vec![
            may("logs:CreateLogStream", stream(&self.log_group)),
            may("logs:PutLogEvents", stream(&self.log_group)),
            may_not("logs:PutLogEvents", stream("/another")),
            may_not("logs:CreateLogGroup", self.log("/another")),
            may_not("s3:GetObject", self.mail("mailbox/nonce/0123abcd")),
            may_not("secretsmanager:GetSecretValue", self.secret("any")),
            may_not("ssm:GetParameter", self.parameter(&self.name)),
        ];
        if let Some(repository) = &self.repository {
            questions.extend([
                may("ecr:GetAuthorizationToken", "*"),
                may("ecr:BatchGetImage", repository),
                may_not("ecr:BatchGetImage", format!("{repository}-other")),
                may_not("ecr:PutImage", repository),
            ]);
        } else {
            questions.push(may_not("ecr:GetAuthorizationToken", "*"));
        }
        questions
    }
}
