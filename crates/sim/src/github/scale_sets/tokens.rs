//! The way to the Actions service: a registration token of the REST API, then an admin token for it.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::json;

use super::super::accounts::Scope;
use super::super::state::{State, later};
use super::ServiceError;

/// The tokens, each with what it is for and when it ends.
#[derive(Default)]
pub(crate) struct ActionsTokens {
    registration: HashMap<String, (Scope, Timestamp)>,
    admin: HashMap<String, (Scope, Timestamp)>,
}

impl ActionsTokens {
    /// Notes a registration token that the REST API gives out.
    pub(crate) fn add_registration(&mut self, token: String, scope: Scope, expires: Timestamp) {
        self.registration.insert(token, (scope, expires));
    }

    /// Ends all admin tokens.
    pub(crate) fn revoke_admin(&mut self) {
        self.admin.clear();
    }
}

fn live(tokens: &HashMap<String, (Scope, Timestamp)>, token: Option<&str>, now: Timestamp) -> Option<Scope> {
    token.and_then(|token| tokens.get(token)).filter(|(_, expires)| now < *expires).map(|(scope, _)| *scope)
}

impl State {
    /// `POST /actions/runner-registration`: an admin token for whoever shows a registration token. The address
    /// must be that of the repository or organisation that the token is for.
    pub(crate) fn connect_to_actions(
        &mut self,
        token: Option<&str>,
        url: &str,
        now: Timestamp,
    ) -> Result<String, ServiceError> {
        let scope =
            live(&self.actions_tokens.registration, token, now).ok_or_else(ServiceError::unauthorized)?;
        let known = self.address_of(scope);
        if !known.is_some_and(|known| known.eq_ignore_ascii_case(url.trim_end_matches('/'))) {
            return Err(ServiceError::bad_request(format!("the token is not for {url}")));
        }
        let expires = later(now, self.config.admin_token);
        let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let claims =
            json!({ "exp": expires.as_second(), "nbf": now.as_second(), "jti": self.entropy.uuid() });
        // Nobody but this service verifies it, and this one knows its own.
        let signature = URL_SAFE_NO_PAD.encode(self.entropy.bytes(32));
        let jwt = format!("{}.{}.{signature}", part(json!({ "typ": "JWT", "alg": "HS256" })), part(claims));
        self.hand_out(&jwt);
        self.actions_tokens.admin.insert(jwt.clone(), (scope, expires));
        Ok(jwt)
    }

    /// Whose scale sets the bearer of an admin token manages.
    pub(crate) fn admin_of(&mut self, token: Option<&str>, now: Timestamp) -> Result<Scope, ServiceError> {
        let scope = live(&self.actions_tokens.admin, token, now).ok_or_else(ServiceError::unauthorized)?;
        if self.config.faults.ends_admin_token(now) {
            self.actions_tokens.revoke_admin();
            return Err(ServiceError::unauthorized());
        }
        Ok(scope)
    }

    /// The address of a repository or organisation, as a browser shows it.
    pub(crate) fn address_of(&self, scope: Scope) -> Option<String> {
        let path = match scope {
            Scope::Repository(id) => self.accounts.repositories.get(&id)?.full_name(),
            Scope::Organization(id) => self.accounts.by_id.get(&id)?.login.clone(),
        };
        Some(format!("{}/{path}", self.urls.server))
    }
}
