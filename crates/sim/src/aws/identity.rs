//! Who there is in the simulated account: users, roles, identity providers and sessions.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::error::AwsError;
use super::iam::{Access, Context, Decision, Policy, PolicyError, decide};
use super::ids::Ids;
use crate::faults::Faults;

/// A user with one static access key.
#[derive(Clone)]
pub struct User {
    /// Name, the end of the ARN.
    pub name: String,
    /// Id of the access key, `AKIA…`.
    pub access_key_id: String,
    /// Secret of the access key.
    pub secret_access_key: String,
    /// Policy documents.
    pub policies: Vec<Value>,
}

/// A role that web identities or tasks can take.
#[derive(Debug, Clone)]
pub struct Role {
    /// Name, the end of the ARN.
    pub name: String,
    /// Trust policy: who may take the role.
    pub trust_policy: Value,
    /// Policy documents: what the role may do.
    pub policies: Vec<Value>,
    /// Longest session; IAM takes 1 to 12 hours.
    pub max_session: Duration,
}

impl Role {
    /// A role with these policies and sessions of one hour at most, IAM's default.
    pub fn new(name: impl Into<String>, trust_policy: Value, policies: Vec<Value>) -> Self {
        Self { name: name.into(), trust_policy, policies, max_session: Duration::from_hours(1) }
    }
}

/// An OpenID Connect provider that the account trusts.
#[derive(Debug, Clone)]
pub struct OidcProvider {
    /// The `iss` claim of its tokens; its keys are found below this address.
    pub issuer: String,
    /// What the provider is called in ARNs and condition keys. IAM takes the issuer without its scheme;
    /// a simulated issuer on loopback can take the name of the one it stands for.
    pub name: String,
    /// Audiences that the account registered, usually `sts.amazonaws.com`.
    pub client_ids: Vec<String>,
}

impl OidcProvider {
    /// A provider called by its issuer's address, with the audience `sts.amazonaws.com`.
    pub fn new(issuer: impl Into<String>) -> Self {
        let issuer = issuer.into();
        let name = issuer.split_once("://").map_or(issuer.as_str(), |(_, rest)| rest);
        Self {
            name: name.trim_end_matches('/').to_owned(),
            client_ids: vec!["sts.amazonaws.com".to_owned()],
            issuer,
        }
    }

    /// The same provider under the name of the one that it stands for.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }
}

/// A role as it is kept.
pub(crate) struct StoredRole {
    pub(crate) id: String,
    pub(crate) trust: Policy,
    pub(crate) max_session: Duration,
    name: String,
    policies: Vec<Policy>,
}

/// An access key as the verifier needs it.
pub(crate) struct Key {
    pub(crate) secret: String,
    /// Sessions only.
    pub(crate) token: Option<String>,
    /// Sessions only.
    pub(crate) expires: Option<Timestamp>,
    arn: String,
    user_id: String,
    holder: Holder,
}

enum Holder {
    User(Vec<Policy>),
    Session { role: String },
}

/// Temporary credentials, as STS and the task's endpoint hand them out.
#[derive(Clone)]
pub(crate) struct Session {
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: String,
    pub(crate) token: String,
    pub(crate) expires: Timestamp,
    pub(crate) arn: String,
    pub(crate) user_id: String,
}

/// When temporary credentials end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Life {
    /// When their holder is told that they end.
    pub(crate) told: Timestamp,
    /// When they are refused.
    pub(crate) ends: Timestamp,
}

impl Life {
    /// A life until `end`, unless a fault shortens it. `session` is for the list of faults that fired.
    pub(crate) fn until(end: Timestamp, session: &str, faults: &Faults, now: Timestamp) -> Self {
        match faults.ends_session(session, now) {
            None => Self { told: end, ends: end },
            Some((after, told)) => {
                let ends = end.min(now + after);
                Self { told: if told { ends } else { end }, ends }
            }
        }
    }
}

/// Who calls, once the signature is verified.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) arn: String,
    pub(crate) user_id: String,
    pub(crate) account: String,
    principal_arn: String,
    region: String,
    policies: Vec<Policy>,
}

impl Caller {
    /// What every condition can ask for.
    pub(crate) fn context(&self) -> Context {
        Context::default()
            .with("aws:PrincipalArn", &self.principal_arn)
            .with("aws:PrincipalAccount", &self.account)
            .with("aws:RequestedRegion", &self.region)
            // The loopback stands for TLS: a policy that demands TLS is not what is simulated here.
            .with("aws:SecureTransport", "true")
    }

    /// Refuses as IAM words it if the caller's policies do not allow an action on a resource.
    pub(crate) fn check(&self, action: &str, resource: &str, context: &Context) -> Result<(), AwsError> {
        let why = match self.decide(action, resource, context) {
            Decision::Allowed => return Ok(()),
            Decision::ImplicitDeny => format!("because no identity-based policy allows the {action} action"),
            Decision::ExplicitDeny => "with an explicit deny in an identity-based policy".to_owned(),
        };
        Err(AwsError::new(
            "AccessDeniedException",
            format!(
                "User: {} is not authorized to perform: {action} on resource: {resource} {why}",
                self.arn
            ),
        ))
    }

    fn decide(&self, action: &str, resource: &str, context: &Context) -> Decision {
        decide(&self.policies, &Access { action, resource, principal: None, context })
    }
}

