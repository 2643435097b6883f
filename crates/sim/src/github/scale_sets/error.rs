//! Refusals in the shape of the Actions service.

use serde_json::{Value, json};

/// A refusal: its status, the exception it is called, and what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServiceError {
    pub(crate) status: u16,
    exception: &'static str,
    message: String,
}

impl ServiceError {
    fn new(status: u16, exception: &'static str, message: impl Into<String>) -> Self {
        Self { status, exception, message: message.into() }
    }

    pub(crate) fn unauthorized() -> Self {
        Self::new(401, "VssUnauthorizedException", "The token is not known, or has ended.")
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "VssServiceException", message)
    }

    pub(crate) fn no_route() -> Self {
        Self::new(404, "VssResourceNotFoundException", "There is no such resource.")
    }

    pub(crate) fn no_group() -> Self {
        Self::new(404, "RunnerGroupNotFoundException", "There is no such runner group.")
    }

    /// As seen in actions-runner-controller#4370.
    pub(crate) fn no_scale_set(id: u64) -> Self {
        Self::new(
            404,
            "GitHub.Actions.Runtime.WebApi.RunnerScaleSetNotFoundException",
            format!("No runner scale set found with identifier {id}."),
        )
    }

    pub(crate) fn scale_set_exists(name: &str) -> Self {
        Self::new(
            409,
            "GitHub.Actions.Runtime.WebApi.RunnerScaleSetExistsException",
            format!("Runner scale set {name} already exists."),
        )
    }

    /// As seen in actions-runner-controller#4285.
    pub(crate) fn session_conflict(name: &str) -> Self {
        Self::new(
            409,
            "GitHub.Actions.Runtime.WebApi.RunnerScaleSetSessionConflictException",
            format!("The actions runner scaleset {name} already has an active session."),
        )
    }

    pub(crate) fn no_session() -> Self {
        Self::new(
            404,
            "GitHub.Actions.Runtime.WebApi.RunnerScaleSetSessionNotFoundException",
            "There is no such session.",
        )
    }

    pub(crate) fn no_runner() -> Self {
        Self::new(404, "GitHub.DistributedTask.WebApi.TaskAgentNotFoundException", "No runner found.")
    }

    pub(crate) fn runner_exists(name: &str) -> Self {
        Self::new(
            409,
            "GitHub.DistributedTask.WebApi.TaskAgentExistsException",
            format!("Already exists - A runner with the name '{name}' already exists."),
        )
    }

    pub(crate) fn job_still_running(name: &str) -> Self {
        Self::new(
            400,
            "GitHub.DistributedTask.WebApi.TaskAgentJobStillRunningException",
            format!("Runner \"{name}\" is still running a job."),
        )
    }

    /// Too many registrations.
    pub(crate) fn too_many() -> Self {
        Self::new(429, "RequestBlockedException", "Too many runners were registered lately.")
    }

    pub(crate) fn body(&self) -> Value {
        json!({ "typeName": self.exception, "message": self.message })
    }
}
