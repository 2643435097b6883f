//! Who calls, and whether they may.

use jiff::Timestamp;
use jsonwebtoken::{Algorithm, Validation, decode, decode_header};
use serde_json::Value;

use super::accounts::{Account, Accounts, Installation, Repository, Scope};
use super::limits::Bucket;
use super::permissions::{Demand, Permissions};
use super::rest::ApiError;
use super::tokens::{Grant, Tokens};

/// Whoever sent a request.
#[derive(Clone)]
pub(crate) enum Caller {
    Anonymous,
    /// A GitHub App, by the JSON web token it signed.
    App(u64),
    Token(Grant),
}

impl Caller {
    /// For the book of calls: no secret.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Anonymous => "anonymous".into(),
            Self::App(id) => format!("app {id}"),
            Self::Token(Grant::Classic { user, .. }) => format!("classic token of {user}"),
            Self::Token(Grant::FineGrained { user, .. }) => format!("fine-grained token of {user}"),
            Self::Token(Grant::Installation { installation, .. }) => format!("installation {installation}"),
            Self::Token(Grant::Job { job, .. }) => format!("GITHUB_TOKEN of job {job}"),
        }
    }

    /// The user behind it, if it is one.
    pub(crate) fn user(&self) -> Option<&str> {
        match self {
            Self::Token(Grant::Classic { user, .. } | Grant::FineGrained { user, .. }) => Some(user),
            _ => None,
        }
    }

    pub(crate) fn bucket(&self) -> Bucket {
        match self {
            Self::Anonymous => Bucket::Anonymous,
            Self::App(id) => Bucket::App(*id),
            Self::Token(Grant::Classic { user, .. } | Grant::FineGrained { user, .. }) => {
                Bucket::User(user.to_lowercase())
            }
            Self::Token(Grant::Installation { installation, .. }) => Bucket::Installation(*installation),
            Self::Token(Grant::Job { repository, .. }) => Bucket::Repository(*repository),
        }
    }

    pub(crate) fn scopes(&self) -> Option<&[String]> {
        match self {
            Self::Token(Grant::Classic { scopes, .. }) => Some(scopes),
            _ => None,
        }
    }

    pub(crate) fn is_personal(&self) -> bool {
        matches!(self, Self::Token(Grant::FineGrained { .. }))
    }
}

/// Reads the `Authorization` header.
pub(crate) fn authenticate(
    header: Option<&str>,
    tokens: &Tokens,
    accounts: &Accounts,
    now: Timestamp,
) -> Result<Caller, ApiError> {
    let Some(header) = header else { return Ok(Caller::Anonymous) };
    let (scheme, credential) = header.split_once(' ').unwrap_or((header, ""));
    if !scheme.eq_ignore_ascii_case("bearer") && !scheme.eq_ignore_ascii_case("token") {
        return Err(ApiError::bad_credentials());
    }
    let credential = credential.trim();
    if let Some(grant) = tokens.grant(credential, now) {
        return Ok(Caller::Token(grant.clone()));
    }
    if credential.starts_with("eyJ") {
        return app_of_jwt(credential, accounts, now).map(Caller::App);
    }
    Err(ApiError::bad_credentials())
}

/// Verifies an App's own token. Source: GitHub documentation, "Generating a JSON Web Token for a GitHub App".
fn app_of_jwt(token: &str, accounts: &Accounts, now: Timestamp) -> Result<u64, ApiError> {
    let undecodable = || ApiError::new(401, "A JSON web token could not be decoded");
    let unverified = jsonwebtoken::dangerous::insecure_decode::<Value>(token).map_err(|_| undecodable())?;
    let issuer = match &unverified.claims["iss"] {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return Err(ApiError::new(401, "Missing 'issuer' claim ('iss') in assertion")),
    };
    let app = accounts
        .apps
        .values()
        .find(|app| app.client_id == issuer || app.id.to_string() == issuer)
        .ok_or_else(|| ApiError::new(404, "Integration not found"))?;

    if decode_header(token).map_err(|_| undecodable())?.alg != Algorithm::RS256 {
        return Err(undecodable());
    }
    // The times are checked below, against the given clock and with GitHub's own words.
    let mut validation = Validation::new(Algorithm::RS256);
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    let claims = decode::<Value>(token, &app.public_key, &validation).map_err(|_| undecodable())?.claims;

    let seconds = now.as_second();
    match claims["exp"].as_i64() {
        Some(exp) if exp > seconds + 600 => {
            Err(ApiError::new(401, "'Expiration time' claim ('exp') is too far in the future"))
        }
        Some(exp) if exp > seconds => Ok(()),
        _ => Err(ApiError::new(
            401,
            "'Expiration time' claim ('exp') must be a numeric value representing the future time at which \
             the assertion expires",
        )),
    }?;
    match claims["iat"].as_i64() {
        Some(iat) if iat <= seconds => Ok(app.id),
        _ => Err(ApiError::new(
            401,
            "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued",
        )),
    }
}

