//! The account: every service's state, and which request goes to which.

use std::collections::HashMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::AwsConfig;
use super::auth::{Failure, Protocol, authenticate};
use super::broken;
use super::ec2::{self, Ec2};
use super::ecs::{Call, Ecs};
use super::error::AwsError;
use super::identity::{Caller, Identities, Life, Session};
use super::ids::Ids;
use super::kms::Kms;
use super::logs::Logs;
use super::oidc;
use super::quotas::Quotas;
use super::s3::{S3, rest};
use super::secrets::Secrets;
use super::sqs::{self, Sqs};
use super::ssm::Ssm;
use super::sts::{self, FetchedKeys, Form};
use super::task_events::TaskEvents;
use super::wire::{Answer, Request, header};
use crate::faults::{Breakage, Faults, S3Failure};
use crate::line::http_date;

/// How long the credentials of a task last, and how long before their end there are new ones.
const TASK_SESSION: SignedDuration = SignedDuration::from_hours(6);
const TASK_SESSION_MARGIN: SignedDuration = SignedDuration::from_mins(15);

/// Everything in the account.
pub(crate) struct World {
    pub(crate) region: String,
    pub(crate) ids: Ids,
    pub(crate) identities: Identities,
    pub(crate) ecs: Ecs,
    pub(crate) ec2: Ec2,
    pub(crate) s3: S3,
    pub(crate) ssm: Ssm,
    pub(crate) secrets: Secrets,
    pub(crate) kms: Kms,
    pub(crate) logs: Logs,
    pub(crate) quotas: Quotas,
    pub(crate) sqs: Sqs,
    task_events: TaskEvents,
    faults: Faults,
    task_sessions: HashMap<String, Session>,
}

/// An answer with what the book wants to know.
pub(crate) struct Outcome {
    pub(crate) answer: Answer,
    pub(crate) service: &'static str,
    pub(crate) operation: String,
    pub(crate) request: Option<Value>,
    pub(crate) caller: String,
    /// Whether nothing of the answer arrives.
    pub(crate) cut: bool,
}

impl Outcome {
    fn new(answer: Answer, service: &'static str, operation: String) -> Self {
        Self { answer, service, operation, request: None, caller: String::new(), cut: false }
    }
}

/// Where a request is bound for.
enum Route {
    Json(&'static str, String),
    Sts(Form),
    Ec2(Form),
    S3(Result<rest::Target, AwsError>),
}

impl Route {
    fn service(&self) -> &'static str {
        match self {
            Self::Json(service, _) => service,
            Self::Sts(_) => "sts",
            Self::Ec2(_) => "ec2",
            Self::S3(_) => "s3",
        }
    }

    /// The operation's name in the API reference; of what is no operation of S3 the method.
    fn operation(&self, request: &Request) -> String {
        match self {
            Self::Json(_, operation) => operation.clone(),
            Self::Sts(form) | Self::Ec2(form) => form.get("Action").unwrap_or_default().to_owned(),
            Self::S3(Ok(target)) => target.operation.to_owned(),
            Self::S3(Err(_)) => request.method.clone(),
        }
    }
}

/// The time, and what the clock of the service that is called shows: almost always the same.
#[derive(Clone, Copy)]
struct Clocks {
    now: Timestamp,
    shown: Timestamp,
}

impl World {
    pub(crate) fn new(config: &AwsConfig) -> Self {
        let (region, account) = (config.region.as_str(), config.account.as_str());
        let mut ecs = Ecs::new(region, account, (config.fargate_timing, config.ec2_timing), &config.rates);
        ecs.faults = config.faults.clone();
        Self {
            region: region.to_owned(),
            ids: Ids::new(config.seed),
            identities: Identities::new(account, region),
            ecs,
            ec2: Ec2::new(region, account),
            s3: S3::default(),
            ssm: Ssm::default(),
            secrets: Secrets::default(),
            kms: Kms::default(),
            logs: Logs::default(),
            quotas: Quotas::default(),
            sqs: Sqs::new(region, account),
            task_events: TaskEvents::new(region, account),
            faults: config.faults.clone(),
            task_sessions: HashMap::new(),
        }
    }