/// All identities of the account.
pub(crate) struct Identities {
    pub(crate) account: String,
    region: String,
    keys: HashMap<String, Key>,
    roles: HashMap<String, StoredRole>,
    providers: Vec<OidcProvider>,
}

impl Identities {
    pub(crate) fn new(account: &str, region: &str) -> Self {
        Self {
            account: account.to_owned(),
            region: region.to_owned(),
            keys: HashMap::new(),
            roles: HashMap::new(),
            providers: Vec::new(),
        }
    }

    pub(crate) fn add_user(&mut self, user: User, ids: &mut Ids) -> Result<String, PolicyError> {
        let policies = user.policies.iter().map(Policy::parse).collect::<Result<_, _>>()?;
        let arn = format!("arn:aws:iam::{}:user/{}", self.account, user.name);
        let key = Key {
            secret: user.secret_access_key,
            token: None,
            expires: None,
            arn: arn.clone(),
            user_id: format!("AIDA{}", ids.key(17)),
            holder: Holder::User(policies),
        };
        self.keys.insert(user.access_key_id, key);
        Ok(arn)
    }

    pub(crate) fn add_role(&mut self, role: Role, ids: &mut Ids) -> Result<String, PolicyError> {
        let arn = format!("arn:aws:iam::{}:role/{}", self.account, role.name);
        let stored = StoredRole {
            id: format!("AROA{}", ids.key(17)),
            trust: Policy::parse(&role.trust_policy)?,
            policies: role.policies.iter().map(Policy::parse).collect::<Result<_, _>>()?,
            max_session: role.max_session,
            name: role.name,
        };
        self.roles.insert(arn.clone(), stored);
        Ok(arn)
    }

    pub(crate) fn add_provider(&mut self, provider: OidcProvider) -> String {
        let arn = self.provider_arn(&provider);
        self.providers.retain(|known| known.issuer != provider.issuer);
        self.providers.push(provider);
        arn
    }

    /// The provider of a token's `iss` claim.
    pub(crate) fn provider(&self, issuer: &str) -> Option<&OidcProvider> {
        let same = |a: &str, b: &str| a.trim_end_matches('/') == b.trim_end_matches('/');
        self.providers.iter().find(|provider| same(&provider.issuer, issuer))
    }

    pub(crate) fn provider_arn(&self, provider: &OidcProvider) -> String {
        format!("arn:aws:iam::{}:oidc-provider/{}", self.account, provider.name)
    }

    pub(crate) fn role(&self, arn: &str) -> Option<&StoredRole> {
        self.roles.get(arn)
    }

    pub(crate) fn key(&self, access_key_id: &str) -> Option<&Key> {
        self.keys.get(access_key_id)
    }

    /// The secret halves of all keys, and the tokens of all sessions.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = String> {
        self.keys.values().flat_map(|key| [Some(key.secret.clone()), key.token.clone()]).flatten()
    }

    /// Who holds a key.
    pub(crate) fn caller(&self, key: &Key) -> Caller {
        let (principal_arn, policies) = match &key.holder {
            Holder::User(policies) => (key.arn.clone(), policies.clone()),
            Holder::Session { role } => {
                (role.clone(), self.roles.get(role).map(|role| role.policies.clone()).unwrap_or_default())
            }
        };
        Caller {
            arn: key.arn.clone(),
            user_id: key.user_id.clone(),
            account: self.account.clone(),
            principal_arn,
            region: self.region.clone(),
            policies,
        }
    }

    /// Whether a service may take a role, by the role's trust policy.
    pub(crate) fn service_can_assume(&self, service: &str, role_arn: &str, context: &Context) -> bool {
        self.role(role_arn).is_some_and(|role| {
            let access = Access {
                action: "sts:AssumeRole",
                resource: role_arn,
                principal: Some(("Service", service)),
                context,
            };
            decide(std::slice::from_ref(&role.trust), &access) == Decision::Allowed
        })
    }

    /// Whether a role's own policies allow an action, for what a service does in the role's name.
    pub(crate) fn role_can(&self, role_arn: &str, action: &str, resource: &str) -> bool {
        let context = Context::default()
            .with("aws:PrincipalArn", role_arn)
            .with("aws:RequestedRegion", &self.region)
            .with("aws:SecureTransport", "true");
        let access = Access { action, resource, principal: None, context: &context };
        self.role(role_arn).is_some_and(|role| decide(&role.policies, &access) == Decision::Allowed)
    }

    /// Opens a session of a role; `None` if there is no such role.
    pub(crate) fn open_session(
        &mut self,
        role_arn: &str,
        session_name: &str,
        life: Life,
        ids: &mut Ids,
    ) -> Option<Session> {
        let role = self.roles.get(role_arn)?;
        let session = Session {
            access_key_id: format!("ASIA{}", ids.key(16)),
            secret_access_key: ids.secret(40),
            token: ids.secret(356),
            expires: life.told,
            arn: format!("arn:aws:sts::{}:assumed-role/{}/{session_name}", self.account, role.name),
            user_id: format!("{}:{session_name}", role.id),
        };
        let key = Key {
            secret: session.secret_access_key.clone(),
            token: Some(session.token.clone()),
            expires: Some(life.ends),
            arn: session.arn.clone(),
            user_id: session.user_id.clone(),
            holder: Holder::Session { role: role_arn.to_owned() },
        };
        self.keys.insert(session.access_key_id.clone(), key);
        Some(session)
    }
}