/// Whether the caller may do what a route demands on a repository.
pub(crate) fn on_repository(
    caller: &Caller,
    repository: &Repository,
    demand: &Demand,
    accounts: &Accounts,
) -> Result<Scope, ApiError> {
    let public = !repository.private;
    let allowed = Ok(Scope::Repository(repository.id));
    let anybody = public && demand.is_public();
    match caller {
        Caller::Anonymous if anybody => allowed,
        Caller::Anonymous if public => Err(ApiError::new(401, "Requires authentication")),
        Caller::Anonymous => Err(ApiError::not_found()),
        Caller::App(_) => Err(ApiError::not_by_integration()),
        Caller::Token(Grant::Classic { user, scopes }) => {
            let scoped = demand.scopes.is_empty() || has_any(scopes, demand.scopes);
            let administers = administers(accounts, repository.owner_id, user);
            let sees = public || (administers && has_any(scopes, &["repo"]));
            match (sees, anybody || (scoped && administers)) {
                (false, _) => Err(ApiError::not_found()),
                (true, true) => allowed,
                (true, false) => Err(ApiError::new(403, "Must have admin rights to Repository.")),
            }
        }
        Caller::Token(Grant::FineGrained { user, owner_id, repositories, permissions }) => {
            let reaches = *owner_id == repository.owner_id
                && repositories.as_ref().is_none_or(|ids| ids.contains(&repository.id))
                && administers(accounts, repository.owner_id, user);
            match (reaches, anybody || demand.met_by_personal(permissions)) {
                (false, _) if anybody => allowed,
                (false, _) if !public => Err(ApiError::not_found()),
                (true, true) => allowed,
                _ => Err(ApiError::new(403, "Resource not accessible by personal access token")),
            }
        }
        Caller::Token(Grant::Installation { installation, repositories, permissions }) => {
            let reaches = accounts.installations.get(installation).is_some_and(|it| it.reaches(repository))
                && repositories.as_ref().is_none_or(|ids| ids.contains(&repository.id));
            Sight::of(reaches, repository).allows(demand, permissions).and(allowed)
        }
        Caller::Token(Grant::Job { repository: id, permissions, .. }) => {
            Sight::of(*id == repository.id, repository).allows(demand, permissions).and(allowed)
        }
    }
}

/// What an integration can see of a repository.
enum Sight {
    /// It was given the repository.
    Given,
    /// What everybody sees.
    Public,
    Nothing,
}

impl Sight {
    fn of(given: bool, repository: &Repository) -> Self {
        match (given, repository.private) {
            (true, _) => Self::Given,
            (false, false) => Self::Public,
            (false, true) => Self::Nothing,
        }
    }

    fn allows(&self, demand: &Demand, permissions: &Permissions) -> Result<(), ApiError> {
        match self {
            Self::Given if demand.met_by(permissions) => Ok(()),
            Self::Public if demand.is_public() => Ok(()),
            Self::Nothing => Err(ApiError::not_found()),
            Self::Given | Self::Public => Err(ApiError::not_by_integration()),
        }
    }
}

/// Whether the caller may do what a route demands on an organisation.
pub(crate) fn on_organization(
    caller: &Caller,
    account: &Account,
    demand: &Demand,
    accounts: &Accounts,
) -> Result<Scope, ApiError> {
    let allowed = Ok(Scope::Organization(account.id));
    match caller {
        Caller::Anonymous => Err(ApiError::new(401, "Requires authentication")),
        Caller::App(_) | Caller::Token(Grant::Job { .. }) => Err(ApiError::not_by_integration()),
        Caller::Token(Grant::Classic { user, scopes }) => {
            if has_any(scopes, demand.scopes) && account.is_administered_by(user) {
                allowed
            } else {
                Err(ApiError::new(403, "Must have admin rights to Organization."))
            }
        }
        Caller::Token(Grant::FineGrained { user, owner_id, permissions, .. }) => {
            let reaches = *owner_id == account.id && account.is_administered_by(user);
            if reaches && demand.met_by_personal(permissions) {
                allowed
            } else {
                Err(ApiError::new(403, "Resource not accessible by personal access token"))
            }
        }
        Caller::Token(Grant::Installation { installation, permissions, .. }) => {
            let reaches =
                accounts.installations.get(installation).is_some_and(|it| it.account_id == account.id);
            if reaches && demand.met_by(permissions) { allowed } else { Err(ApiError::not_by_integration()) }
        }
    }
}

/// The App's installation on an account, if it has one there.
pub(crate) fn installation_on(accounts: &Accounts, app: u64, account: u64) -> Option<&Installation> {
    accounts.installations.values().find(|it| it.app_id == app && it.account_id == account)
}

fn administers(accounts: &Accounts, owner_id: u64, user: &str) -> bool {
    accounts.by_id.get(&owner_id).is_some_and(|owner| owner.is_administered_by(user))
}

fn has_any(held: &[String], wanted: &[&str]) -> bool {
    held.iter().any(|scope| wanted.contains(&scope.as_str()))
}