    /// Lets ECS do what is due by now, and tells of it whoever wants to hear.
    pub(crate) fn advance(&mut self, now: Timestamp) {
        self.ecs.advance(now, &self.identities, &mut self.logs);
        let changes = self.ecs.take_changes();
        self.task_events.deliver(changes, &mut self.sqs, &self.faults, &mut self.ids, now);
    }

    /// Sends the events of a cluster's tasks to a queue from now on.
    pub(crate) fn send_task_events(&mut self, cluster: &str, queue: &str) {
        let cluster = self.ecs.cluster_arn(Some(cluster));
        self.task_events.send(cluster, queue.to_owned());
        self.ecs.notes_changes = self.task_events.are_wanted();
    }

    /// How long a request that came then has to wait until it can be answered; nothing if that is now.
    pub(crate) fn wait(&self, request: &Request, arrived: Timestamp, now: Timestamp) -> Option<Duration> {
        self.sqs.wait(request, arrived, now)
    }

    /// Starts tasks for whoever has this access key, past the rates.
    pub(crate) fn add_tasks(
        &mut self,
        access_key_id: &str,
        request: &Value,
        now: Timestamp,
    ) -> Result<Vec<String>, AwsError> {
        let key = self.identities.key(access_key_id);
        let caller =
            self.identities.caller(key.ok_or_else(|| AwsError::client("Nobody has this access key."))?);
        let mut call = Call { now, caller: &caller, identities: &self.identities, ids: &mut self.ids };
        let answer = self.ecs.add_tasks(request, &mut call)?;
        let arns = answer["tasks"].as_array().into_iter().flatten();
        Ok(arns.filter_map(|task| task["taskArn"].as_str().map(str::to_owned)).collect())
    }

    /// The issuer whose keys a request needs, if it needs any and the account knows the issuer.
    pub(crate) fn issuer_to_ask(&self, request: &Request) -> Option<String> {
        let Ok(Route::Sts(form)) = route(request) else {
            return None;
        };
        let issuer = oidc::issuer(form.get("WebIdentityToken")?)?;
        Some(self.identities.provider(&issuer)?.issuer.clone())
    }

    /// How long a request waits before it is looked at.
    pub(crate) fn delay(&self, request: &Request, now: Timestamp) -> Option<Duration> {
        match route(request) {
            Ok(Route::S3(Ok(target))) => self.faults.s3_delay(target.operation, now),
            _ => None,
        }
    }

    /// Answers a request. `keys` are those of [`Self::issuer_to_ask`].
    pub(crate) fn answer(&mut self, request: &Request, keys: FetchedKeys, now: Timestamp) -> Outcome {
        self.advance(now);
        let request_id = self.ids.uuid();
        let route = match route(request) {
            Ok(route) => route,
            Err(error) => {
                let target = request.header("x-amz-target").unwrap_or_default();
                let mut outcome = Outcome::new(Answer::json_error(&error), "unknown", target.to_owned());
                outcome.answer.headers.push(header("x-amzn-requestid", request_id));
                return outcome;
            }
        };
        let (service, operation) = (route.service(), route.operation(request));
        let clocks = Clocks { now, shown: self.faults.clock(service, &operation, now) };
        let mut outcome = match route {
            Route::Json(service, operation) => self.answer_json(service, operation, request, clocks),
            Route::Sts(form) => self.answer_sts(&form, request, keys, &request_id, clocks.shown),
            Route::Ec2(form) => self.answer_ec2(&form, operation, request, &request_id, clocks.shown),
            Route::S3(target) => self.answer_s3(target, operation, request, &request_id, clocks),
        };
        // What was refused had no effect: no answer to it is missed.
        if !outcome.cut && outcome.answer.status < 400 {
            match self.faults.loses_answer(service, &outcome.operation, now) {
                Some(Breakage::Status500) => {
                    outcome.answer = broken::internal(service, &request.path, &request_id);
                }
                Some(Breakage::Cut) => outcome.cut = true,
                None => {}
            }
        }
        let name = if service == "s3" { "x-amz-request-id" } else { "x-amzn-requestid" };
        outcome.answer.headers.push(header(name, request_id));
        if clocks.shown != now {
            outcome.answer.headers.push(header("date", http_date(clocks.shown)));
        }
        outcome
    }

    fn answer_json(
        &mut self,
        service: &'static str,
        operation: String,
        request: &Request,
        clocks: Clocks,
    ) -> Outcome {
        let (caller, body) = match self.open(service, Protocol::Json, request, clocks.shown) {
            Ok(opened) => opened,
            Err(error) => return Outcome::new(Answer::json_error(&error), service, operation),
        };
        let parsed = match body.as_slice() {
            [] => Ok(json!({})),
            body => serde_json::from_slice::<Value>(body).map_err(|e| AwsError::serialization(e.to_string())),
        };
        let result =
            parsed.clone().and_then(|body| self.dispatch(service, &operation, &body, &caller, clocks.now));
        let older_code = result.as_ref().err().and_then(|error| sqs::older_code(error.code));
        let mut answer = result.unwrap_or_else(|error| Answer::json_error(&error));
        if service == "sqs" {
            // It alone speaks the protocol's version 1.0.
            answer.headers = vec![header("content-type", "application/x-amz-json-1.0")];
            answer
                .headers
                .extend(older_code.map(|code| header("x-amzn-query-error", format!("{code};Sender"))));
        }
        let request = parsed.ok().map(|body| without_secrets(&operation, body));
        Outcome { request, caller: caller.arn, ..Outcome::new(answer, service, operation) }
    }

    fn dispatch(
        &mut self,
        service: &str,
        operation: &str,
        body: &Value,
        caller: &Caller,
        now: Timestamp,
    ) -> Result<Answer, AwsError> {
        match service {
            "ecs" => {
                let mut call = Call { now, caller, identities: &self.identities, ids: &mut self.ids };
                self.ecs.answer(operation, body, &mut call).map(Answer::json)
            }
            "ssm" => self.ssm.answer(operation, body, caller, &self.region, now),
            "secretsmanager" => {
                self.secrets.answer(operation, body, caller, (&self.region, now), &mut self.ids)
            }
            "kms" => self.kms.answer(operation, body, caller, &self.region, &mut self.ids),
            "sqs" => {
                let mut call = sqs::Call { now, caller, ids: &mut self.ids };
                self.sqs.answer(operation, body, &mut call)
            }
            "servicequotas" => self.quotas.answer(operation, body, caller, &self.region),
            _ => self.logs.answer(operation, body, caller, &self.region),
        }
    }

    fn answer_sts(
        &mut self,
        form: &Form,
        request: &Request,
        keys: FetchedKeys,
        request_id: &str,
        now: Timestamp,
    ) -> Outcome {
        let operation = form.get("Action").unwrap_or_default().to_owned();
        let result = match operation.as_str() {
            // The token is the credential: this call is not signed.
            "AssumeRoleWithWebIdentity" => {
                let (identities, ids) = (&mut self.identities, &mut self.ids);
                sts::assume_role_with_web_identity(identities, ids, form, keys, &self.faults, now)
            }
            "GetCallerIdentity" => self
                .open("sts", Protocol::Query, request, now)
                .map(|(caller, _)| (sts::get_caller_identity(&caller, &mut self.ids), caller.arn)),
            other => Err(AwsError::new("InvalidAction", format!("Could not find operation {other}"))),
        };
        let (answer, caller) =
            result.unwrap_or_else(|error| (Answer::query_error(&error, request_id), String::new()));
        Outcome { request: Some(form.record()), caller, ..Outcome::new(answer, "sts", operation) }
    }

    fn answer_ec2(
        &self,
        form: &Form,
        operation: String,
        request: &Request,
        request_id: &str,
        now: Timestamp,
    ) -> Outcome {
        let opened = self.open("ec2", Protocol::Query, request, now).map_err(ec2::of_authentication);
        let caller = opened.as_ref().map(|(caller, _)| caller.arn.clone()).unwrap_or_default();
        let answer = opened
            .and_then(|(caller, _)| self.ec2.answer(&operation, form, &caller, request_id))
            .unwrap_or_else(|error| Answer::ec2_error(&error, request_id));
        Outcome { request: Some(form.record()), caller, ..Outcome::new(answer, "ec2", operation) }
    }

    fn answer_s3(
        &mut self,
        target: Result<rest::Target, AwsError>,
        operation: String,
        request: &Request,
        request_id: &str,
        clocks: Clocks,
    ) -> Outcome {
        let opened = self.open("s3", Protocol::S3, request, clocks.shown);
        let caller = opened.as_ref().map(|(caller, _)| caller.arn.clone()).unwrap_or_default();
        let failure = if opened.is_ok() { self.faults.s3_failure(&operation, clocks.now) } else { None };
        let mut result = Ok(Answer::default());
        if failure.is_none_or(S3Failure::is_late) {
            result = opened.and_then(|(caller, body)| {
                rest::answer(&mut self.s3, &caller, &target?, request, body, clocks.now)
            });
        }
        let mut cut = false;
        if let Some(failure) = failure {
            match broken::s3(failure) {
                Some(error) => result = Err(error),
                None => cut = true,
            }
        }
        let answer = result.unwrap_or_else(|error| {
            let mut answer = Answer::s3_error(&error, &request.path, request_id);
            if request.method == "HEAD" {
                answer.body.clear();
            }
            answer
        });
        Outcome { caller, cut, ..Outcome::new(answer, "s3", operation) }
    }

    fn open(
        &self,
        service: &'static str,
        protocol: Protocol,
        request: &Request,
        now: Timestamp,
    ) -> Result<(Caller, Vec<u8>), AwsError> {
        authenticate(&self.identities, service, request, now)
            .map_err(|failure: Failure| failure.into_error(protocol))
    }

    /// The credentials of a task's role, for whoever has the task's token.
    pub(crate) fn task_credentials(&mut self, id: &str, token: &str, now: Timestamp) -> Option<Value> {
        let task = self.ecs.by_credentials(id, token)?;
        let role = task.task_role.clone()?;
        let fresh = |session: &&Session| session.expires > now + TASK_SESSION_MARGIN;
        let session = if let Some(session) = self.task_sessions.get(&task.id).filter(fresh) {
            session.clone()
        } else {
            let task = task.id.clone();
            let life = Life::until(now + TASK_SESSION, &task, &self.faults, now);
            let session = self.identities.open_session(&role, &task, life, &mut self.ids)?;
            self.task_sessions.insert(task, session.clone());
            session
        };
        Some(json!({
            "RoleArn": role,
            "AccessKeyId": session.access_key_id,
            "SecretAccessKey": session.secret_access_key,
            "Token": session.token,
            "Expiration": session.expires.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        }))
    }
}

fn route(request: &Request) -> Result<Route, AwsError> {
    if let Some(target) = request.header("x-amz-target") {
        let (prefix, operation) = target.split_once('.').unwrap_or((target, ""));
        let service = match prefix {
            "AmazonEC2ContainerServiceV20141113" => "ecs",
            "AmazonSSM" => "ssm",
            "secretsmanager" => "secretsmanager",
            "TrentService" => "kms",
            "Logs_20140328" => "logs",
            "ServiceQuotasV20190624" => "servicequotas",
            "AmazonSQS" => "sqs",
            other => {
                return Err(AwsError::new("UnknownOperationException", format!("No service {other} here")));
            }
        };
        return Ok(Route::Json(service, operation.to_owned()));
    }
    let form = request
        .header("content-type")
        .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    if request.method == "POST" && request.path == "/" && form {
        // Every service has an address of its own; here the API's version tells them apart.
        let form = Form::parse(&request.body);
        let is_ec2 = form.get("Version") == Some(ec2::VERSION);
        return Ok(if is_ec2 { Route::Ec2(form) } else { Route::Sts(form) });
    }
    Ok(Route::S3(rest::Target::of(request)))
}

/// The request for the book: the value of a secret or a secret parameter stays out.
fn without_secrets(operation: &str, mut body: Value) -> Value {
    if operation == "PutParameter"
        && body.get("Type").and_then(Value::as_str) != Some("String")
        && let Some(value) = body.get_mut("Value")
    {
        *value = json!("[redacted]");
    }
    if let Some(value) = body.get_mut("SecretString") {
        *value = json!("[redacted]");
    }
    body
}
